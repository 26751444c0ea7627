/*
 * waiters.c: the sleep of a task that waits in line.
 *
 * Calls the sched room. Knows nothing of what is waited for.
 */
#include "runtime/pressure/waiters.h"

void __waiter_sleep(struct lock *lock, host_sigmask_t *mask, struct waiter *waiter, long timeout, bool killable)
{
	while (!waiter->woken && timeout > 0 && !(killable && fatal_signal_pending(current))) {
		/* The waker comes under the lock, and so after this. */
		set_current_state(killable ? TASK_KILLABLE : TASK_UNINTERRUPTIBLE);
		guard_release(lock, *mask);
		timeout = schedule_timeout(timeout);
		*mask = guard_acquire(lock);
	}
}
