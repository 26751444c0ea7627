/*
 * swait.c: simple wait queues.
 *
 * Calls spinlock.c for the queue's lock, cpu.c to wake. Knows nothing of what is waited for.
 */
#include <linux/swait.h>

#include "runtime/sched/locks.h"

void __init_swait_queue_head(struct swait_queue_head *q, const char *name, const struct lock_class_key *key)
{
	flagstone_spin_lock_init(&q->lock, name, key);
	INIT_LIST_HEAD(&q->task_list);
}

/* ---- waking ---- */

/* The lock is held. */
static void __wake_first(struct list_head *list)
{
	struct swait_queue *first = list_first_entry(list, struct swait_queue, task_list);

	/* It needs the lock to go on, as its entry is on the list: it is still there. */
	wake_up_process(first->task);
	list_del_init_careful(&first->task_list);
}

void swake_up_locked(struct swait_queue_head *q)
{
	if (!list_empty(&q->task_list))
		__wake_first(&q->task_list);
}

void swake_up_one(struct swait_queue_head *q)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	swake_up_locked(q);
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

void swake_up_all(struct swait_queue_head *q)
{
	LIST_HEAD(those);

	raw_spin_lock_irq(&q->lock);
	list_splice_init(&q->task_list, &those);
	while (!list_empty(&those)) {
		__wake_first(&those);
		raw_spin_unlock_irq(&q->lock);
		raw_spin_lock_irq(&q->lock);
	}
	raw_spin_unlock_irq(&q->lock);
}

/* ---- waiting ---- */

/* The lock is held. */
static void __prepare(struct swait_queue_head *q, struct swait_queue *wait)
{
	wait->task = current;
	if (list_empty(&wait->task_list))
		list_add_tail(&wait->task_list, &q->task_list);
}

void prepare_to_swait_exclusive(struct swait_queue_head *q, struct swait_queue *wait, int state)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	__prepare(q, wait);
	set_current_state(state);
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

long prepare_to_swait_event(struct swait_queue_head *q, struct swait_queue *wait, int state)
{
	unsigned long flags;
	long error = 0;

	raw_spin_lock_irqsave(&q->lock, flags);
	if (sleep_is_interrupted((unsigned int)state)) {
		/* Off the queue, so that no wake-up is spent on it: the caller still looks at the condition. */
		list_del_init(&wait->task_list);
		error = -ERESTARTSYS;
	} else {
		__prepare(q, wait);
		set_current_state(state);
	}
	raw_spin_unlock_irqrestore(&q->lock, flags);
	return error;
}

void finish_swait(struct swait_queue_head *q, struct swait_queue *wait)
{
	unsigned long flags;

	__set_current_state(TASK_RUNNING);
	/* Pairs with __wake_first(): the entry is this task's alone if it is seen off the queue. */
	if (list_empty_careful(&wait->task_list))
		return;
	raw_spin_lock_irqsave(&q->lock, flags);
	list_del_init(&wait->task_list);
	raw_spin_unlock_irqrestore(&q->lock, flags);
}
