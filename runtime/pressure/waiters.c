/*
 * waiters.c: the sleep of a task that waits in line.
 *
 * Calls the sched room. Knows nothing of what is waited for.
 */
#include "runtime/pressure/waiters.h"

void __waiter_sleep(struct lock *lock, host_sigmask_t *mask, struct waiter *waiter, long timeout, bool killable)
{
	while (!waiter->woken && timeout > 0) {
		/* The waker comes under the lock, and so after this. The OOM killer does not: pairs with
		 * oom_kill(), which wakes after it has said so. */
		set_current_state(killable ? TASK_KILLABLE : TASK_UNINTERRUPTIBLE);
		if (killable && fatal_signal_pending(current))
			break;
		lock_release_masked(lock, *mask);
		timeout = schedule_timeout(timeout);
		*mask = lock_acquire_masked(lock);
	}
	__set_current_state(TASK_RUNNING);
}
