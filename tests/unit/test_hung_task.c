/*
 * test_hung_task.c: tasks that sleep for too long are reported once, with where, with which locks, and for what; others are not.
 *
 * Broken if this fails: a task hangs and nothing says so, or the reader of its stack disturbs it, or is disturbed.
 */
#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/tasks.h"

#define NR_NAPPERS 4

static DEFINE_MUTEX(m);
static DECLARE_RWSEM(rwsem);
static DEFINE_SEMAPHORE(semaphore, 0);
static DECLARE_COMPLETION(completion);
static uint32_t awake; /* nappers may end. Synchronization: atomic */
static char output[65536];

static int wait_for_mutex(void *unused)
{
	(void)unused;
	mutex_lock(&m);
	mutex_unlock(&m);
	return 0;
}

static int wait_for_rwsem(void *unused)
{
	(void)unused;
	down_read(&rwsem);
	up_read(&rwsem);
	return 0;
}

static int wait_for_semaphore(void *unused)
{
	(void)unused;
	down(&semaphore);
	return 0;
}

static int wait_for_done(void *unused)
{
	(void)unused;
	wait_for_completion(&completion);
	return 0;
}

/* They sleep and wake while they are looked at. */
static int nap(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&awake, __ATOMIC_RELAXED))
		schedule_timeout_uninterruptible(1);
	return 0;
}

static bool is_told(unsigned int task)
{
	return __atomic_load_n(&to_sched(tasks[task])->hung_told, __ATOMIC_RELAXED);
}

static void hang(void *unused)
{
	(void)unused;
	lockdep_on = true;
	if (sched_boot(2) || hung_task_boot(1, false))
		abort();
	mutex_lock(&m);
	down_write(&rwsem);
	task_start(wait_for_mutex);
	task_start(wait_for_rwsem);
	task_start(wait_for_semaphore);
	task_start(wait_for_done);
	for (unsigned int i = 0; i < NR_NAPPERS; i++)
		task_start(nap);
	while (!is_told(0) || !is_told(1) || !is_told(2) || !is_told(3))
		schedule_timeout_uninterruptible(1);
	__atomic_store_n(&awake, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 4; i < nr_tasks; i++)
		if (is_told(i))
			abort();
	up_write(&rwsem);
	mutex_unlock(&m);
	up(&semaphore);
	complete(&completion);
	tasks_join();
	child_end(sched_shutdown() ? 1 : 0);
}

static unsigned int count(const char *text)
{
	unsigned int nr = 0;

	for (const char *at = output; (at = strstr(at, text)); at++)
		nr++;
	return nr;
}

static void each_is_reported_once_with_what_it_waits_for(void **state)
{
	(void)state;
	assert_int_equal(child_run(hang, NULL, output, sizeof(output)), 0);
	assert_int_equal(count("flagstone: INFO: task task/"), 4);
	assert_int_equal(count(" blocked for more than 1 seconds.\n"), 4);
	assert_int_equal(count(" is blocked on a mutex likely owned by task boot:"), 1);
	assert_int_equal(count(" is blocked on an rw-semaphore likely owned by task boot:"), 1);
	assert_int_equal(count(" is blocked on a semaphore, 0x"), 1);
	assert_int_equal(count(" is blocked on a completion, 0x"), 1);
	/* What is waited for is on the list, as in the kernel. */
	assert_int_equal(count(" (m){+.+.}, taken at:\n  #0 "), 1);
	assert_int_equal(count(" (rwsem){++++}, taken at:\n  #0 ") + count(" (rwsem){+.+.}, taken at:\n  #0 "), 1);
	assert_int_equal(count("no locks held by task/"), 2);
	assert_int_equal(count("Call Trace:\n  #0 0x"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_reported_once_with_what_it_waits_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
