/*
 * test_mutex.c: mutexes, semaphores, rwsems: one owner at a time, in the order in which they came; mistakes are reports.
 *
 * Broken if this fails: two tasks are inside at once, one is forgotten, or a wrong unlock passes unseen.
 */
#include <errno.h>
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/report.h"
#include "runtime/sched/sched.h"
#include "tests/unit/child.h"
#include "tests/unit/cpus.h"
#include "tests/unit/tasks.h"

#define NR_TASKS 24
#define ROUNDS 200

static DEFINE_MUTEX(static_mutex);
static struct mutex mutex;
static struct rw_semaphore rwsem;
static struct semaphore sem;
static int inside; /* Synchronization: atomic */
static unsigned long count; /* Synchronization: mutex, or rwsem */
static atomic_t mistakes, arrived;

static int boot(void **state)
{
	(void)state;
	mutex_init(&mutex);
	init_rwsem(&rwsem);
	sema_init(&sem, 3);
	count = 0;
	inside = 0;
	atomic_set(&mistakes, 0);
	atomic_set(&arrived, 0);
	return sched_boot(test_cpus(8));
}

static int shut_down(void **state)
{
	(void)state;
	return sched_shutdown();
}

static void enter(int most)
{
	if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) > most)
		atomic_inc(&mistakes);
}

static void leave(void)
{
	__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
}

static int lock_mutex(void *data)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (((uintptr_t)data + i) % 7 == 0) {
			if (!mutex_trylock(&mutex))
				mutex_lock(&mutex);
		} else if (i % 3 == 0) {
			if (mutex_lock_interruptible(&mutex))
				atomic_inc(&mistakes);
		} else {
			mutex_lock(&mutex);
		}
		enter(1);
		count++;
		if (i % 16 == 0)
			schedule_timeout_uninterruptible(0);
		leave();
		mutex_unlock(&mutex);
	}
	return 0;
}

static void one_owner_at_a_time(void **state)
{
	(void)state;
	tasks_run(lock_mutex, NR_TASKS);
	assert_int_equal(count, NR_TASKS * ROUNDS);
	assert_int_equal(atomic_read(&mistakes), 0);
	assert_false(mutex_is_locked(&mutex));
	mutex_destroy(&mutex);
}

static void one_owner_at_a_time_under_preemption(void **state)
{
	assert_int_equal(preempt_force(50, 77), 0);
	one_owner_at_a_time(state);
	assert_int_equal(preempt_force(0, 0), 0);
}

/* ---- order ---- */

static unsigned int order[NR_TASKS]; /* Synchronization: mutex */

static int queue_up(void *data)
{
	/* One after the other. */
	while ((uintptr_t)atomic_read(&arrived) != (uintptr_t)data ||
		__atomic_load_n(&mutex.nr_waiters, __ATOMIC_RELAXED) < (uintptr_t)data)
		schedule_timeout_uninterruptible(1);
	atomic_inc(&arrived);
	mutex_lock(&mutex);
	order[count++] = (unsigned int)(uintptr_t)data;
	mutex_unlock(&mutex);
	return 0;
}

static void waiters_come_in_order(void **state)
{
	(void)state;
	mutex_lock(&mutex);
	for (unsigned int i = 0; i < NR_TASKS; i++)
		task_start(queue_up);
	while (__atomic_load_n(&mutex.nr_waiters, __ATOMIC_RELAXED) < NR_TASKS)
		schedule_timeout_uninterruptible(1);
	mutex_unlock(&mutex);
	/* Who comes later does not get in between. */
	mutex_lock(&mutex);
	assert_int_equal(count, NR_TASKS);
	mutex_unlock(&mutex);
	tasks_join();
	for (unsigned int i = 0; i < NR_TASKS; i++)
		assert_int_equal(order[i], i);
}

/* ---- the OOM killer's choice ---- */

static int be_interrupted(void *data)
{
	int (*lock)(struct mutex *) = data ? mutex_lock_killable : mutex_lock_interruptible;

	WRITE_ONCE(current->oom_reserve_access, (void *)&mutex);
	if (lock(&mutex) != -EINTR || down_killable(&sem) != -EINTR || down_write_killable(&rwsem) != -EINTR)
		atomic_inc(&mistakes);
	return 0;
}

static void chosen_tasks_do_not_wait(void **state)
{
	(void)state;
	mutex_lock(&mutex);
	down_read(&rwsem);
	for (int i = 0; i < 3; i++)
		down(&sem);
	tasks_run(be_interrupted, 2);
	for (int i = 0; i < 3; i++)
		up(&sem);
	up_read(&rwsem);
	mutex_unlock(&mutex);
	assert_int_equal(atomic_read(&mistakes), 0);
	down_write(&rwsem);
	up_write(&rwsem);
}

/* ---- semaphores and rwsems ---- */

static int use_semaphore(void *data)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (((uintptr_t)data + i) % 5 == 0) {
			if (down_trylock(&sem))
				down(&sem);
		} else {
			down(&sem);
		}
		enter(3);
		if (i % 16 == 0)
			yield();
		leave();
		up(&sem);
	}
	return 0;
}

static void a_semaphore_counts(void **state)
{
	(void)state;
	tasks_run(use_semaphore, NR_TASKS);
	assert_int_equal(atomic_read(&mistakes), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(down_trylock(&sem), 0);
	assert_int_equal(down_trylock(&sem), 1);
	assert_int_equal(down_timeout(&sem, 1), -ETIME);
	up(&sem);
	assert_int_equal(down_timeout(&sem, 1), 0);
}

static int use_rwsem(void *data)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (((uintptr_t)data + i) % 4 == 0) {
			down_write(&rwsem);
			enter(1);
			count++;
			leave();
			if (i % 8 == 0)
				downgrade_write(&rwsem);
			if (i % 8 == 0)
				up_read(&rwsem);
			else
				up_write(&rwsem);
		} else {
			down_read(&rwsem);
			if (__atomic_load_n(&inside, __ATOMIC_RELAXED))
				atomic_inc(&mistakes);
			yield();
			up_read(&rwsem);
		}
	}
	return 0;
}

static void writers_are_alone(void **state)
{
	(void)state;
	tasks_run(use_rwsem, NR_TASKS);
	assert_int_equal(count, NR_TASKS * ROUNDS / 4);
	assert_int_equal(atomic_read(&mistakes), 0);
	assert_false(rwsem_is_locked(&rwsem));
	assert_int_equal(down_read_trylock(&rwsem), 1);
	assert_int_equal(down_read_trylock(&rwsem), 1);
	assert_int_equal(down_write_trylock(&rwsem), 0);
	up_read(&rwsem);
	up_read(&rwsem);
	assert_int_equal(down_write_trylock(&rwsem), 1);
	assert_int_equal(down_read_trylock(&rwsem), 0);
	up_write(&rwsem);
}

static void writers_are_alone_under_preemption(void **state)
{
	assert_int_equal(preempt_force(50, 4711), 0);
	writers_are_alone(state);
	a_semaphore_counts(state);
	assert_int_equal(preempt_force(0, 0), 0);
}

/* ---- mistakes ---- */

static char output[16384];

static void child_boot(bool check)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	lockdep_on = check;
	boot(NULL);
}

static void child_down(void)
{
	child_end(sched_shutdown() ? 1 : 0);
}

static void lock_twice(void *check)
{
	child_boot(check);
	mutex_lock(&static_mutex);
	mutex_lock(&static_mutex);
	mutex_unlock(&static_mutex);
	assert_true(mutex_is_locked(&static_mutex));
	mutex_unlock(&static_mutex);
	assert_false(mutex_is_locked(&static_mutex));
	child_down();
}

static void unlock_free(void *check)
{
	child_boot(check);
	mutex_unlock(&static_mutex);
	mutex_lock(&static_mutex);
	mutex_unlock(&static_mutex);
	child_down();
}

static int unlock_it(void *data)
{
	(void)data;
	mutex_unlock(&static_mutex);
	return 0;
}

static void unlock_by_another(void *check)
{
	child_boot(check);
	mutex_lock(&static_mutex);
	tasks_run(unlock_it, 1);
	assert_true(mutex_is_locked(&static_mutex));
	mutex_unlock(&static_mutex);
	child_down();
}

static void destroy_locked(void *check)
{
	child_boot(check);
	mutex_lock(&mutex);
	mutex_destroy(&mutex);
	mutex_unlock(&mutex);
	child_down();
}

static void expect(void (*body)(void *), bool check, const char *line)
{
	assert_int_equal(child_run(body, check ? (void *)&mutex : NULL, output, sizeof(output)), 0);
	assert_memory_equal(output, line, strlen(line));
	assert_null(strstr(output + 1, "flagstone: "));
}

static void mistakes_are_reports(void **state)
{
	(void)state;
	expect(lock_twice, false, "flagstone: BUG: mutex static_mutex is locked again by its owner boot/");
	expect(unlock_free, false, "flagstone: BUG: mutex static_mutex is unlocked by boot/");
	expect(unlock_by_another, false, "flagstone: BUG: mutex static_mutex is unlocked by task/0/");
	expect(destroy_locked, false, "flagstone: BUG: mutex_destroy: &mutex is locked\n");
	expect(lock_twice, true, "flagstone: WARNING: possible recursive locking detected\n");
	expect(unlock_free, true, "flagstone: WARNING: bad unlock balance detected!\n");
	expect(unlock_by_another, true, "flagstone: WARNING: bad unlock balance detected!\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_reports),
		cmocka_unit_test_setup_teardown(one_owner_at_a_time, boot, shut_down),
		cmocka_unit_test_setup_teardown(one_owner_at_a_time_under_preemption, boot, shut_down),
		cmocka_unit_test_setup_teardown(waiters_come_in_order, boot, shut_down),
		cmocka_unit_test_setup_teardown(chosen_tasks_do_not_wait, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_semaphore_counts, boot, shut_down),
		cmocka_unit_test_setup_teardown(writers_are_alone, boot, shut_down),
		cmocka_unit_test_setup_teardown(writers_are_alone_under_preemption, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
