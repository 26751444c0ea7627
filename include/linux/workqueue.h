/*
 * linux/workqueue.h: functions that run in kernel threads of the machine's, where they may sleep.
 *
 * Semantics: Linux, Documentation/core-api/workqueue.rst. A work item never runs on two threads at once. Queueing: any
 * context; flushing and the _sync functions sleep.
 */
#ifndef FLAGSTONE_LINUX_WORKQUEUE_H
#define FLAGSTONE_LINUX_WORKQUEUE_H

#include <linux/list.h>
#include <linux/timer.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct workqueue_struct;
struct work_struct;
struct pool_workqueue;
typedef void (*work_func_t)(struct work_struct *work);

struct work_struct {
	unsigned long
		data; /* WORK_ bits, and the pool that it is or was in. Synchronization: atomic; see queue_work_on() */
	struct list_head entry; /* Synchronization: the pool's lock, as what follows */
	struct pool_workqueue *queue;
	work_func_t func;
	struct lockdep_map lockdep_map; /* held while it runs. Synchronization: const after init */
};

struct delayed_work {
	struct work_struct work;
	struct timer_list timer;
	struct workqueue_struct *wq; /* Synchronization: who made it pending, as what follows */
	int cpu;
};

#define WORK_STRUCT_PENDING 1ul

#define __WORK_INITIALIZER(name, body)                                           \
	{                                                                        \
		.func = (body), .lockdep_map = STATIC_LOCKDEP_MAP_INIT(#name, 0) \
	}
#define __DELAYED_WORK_INITIALIZER(name, body, bits)                                          \
	{                                                                                     \
		.work = __WORK_INITIALIZER((name).work, (body)),                              \
		.timer = FLAGSTONE_TIMER_INITIALIZER(                                         \
			delayed_work_timer_fn, (bits) | TIMER_IRQSAFE, "&(" #name ").timer"), \
	}
#define DECLARE_WORK(name, body) struct work_struct name = __WORK_INITIALIZER(name, body)
#define DECLARE_DELAYED_WORK(name, body) struct delayed_work name = __DELAYED_WORK_INITIALIZER(name, body, 0)

void delayed_work_timer_fn(struct timer_list *timer); /* flagstone's own */

static inline void flagstone_init_work(
	struct work_struct *work, work_func_t func, const char *name, const struct lock_class_key *key)
{
	__atomic_store_n(&work->data, 0, __ATOMIC_RELAXED);
	work->entry.next = 0;
	work->entry.prev = 0;
	work->queue = 0;
	work->func = func;
	lockdep_init_map(&work->lockdep_map, name, key, 0);
}

/* Before the first use. What is on the stack is destroyed before it goes. Works that one place initialises are one class of lock
 * checking. */
#define INIT_WORK(work, body)                                                                \
	do {                                                                                 \
		static struct lock_class_key __key;                                          \
		flagstone_init_work((work), (body), "(work_completion)(" #work ")", &__key); \
	} while (0)
#define INIT_WORK_ONSTACK(work, body) INIT_WORK(work, body)
#define INIT_DELAYED_WORK(dwork, body)                                              \
	do {                                                                        \
		INIT_WORK(&(dwork)->work, (body));                                  \
		timer_setup(&(dwork)->timer, delayed_work_timer_fn, TIMER_IRQSAFE); \
	} while (0)
#define INIT_DELAYED_WORK_ONSTACK(dwork, body) INIT_DELAYED_WORK(dwork, body)
#define destroy_work_on_stack(work) ((void)(work))
#define destroy_delayed_work_on_stack(dwork) ((void)(dwork))

static inline struct delayed_work *to_delayed_work(struct work_struct *work)
{
	return (struct delayed_work *)work; /* the work comes first */
}

/* ---- queues ---- */

enum {
	WQ_UNBOUND = 1 << 1, /* threads that are tied to no CPU */
	WQ_FREEZABLE = 1 << 2, /* accepted: a simulated machine is never suspended */
	WQ_MEM_RECLAIM = 1 << 3, /* has a thread of its own, which goes on when no other can be made */
	WQ_HIGHPRI = 1 << 4, /* threads of its own kind; simulated CPUs have no priorities */
	WQ_CPU_INTENSIVE = 1 << 5, /* its items keep no others from running */
	__WQ_ORDERED = 1 << 17, /* one at a time */
	WORK_CPU_UNBOUND = 256, /* the caller's CPU */
	WQ_MAX_ACTIVE = 2048,
	WQ_UNBOUND_MAX_ACTIVE = WQ_MAX_ACTIVE,
	WQ_DFL_ACTIVE = WQ_MAX_ACTIVE / 2,
};

/* fmt: printf. max_active: items of this queue that may run at once, per CPU (unbound: in all); 0: WQ_DFL_ACTIVE.
 * NULL: no memory. Context: task, may sleep. */
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max_active, ...)
	__attribute__((format(printf, 1, 4)));
#define alloc_ordered_workqueue(fmt, flags, ...) \
	alloc_workqueue(fmt, WQ_UNBOUND | __WQ_ORDERED | (flags), 1, ##__VA_ARGS__)
#define create_workqueue(name) alloc_workqueue("%s", WQ_MEM_RECLAIM, 1, (name))
#define create_singlethread_workqueue(name) alloc_ordered_workqueue("%s", WQ_MEM_RECLAIM, (name))
/* Waits for what is queued, and for what that queues, and frees the queue. Delayed work whose time has not come is not queued, and has to
 * be cancelled before: a BUG report. */
void destroy_workqueue(struct workqueue_struct *wq);

extern struct workqueue_struct *system_wq; /* short items */
extern struct workqueue_struct *system_highpri_wq;
extern struct workqueue_struct *system_long_wq;
extern struct workqueue_struct *system_unbound_wq;

/* ---- queueing ---- */

/*
 * The work will run once more: on that CPU; on the caller's. Returns false if it is pending already: then what the
 * caller wrote before is visible to that run. If it runs now, it runs again afterwards, on the same thread pool.
 */
bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work);
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
/* The same after that many jiffies; mod_ moves one that is pending, and returns whether it was. */
bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay);
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay);
bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay);
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay);

#define schedule_work(work) queue_work(system_wq, work)
#define schedule_work_on(cpu, work) queue_work_on(cpu, system_wq, work)
#define schedule_delayed_work(dwork, delay) queue_delayed_work(system_wq, dwork, delay)
#define schedule_delayed_work_on(cpu, dwork, delay) queue_delayed_work_on(cpu, system_wq, dwork, delay)

/* ---- waiting and taking back ---- */

/* Waits until the work is idle, as it was queued when this was called. Returns false if it was idle.
 * flush_delayed_work() queues it at once. Context: task, may sleep; not from the work itself, and not with locks held that it takes,
 * which lock checking reports of all that wait. */
bool flush_work(struct work_struct *work);
bool flush_delayed_work(struct delayed_work *dwork);
/* Takes it back if it is pending: returns whether it was. May go on running. Any context. */
bool cancel_work(struct work_struct *work);
bool cancel_delayed_work(struct delayed_work *dwork);
/* The same, and waits until it does not run; nobody can queue it meanwhile. Context: task, may sleep. */
bool cancel_work_sync(struct work_struct *work);
bool cancel_delayed_work_sync(struct delayed_work *dwork);
/* Waits for everything that was queued on the queue so far; drain_: until it is empty, and only its own items may
 * queue more. */
void flush_workqueue(struct workqueue_struct *wq);
void drain_workqueue(struct workqueue_struct *wq);

/* ---- asking ---- */

enum {
	WORK_BUSY_PENDING = 1 << 0,
	WORK_BUSY_RUNNING = 1 << 1,
};

static inline bool work_pending(const struct work_struct *work)
{
	return READ_ONCE(work->data) & WORK_STRUCT_PENDING;
}
#define delayed_work_pending(dwork) work_pending(&(dwork)->work)
/* WORK_BUSY_ bits. A hint. Any context. */
unsigned int work_busy(struct work_struct *work);
/* The work whose function calls this; NULL outside of any. Any context. */
struct work_struct *current_work(void);

#ifdef __cplusplus
}
#endif

#endif
