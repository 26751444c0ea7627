/*
 * completion.c: completions.
 *
 * Calls waiter.c. A waiter is handed its part by complete(), so that none who comes later takes it.
 */
#include <linux/completion.h>

#include "runtime/sched/locks.h"

#define FOR_ALL UINT32_MAX

static unsigned int done(struct completion *x)
{
	return __atomic_load_n(&x->done, __ATOMIC_RELAXED);
}

static void set_done(struct completion *x, unsigned int value)
{
	__atomic_store_n(&x->done, value, __ATOMIC_RELAXED);
}

static struct lock_waiter *__first(struct completion *x)
{
	return list_empty(&x->waiters) ? NULL : list_first_entry(&x->waiters, struct lock_waiter, list);
}

void complete(struct completion *x)
{
	host_sigmask_t mask = inner_lock(&x->lock);
	struct lock_waiter *waiter = __first(x);

	if (waiter)
		__waiter_grant(waiter);
	else if (done(x) != FOR_ALL)
		set_done(x, done(x) + 1);
	inner_unlock(&x->lock, mask);
}

void complete_all(struct completion *x)
{
	host_sigmask_t mask = inner_lock(&x->lock);
	struct lock_waiter *waiter;

	set_done(x, FOR_ALL);
	while ((waiter = __first(x)))
		__waiter_grant(waiter);
	inner_unlock(&x->lock, mask);
}

/* The lock is held. */
static bool __take(struct completion *x)
{
	if (!done(x))
		return false;
	if (done(x) != FOR_ALL)
		set_done(x, done(x) - 1);
	return true;
}

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	text_printf(text, "a completion, %p", wait->what);
}

/* Returns the jiffies left; -ETIME or -EINTR. */
static long wait(struct completion *x, unsigned int state, long timeout)
{
	const struct sched_wait for_x = {print_wait, x};
	struct lock_waiter waiter;
	host_sigmask_t mask;

	might_sleep();
	mask = inner_lock(&x->lock);
	if (__take(x)) {
		inner_unlock(&x->lock, mask);
		return timeout;
	}
	sched_waits_for(&for_x);
	timeout = waiter_sleep(&x->lock, mask, &x->waiters, &waiter, state, timeout);
	sched_waits_for(NULL);
	return timeout;
}

static int wait_for_ever(struct completion *x, unsigned int state)
{
	return wait(x, state, MAX_SCHEDULE_TIMEOUT) == -EINTR ? -ERESTARTSYS : 0;
}

static long wait_for_a_time(struct completion *x, unsigned int state, unsigned long timeout)
{
	long left = wait(x, state, timeout > MAX_SCHEDULE_TIMEOUT ? MAX_SCHEDULE_TIMEOUT : (long)timeout);

	if (left == -EINTR)
		return -ERESTARTSYS;
	if (left == -ETIME)
		return 0;
	return left ? left : 1;
}

void wait_for_completion(struct completion *x)
{
	wait_for_ever(x, TASK_UNINTERRUPTIBLE);
}

void wait_for_completion_io(struct completion *x)
{
	wait_for_ever(x, TASK_UNINTERRUPTIBLE);
}

int wait_for_completion_interruptible(struct completion *x)
{
	return wait_for_ever(x, TASK_INTERRUPTIBLE);
}

int wait_for_completion_killable(struct completion *x)
{
	return wait_for_ever(x, TASK_KILLABLE);
}

unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout)
{
	return (unsigned long)wait_for_a_time(x, TASK_UNINTERRUPTIBLE, timeout);
}

unsigned long wait_for_completion_io_timeout(struct completion *x, unsigned long timeout)
{
	return (unsigned long)wait_for_a_time(x, TASK_UNINTERRUPTIBLE, timeout);
}

long wait_for_completion_interruptible_timeout(struct completion *x, unsigned long timeout)
{
	return wait_for_a_time(x, TASK_INTERRUPTIBLE, timeout);
}

long wait_for_completion_killable_timeout(struct completion *x, unsigned long timeout)
{
	return wait_for_a_time(x, TASK_KILLABLE, timeout);
}

bool try_wait_for_completion(struct completion *x)
{
	host_sigmask_t mask = inner_lock(&x->lock);
	bool taken = __take(x);

	inner_unlock(&x->lock, mask);
	return taken;
}

bool completion_done(struct completion *x)
{
	host_sigmask_t mask = inner_lock(&x->lock);
	bool is_done = done(x);

	inner_unlock(&x->lock, mask);
	return is_done;
}
