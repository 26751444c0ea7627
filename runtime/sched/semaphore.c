/*
 * semaphore.c: counting semaphores.
 *
 * Calls waiter.c. Whoever gives one back hands it to the first that waits.
 */
#include <linux/semaphore.h>

#include "runtime/sched/locks.h"

static bool __take(struct semaphore *sem)
{
	if (!sem->count)
		return false;
	sem->count--;
	return true;
}

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	text_printf(text, "a semaphore, %p", wait->what);
}

/* Returns 0, -EINTR or -ETIME. */
static int take(struct semaphore *sem, unsigned int state, long timeout)
{
	const struct sched_wait wait = {print_wait, sem};
	struct lock_waiter waiter;
	host_sigmask_t mask;
	long left;

	might_sleep();
	mask = inner_lock(&sem->lock);
	if (__take(sem)) {
		inner_unlock(&sem->lock, mask);
		return 0;
	}
	sched_waits_for(&wait);
	left = waiter_sleep(&sem->lock, mask, &sem->wait_list, &waiter, state, timeout);
	sched_waits_for(NULL);
	return left < 0 ? (int)left : 0;
}

void down(struct semaphore *sem)
{
	take(sem, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
}

int down_interruptible(struct semaphore *sem)
{
	return take(sem, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
}

int down_killable(struct semaphore *sem)
{
	return take(sem, TASK_KILLABLE, MAX_SCHEDULE_TIMEOUT);
}

int down_timeout(struct semaphore *sem, long timeout)
{
	return take(sem, TASK_UNINTERRUPTIBLE, timeout > 0 ? timeout : 0);
}

int down_trylock(struct semaphore *sem)
{
	host_sigmask_t mask = inner_lock(&sem->lock);
	bool taken = __take(sem);

	inner_unlock(&sem->lock, mask);
	return !taken;
}

void up(struct semaphore *sem)
{
	host_sigmask_t mask = inner_lock(&sem->lock);

	if (list_empty(&sem->wait_list))
		sem->count++;
	else
		__waiter_grant(list_first_entry(&sem->wait_list, struct lock_waiter, list));
	inner_unlock(&sem->lock, mask);
}
