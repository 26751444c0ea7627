/*
 * linux/wait.h: wait queues: tasks that sleep until something is true.
 *
 * Semantics: Linux, Documentation/kernel-hacking/hacking.rst, "Wait Queues". Who makes the condition true wakes the queue after that.
 * Tasks wake in the order in which they came; of the exclusive ones, which come last, one at a time.
 */
#ifndef FLAGSTONE_LINUX_WAIT_H
#define FLAGSTONE_LINUX_WAIT_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/wait.h>)
#include_next <linux/wait.h>
/* Names of an enumeration in the C library's <sys/wait.h>. */
#undef P_ALL
#undef P_PID
#undef P_PGID
#undef P_PIDFD
#endif
#endif

#include <linux/errno.h>
#include <linux/list.h>
#include <linux/might_sleep.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ERESTARTSYS
#define ERESTARTSYS 512
#endif

#define WQ_FLAG_EXCLUSIVE 0x01u
#define WQ_FLAG_WOKEN 0x02u

struct wait_queue_entry;
/* What a wake-up does for an entry: returns above 0 if it woke somebody, below 0 to end the walk. The queue's lock is held. */
typedef int (*wait_queue_func_t)(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key);

typedef struct wait_queue_entry {
	unsigned int flags; /* WQ_FLAG_ */
#ifdef __cplusplus
	void *private_; /* the task; C++ has the word for itself */
#else
	void *private; /* the task */
#endif
	wait_queue_func_t func;
	struct list_head entry; /* Synchronization: the queue's lock */
} wait_queue_entry_t;
typedef struct wait_queue_head {
	spinlock_t lock;
	struct list_head head; /* of entries. Synchronization: lock */
} wait_queue_head_t;

#define __WAIT_QUEUE_HEAD_INITIALIZER(name)                                     \
	{                                                                       \
		__SPIN_LOCK_INITIALIZER(name.lock), LIST_HEAD_INIT((name).head) \
	}
#define DECLARE_WAIT_QUEUE_HEAD(name) wait_queue_head_t name = __WAIT_QUEUE_HEAD_INITIALIZER(name)
#define DECLARE_WAIT_QUEUE_HEAD_ONSTACK(name) \
	wait_queue_head_t name = {{0, 0, NULL, FLAGSTONE_LOCKDEP_MAP_ONSTACK(name.lock)}, LIST_HEAD_INIT((name).head)}
void flagstone_init_waitqueue_head(struct wait_queue_head *wq, const char *name, const struct lock_class_key *key);
/* Makes an empty queue. Any context. */
#define init_waitqueue_head(wq)                                   \
	do {                                                      \
		static struct lock_class_key __key;               \
		flagstone_init_waitqueue_head((wq), #wq, &__key); \
	} while (0)

/* ---- entries ---- */

/* Wakes the task of the entry if it sleeps in one of the states mode; and takes the entry off the queue if it did. */
int default_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key);
int autoremove_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key);

#define DECLARE_WAITQUEUE(name, task) struct wait_queue_entry name = {0, (task), default_wake_function, {NULL, NULL}}
#define DEFINE_WAIT_FUNC(name, function) \
	struct wait_queue_entry name = {0, current, (function), LIST_HEAD_INIT((name).entry)}
#define DEFINE_WAIT(name) DEFINE_WAIT_FUNC(name, autoremove_wake_function)

/* An entry of this task, as DEFINE_WAIT makes. flags: WQ_FLAG_. */
void init_wait_entry(struct wait_queue_entry *entry, int flags);
#define init_wait(entry) init_wait_entry((entry), 0)

static inline void init_waitqueue_entry(struct wait_queue_entry *entry, struct task_struct *task)
{
	struct wait_queue_entry fresh = {0, task, default_wake_function, {NULL, NULL}};

	*entry = fresh;
}

static inline void init_waitqueue_func_entry(struct wait_queue_entry *entry, wait_queue_func_t func)
{
	struct wait_queue_entry fresh = {0, NULL, func, {NULL, NULL}};

	*entry = fresh;
}

/* Onto the queue: behind the others that are not exclusive, or as an exclusive one at its end; and off it. Any context. */
void add_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry);
void add_wait_queue_exclusive(struct wait_queue_head *wq, struct wait_queue_entry *entry);
void remove_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry);
/* The same with the lock held. */
static inline void __add_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	list_add(&entry->entry, &wq->head);
}

static inline void __add_wait_queue_entry_tail(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	list_add_tail(&entry->entry, &wq->head);
}

static inline void __remove_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	(void)wq;
	list_del(&entry->entry);
}

/*
 * Onto the queue unless it is on it, then set_current_state(state): what was waited for is to be looked at after this. Task context.
 * _exclusive: returns whether the queue was empty. _event: 0, or -ERESTARTSYS where the OOM killer has chosen this task and the state
 * lets it interrupt: then the entry is off the queue.
 */
void prepare_to_wait(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state);
bool prepare_to_wait_exclusive(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state);
long prepare_to_wait_event(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state);
/* TASK_RUNNING, and off the queue. */
void finish_wait(struct wait_queue_head *wq, struct wait_queue_entry *entry);

/* For loops that wait without a condition in a macro: woken by woken_wake_function(), even before it sleeps; a kernel thread that is to stop or
 * to park does not sleep. Returns the jiffies left. */
long wait_woken(struct wait_queue_entry *entry, unsigned int mode, long timeout);
int woken_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key);

/* Whether anybody waits; without the lock only a hint, unless a barrier comes before, which wq_has_sleeper() has. Any context. */
static inline int waitqueue_active(struct wait_queue_head *wq)
{
	return READ_ONCE(wq->head.next) != &wq->head;
}

static inline bool wq_has_single_sleeper(struct wait_queue_head *wq)
{
	return list_is_singular(&wq->head);
}

static inline bool wq_has_sleeper(struct wait_queue_head *wq)
{
	smp_mb(); /* Pairs with prepare_to_wait(): one of the two sees the other's */
	return waitqueue_active(wq);
}

/* ---- waking: any context ---- */

/* Wakes the tasks that sleep in one of the states mode: all that are not exclusive, and nr exclusive ones (0: all). Returns how many
 * exclusive ones were still to be woken. */
int __wake_up(struct wait_queue_head *wq, unsigned int mode, int nr, void *key);
/* The queue's lock is held. */
void __wake_up_locked(struct wait_queue_head *wq, unsigned int mode, int nr);
void __wake_up_locked_key(struct wait_queue_head *wq, unsigned int mode, void *key);

#define wake_up(wq) ((void)__wake_up((wq), TASK_NORMAL, 1, NULL))
#define wake_up_nr(wq, nr) ((void)__wake_up((wq), TASK_NORMAL, (nr), NULL))
#define wake_up_all(wq) ((void)__wake_up((wq), TASK_NORMAL, 0, NULL))
#define wake_up_sync(wq) wake_up(wq)
#define wake_up_locked(wq) __wake_up_locked((wq), TASK_NORMAL, 1)
#define wake_up_all_locked(wq) __wake_up_locked((wq), TASK_NORMAL, 0)
#define wake_up_interruptible(wq) ((void)__wake_up((wq), TASK_INTERRUPTIBLE, 1, NULL))
#define wake_up_interruptible_nr(wq, nr) ((void)__wake_up((wq), TASK_INTERRUPTIBLE, (nr), NULL))
#define wake_up_interruptible_all(wq) ((void)__wake_up((wq), TASK_INTERRUPTIBLE, 0, NULL))
#define wake_up_interruptible_sync(wq) wake_up_interruptible(wq)
#define wake_up_poll(wq, mask) ((void)__wake_up((wq), TASK_NORMAL, 1, (void *)(uintptr_t)(mask)))
#define wake_up_interruptible_poll(wq, mask) ((void)__wake_up((wq), TASK_INTERRUPTIBLE, 1, (void *)(uintptr_t)(mask)))

/* ---- waiting ---- */

/* Of every kind of queue: prepare stands in line and says whether that was interrupted, cmd is what is done to sleep. Sets __ret, of where
 * it stands, if interrupted. */
#define ___wait_loop(prepare, condition, cmd)   \
	for (;;) {                              \
		long __interrupted = (prepare); \
		if (condition)                  \
			break;                  \
		if (__interrupted) {            \
			__ret = __interrupted;  \
			break;                  \
		}                               \
		cmd;                            \
	}

/*
 * Sleeps until the condition is true. It is evaluated any number of times, by this task, with nothing held. Context: task, may sleep.
 * cmd: what is done to sleep. The value is 0, or -ERESTARTSYS.
 */
#define ___wait_event(wq, condition, state, exclusive, ret, cmd)                                    \
	({                                                                                          \
		struct wait_queue_entry __entry;                                                    \
		long __ret = (ret);                                                                 \
		init_wait_entry(&__entry, (exclusive) ? (int)WQ_FLAG_EXCLUSIVE : 0);                \
		___wait_loop(prepare_to_wait_event(&(wq), &__entry, (int)(state)), condition, cmd); \
		finish_wait(&(wq), &__entry);                                                       \
		__ret;                                                                              \
	})
#define ___wait_cond_timeout(condition)    \
	({                                 \
		bool __cond = (condition); \
		if (__cond && !__ret)      \
			__ret = 1;         \
		__cond || !__ret;          \
	})
#define ___wait_unless(condition, wait)    \
	({                                 \
		long __result = 0;         \
		might_sleep();             \
		if (!(condition))          \
			__result = (wait); \
		(int)__result;             \
	})
/* wait: one of those above, of ___wait_cond_timeout(condition), that begins with __left jiffies and counts them down. */
#define ___wait_timed(condition, timeout, wait)               \
	({                                                    \
		long __left = (timeout);                      \
		might_sleep();                                \
		__left = ({                                   \
			long __ret = __left;                  \
			if (!___wait_cond_timeout(condition)) \
				__ret = (wait);               \
			__ret;                                \
		});                                           \
		__left;                                       \
	})
#define ___wait_timeout(wq, condition, state, exclusive, timeout)                            \
	___wait_timed(condition, timeout,                                                    \
		___wait_event(wq, ___wait_cond_timeout(condition), state, exclusive, __left, \
			__ret = schedule_timeout(__ret)))

#define wait_event(wq, condition) \
	((void)___wait_unless(condition, ___wait_event(wq, condition, TASK_UNINTERRUPTIBLE, 0, 0, schedule())))
#define wait_event_exclusive_cmd(wq, condition, cmd1, cmd2)                                          \
	((void)___wait_unless(condition, ___wait_event(wq, condition, TASK_UNINTERRUPTIBLE, 1, 0, ({ \
		cmd1;                                                                                \
		schedule();                                                                          \
		cmd2;                                                                                \
	}))))
/* cmd1 before each sleep, cmd2 after it. */
#define wait_event_cmd(wq, condition, cmd1, cmd2)                                                    \
	((void)___wait_unless(condition, ___wait_event(wq, condition, TASK_UNINTERRUPTIBLE, 0, 0, ({ \
		cmd1;                                                                                \
		schedule();                                                                          \
		cmd2;                                                                                \
	}))))
#define wait_event_idle(wq, condition) \
	((void)___wait_unless(condition, ___wait_event(wq, condition, TASK_IDLE, 0, 0, schedule())))
#define wait_event_idle_exclusive(wq, condition) \
	((void)___wait_unless(condition, ___wait_event(wq, condition, TASK_IDLE, 1, 0, schedule())))
/* 0, or -ERESTARTSYS when the OOM killer has chosen this task. */
#define wait_event_interruptible(wq, condition) \
	___wait_unless(condition, ___wait_event(wq, condition, TASK_INTERRUPTIBLE, 0, 0, schedule()))
#define wait_event_interruptible_exclusive(wq, condition) \
	___wait_unless(condition, ___wait_event(wq, condition, TASK_INTERRUPTIBLE, 1, 0, schedule()))
#define wait_event_killable(wq, condition) \
	___wait_unless(condition, ___wait_event(wq, condition, TASK_KILLABLE, 0, 0, schedule()))
#define wait_event_killable_exclusive(wq, condition) \
	___wait_unless(condition, ___wait_event(wq, condition, TASK_KILLABLE, 1, 0, schedule()))
/* For at most timeout jiffies. Returns 0 if the condition was false to the end, else the jiffies left, at least 1. */
#define wait_event_timeout(wq, condition, timeout) ___wait_timeout(wq, condition, TASK_UNINTERRUPTIBLE, 0, timeout)
#define wait_event_idle_timeout(wq, condition, timeout) ___wait_timeout(wq, condition, TASK_IDLE, 0, timeout)
#define wait_event_interruptible_timeout(wq, condition, timeout) \
	___wait_timeout(wq, condition, TASK_INTERRUPTIBLE, 0, timeout)
#define wait_event_killable_timeout(wq, condition, timeout) ___wait_timeout(wq, condition, TASK_KILLABLE, 0, timeout)

/* The caller holds lock, taken with spin_lock_irq(): it is let go to sleep, and held where the condition is evaluated and afterwards. */
#define ___wait_event_lock_irq(wq, condition, lock, state, cmd) \
	___wait_event(wq, condition, state, 0, 0, ({            \
		spin_unlock_irq(&(lock));                       \
		cmd;                                            \
		schedule();                                     \
		spin_lock_irq(&(lock));                         \
	}))
#define wait_event_lock_irq_cmd(wq, condition, lock, cmd)                                             \
	do {                                                                                          \
		if (!(condition))                                                                     \
			(void)___wait_event_lock_irq(wq, condition, lock, TASK_UNINTERRUPTIBLE, cmd); \
	} while (0)
#define wait_event_lock_irq(wq, condition, lock) wait_event_lock_irq_cmd(wq, condition, lock, (void)0)
#define wait_event_interruptible_lock_irq(wq, condition, lock)                                               \
	({                                                                                                   \
		long __result = 0;                                                                           \
		if (!(condition))                                                                            \
			__result = ___wait_event_lock_irq(wq, condition, lock, TASK_INTERRUPTIBLE, (void)0); \
		(int)__result;                                                                               \
	})

#ifdef __cplusplus
}
#endif

#include <linux/wait_bit.h>

#endif
