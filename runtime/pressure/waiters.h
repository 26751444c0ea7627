/*
 * waiters.h: tasks that wait in line under a lock of their owner's: first come, first woken.
 *
 * Calls the sched room. Knows nothing of what is waited for.
 */
#ifndef RUNTIME_PRESSURE_WAITERS_H
#define RUNTIME_PRESSURE_WAITERS_H

#include <linux/sched.h>

#include "runtime/host/host.h"
#include "runtime/lib/list.h"
#include "runtime/lib/lock.h"

/* This room's locks are leaves: under them nothing is called but wake_up_process(). None is taken under another. */
#define LOCK_PRESSURE LOCK_TASKS

/* Lies on the waiting task's stack. On the list if and only if it waits and nobody has woken it yet. */
struct waiter {
	struct list_head list; /* Synchronization: the owner's lock */
	struct task_struct *task; /* Synchronization: const */
	void *given; /* what the waker hands over. Synchronization: the owner's lock */
	bool woken; /* Synchronization: the owner's lock */
};

/* The owner's lock is held. */
static inline void __waiter_enter(struct list_head *line, struct waiter *waiter)
{
	waiter->task = current;
	waiter->given = NULL;
	waiter->woken = false;
	list_add_tail(&waiter->list, line);
}

/* The owner's lock is held, which also keeps the waiter where it is. */
static inline void __waiter_wake(struct waiter *waiter, void *given)
{
	list_del(&waiter->list);
	waiter->given = given;
	waiter->woken = true;
	wake_up_process(waiter->task);
}

static inline void __waiters_wake_all(struct list_head *line)
{
	while (!list_empty(line))
		__waiter_wake(list_first_entry(line, struct waiter, list), NULL);
}

/* The owner's lock is held. Off the list, if it is still on it. Returns whether its waker woke it. */
static inline bool __waiter_leave(struct waiter *waiter)
{
	if (!waiter->woken)
		list_del(&waiter->list);
	return waiter->woken;
}

/*
 * Sleeps until woken, or for that many jiffies; with killable, or until the OOM killer has chosen this task. The lock
 * is held before and after, and not while asleep. Who was not woken keeps its place in the line, until
 * __waiter_leave().
 */
void __waiter_sleep(struct lock *lock, host_sigmask_t *mask, struct waiter *waiter, long timeout, bool killable);

#endif
