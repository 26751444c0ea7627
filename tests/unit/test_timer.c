/*
 * test_timer.c: timers and high resolution timers: never early, never lost, on their CPU, gone when they were stopped.
 *
 * Broken if this fails: a timer fires before its time or after timer_delete_sync(), is lost when it is moved, or the
 * heap is out of order.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/timer.h>

#include "runtime/irq/due.h"
#include "tests/unit/irq_fixture.h"

static unsigned int wrong; /* Synchronization: atomic */

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- the heap ---- */

#define NR_DUE 1000

static void the_heap_gives_the_earliest(void **state)
{
	static struct flagstone_due dues[NR_DUE];
	struct flagstone_due *heap = NULL;
	uint64_t random = 42, last;
	long nr = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct flagstone_due *due = &dues[random_next(&random) % NR_DUE];

		if (due->queued) {
			due_remove(&heap, due);
			nr--;
		} else {
			/* Across the overflow. */
			due_insert(&heap, due, random_next(&random) % 1000 - 500);
			nr++;
		}
		if (round % 100 == 0)
			assert_int_equal(due_check(heap), nr);
	}
	for (last = (uint64_t)-500; heap; nr--) {
		assert_false(due_before(heap->when, last));
		last = heap->when;
		due_remove(&heap, heap);
	}
	assert_int_equal(nr, 0);
}

/* ---- timers ---- */

struct counted {
	struct timer_list timer;
	unsigned int ran; /* Synchronization: atomic */
	unsigned int inside; /* Synchronization: atomic */
	unsigned int stopped; /* it must not run. Synchronization: atomic */
	int cpu;
	bool shared; /* others move it while it runs */
};

static void counted_body(struct timer_list *timer)
{
	struct counted *counted = from_timer(counted, timer, timer);

	if (add(counted->inside, 1) != 1 || load(counted->stopped) || !in_serving_softirq() || irqs_disabled() ||
		(!counted->shared && time_before(jiffies, timer->expires)))
		add(wrong, 1);
	counted->cpu = raw_smp_processor_id();
	add(counted->ran, 1);
	add(counted->inside, -1u);
}

static void timers_say_what_they_were(void **state)
{
	struct counted counted = {.ran = 0};
	unsigned long later = jiffies + 3600 * HZ;

	(void)state;
	timer_setup(&counted.timer, counted_body, 0);
	assert_false(timer_pending(&counted.timer));
	assert_int_equal(mod_timer_pending(&counted.timer, later), 0);
	assert_false(timer_pending(&counted.timer));
	assert_int_equal(mod_timer(&counted.timer, later), 0);
	assert_int_equal(mod_timer(&counted.timer, later + HZ), 1);
	assert_int_equal(counted.timer.expires, later + HZ);
	assert_int_equal(timer_reduce(&counted.timer, later + 2 * HZ), 1);
	assert_int_equal(counted.timer.expires, later + HZ);
	assert_int_equal(timer_reduce(&counted.timer, later), 1);
	assert_int_equal(counted.timer.expires, later);
	assert_int_equal(mod_timer_pending(&counted.timer, later + 1), 1);
	assert_int_equal(del_timer(&counted.timer), 1);
	assert_int_equal(del_timer(&counted.timer), 0);
	assert_int_equal(del_timer_sync(&counted.timer), 0);
	/* In the past: at once. */
	mod_timer(&counted.timer, jiffies - 10);
	wait_until(load(counted.ran) == 1);
	counted.timer.expires = jiffies + 3;
	add_timer(&counted.timer);
	wait_until(load(counted.ran) == 2);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		counted.timer.expires = jiffies + 1;
		add_timer_on(&counted.timer, (int)cpu);
		wait_until(load(counted.ran) == 3 + cpu);
		assert_int_equal(del_timer_sync(&counted.timer), 0);
		assert_int_equal(counted.cpu, cpu);
	}
	assert_int_equal(timer_shutdown_sync(&counted.timer), 0);
	assert_int_equal(mod_timer(&counted.timer, jiffies), 0);
	assert_false(timer_pending(&counted.timer));
	assert_int_equal(wrong, 0);
}

static void start_again(struct timer_list *timer)
{
	struct counted *counted = from_timer(counted, timer, timer);

	add(counted->ran, 1);
	if (!load(counted->stopped))
		mod_timer(timer, jiffies - 1);
}

static void a_timer_that_starts_itself_at_once_lets_its_cpu_go_on(void **state)
{
	struct counted counted = {.ran = 0};
	unsigned long before = jiffies;

	(void)state;
	timer_setup(&counted.timer, start_again, 0);
	counted.timer.expires = before;
	add_timer_on(&counted.timer, raw_smp_processor_id());
	for (unsigned int ran = 1; ran <= 5; ran++)
		spin_until(load(counted.ran) >= ran);
	assert_true(jiffies - before >= 5);
	store(counted.stopped, 1);
	del_timer_sync(&counted.timer);
}

/* ---- many tasks start, move and stop timers of each other ---- */

#define NR_SHARED 16

static struct counted shared[NR_SHARED];
static uint64_t random_word = 77; /* Synchronization: atomic, any value will do */

static void play_with_one(void)
{
	uint64_t random = load(random_word);
	struct counted *counted;

	random_next(&random);
	store(random_word, random);
	counted = &shared[random % NR_SHARED];
	switch (random / NR_SHARED % 4) {
	case 0:
		del_timer(&counted->timer);
		break;
	case 1:
		del_timer_sync(&counted->timer);
		break;
	default:
		mod_timer(&counted->timer, jiffies + random / 1024 % 3);
	}
	host_yield();
}

static void timers_survive_rough_handling(void **state)
{
	struct hogs hogs;

	(void)state;
	for (int i = 0; i < NR_SHARED; i++) {
		shared[i] = (struct counted){.shared = true};
		timer_setup(&shared[i].timer, counted_body, 0);
	}
	assert_int_equal(preempt_force(200, 3), 0);
	hogs_start(&hogs, play_with_one);
	for (int i = 0; i < NR_SHARED; i++)
		wait_until(load(shared[i].ran) > 5);
	hogs_stop(&hogs);
	for (int i = 0; i < NR_SHARED; i++) {
		unsigned int before = load(shared[i].ran);

		del_timer_sync(&shared[i].timer);
		assert_int_equal(load(shared[i].inside), 0);
		store(shared[i].stopped, 1);
		store(shared[i].stopped, 0);
		/* None is lost: each can still be started. */
		before = load(shared[i].ran);
		mod_timer(&shared[i].timer, jiffies + 1);
		wait_until(load(shared[i].ran) == before + 1);
		del_timer_sync(&shared[i].timer);
		store(shared[i].stopped, 1);
	}
	assert_int_equal(wrong, 0);
}

static void restart_body(struct timer_list *timer)
{
	struct counted *counted = from_timer(counted, timer, timer);

	if (load(counted->stopped))
		add(wrong, 1);
	add(counted->ran, 1);
	mod_timer(timer, jiffies + 1);
}

static void one_that_restarts_itself_ends_at_shutdown(void **state)
{
	struct counted counted = {.ran = 0};

	(void)state;
	for (int round = 0; round < 10; round++) {
		timer_setup(&counted.timer, restart_body, 0);
		store(counted.stopped, 0);
		store(counted.ran, 0);
		mod_timer(&counted.timer, jiffies);
		wait_until(load(counted.ran) > 2);
		timer_shutdown_sync(&counted.timer);
		store(counted.stopped, 1);
	}
	schedule_timeout_uninterruptible(3);
	assert_int_equal(wrong, 0);
}

/* ---- high resolution timers ---- */

struct high {
	struct hrtimer timer;
	unsigned int turns; /* Synchronization: atomic */
	unsigned int limit;
	ktime_t interval;
};

static enum hrtimer_restart high_body(struct hrtimer *timer)
{
	struct high *high = container_of(timer, struct high, timer);

	if (!in_hardirq() || !irqs_disabled() || ktime_get() < hrtimer_get_expires(timer))
		add(wrong, 1);
	if (hrtimer_forward_now(timer, high->interval) < 1)
		add(wrong, 1);
	return add(high->turns, 1) < high->limit ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

static void high_resolution_timers_tick(void **state)
{
	struct high high = {.limit = 20, .interval = us_to_ktime(300)};
	ktime_t start = ktime_get();

	(void)state;
	hrtimer_setup(&high.timer, high_body, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	assert_false(hrtimer_active(&high.timer));
	assert_int_equal(hrtimer_cancel(&high.timer), 0);
	hrtimer_start(&high.timer, ms_to_ktime(3600000), HRTIMER_MODE_REL);
	assert_true(hrtimer_active(&high.timer));
	assert_true(hrtimer_is_queued(&high.timer));
	assert_true(hrtimer_get_remaining(&high.timer) > ms_to_ktime(3000000));
	assert_int_equal(hrtimer_try_to_cancel(&high.timer), 1);
	assert_int_equal(hrtimer_try_to_cancel(&high.timer), 0);
	hrtimer_start(&high.timer, us_to_ktime(100), HRTIMER_MODE_REL);
	wait_until(load(high.turns) == 20);
	assert_int_equal(hrtimer_cancel(&high.timer), 0);
	assert_true(ktime_us_delta(ktime_get(), start) >= 100);
	high.limit = ~0u;
	hrtimer_start(&high.timer, ktime_get(), HRTIMER_MODE_ABS);
	wait_until(load(high.turns) > 40);
	hrtimer_cancel(&high.timer);
	assert_false(hrtimer_active(&high.timer));
	high.limit = load(high.turns);
	schedule_timeout_uninterruptible(2);
	assert_int_equal(load(high.turns), high.limit);
	assert_int_equal(wrong, 0);
}

static void forwarding_skips_what_was_missed(void **state)
{
	struct high high = {.limit = 0};

	(void)state;
	hrtimer_setup(&high.timer, high_body, CLOCK_BOOTTIME, HRTIMER_MODE_ABS);
	hrtimer_set_expires(&high.timer, 1000);
	assert_int_equal(hrtimer_forward(&high.timer, 999, 100), 0);
	assert_int_equal(hrtimer_forward(&high.timer, 1000, 100), 1);
	assert_int_equal(hrtimer_get_expires(&high.timer), 1100);
	assert_int_equal(hrtimer_forward(&high.timer, 1399, 100), 3);
	assert_int_equal(hrtimer_get_expires(&high.timer), 1400);
	assert_int_equal(hrtimer_forward(&high.timer, 1400, 100), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_heap_gives_the_earliest),
		cmocka_unit_test_setup_teardown(timers_say_what_they_were, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(
			a_timer_that_starts_itself_at_once_lets_its_cpu_go_on, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(timers_survive_rough_handling, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(
			one_that_restarts_itself_ends_at_shutdown, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(high_resolution_timers_tick, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(forwarding_skips_what_was_missed, fixture_boot, fixture_shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
