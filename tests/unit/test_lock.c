/*
 * test_lock.c: mutual exclusion, sleeping, giving up, and the order check of debug builds.
 *
 * Links with lib and host.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "tests/unit/child.h"

#define NR_THREADS 8
#define NR_ROUNDS 50000

static struct lock lock = {.rank = LOCK_ZONE};
static unsigned long counter; /* Synchronization: lock; plain on purpose */

static void *count_up(void *argument)
{
	int i;

	for (i = 0; i < NR_ROUNDS; i++) {
		switch ((i + (int)(intptr_t)argument) % 3) {
		case 0:
			lock_acquire(&lock);
			break;
		case 1:
			while (!lock_try(&lock))
				host_yield();
			break;
		default:
			while (!lock_try_briefly(&lock))
				host_yield();
			break;
		}
		counter++;
		lock_release(&lock);
	}
	return NULL;
}

static void test_eight_threads_lose_no_count(void **state)
{
	pthread_t threads[NR_THREADS];
	intptr_t i;

	(void)state;
	counter = 0;
	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, count_up, (void *)i);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counter, NR_THREADS * NR_ROUNDS);
	assert_int_equal(lock.state, 0);
}

static void *acquire_once(void *argument)
{
	struct timespec *used = argument;

	lock_acquire(&lock);
	counter++;
	lock_release(&lock);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, used);
	return NULL;
}

/* All waiters sleep while the holder keeps the lock, and each of them is woken. */
static void test_waiters_sleep_and_all_wake(void **state)
{
	struct timespec used[NR_THREADS];
	pthread_t threads[NR_THREADS];
	int i;

	(void)state;
	counter = 0;
	lock_acquire(&lock);
	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, acquire_once, &used[i]);
	usleep(200000);
	assert_int_equal(counter, 0);
	assert_int_equal(__atomic_load_n(&lock.state, __ATOMIC_RELAXED), 2);
	lock_release(&lock);
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(used[i].tv_sec == 0 && used[i].tv_nsec < 100000000);
	}
	assert_int_equal(counter, NR_THREADS);
	assert_int_equal(lock.state, 0);
}

static void *try_both(void *argument)
{
	bool *results = argument;

	results[0] = lock_try(&lock);
	results[1] = lock_try_briefly(&lock);
	return NULL;
}

static void test_tries_give_up_while_held(void **state)
{
	bool results[2] = {true, true};
	pthread_t thread;

	(void)state;
	assert_true(lock_try(&lock));
	pthread_create(&thread, NULL, try_both, results);
	pthread_join(thread, NULL);
	assert_false(results[0]);
	assert_false(results[1]);
	lock_release(&lock);
	assert_true(lock_try_briefly(&lock));
	lock_release(&lock);
}

static void test_init_and_reinit_free_the_lock(void **state)
{
	struct lock other = {.state = 2, .rank = 0};

	(void)state;
	lock_init(&other, LOCK_MEMORY);
	assert_int_equal(other.rank, LOCK_MEMORY);
	lock_fork_begin();
	assert_true(lock_try(&other));
	lock_reinit(&other);
	assert_true(lock_try(&other));
	lock_reinit(&other);
	lock_fork_end();
	assert_int_equal(other.state, 0);
	assert_int_equal(other.rank, LOCK_MEMORY);
}

/* ---- the order of ranks ---- */

/* Takes the first, then waits for the second. */
static void take_two(enum lock_rank first_rank, enum lock_rank second_rank)
{
	struct lock first = LOCK_INIT(first_rank), second = LOCK_INIT(second_rank);

	if (!lock_try(&first))
		_exit(1);
	lock_acquire(&second);
	lock_release(&second);
	lock_release(&first);
}

static void wait_downwards(void *argument)
{
	(void)argument;
	take_two(LOCK_ZONE, LOCK_SLABS);
}

static void wait_for_same_rank(void *argument)
{
	(void)argument;
	take_two(LOCK_SLABS, LOCK_SLABS);
}

static void wait_for_depot(void *argument)
{
	(void)argument;
	take_two(LOCK_CACHE_LIST, LOCK_DEPOT);
}

static void release_unheld(void *argument)
{
	struct lock other = LOCK_INIT(LOCK_PCP);

	(void)argument;
	lock_release(&other);
}

static void assert_unheld(void *argument)
{
	struct lock other = LOCK_INIT(LOCK_PCP);

	(void)argument;
	lock_assert_held(&other);
}

static void wait_upwards(void *argument)
{
	struct lock other = LOCK_INIT(LOCK_AREA);

	(void)argument;
	take_two(LOCK_BOOT, LOCK_REPORT);
	take_two(LOCK_SLABS, LOCK_ZONE);
	lock_acquire(&other);
	lock_assert_held(&other);
	lock_release(&other);
}

static void try_downwards(void *argument)
{
	struct lock depot = LOCK_INIT(LOCK_DEPOT), zone = LOCK_INIT(LOCK_ZONE);

	(void)argument;
	lock_acquire(&zone);
	if (!lock_try(&depot))
		_exit(1);
	lock_release(&zone);
	/* As a signal handler that interrupted the holder of a depot. */
	take_two(LOCK_DEPOT, LOCK_AREA);
	lock_assert_held(&depot);
	lock_release(&depot);
}

static void take_all_for_fork(void *argument)
{
	(void)argument;
	lock_fork_begin();
	take_two(LOCK_SLABS, LOCK_SLABS);
	take_two(LOCK_ZONE, LOCK_DEPOT);
	lock_fork_end();
	take_two(LOCK_SLABS, LOCK_ZONE);
}

static void expect_bug(void (*body)(void *), const char *first_line)
{
	char output[4096];
	int status = child_run(body, NULL, output, sizeof(output));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_memory_equal(output, first_line, strlen(first_line));
}

static void expect_silence(void (*body)(void *))
{
	char output[4096];

	assert_int_equal(child_run(body, NULL, output, sizeof(output)), 0);
	assert_string_equal(output, "");
}

static void test_wrong_order_is_a_bug_in_debug_builds(void **state)
{
	(void)state;
	if (!CONFIG_DEBUG) {
		expect_silence(wait_downwards);
		return;
	}
	expect_bug(wait_downwards, "flagstone: BUG: lock order: waiting for rank 4 while holding rank 8\n");
	expect_bug(wait_for_same_rank, "flagstone: BUG: lock order: waiting for rank 4 while holding rank 4\n");
	expect_bug(wait_for_depot, "flagstone: BUG: lock order: waiting for rank 3 while holding rank 1\n");
	expect_bug(release_unheld, "flagstone: BUG: lock order: releasing rank 7, which this thread does not hold\n");
	expect_bug(assert_unheld, "flagstone: BUG: lock order: rank 7 is not held here\n");
}

static void test_allowed_orders_are_silent(void **state)
{
	(void)state;
	expect_silence(wait_upwards);
	expect_silence(try_downwards);
	expect_silence(take_all_for_fork);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eight_threads_lose_no_count),
		cmocka_unit_test(test_waiters_sleep_and_all_wake),
		cmocka_unit_test(test_tries_give_up_while_held),
		cmocka_unit_test(test_init_and_reinit_free_the_lock),
		cmocka_unit_test(test_wrong_order_is_a_bug_in_debug_builds),
		cmocka_unit_test(test_allowed_orders_are_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
