/*
 * waiter.c: how a task sleeps for something that is handed to it: what mutexes, semaphores and completions have in common.
 *
 * Calls cpu.c and timeout.c. Knows nothing of what is handed over.
 */
#include <errno.h>
#include <linux/list.h>

#include "runtime/sched/locks.h"

void __waiter_grant(struct lock_waiter *waiter)
{
	list_del(&waiter->list);
	waiter->granted = true;
	/* The waiter needs the inner lock to go on: it is still there. */
	wake_up_process(waiter->task);
}

long waiter_sleep(uint32_t *inner, host_sigmask_t mask, struct list_head *list, struct lock_waiter *waiter,
	unsigned int state, long timeout)
{
	long error = 0;

	waiter->task = current;
	waiter->granted = false;
	list_add_tail(&waiter->list, list);
	while (!waiter->granted) {
		if (sleep_is_interrupted(state))
			error = -EINTR;
		else if (!timeout)
			error = -ETIME;
		if (error) {
			list_del(&waiter->list);
			break;
		}
		set_current_state(state);
		inner_unlock(inner, mask);
		timeout = schedule_timeout(timeout);
		mask = inner_lock(inner);
	}
	__set_current_state(TASK_RUNNING);
	inner_unlock(inner, mask);
	return error ? error : timeout;
}
