/*
 * wait.c: wait queues.
 *
 * Calls spinlock.c for the queue's lock, cpu.c to wake. Knows nothing of what is waited for.
 */
#include <linux/kthread.h>
#include <linux/wait.h>

#include "runtime/sched/locks.h"

void flagstone_init_waitqueue_head(struct wait_queue_head *wq, const char *name, const struct lock_class_key *key)
{
	flagstone_spin_lock_init(&wq->lock, name, key);
	INIT_LIST_HEAD(&wq->head);
}

int default_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	(void)flags;
	(void)key;
	return wake_up_state(entry->private, mode);
}

int autoremove_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	int woken = default_wake_function(entry, mode, flags, key);

	if (woken)
		list_del_init_careful(&entry->entry);
	return woken;
}

void init_wait_entry(struct wait_queue_entry *entry, int flags)
{
	entry->flags = (unsigned int)flags;
	entry->private = current;
	entry->func = autoremove_wake_function;
	INIT_LIST_HEAD(&entry->entry);
}

static unsigned int flags_of(struct wait_queue_entry *entry)
{
	return __atomic_load_n(&entry->flags, __ATOMIC_RELAXED);
}

/* The flags are looked at under the lock, and changed by the waiter at any time: see wait_woken(). */
static void set_exclusive(struct wait_queue_entry *entry, bool exclusive)
{
	if (exclusive)
		__atomic_fetch_or(&entry->flags, WQ_FLAG_EXCLUSIVE, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&entry->flags, ~WQ_FLAG_EXCLUSIVE, __ATOMIC_RELAXED);
}

/* Behind the last that is not exclusive, so that all wake in the order in which they came. */
static void __add_shared(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	struct list_head *last = wq->head.prev;

	while (last != &wq->head && (flags_of(list_entry(last, struct wait_queue_entry, entry)) & WQ_FLAG_EXCLUSIVE))
		last = last->prev;
	list_add(&entry->entry, last);
}

void add_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	unsigned long flags;

	set_exclusive(entry, false);
	spin_lock_irqsave(&wq->lock, flags);
	__add_shared(wq, entry);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void add_wait_queue_exclusive(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	unsigned long flags;

	set_exclusive(entry, true);
	spin_lock_irqsave(&wq->lock, flags);
	list_add_tail(&entry->entry, &wq->head);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void remove_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&wq->lock, flags);
	list_del(&entry->entry);
	spin_unlock_irqrestore(&wq->lock, flags);
}

/* ---- waiting ---- */

void prepare_to_wait(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state)
{
	unsigned long flags;

	set_exclusive(entry, false);
	spin_lock_irqsave(&wq->lock, flags);
	if (list_empty(&entry->entry))
		__add_shared(wq, entry);
	set_current_state(state);
	spin_unlock_irqrestore(&wq->lock, flags);
}

bool prepare_to_wait_exclusive(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state)
{
	bool was_empty = false;
	unsigned long flags;

	set_exclusive(entry, true);
	spin_lock_irqsave(&wq->lock, flags);
	if (list_empty(&entry->entry)) {
		was_empty = list_empty(&wq->head);
		list_add_tail(&entry->entry, &wq->head);
	}
	set_current_state(state);
	spin_unlock_irqrestore(&wq->lock, flags);
	return was_empty;
}

long prepare_to_wait_event(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state)
{
	bool exclusive = flags_of(entry) & WQ_FLAG_EXCLUSIVE;
	unsigned long flags;
	long error = 0;

	spin_lock_irqsave(&wq->lock, flags);
	if (sleep_is_interrupted((unsigned int)state)) {
		/* Off the queue, so that no wake-up is spent on it: the caller still looks at the condition. */
		list_del_init(&entry->entry);
		error = -ERESTARTSYS;
	} else {
		if (list_empty(&entry->entry) && exclusive)
			list_add_tail(&entry->entry, &wq->head);
		else if (list_empty(&entry->entry))
			__add_shared(wq, entry);
		set_current_state(state);
	}
	spin_unlock_irqrestore(&wq->lock, flags);
	return error;
}

void finish_wait(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	unsigned long flags;

	__set_current_state(TASK_RUNNING);
	/* Pairs with autoremove_wake_function(): the entry is this task's alone if it is seen off the queue. */
	if (list_empty_careful(&entry->entry))
		return;
	spin_lock_irqsave(&wq->lock, flags);
	list_del_init(&entry->entry);
	spin_unlock_irqrestore(&wq->lock, flags);
}

/* Whether this is a kernel thread that is to end, or to park. */
static bool is_called_off(void)
{
	return (current->flags & PF_KTHREAD) && (kthread_should_stop() || kthread_should_park());
}

long wait_woken(struct wait_queue_entry *entry, unsigned int mode, long timeout)
{
	set_current_state(mode);
	/* Pairs with woken_wake_function(), kthread_stop() and kthread_park(): they set a flag, then look at the state. */
	if (!(__atomic_load_n(&entry->flags, __ATOMIC_SEQ_CST) & WQ_FLAG_WOKEN) && !is_called_off())
		timeout = schedule_timeout(timeout);
	__set_current_state(TASK_RUNNING);
	__atomic_fetch_and(&entry->flags, ~WQ_FLAG_WOKEN, __ATOMIC_SEQ_CST);
	return timeout;
}

int woken_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	/* Pairs with wait_woken(). */
	__atomic_fetch_or(&entry->flags, WQ_FLAG_WOKEN, __ATOMIC_SEQ_CST);
	return default_wake_function(entry, mode, flags, key);
}

/* ---- waking ---- */

/* The lock is held. nr 0: all. */
static int __wake(struct wait_queue_head *wq, unsigned int mode, int nr, void *key)
{
	struct wait_queue_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &wq->head, entry) {
		unsigned int flags = flags_of(entry);
		int woken = entry->func(entry, mode, 0, key);

		if (woken < 0)
			break;
		if (woken && (flags & WQ_FLAG_EXCLUSIVE) && !--nr)
			break;
	}
	return nr;
}

int __wake_up(struct wait_queue_head *wq, unsigned int mode, int nr, void *key)
{
	unsigned long flags;
	int left;

	spin_lock_irqsave(&wq->lock, flags);
	left = __wake(wq, mode, nr, key);
	spin_unlock_irqrestore(&wq->lock, flags);
	return left;
}

void __wake_up_locked(struct wait_queue_head *wq, unsigned int mode, int nr)
{
	__wake(wq, mode, nr, NULL);
}

void __wake_up_locked_key(struct wait_queue_head *wq, unsigned int mode, void *key)
{
	__wake(wq, mode, 1, key);
}
