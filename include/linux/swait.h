/*
 * linux/swait.h: simple wait queues: for one kind of waiter, woken in the order in which they came, without functions of their own.
 *
 * Semantics: Linux, the kernel's header of this name. All waiters are exclusive. They sleep in TASK_INTERRUPTIBLE, TASK_IDLE or
 * TASK_UNINTERRUPTIBLE, and every wake-up wakes any of these.
 */
#ifndef FLAGSTONE_LINUX_SWAIT_H
#define FLAGSTONE_LINUX_SWAIT_H

#pragma GCC system_header /* its macros nest, with locals of the same names */
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swait_queue_head {
	raw_spinlock_t lock;
	struct list_head task_list; /* of struct swait_queue. Synchronization: lock */
};

struct swait_queue {
	struct task_struct *task;
	struct list_head task_list; /* Synchronization: the queue's lock */
};

/* clang-format off */
#define __SWAITQUEUE_INITIALIZER(name) { .task = current, .task_list = LIST_HEAD_INIT((name).task_list) }
#define DECLARE_SWAITQUEUE(name) struct swait_queue name = __SWAITQUEUE_INITIALIZER(name)
#define __SWAIT_QUEUE_HEAD_INITIALIZER(name) \
	{ .lock = __SPIN_LOCK_INITIALIZER(name.lock), .task_list = LIST_HEAD_INIT((name).task_list) }
#define DECLARE_SWAIT_QUEUE_HEAD(name) struct swait_queue_head name = __SWAIT_QUEUE_HEAD_INITIALIZER(name)
#define DECLARE_SWAIT_QUEUE_HEAD_ONSTACK(name) \
	struct swait_queue_head name = {{0, 0, NULL, FLAGSTONE_LOCKDEP_MAP_ONSTACK(name.lock)}, LIST_HEAD_INIT((name).task_list)}
/* clang-format on */
void __init_swait_queue_head(struct swait_queue_head *q, const char *name, const struct lock_class_key *key);
/* Makes an empty queue. Any context. */
#define init_swait_queue_head(q)                          \
	do {                                              \
		static struct lock_class_key __key;       \
		__init_swait_queue_head((q), #q, &__key); \
	} while (0)

/* Whether anybody waits: a hint, unless a barrier comes before, which swq_has_sleeper() has. Any context. */
static inline int swait_active(struct swait_queue_head *q)
{
	return READ_ONCE(q->task_list.next) != &q->task_list;
}

static inline bool swq_has_sleeper(struct swait_queue_head *q)
{
	smp_mb(); /* Pairs with prepare_to_swait_exclusive(): one of the two sees the other's */
	return swait_active(q);
}

/* ---- waking ---- */

/* Wakes the one that has waited longest. Any context. _locked: q->lock is held, interrupts are off. */
void swake_up_one(struct swait_queue_head *q);
void swake_up_locked(struct swait_queue_head *q);
/* Wakes all that wait now, one after the other, with the lock let go in between. Context: task or softirq, interrupts on. */
void swake_up_all(struct swait_queue_head *q);

/* ---- waiting: context: task, may sleep ---- */

/*
 * Onto the queue's end unless it is on it, then set_current_state(state): what was waited for is to be looked at after this. _event: 0, or
 * -ERESTARTSYS where the OOM killer has chosen this task and the state lets it interrupt: then the waiter is off the queue.
 */
void prepare_to_swait_exclusive(struct swait_queue_head *q, struct swait_queue *wait, int state);
long prepare_to_swait_event(struct swait_queue_head *q, struct swait_queue *wait, int state);
/* TASK_RUNNING, and off the queue. */
void finish_swait(struct swait_queue_head *q, struct swait_queue *wait);

/* Sleeps until the condition is true, which is evaluated by this task, any number of times. cmd: what is done to sleep. */
#define ___swait_event(q, condition, state, ret, cmd)                                              \
	({                                                                                         \
		struct swait_queue __wait = {NULL, {NULL, NULL}};                                  \
		long __ret = (ret);                                                                \
		INIT_LIST_HEAD(&__wait.task_list);                                                 \
		___wait_loop(prepare_to_swait_event(&(q), &__wait, (int)(state)), condition, cmd); \
		finish_swait(&(q), &__wait);                                                       \
		__ret;                                                                             \
	})
#define ___swait_timeout(q, condition, state, timeout) \
	___wait_timed(condition, timeout,              \
		___swait_event(q, ___wait_cond_timeout(condition), state, __left, __ret = schedule_timeout(__ret)))

#define swait_event_exclusive(q, condition) \
	((void)___wait_unless(condition, ___swait_event(q, condition, TASK_UNINTERRUPTIBLE, 0, schedule())))
#define swait_event_idle_exclusive(q, condition) \
	((void)___wait_unless(condition, ___swait_event(q, condition, TASK_IDLE, 0, schedule())))
/* 0, or -ERESTARTSYS when the OOM killer has chosen this task. */
#define swait_event_interruptible_exclusive(q, condition) \
	___wait_unless(condition, ___swait_event(q, condition, TASK_INTERRUPTIBLE, 0, schedule()))
/* For at most timeout jiffies. Returns 0 if the condition was false to the end, else the jiffies left, at least 1. */
#define swait_event_timeout_exclusive(q, condition, timeout) \
	___swait_timeout(q, condition, TASK_UNINTERRUPTIBLE, timeout)
#define swait_event_idle_timeout_exclusive(q, condition, timeout) ___swait_timeout(q, condition, TASK_IDLE, timeout)
#define swait_event_interruptible_timeout_exclusive(q, condition, timeout) \
	___swait_timeout(q, condition, TASK_INTERRUPTIBLE, timeout)

#ifdef __cplusplus
}
#endif

#endif
