/*
 * linux/kthread.h: kernel threads.
 *
 * Semantics: Linux, Documentation/driver-api/basics.rst. Everything here may sleep, and is for task context, unless it says otherwise.
 */
#ifndef FLAGSTONE_LINUX_KTHREAD_H
#define FLAGSTONE_LINUX_KTHREAD_H

#include <linux/err.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A thread that will run threadfn(data), once it is woken with wake_up_process(). Returns it, or ERR_PTR(-ENOMEM). On the CPU with the
 * fewest tasks; _on_cpu: on that CPU, which it does not leave, with %u in the name replaced by its number. */
struct task_struct *kthread_create_on_node(int (*threadfn)(void *data), void *data, int node, const char *namefmt, ...)
	__attribute__((format(printf, 4, 5)));
struct task_struct *kthread_create_on_cpu(
	int (*threadfn)(void *data), void *data, unsigned int cpu, const char *namefmt);
#define kthread_create(threadfn, data, namefmt, ...) kthread_create_on_node(threadfn, data, -1, namefmt, ##__VA_ARGS__)
/* Creates and wakes. */
#define kthread_run(threadfn, data, namefmt, ...)                                                    \
	({                                                                                           \
		struct task_struct *__task = kthread_create(threadfn, data, namefmt, ##__VA_ARGS__); \
		if (!IS_ERR(__task))                                                                 \
			wake_up_process(__task);                                                     \
		__task;                                                                              \
	})
/* Ties a thread that has not run yet to a CPU. */
void kthread_bind(struct task_struct *task, unsigned int cpu);

/* Makes kthread_should_stop() true for the thread, wakes it, waits until it has ended. Returns what threadfn returned; -EINTR if it
 * never ran. A thread may be stopped once; one that may end by itself has to be held with get_task_struct(): a BUG report, and -EINTR, where
 * it is no thread any more. */
int kthread_stop(struct task_struct *task);
bool kthread_should_stop(void);
/* Parks the thread: it sleeps inside kthread_parkme() until kthread_unpark(). 0, or -ENOSYS if it has ended. */
int kthread_park(struct task_struct *task);
void kthread_unpark(struct task_struct *task);
bool kthread_should_park(void);
void kthread_parkme(void);
/* Ends the calling thread as if threadfn had returned result. */
void kthread_exit(long result) __attribute__((noreturn));
/* What kthread_create was given. */
void *kthread_data(struct task_struct *task);

/*
 * ---- workers: threads that run items one after the other, in the order in which they were queued ----
 *
 * An item belongs to the worker that it was queued on first, and never runs on two threads at once. It may free itself, and may be
 * queued again while it runs.
 */

struct kthread_work;
typedef void (*kthread_work_func_t)(struct kthread_work *work);

enum {
	KTW_FREEZABLE = 1 << 0, /* accepted: a simulated machine is never suspended */
};

struct kthread_worker {
	unsigned int flags; /* Synchronization: const */
	raw_spinlock_t lock;
	struct list_head work_list; /* items to run. Synchronization: lock, as what follows */
	struct list_head delayed_work_list; /* items whose time has not come */
	struct task_struct *task; /* NULL: it does not run */
	struct kthread_work *current_work; /* what runs, or has just run */
};

struct kthread_work {
	struct list_head node; /* on no list: not pending. Synchronization: the worker's lock, as what follows */
	kthread_work_func_t func;
	struct kthread_worker *worker; /* NULL: never queued */
	int canceling; /* > 0: it cannot be queued */
};

struct kthread_delayed_work {
	struct kthread_work work;
	struct timer_list timer;
};

/* clang-format off */
#define KTHREAD_WORKER_INIT(name)                                                                       \
	{ 0, __SPIN_LOCK_INITIALIZER((name).lock), LIST_HEAD_INIT((name).work_list),                    \
	  LIST_HEAD_INIT((name).delayed_work_list), NULL, NULL }
#define KTHREAD_WORK_INIT(name, fn) { LIST_HEAD_INIT((name).node), (fn), NULL, 0 }
#define KTHREAD_DELAYED_WORK_INIT(name, fn)                                                             \
	{ KTHREAD_WORK_INIT((name).work, (fn)), __TIMER_INITIALIZER(kthread_delayed_work_timer_fn, TIMER_IRQSAFE) }
/* clang-format on */
#define DEFINE_KTHREAD_WORKER(name) struct kthread_worker name = KTHREAD_WORKER_INIT(name)
#define DEFINE_KTHREAD_WORK(name, fn) struct kthread_work name = KTHREAD_WORK_INIT(name, fn)
#define DEFINE_KTHREAD_DELAYED_WORK(name, fn) struct kthread_delayed_work name = KTHREAD_DELAYED_WORK_INIT(name, fn)

void kthread_delayed_work_timer_fn(struct timer_list *timer); /* flagstone's own */

/* Before the first use. An item that goes to another worker is initialised again: else a report. Any context. */
void __kthread_init_worker(struct kthread_worker *worker, const char *name, const struct lock_class_key *key);
#define kthread_init_worker(worker)                               \
	do {                                                      \
		static struct lock_class_key __key;               \
		__kthread_init_worker((worker), #worker, &__key); \
	} while (0)
static inline void kthread_init_work(struct kthread_work *work, kthread_work_func_t fn)
{
	INIT_LIST_HEAD(&work->node);
	work->func = fn;
	work->worker = NULL;
	work->canceling = 0;
}
#define kthread_init_delayed_work(dwork, fn)                                                \
	do {                                                                                \
		kthread_init_work(&(dwork)->work, (fn));                                    \
		timer_setup(&(dwork)->timer, kthread_delayed_work_timer_fn, TIMER_IRQSAFE); \
	} while (0)

/*
 * A worker with its thread, which runs. namefmt: printf; _on_cpu: on that CPU, which it does not leave. ERR_PTR(-ENOMEM); flags: KTW_.
 * Context: task, may sleep.
 */
struct kthread_worker *kthread_create_worker(unsigned int flags, const char *namefmt, ...)
	__attribute__((format(printf, 2, 3)));
struct kthread_worker *kthread_create_worker_on_cpu(int cpu, unsigned int flags, const char *namefmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Runs what is queued, ends the thread and frees the worker. Nobody queues any more: items that are still to come are a report, and have
 * to be cancelled first. Context: task, may sleep. */
void kthread_destroy_worker(struct kthread_worker *worker);
/* What a thread of the caller's own runs, with an initialised worker as data: until kthread_stop(). */
int kthread_worker_fn(void *worker_ptr);

/* The item will run once more. False if it is pending already, or is being cancelled. Any context. */
bool kthread_queue_work(struct kthread_worker *worker, struct kthread_work *work);
/* The same after that many jiffies. */
bool kthread_queue_delayed_work(struct kthread_worker *worker, struct kthread_delayed_work *dwork, unsigned long delay);
/* Moves one that is pending to that many jiffies from now, or queues it. Returns whether it was pending. Any context. */
bool kthread_mod_delayed_work(struct kthread_worker *worker, struct kthread_delayed_work *dwork, unsigned long delay);

/* Waits until an item is neither queued nor runs, as it was when this was called, whose time has come; until all that are queued on a
 * worker have run. Context: task, may sleep; not from an item of the same worker. */
void kthread_flush_work(struct kthread_work *work);
void kthread_flush_worker(struct kthread_worker *worker);
/* Takes an item back, and waits until it does not run; it cannot be queued meanwhile, not by itself either. Returns whether it was
 * pending. Context: as above. */
bool kthread_cancel_work_sync(struct kthread_work *work);
bool kthread_cancel_delayed_work_sync(struct kthread_delayed_work *dwork);

#ifdef __cplusplus
}
#endif

#endif
