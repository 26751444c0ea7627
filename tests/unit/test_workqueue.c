/*
 * test_workqueue.c: work items: each queueing is one run, never two at once; flushing and cancelling leave nothing
 * behind; queues go on when their items sleep or no thread can be made.
 *
 * Broken if this fails: work is lost, runs after it was cancelled, or a queue stands still.
 */
#include <linux/delay.h>
#include <linux/workqueue.h>

#include "tests/unit/irq_fixture.h"

struct counted {
	struct work_struct work;
	unsigned int ran, inside; /* Synchronization: atomic */
	unsigned int wanted; /* a run must follow. Synchronization: atomic */
	unsigned int forbidden; /* it must not run. Synchronization: atomic */
	bool sleeps;
};

static unsigned int wrong, held; /* Synchronization: atomic */

static void counted_body(struct work_struct *work)
{
	struct counted *counted = container_of(work, struct counted, work);

	if (add(counted->inside, 1) != 1 || !in_task() || preempt_count() || load(counted->forbidden) ||
		current_work() != work)
		add(wrong, 1);
	store(counted->wanted, 0);
	if (counted->sleeps)
		schedule_timeout_uninterruptible(1);
	add(counted->ran, 1);
	add(counted->inside, -1u);
}

/* Runs until it is told to end. */
static void held_body(struct work_struct *work)
{
	struct counted *counted = container_of(work, struct counted, work);

	add(counted->inside, 1);
	while (load(held))
		schedule_timeout_uninterruptible(1);
	add(counted->ran, 1);
	add(counted->inside, -1u);
}

static int shut_down(void **state)
{
	irq_worker_hook = NULL;
	assert_int_equal(wrong, 0);
	return fixture_shut_down(state);
}

static void items_say_what_they_were(void **state)
{
	struct workqueue_struct *wq = alloc_ordered_workqueue("ordered%d", 0, 1);
	struct counted first = {.ran = 0}, second = {.ran = 0};

	(void)state;
	INIT_WORK(&first.work, held_body);
	INIT_WORK(&second.work, counted_body);
	store(held, 1);
	assert_true(queue_work(wq, &first.work));
	wait_until(load(first.inside));
	assert_false(work_pending(&first.work));
	assert_int_equal(work_busy(&first.work), WORK_BUSY_RUNNING);
	assert_true(queue_work(wq, &second.work));
	assert_false(queue_work(wq, &second.work));
	assert_true(work_pending(&second.work));
	assert_int_equal(work_busy(&second.work), WORK_BUSY_PENDING);
	assert_true(cancel_work_sync(&second.work));
	assert_false(cancel_work_sync(&second.work));
	assert_int_equal(load(second.ran), 0);
	/* One that runs can be queued: it runs again afterwards. */
	assert_true(queue_work(wq, &first.work));
	assert_false(queue_work(wq, &first.work));
	store(held, 0);
	flush_work(&first.work);
	assert_int_equal(load(first.ran), 2);
	assert_false(flush_work(&first.work));
	assert_true(queue_work(wq, &second.work));
	flush_workqueue(wq);
	assert_int_equal(load(second.ran), 1);
	assert_true(queue_work(wq, &second.work));
	destroy_workqueue(wq);
	assert_int_equal(load(second.ran), 2);
}

static unsigned int order[8], nr_ran;

struct numbered {
	struct work_struct work;
	unsigned int number;
};

static void numbered_body(struct work_struct *work)
{
	order[nr_ran++] = container_of(work, struct numbered, work)->number;
	schedule_timeout_uninterruptible(1);
}

static void an_ordered_queue_keeps_the_order(void **state)
{
	struct workqueue_struct *wq = create_singlethread_workqueue("single");
	struct numbered items[8];

	(void)state;
	nr_ran = 0;
	for (unsigned int i = 0; i < 8; i++) {
		items[i].number = i;
		INIT_WORK(&items[i].work, numbered_body);
		queue_work(wq, &items[i].work);
	}
	flush_workqueue(wq);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(order[i], i);
	destroy_workqueue(wq);
}

static int seen_cpu; /* Synchronization: flush_work() */

static void cpu_body(struct work_struct *work)
{
	(void)work;
	seen_cpu = raw_smp_processor_id();
}

static void items_run_where_they_were_queued(void **state)
{
	struct work_struct work;

	(void)state;
	INIT_WORK(&work, cpu_body);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		assert_true(schedule_work_on((int)cpu, &work));
		flush_work(&work);
		assert_int_equal(seen_cpu, cpu);
		assert_true(queue_work_on((int)cpu, system_highpri_wq, &work));
		flush_work(&work);
		assert_int_equal(seen_cpu, cpu);
		assert_true(queue_work(system_unbound_wq, &work));
		flush_work(&work);
	}
}

/* An item that waits for the next, which waits for the next: each sleeping one makes room. */
#define CHAIN 30

static unsigned int chain_ended; /* Synchronization: atomic */

static void chain_body(struct work_struct *work)
{
	unsigned int number = container_of(work, struct numbered, work)->number;

	while (load(chain_ended) != CHAIN - 1 - number)
		schedule_timeout_uninterruptible(1);
	add(chain_ended, 1);
}

static void sleeping_items_make_room_for_others(void **state)
{
	struct numbered items[CHAIN];

	(void)state;
	store(chain_ended, 0);
	for (unsigned int i = 0; i < CHAIN; i++) {
		items[i].number = i;
		INIT_WORK(&items[i].work, chain_body);
		queue_work_on((int)(1 % nr_cpu_ids), system_wq, &items[i].work);
	}
	for (unsigned int i = 0; i < CHAIN; i++)
		flush_work(&items[i].work);
	assert_int_equal(load(chain_ended), CHAIN);
}

static unsigned int now_active, most_active; /* Synchronization: atomic */

static void active_body(struct work_struct *work)
{
	unsigned int active = add(now_active, 1), most = load(most_active);

	(void)work;
	while (active > most &&
		!__atomic_compare_exchange_n(&most_active, &most, active, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	schedule_timeout_uninterruptible(1);
	add(now_active, -1u);
}

static void no_more_than_max_active_run(void **state)
{
	struct workqueue_struct *wq = alloc_workqueue("three", WQ_UNBOUND, 3);
	struct numbered items[20];

	(void)state;
	most_active = 0;
	for (unsigned int i = 0; i < 20; i++) {
		INIT_WORK(&items[i].work, active_body);
		queue_work(wq, &items[i].work);
	}
	drain_workqueue(wq);
	assert_int_equal(load(now_active), 0);
	assert_in_range(load(most_active), 1, 3);
	destroy_workqueue(wq);
}

/* ---- delayed ---- */

struct delayed {
	struct delayed_work dwork;
	unsigned int ran; /* Synchronization: atomic */
	unsigned long at; /* jiffies. Synchronization: atomic */
};

static void delayed_body(struct work_struct *work)
{
	struct delayed *delayed = container_of(to_delayed_work(work), struct delayed, dwork);

	store(delayed->at, jiffies);
	add(delayed->ran, 1);
}

static void delayed_items_take_their_time(void **state)
{
	struct delayed delayed = {.ran = 0};
	unsigned long start;

	(void)state;
	INIT_DELAYED_WORK(&delayed.dwork, delayed_body);
	assert_true(queue_delayed_work(system_wq, &delayed.dwork, 3600 * HZ));
	assert_false(queue_delayed_work(system_wq, &delayed.dwork, 1));
	assert_true(delayed_work_pending(&delayed.dwork));
	assert_true(cancel_delayed_work(&delayed.dwork));
	assert_false(cancel_delayed_work(&delayed.dwork));
	assert_false(mod_delayed_work(system_wq, &delayed.dwork, 3600 * HZ));
	assert_true(mod_delayed_work(system_wq, &delayed.dwork, 3600 * HZ));
	flush_delayed_work(&delayed.dwork);
	assert_int_equal(load(delayed.ran), 1);
	start = jiffies;
	assert_true(schedule_delayed_work_on((int)nr_cpu_ids - 1, &delayed.dwork, 3));
	wait_until(load(delayed.ran) == 2);
	assert_true(load(delayed.at) - start >= 3);
	assert_true(schedule_delayed_work(&delayed.dwork, 0));
	flush_delayed_work(&delayed.dwork);
	schedule_delayed_work(&delayed.dwork, 3600 * HZ);
	assert_true(cancel_delayed_work_sync(&delayed.dwork));
	assert_false(cancel_delayed_work_sync(&delayed.dwork));
	assert_int_equal(load(delayed.ran), 3);
}

/* ---- rough handling ---- */

#define NR_SHARED 12

static struct counted shared[NR_SHARED];
static struct workqueue_struct *queues[4];
static uint64_t random_word = 99; /* Synchronization: atomic, any value will do */

static void play_with_one(void)
{
	uint64_t random = load(random_word);
	struct counted *counted;

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	store(random_word, random);
	counted = &shared[random % NR_SHARED];
	switch (random / NR_SHARED % 8) {
	case 0:
		cancel_work_sync(&counted->work);
		break;
	case 1:
		flush_work(&counted->work);
		break;
	case 2:
		flush_workqueue(queues[random / 1024 % 4]);
		break;
	case 3:
		cancel_work(&counted->work);
		break;
	default:
		/* An item stays with one queue: only then it never runs twice at once. */
		queue_work(queues[random % NR_SHARED % 4], &counted->work);
	}
	host_yield();
}

static void items_survive_rough_handling(void **state)
{
	struct hogs hogs;

	(void)state;
	queues[0] = system_wq;
	queues[1] = system_unbound_wq;
	queues[2] = alloc_workqueue("rough", WQ_MEM_RECLAIM | WQ_HIGHPRI, 2);
	queues[3] = alloc_workqueue("intense", WQ_CPU_INTENSIVE, 0);
	for (int i = 0; i < NR_SHARED; i++) {
		shared[i] = (struct counted){.sleeps = i % 3 == 0};
		INIT_WORK(&shared[i].work, counted_body);
	}
	assert_int_equal(preempt_force(200, 11), 0);
	hogs_start(&hogs, play_with_one);
	for (int i = 0; i < NR_SHARED; i++)
		wait_until(load(shared[i].ran) > 20);
	hogs_stop(&hogs);
	for (int i = 0; i < NR_SHARED; i++) {
		cancel_work_sync(&shared[i].work);
		assert_int_equal(load(shared[i].inside), 0);
		store(shared[i].forbidden, 1);
		store(shared[i].forbidden, 0);
		store(shared[i].wanted, 1);
		assert_true(queue_work(queues[i % 4], &shared[i].work));
		flush_work(&shared[i].work);
		assert_int_equal(load(shared[i].wanted), 0);
	}
	destroy_workqueue(queues[2]);
	destroy_workqueue(queues[3]);
}

/* ---- no thread can be made ---- */

static bool refuse(void)
{
	return false;
}

static void a_rescuer_goes_on_without_threads(void **state)
{
	struct workqueue_struct *wq = alloc_workqueue("reclaim", WQ_MEM_RECLAIM, 0);
	struct counted blockers[2], item = {.ran = 0};
	int cpu = (int)(2 % nr_cpu_ids);

	(void)state;
	irq_worker_hook = refuse;
	store(held, 1);
	/* The only idle worker of this CPU's pool must make another first, and cannot. */
	for (int i = 0; i < 2; i++) {
		blockers[i] = (struct counted){.ran = 0};
		INIT_WORK(&blockers[i].work, held_body);
		queue_work_on(cpu, system_wq, &blockers[i].work);
	}
	INIT_WORK(&item.work, counted_body);
	queue_work_on(cpu, wq, &item.work);
	flush_work(&item.work);
	assert_int_equal(load(item.ran), 1);
	assert_int_equal(load(blockers[1].ran), 0);
	irq_worker_hook = NULL;
	store(held, 0);
	for (int i = 0; i < 2; i++)
		flush_work(&blockers[i].work);
	assert_int_equal(load(blockers[0].ran), 1);
	assert_int_equal(load(blockers[1].ran), 1);
	destroy_workqueue(wq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(items_say_what_they_were, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(an_ordered_queue_keeps_the_order, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(items_run_where_they_were_queued, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(sleeping_items_make_room_for_others, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(no_more_than_max_active_run, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(delayed_items_take_their_time, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(items_survive_rough_handling, fixture_boot, shut_down),
		cmocka_unit_test_setup_teardown(a_rescuer_goes_on_without_threads, fixture_boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
