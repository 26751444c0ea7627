/*
 * rwsem.c: sleeping locks for many readers or one writer.
 *
 * Calls waiter.c, and lockdep.c for checks. Who lets go hands it to the first that waits: a writer, or all readers up to the next one.
 */
#include <errno.h>
#include <linux/rwsem.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"

#define WRITTEN (-1)

void __init_rwsem(struct rw_semaphore *sem, const char *name, const struct lock_class_key *key)
{
	sem->lock = 0;
	__atomic_store_n(&sem->count, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&sem->owner, NULL, __ATOMIC_RELAXED);
	sem->recursions = 0;
	INIT_LIST_HEAD(&sem->wait_list);
	lockdep_init(&sem->dep_map, name, key);
}

/* The inner lock is held for these. */
static void __set_count(struct rw_semaphore *sem, int count)
{
	__atomic_store_n(&sem->count, count, __ATOMIC_RELAXED);
}

static void __give(struct rw_semaphore *sem, bool reads, struct task_struct *task)
{
	__set_count(sem, reads ? sem->count + 1 : WRITTEN);
	if (!reads)
		__atomic_store_n(&sem->owner, task, __ATOMIC_RELAXED);
}

static bool __may_take(struct rw_semaphore *sem, bool reads)
{
	return reads ? sem->count >= 0 : sem->count == 0;
}

static void __hand_over(struct rw_semaphore *sem)
{
	while (!list_empty(&sem->wait_list)) {
		struct lock_waiter *waiter = list_first_entry(&sem->wait_list, struct lock_waiter, list);

		if (!__may_take(sem, waiter->reads))
			break;
		__give(sem, waiter->reads, waiter->task);
		__waiter_grant(waiter);
	}
}

static bool try(struct rw_semaphore *sem, bool reads)
{
	host_sigmask_t mask = inner_lock(&sem->lock);
	bool may = list_empty(&sem->wait_list) && __may_take(sem, reads);

	if (may)
		__give(sem, reads, current);
	inner_unlock(&sem->lock, mask);
	return may;
}

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	const struct rw_semaphore *sem = wait->what;
	int count = __atomic_load_n(&sem->count, __ATOMIC_RELAXED);

	if (count == WRITTEN) {
		text_printf(text, "an rw-semaphore");
		__wait_print_task(text, __atomic_load_n(&sem->owner, __ATOMIC_RELAXED));
	} else {
		text_printf(text, "an rw-semaphore that %d tasks read", count);
	}
}

static int take_sleeping(struct rw_semaphore *sem, bool reads, unsigned int state)
{
	const struct sched_wait wait = {print_wait, sem};
	struct lock_waiter waiter = {.reads = reads};
	host_sigmask_t mask = inner_lock(&sem->lock);
	long left;

	if (list_empty(&sem->wait_list) && __may_take(sem, reads)) {
		__give(sem, reads, current);
		inner_unlock(&sem->lock, mask);
		return 0;
	}
	sched_waits_for(&wait);
	left = waiter_sleep(&sem->lock, mask, &sem->wait_list, &waiter, state, MAX_SCHEDULE_TIMEOUT);
	sched_waits_for(NULL);
	if (left >= 0)
		return 0;
	/* Those behind it may go on, now that it does not wait. */
	mask = inner_lock(&sem->lock);
	__hand_over(sem);
	inner_unlock(&sem->lock, mask);
	return (int)left;
}

static bool is_writer(struct rw_semaphore *sem)
{
	return __atomic_load_n(&sem->owner, __ATOMIC_RELAXED) == current;
}

static int take(struct rw_semaphore *sem, bool reads, unsigned int state, int subclass)
{
	int error;

	might_sleep();
	if (!lockdep_acquire(&sem->dep_map, (unsigned int)subclass, reads ? HOW_READ : HOW_WRITE) && is_writer(sem)) {
		sem->recursions++;
		return 0;
	}
	error = take_sleeping(sem, reads, state);
	if (error)
		lockdep_release(&sem->dep_map);
	return error;
}

void down_read(struct rw_semaphore *sem)
{
	take(sem, true, TASK_UNINTERRUPTIBLE, 0);
}

void down_read_nested(struct rw_semaphore *sem, int subclass)
{
	take(sem, true, TASK_UNINTERRUPTIBLE, subclass);
}

int down_read_interruptible(struct rw_semaphore *sem)
{
	return take(sem, true, TASK_INTERRUPTIBLE, 0);
}

int down_read_killable(struct rw_semaphore *sem)
{
	return take(sem, true, TASK_KILLABLE, 0);
}

void down_write(struct rw_semaphore *sem)
{
	take(sem, false, TASK_UNINTERRUPTIBLE, 0);
}

void down_write_nested(struct rw_semaphore *sem, int subclass)
{
	take(sem, false, TASK_UNINTERRUPTIBLE, subclass);
}

int down_write_killable(struct rw_semaphore *sem)
{
	return take(sem, false, TASK_KILLABLE, 0);
}

int down_read_trylock(struct rw_semaphore *sem)
{
	if (!try(sem, true))
		return 0;
	lockdep_acquire(&sem->dep_map, 0, HOW_READ | HOW_TRY);
	return 1;
}

int down_write_trylock(struct rw_semaphore *sem)
{
	if (!try(sem, false))
		return 0;
	lockdep_acquire(&sem->dep_map, 0, HOW_WRITE | HOW_TRY);
	return 1;
}

static void let_go(struct rw_semaphore *sem, bool reads, const char *function)
{
	host_sigmask_t mask;
	bool held;

	if (!lockdep_release(&sem->dep_map))
		return;
	if (is_writer(sem) && unlikely(sem->recursions)) {
		sem->recursions--;
		return;
	}
	mask = inner_lock(&sem->lock);
	held = reads ? sem->count > 0 : sem->count == WRITTEN && is_writer(sem);
	if (held && !reads)
		__atomic_store_n(&sem->owner, NULL, __ATOMIC_RELAXED);
	if (held)
		__set_count(sem, reads ? sem->count - 1 : 0);
	__hand_over(sem);
	inner_unlock(&sem->lock, mask);
	if (!held)
		report_bug("%s: %s is not held that way by %s/%d", function, sem->dep_map.name, current->comm,
			current->pid);
}

void up_read(struct rw_semaphore *sem)
{
	let_go(sem, true, "up_read");
}

void up_write(struct rw_semaphore *sem)
{
	let_go(sem, false, "up_write");
}

void downgrade_write(struct rw_semaphore *sem)
{
	host_sigmask_t mask = inner_lock(&sem->lock);
	bool held = sem->count == WRITTEN && is_writer(sem);

	if (held) {
		__atomic_store_n(&sem->owner, NULL, __ATOMIC_RELAXED);
		__set_count(sem, 1);
	}
	__hand_over(sem);
	inner_unlock(&sem->lock, mask);
	if (!held)
		report_bug("downgrade_write: %s is not held that way by %s/%d", sem->dep_map.name, current->comm,
			current->pid);
}
