/*
 * kthread_worker.c: kernel threads that run items one after the other.
 *
 * Semantics are documented in include/linux/kthread.h. Calls sched for the threads, timer.c for delays. Knows nothing of work queues,
 * which are another thing.
 */
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "runtime/irq/internal.h"

void __kthread_init_worker(struct kthread_worker *worker, const char *name, const struct lock_class_key *key)
{
	flagstone_spin_lock_init(&worker->lock, name, key);
	worker->flags = 0;
	INIT_LIST_HEAD(&worker->work_list);
	INIT_LIST_HEAD(&worker->delayed_work_list);
	worker->task = NULL;
	worker->current_work = NULL;
}

/* ---- the thread ---- */

/* The next item, off the list, which runs from now on; or NULL. */
static struct kthread_work *take_next(struct kthread_worker *worker)
{
	struct kthread_work *work = NULL;

	raw_spin_lock_irq(&worker->lock);
	if (!list_empty(&worker->work_list)) {
		work = list_first_entry(&worker->work_list, struct kthread_work, node);
		list_del_init(&work->node);
	}
	worker->current_work = work;
	raw_spin_unlock_irq(&worker->lock);
	return work;
}

static void set_task(struct kthread_worker *worker, struct task_struct *task)
{
	raw_spin_lock_irq(&worker->lock);
	if (worker->task != task) /* else who made the worker may look at it */
		worker->task = task;
	raw_spin_unlock_irq(&worker->lock);
}

int kthread_worker_fn(void *worker_ptr)
{
	struct kthread_worker *worker = worker_ptr;

	set_task(worker, current);
	for (;;) {
		struct kthread_work *work;

		set_current_state(TASK_INTERRUPTIBLE); /* Pairs with kthread_stop() and __insert() */
		if (kthread_should_stop())
			break;
		work = take_next(worker);
		if (work) {
			__set_current_state(TASK_RUNNING);
			work->func(work); /* which may free it */
		} else {
			schedule();
		}
		cond_resched();
	}
	__set_current_state(TASK_RUNNING);
	set_task(worker, NULL);
	return 0;
}

static struct kthread_worker *create(int cpu, unsigned int flags, const void *caller, const char *format, va_list args)
{
	static struct lock_class_key key;
	struct kthread_worker *worker = sched_kzalloc(sizeof(*worker), caller);
	char name[TASK_COMM_LEN];
	struct task_struct *task;
	host_sigmask_t mask;

	if (!worker)
		return ERR_PTR(-ENOMEM);
	__kthread_init_worker(worker, "kthread worker", &key);
	worker->flags = flags;
	mask = host_signals_block();
	vsnprintf(name, sizeof(name), format, args);
	host_signals_restore(mask);
	task = sched_kthread_create(&(struct sched_kthread){
		.function = kthread_worker_fn, .data = worker, .cpu = -1, .name = name, .caller = caller});
	if (IS_ERR(task)) {
		sched_free(worker);
		return ERR_CAST(task);
	}
	resource_ended(RESOURCE_KTHREAD, task);
	resource_made(
		&(struct resource){.type = RESOURCE_KTHREAD_WORKER, .object = task, .name = name, .caller = caller});
	if (cpu >= 0)
		kthread_bind(task, (unsigned int)cpu);
	worker->task = task;
	wake_up_process(task);
	return worker;
}

struct kthread_worker *kthread_create_worker(unsigned int flags, const char *namefmt, ...)
{
	struct kthread_worker *worker;
	va_list args;

	va_start(args, namefmt);
	worker = create(-1, flags, __builtin_return_address(0), namefmt, args);
	va_end(args);
	return worker;
}

struct kthread_worker *kthread_create_worker_on_cpu(int cpu, unsigned int flags, const char *namefmt, ...)
{
	struct kthread_worker *worker;
	va_list args;

	va_start(args, namefmt);
	worker = create(cpu, flags, __builtin_return_address(0), namefmt, args);
	va_end(args);
	return worker;
}

void kthread_destroy_worker(struct kthread_worker *worker)
{
	struct task_struct *task = worker->task;

	if (WARN_ON(!task))
		return;
	kthread_flush_worker(worker);
	kthread_stop(task);
	WARN_ON(!list_empty(&worker->delayed_work_list));
	WARN_ON(!list_empty(&worker->work_list));
	sched_free(worker);
}

/* ---- queueing; the worker's lock is held in functions that begin with __ ---- */

static bool __is_pending(const struct kthread_work *work)
{
	return !list_empty(&work->node) || work->canceling;
}

/* Into a list of the worker's: before an item, or at its end. */
static void __list(struct kthread_worker *worker, struct kthread_work *work, struct list_head *before)
{
	/* It might run there, too, at this moment. */
	WARN_ON_ONCE(work->worker && work->worker != worker);
	list_add_tail(&work->node, before);
	WRITE_ONCE(work->worker, worker);
}

/* The item runs in its turn. */
static void __insert(struct kthread_worker *worker, struct kthread_work *work, struct list_head *before)
{
	__list(worker, work, before);
	if (!worker->current_work && worker->task)
		wake_up_process(worker->task);
}

static void __insert_delayed(struct kthread_worker *worker, struct kthread_delayed_work *dwork, unsigned long delay)
{
	if (!delay) {
		__insert(worker, &dwork->work, &worker->work_list);
		return;
	}
	__list(worker, &dwork->work, &worker->delayed_work_list);
	dwork->timer.expires = jiffies + delay;
	add_timer(&dwork->timer);
}

bool kthread_queue_work(struct kthread_worker *worker, struct kthread_work *work)
{
	unsigned long flags;
	bool queued;

	raw_spin_lock_irqsave(&worker->lock, flags);
	queued = !__is_pending(work);
	if (queued)
		__insert(worker, work, &worker->work_list);
	raw_spin_unlock_irqrestore(&worker->lock, flags);
	return queued;
}

bool kthread_queue_delayed_work(struct kthread_worker *worker, struct kthread_delayed_work *dwork, unsigned long delay)
{
	unsigned long flags;
	bool queued;

	raw_spin_lock_irqsave(&worker->lock, flags);
	queued = !__is_pending(&dwork->work);
	if (queued)
		__insert_delayed(worker, dwork, delay);
	raw_spin_unlock_irqrestore(&worker->lock, flags);
	return queued;
}

void kthread_delayed_work_timer_fn(struct timer_list *timer)
{
	struct kthread_delayed_work *dwork = container_of(timer, struct kthread_delayed_work, timer);
	struct kthread_work *work = &dwork->work;
	struct kthread_worker *worker = work->worker;
	unsigned long flags;

	raw_spin_lock_irqsave(&worker->lock, flags);
	if (!list_empty(&work->node) && !work->canceling) { /* who cancels it takes it off the list itself */
		list_del_init(&work->node);
		__insert(worker, work, &worker->work_list);
	}
	raw_spin_unlock_irqrestore(&worker->lock, flags);
}

/* Stops the timer of an item that nobody can queue meanwhile. The lock is let go for that. */
static void __stop_timer(struct kthread_worker *worker, struct kthread_delayed_work *dwork, unsigned long *flags)
{
	raw_spin_unlock_irqrestore(&worker->lock, *flags);
	timer_delete_sync(&dwork->timer);
	raw_spin_lock_irqsave(&worker->lock, *flags);
}

/* Returns whether it was on a list. */
static bool __take_back(struct kthread_work *work)
{
	bool pending = !list_empty(&work->node);

	list_del_init(&work->node);
	return pending;
}

bool kthread_mod_delayed_work(struct kthread_worker *worker, struct kthread_delayed_work *dwork, unsigned long delay)
{
	struct kthread_work *work = &dwork->work;
	bool pending = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&worker->lock, flags);
	if (work->worker) {
		work->canceling++;
		__stop_timer(worker, dwork, &flags);
		work->canceling--;
	}
	if (!work->canceling) { /* else it belongs to who cancels it */
		pending = __take_back(work);
		__insert_delayed(worker, dwork, delay);
	}
	raw_spin_unlock_irqrestore(&worker->lock, flags);
	return pending;
}

/* ---- waiting ---- */

struct flush {
	struct kthread_work work;
	struct completion done;
};

static void flush_done(struct kthread_work *work)
{
	complete(&container_of(work, struct flush, work)->done);
}

static void flush_init(struct flush *flush)
{
	kthread_init_work(&flush->work, flush_done);
	init_completion(&flush->done);
}

/* Whether it is queued; not if its time is to come. */
static bool __is_queued(const struct kthread_worker *worker, const struct kthread_work *work)
{
	const struct kthread_work *queued;

	list_for_each_entry(queued, &worker->work_list, node)
		if (queued == work)
			return true;
	return false;
}

void kthread_flush_work(struct kthread_work *work)
{
	struct kthread_worker *worker = READ_ONCE(work->worker);
	struct flush flush;
	bool waits = true;

	if (!worker)
		return;
	flush_init(&flush);
	raw_spin_lock_irq(&worker->lock);
	if (__is_queued(worker, work))
		__insert(worker, &flush.work, work->node.next);
	else if (worker->current_work == work)
		__insert(worker, &flush.work, worker->work_list.next);
	else
		waits = false;
	raw_spin_unlock_irq(&worker->lock);
	if (waits)
		wait_for_completion(&flush.done);
}

void kthread_flush_worker(struct kthread_worker *worker)
{
	struct flush flush;

	flush_init(&flush);
	kthread_queue_work(worker, &flush.work);
	wait_for_completion(&flush.done);
}

/* dwork: what work is part of, or NULL. */
static bool cancel(struct kthread_work *work, struct kthread_delayed_work *dwork)
{
	struct kthread_worker *worker = READ_ONCE(work->worker);
	unsigned long flags;
	bool pending, runs;

	if (!worker)
		return false;
	raw_spin_lock_irqsave(&worker->lock, flags);
	work->canceling++;
	if (dwork)
		__stop_timer(worker, dwork, &flags);
	pending = __take_back(work);
	runs = worker->current_work == work;
	raw_spin_unlock_irqrestore(&worker->lock, flags);
	if (runs)
		kthread_flush_work(work);
	raw_spin_lock_irqsave(&worker->lock, flags);
	work->canceling--;
	raw_spin_unlock_irqrestore(&worker->lock, flags);
	return pending;
}

bool kthread_cancel_work_sync(struct kthread_work *work)
{
	return cancel(work, NULL);
}

bool kthread_cancel_delayed_work_sync(struct kthread_delayed_work *dwork)
{
	return cancel(&dwork->work, dwork);
}
