/*
 * test_areas.c: areas that others reach: drains, the end of threads, fork; in the mode that FLAGSTONE_CONF asks for.
 *
 * Links with the percpu room and those below only. What drains do to threads at work is tests/stress/preemption.c's.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "percpu/thread.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "tests/unit/percpu_fixture.h"

#define SLOT 7
#define CHUNK 63 /* areas that thread mode makes at a time */

static bool drains_reach_other_threads(void)
{
	return percpu_mode != PERCPU_THREAD || host_membarrier() == 0;
}

static void in_thread(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, function, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void assert_delivered(unsigned int i, unsigned int slot, magazine_top top, magazine_top spare)
{
	assert_in_range(i, 0, nr_deliveries - 1);
	assert_int_equal(deliveries[i].slot, slot);
	assert_pair_is(deliveries[i].pair, top, spare);
}

static void test_drain_gives_exactly_what_was_in(void **state)
{
	magazine_top main = filled(1, 8, 3, 0), spare = filled(2, 8, 8, 10), lone = filled(3, 4, 0, 0);

	(void)state;
	install(SLOT, main, spare);
	install(SLOT + 1, lone, 0);
	area_drain(SLOT, SLOT + 2, remember);
	assert_int_equal(nr_deliveries, 2);
	if (deliveries[0].slot != SLOT) { /* with several fake CPUs, they lie in different areas */
		struct delivery first = deliveries[0];

		deliveries[0] = deliveries[1];
		deliveries[1] = first;
	}
	assert_delivered(0, SLOT, main, spare);
	assert_delivered(1, SLOT + 1, lone, 0);
	assert_ptr_equal(magazines[1].word[MAGAZINE_WORDS - 8 + 2], token(2));
}

static void test_drained_area_is_as_new(void **state)
{
	(void)state;
	install(SLOT, filled(1, 8, 3, 0), filled(2, 8, 8, 10));
	area_drain(1, AREA_SLOTS, remember);
	area_drain(1, AREA_SLOTS, remember);
	assert_int_equal(nr_deliveries, 1);
	assert_null(area_pop(SLOT));
	assert_false(area_push(SLOT, token(0)));
	install(SLOT, filled(3, 8, 1, 5), 0);
	area_drain(1, AREA_SLOTS, remember);
	assert_int_equal(nr_deliveries, 2);
	assert_delivered(1, SLOT, magazine_top_at(&magazines[3], 8, 1), 0);
}

static void test_drain_keeps_to_its_slots(void **state)
{
	(void)state;
	for (unsigned int slot = 1; slot < AREA_SLOTS; slot++)
		install(slot, filled(slot, 4, 1, slot), 0);
	area_drain(100, 102, remember);
	assert_int_equal(nr_deliveries, 2);
	area_drain(AREA_SLOTS - 1, AREA_SLOTS, remember);
	assert_int_equal(nr_deliveries, 3);
	area_drain(50, 50, remember);
	assert_int_equal(nr_deliveries, 3);
	area_drain(1, AREA_SLOTS, remember);
	assert_int_equal(nr_deliveries, AREA_SLOTS - 1);
	for (unsigned int i = 0; i < nr_deliveries; i++)
		assert_int_equal(deliveries[i].pair.top, magazine_top_at(&magazines[deliveries[i].slot], 4, 1));
}

static void *drain_all(void *arg)
{
	area_drain(1, AREA_SLOTS, remember);
	return arg;
}

static void test_drain_reaches_what_another_thread_left(void **state)
{
	magazine_top top = filled(1, 8, 3, 0);

	(void)state;
	if (!drains_reach_other_threads())
		skip();
	install(SLOT, top, 0);
	in_thread(drain_all, NULL);
	assert_int_equal(nr_deliveries, 1);
	assert_delivered(0, SLOT, top, 0);
}

static void test_drain_leaves_a_thread_in_the_middle_of_an_operation(void **state)
{
	struct area *area;

	(void)state;
	if (percpu_mode != PERCPU_THREAD)
		skip();
	install(SLOT, filled(1, 8, 3, 0), 0);
	area = own_area();
	area->busy = 1;
	in_thread(drain_all, NULL);
	assert_int_equal(nr_deliveries, 0);
	assert_int_equal(area->stopped, 0);
	area->busy = 0;
	assert_ptr_equal(area_pop(SLOT), token(2));
}

/* ---- the drain of what is idle ---- */

/* So that what a pair was in an earlier test does not count. */
static void forget_earlier_looks(void)
{
	area_drain_idle(remember);
	assert_int_equal(nr_deliveries, 0);
}

static void test_idle_drain_takes_what_nobody_used_since_the_last_one(void **state)
{
	magazine_top used = filled(1, 8, 6, 0), spare = filled(2, 8, 8, 10), idle = filled(3, 4, 0, 0);

	(void)state;
	forget_earlier_looks();
	install(SLOT, used, spare);
	install(SLOT + 1, idle, 0);
	assert_true(area_drain_idle(remember));
	assert_int_equal(nr_deliveries, 0);
	if (!fixture_stays())
		skip(); /* the operations below would meet other areas */
	assert_ptr_equal(area_pop(SLOT), token(5));
	assert_true(area_drain_idle(remember));
	assert_int_equal(nr_deliveries, 1);
	assert_delivered(0, SLOT + 1, idle, 0);
	assert_ptr_equal(area_pop(SLOT), token(4));
	assert_true(area_drain_idle(remember));
	assert_int_equal(nr_deliveries, 1);
	assert_false(area_drain_idle(remember));
	assert_int_equal(nr_deliveries, 2);
	assert_delivered(1, SLOT, used - 2 * sizeof(void *), spare);
	assert_false(area_drain_idle(remember));
	assert_null(area_pop(SLOT));
	assert_int_equal(nr_deliveries, 2);
}

static void test_idle_drain_finds_everything_in_every_slot_once(void **state)
{
	unsigned int seen[AREA_SLOTS] = {0};

	(void)state;
	forget_earlier_looks();
	for (unsigned int slot = 1; slot < AREA_SLOTS; slot++)
		install(slot, filled(slot, 4, 1, slot), filled(slot + AREA_SLOTS, 4, 4, 0));
	assert_true(area_drain_idle(remember));
	area_drain_idle(remember);
	assert_int_equal(nr_deliveries, AREA_SLOTS - 1);
	for (unsigned int i = 0; i < nr_deliveries; i++) {
		unsigned int slot = deliveries[i].slot;

		assert_int_equal(seen[slot]++, 0);
		assert_pair_is(deliveries[i].pair, magazine_top_at(&magazines[slot], 4, 1),
			magazine_top_at(&magazines[slot + AREA_SLOTS], 4, 4));
	}
}

static void *drain_idle(void *arg)
{
	*(bool *)arg = area_drain_idle(remember);
	return NULL;
}

static void test_idle_drain_says_that_it_left_a_busy_thread(void **state)
{
	struct area *area;
	bool left = false;

	(void)state;
	if (percpu_mode != PERCPU_THREAD)
		skip();
	forget_earlier_looks();
	install(SLOT, filled(1, 8, 3, 0), 0);
	area = own_area();
	area->busy = 1;
	in_thread(drain_idle, &left);
	area->busy = 0;
	assert_true(left || !drains_reach_other_threads());
	assert_ptr_equal(area_pop(SLOT), token(2));
}

/* A thread that libc did not start has a thread pointer to zeroes. */
static void test_a_prepared_thread_gets_no_area(void **state)
{
	static char storage[2 << 20] __attribute__((aligned(64)));
	char *pointer = storage + sizeof(storage) / 2;
	size_t reach = percpu_thread_reach();

	(void)state;
	memset(storage, 0x55, sizeof(storage));
	assert_in_range(reach, sizeof(struct percpu_thread), sizeof(storage) / 2);
	percpu_prepare_thread(pointer);
	for (size_t i = 0; i < sizeof(storage); i++) {
		if (storage + i < pointer - reach || storage + i >= pointer + reach)
			assert_int_equal(storage[i], 0x55);
	}
	assert_true(*(int32_t *)(pointer + percpu_fast.cpu) < 0);
}

/* ---- threads end ---- */

static void *leave_a_magazine(void *arg)
{
	install(SLOT, *(magazine_top *)arg, 0);
	assert_true(area_push(SLOT, token(99)) || !fixture_stays());
	return NULL;
}

static void test_magazines_of_an_ended_thread_are_found(void **state)
{
	magazine_top top = filled(1, 8, 3, 0);

	(void)state;
	in_thread(leave_a_magazine, &top);
	/* A thread's own area has been emptied into the exit sink; a CPU's is still there. */
	assert_int_equal(nr_deliveries, percpu_mode == PERCPU_THREAD);
	area_drain(1, AREA_SLOTS, remember);
	assert_int_equal(nr_deliveries, 1);
	assert_ptr_equal(magazine_of(deliveries[0].pair.top), &magazines[1]);
	if (fixture_stays())
		assert_delivered(0, SLOT, top + 8, 0);
}

static void test_areas_of_ended_threads_are_used_again(void **state)
{
	unsigned int before;

	(void)state;
	for (unsigned int i = 0; i < 2 * CHUNK; i++) {
		magazine_top top = filled(i, 8, 0, 0);

		in_thread(leave_a_magazine, &top);
		if (i == 0)
			before = count_areas();
		assert_int_equal(count_areas(), before);
		area_drain(1, AREA_SLOTS, remember);
		assert_int_equal(nr_deliveries, i + 1);
	}
}

struct crowd {
	pthread_barrier_t barrier;
	unsigned int next; /* number of a magazine. Synchronization: atomic */
};

static void *stand_in_a_crowd(void *arg)
{
	struct crowd *crowd = arg;
	unsigned int m = __atomic_fetch_add(&crowd->next, 1, __ATOMIC_RELAXED);

	install(SLOT, filled(m, 8, 1, m), 0);
	pthread_barrier_wait(&crowd->barrier);
	pthread_barrier_wait(&crowd->barrier);
	assert_ptr_equal(area_pop(SLOT), token(m));
	return NULL;
}

static void test_more_threads_than_a_chunk_has_areas(void **state)
{
	struct crowd crowd = {.next = 1};
	pthread_t threads[CHUNK + 7];
	unsigned int before = count_areas();

	(void)state;
	if (percpu_mode != PERCPU_THREAD)
		skip(); /* elsewhere they would overwrite each other's magazine */
	pthread_barrier_init(&crowd.barrier, NULL, ARRAY_SIZE(threads) + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, stand_in_a_crowd, &crowd), 0);
	pthread_barrier_wait(&crowd.barrier);
	assert_int_equal(count_areas(), before + ARRAY_SIZE(threads));
	pthread_barrier_wait(&crowd.barrier);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_areas(), before);
	assert_int_equal(nr_deliveries, ARRAY_SIZE(threads));
}

static pthread_key_t late_key;
static unsigned int late_pushes,
	late_calls; /* Synchronization: atomic: TSan sees threads end before the last handlers */

/* An exit handler that wants to be the last: it asks for another round as often as it is called. */
static void late_handler(void *arg)
{
	struct area_view view;
	unsigned int call = __atomic_fetch_add(&late_calls, 1, __ATOMIC_RELAXED);

	if (area_push(SLOT, token(1)))
		__atomic_fetch_add(&late_pushes, 1, __ATOMIC_RELAXED);
	else if (area_snapshot(SLOT, &view) && !view.pair.top)
		install(SLOT, filled(100 + call, 8, 0, 0), 0);
	pthread_setspecific(late_key, arg);
}

static void *end_late(void *arg)
{
	install(SLOT, *(magazine_top *)arg, 0);
	pthread_setspecific(late_key, arg);
	return NULL;
}

static void test_thread_that_frees_after_its_exit_handlers_leaves_nothing(void **state)
{
	magazine_top top = filled(1, 8, 0, 0);
	unsigned int before = count_areas(), tokens = 0, pushes;

	(void)state;
	if (percpu_mode != PERCPU_THREAD)
		skip();
	pthread_key_create(&late_key, late_handler);
	in_thread(end_late, &top);
	pthread_key_delete(late_key);
	pushes = __atomic_load_n(&late_pushes, __ATOMIC_RELAXED);
	assert_true(__atomic_load_n(&late_calls, __ATOMIC_RELAXED) > 1);
	assert_true(pushes >= 1); /* in the first round the area was still there */
	assert_int_equal(count_areas(), before);
	for (unsigned int i = 0; i < nr_deliveries; i++)
		tokens += magazine_count(deliveries[i].pair.top, 8) + magazine_count(deliveries[i].pair.spare, 8);
	assert_int_equal(tokens, pushes);
}

/* ---- fork ---- */

struct pause {
	pthread_barrier_t barrier;
	magazine_top top;
};

static void *hold_a_magazine(void *arg)
{
	struct pause *pause = arg;

	install(SLOT, pause->top, 0);
	pthread_barrier_wait(&pause->barrier);
	pthread_barrier_wait(&pause->barrier);
	return NULL;
}

/* In the child, where the other thread does not exist. Returns the exit status. */
static int check_child(magazine_top own, magazine_top others)
{
	percpu_fork_child();
	lock_fork_end();
	area_drain(1, AREA_SLOTS, remember);
	if (nr_deliveries != 2)
		return 10 + (int)nr_deliveries;
	for (int i = 0; i < 2; i++) {
		magazine_top want = deliveries[i].slot == SLOT ? others : own;

		if (deliveries[i].pair.top != want || deliveries[i].pair.spare)
			return 2;
	}
	return deliveries[0].slot == deliveries[1].slot ? 3 : 0;
}

static void test_fork_child_finds_the_magazines_of_threads_that_it_lacks(void **state)
{
	struct pause pause = {.top = filled(1, 8, 3, 0)};
	magazine_top own = filled(2, 8, 1, 0);
	pthread_t thread;
	int status;
	pid_t child;

	(void)state;
	install(SLOT + 1, own, 0);
	pthread_barrier_init(&pause.barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, hold_a_magazine, &pause), 0);
	pthread_barrier_wait(&pause.barrier);
	lock_fork_begin();
	percpu_fork_prepare();
	child = fork();
	if (!child)
		_exit(check_child(own, pause.top));
	percpu_fork_parent();
	lock_fork_end();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pthread_barrier_wait(&pause.barrier);
	pthread_join(thread, NULL);
}

#define unit(test) cmocka_unit_test_setup(test, fixture_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(test_drain_gives_exactly_what_was_in),
		unit(test_drained_area_is_as_new),
		unit(test_drain_keeps_to_its_slots),
		unit(test_drain_reaches_what_another_thread_left),
		unit(test_drain_leaves_a_thread_in_the_middle_of_an_operation),
		unit(test_idle_drain_takes_what_nobody_used_since_the_last_one),
		unit(test_idle_drain_finds_everything_in_every_slot_once),
		unit(test_idle_drain_says_that_it_left_a_busy_thread),
		unit(test_a_prepared_thread_gets_no_area),
		unit(test_magazines_of_an_ended_thread_are_found),
		unit(test_areas_of_ended_threads_are_used_again),
		unit(test_more_threads_than_a_chunk_has_areas),
		unit(test_thread_that_frees_after_its_exit_handlers_leaves_nothing),
		unit(test_fork_child_finds_the_magazines_of_threads_that_it_lacks),
	};

	return fixture_status(cmocka_run_group_tests(tests, fixture_setup, NULL));
}
