/*
 * work.c: work items: queueing them, now or later, taking them back, and waiting for one.
 *
 * Calls worker.c's pools, timer.c for delays. Knows nothing of threads.
 */
#include <errno.h>

#include "runtime/irq/freed.h"
#include "runtime/irq/wq.h"

/* ---- queueing. Interrupts off; the caller owns the item ---- */

static struct pool_workqueue *queue_of(struct workqueue_struct *wq, int cpu)
{
	if (wq->flags & WQ_UNBOUND)
		return &wq->queues[0];
	if (cpu < 0 || (unsigned int)cpu >= sched_nr_cpus)
		cpu = raw_smp_processor_id();
	return &wq->queues[cpu < 0 ? 0 : cpu];
}

/* One that runs, of the same queue, runs again where it does. */
static struct pool_workqueue *lock_queue(struct workqueue_struct *wq, int cpu, struct work_struct *work)
{
	struct pool_workqueue *queue = queue_of(wq, cpu);
	struct worker_pool *last = pool_of(work_data(work));

	if (last && last != queue->pool) {
		struct worker *worker;

		lock_acquire(&last->lock);
		worker = __worker_of(last, work);
		if (worker && worker->queue->wq == wq)
			return worker->queue;
		lock_release(&last->lock);
	}
	lock_acquire(&queue->pool->lock);
	return queue;
}

static void __insert(struct pool_workqueue *queue, struct work_struct *work)
{
	unsigned long bits = WORK_PENDING | WORK_QUEUED | pool_bits(queue->pool);
	struct list_head *list = &queue->pool->works;

	if (__atomic_load_n(&queue->wq->color, __ATOMIC_RELAXED))
		bits |= WORK_COLOR;
	queue->nr_in_flight[(bits & WORK_COLOR) != 0]++;
	if (queue->nr_active >= queue->wq->max_active || !list_empty(&queue->inactive)) {
		bits |= WORK_INACTIVE;
		list = &queue->inactive;
	} else {
		queue->nr_active++;
	}
	work->queue = queue;
	freed_watch(work);
	list_add_tail(&work->entry, list);
	/* Pairs with work_data(). */
	__atomic_store_n(&work->data, bits, __ATOMIC_RELEASE);
	__pool_kick(queue->pool);
}

static void drop(struct work_struct *work, unsigned long bits)
{
	__atomic_fetch_and(&work->data, ~bits, __ATOMIC_RELEASE);
}

static bool is_chained(struct workqueue_struct *wq)
{
	struct worker *worker = in_task() ? current_worker() : NULL;

	return worker && worker->queue && worker->queue->wq == wq;
}

static void insert(struct workqueue_struct *wq, int cpu, struct work_struct *work)
{
	struct pool_workqueue *queue;

	if (__atomic_load_n(&wq->draining, __ATOMIC_RELAXED) && !is_chained(wq)) {
		drop(work, WORK_PENDING);
		if (!wq_check_destroyed(wq, work, NULL))
			report_bug("workqueue: cannot queue %p on wq %s", (void *)(uintptr_t)work->func, wq->name);
		return;
	}
	queue = lock_queue(wq, cpu, work);
	__insert(queue, work);
	lock_release(&queue->pool->lock);
}

/* Whether the item is the caller's now. */
static bool take_pending(struct work_struct *work)
{
	/* Pairs with __begin(): the function that is about to run sees what was written before this. */
	return !(__atomic_fetch_or(&work->data, WORK_PENDING, __ATOMIC_ACQ_REL) & WORK_PENDING);
}

bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work)
{
	host_sigmask_t mask = host_signals_block();
	bool taken = take_pending(work);

	if (taken)
		insert(wq, cpu, work);
	host_signals_restore(mask);
	return taken;
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	return queue_work_on(WORK_CPU_UNBOUND, wq, work);
}

/* ---- later ---- */

void delayed_work_timer_fn(struct timer_list *timer)
{
	struct delayed_work *dwork = container_of(timer, struct delayed_work, timer);

	insert(dwork->wq, dwork->cpu, &dwork->work);
}

static void insert_delayed(struct workqueue_struct *wq, int cpu, struct delayed_work *dwork, unsigned long delay)
{
	if (!delay) {
		insert(wq, cpu, &dwork->work);
		return;
	}
	dwork->wq = wq;
	dwork->cpu = cpu;
	dwork->timer.expires = jiffies + delay;
	if (cpu >= 0 && cpu_is_online((unsigned int)cpu))
		add_timer_on(&dwork->timer, cpu);
	else
		add_timer(&dwork->timer);
}

bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	host_sigmask_t mask = host_signals_block();
	bool taken = take_pending(&dwork->work);

	if (taken)
		insert_delayed(wq, cpu, dwork, delay);
	host_signals_restore(mask);
	return taken;
}

bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	return queue_delayed_work_on(WORK_CPU_UNBOUND, wq, dwork, delay);
}

/* ---- taking back ---- */

void __work_take(struct worker_pool *pool, struct work_struct *work)
{
	unsigned long bits = work_data(work);

	freed_unwatch(work);
	list_del(&work->entry);
	__flushers_done(&pool->flushers, work);
	__atomic_fetch_and(&work->data, ~(unsigned long)(WORK_QUEUED | WORK_COLOR | WORK_INACTIVE), __ATOMIC_ACQ_REL);
	__queue_done(work->queue, bits & WORK_COLOR, !(bits & WORK_INACTIVE));
}

/* Interrupts off. 1: it was pending, and is the caller's now; 0: it was not, and is; -EAGAIN: it is on its way
 * somewhere; -ENOENT: somebody cancels it. */
static int try_take(struct work_struct *work, struct timer_list *timer)
{
	struct worker_pool *pool;
	bool taken = false;

	if (timer && timer_delete(timer))
		return 1;
	if (take_pending(work))
		return 0;
	pool = pool_of(work_data(work));
	if (pool) {
		lock_acquire(&pool->lock);
		taken = (work_data(work) & WORK_QUEUED) && pool_of(work_data(work)) == pool;
		if (taken)
			__work_take(pool, work);
		lock_release(&pool->lock);
	}
	if (taken)
		return 1;
	return work_data(work) & WORK_CANCELING ? -ENOENT : -EAGAIN;
}

/* As try_take(), without -EAGAIN: returns with interrupts off, and mask to restore. */
static int take(struct work_struct *work, struct timer_list *timer, host_sigmask_t *mask)
{
	for (;;) {
		int result;

		*mask = host_signals_block();
		result = try_take(work, timer);
		if (result != -EAGAIN)
			return result;
		host_signals_restore(*mask);
		wait_a_turn();
	}
}

static bool cancel(struct work_struct *work, struct timer_list *timer)
{
	host_sigmask_t mask;
	int result = take(work, timer, &mask);

	if (result >= 0)
		drop(work, WORK_PENDING);
	host_signals_restore(mask);
	return result > 0;
}

bool cancel_work(struct work_struct *work)
{
	return cancel(work, NULL);
}

bool cancel_delayed_work(struct delayed_work *dwork)
{
	return cancel(&dwork->work, &dwork->timer);
}

bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	host_sigmask_t mask;
	int result = take(&dwork->work, &dwork->timer, &mask);

	if (result >= 0)
		insert_delayed(wq, cpu, dwork, delay);
	host_signals_restore(mask);
	return result;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	return mod_delayed_work_on(WORK_CPU_UNBOUND, wq, dwork, delay);
}

/* ---- waiting for one ---- */

/* Whether there is something to wait for. */
static bool start_flush(struct work_struct *work, struct flusher *flusher, struct workqueue_struct **wq)
{
	for (;;) {
		struct worker_pool *pool = pool_of(work_data(work));
		struct worker *worker;
		host_sigmask_t mask;
		unsigned long data;

		if (!pool)
			return false;
		mask = lock_acquire_masked(&pool->lock);
		data = work_data(work);
		if (pool_of(data) != pool) {
			lock_release_masked(&pool->lock, mask);
			continue;
		}
		worker = __worker_of(pool, work);
		if (data & WORK_QUEUED) {
			*wq = work->queue->wq;
			list_add_tail(&flusher->list, &pool->flushers);
		} else if (worker) {
			*wq = worker->queue->wq;
			list_add_tail(&flusher->list, &worker->flushers);
		}
		lock_release_masked(&pool->lock, mask);
		return (data & WORK_QUEUED) || worker;
	}
}

static bool is_flushed(void *arg)
{
	struct flusher *flusher = arg;

	/* Pairs with __flusher_done(). */
	return __atomic_load_n(&flusher->done, __ATOMIC_ACQUIRE);
}

/* The waiter flushes an item; the queue stays, as it has one that is not done. */
struct work_wait {
	struct sched_wait wait;
	const char *queue;
	work_func_t func;
};

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	const struct work_wait *work = container_of(wait, struct work_wait, wait);

	text_printf(
		text, "work %p (function %p) of workqueue %s", wait->what, (void *)(uintptr_t)work->func, work->queue);
}

static void check_reclaim(struct workqueue_struct *target)
{
	struct worker *worker = current_worker();
	struct workqueue_struct *own = worker && worker->queue ? worker->queue->wq : NULL;

	if (own && (own->flags & WQ_MEM_RECLAIM) && !(target->flags & WQ_MEM_RECLAIM))
		report_bug("workqueue: WQ_MEM_RECLAIM %s:%p is flushing !WQ_MEM_RECLAIM %s", own->name,
			(void *)(uintptr_t)worker->func, target->name);
}

/* cancels: for cancel_work_sync(), which may wait for items of lesser queues. */
static bool flush(struct work_struct *work, bool cancels)
{
	struct work_wait for_work = {.wait = {print_wait, work}, .func = work->func};
	struct flusher flusher = {.work = work};
	struct workqueue_struct *wq;

	if (current_work() == work) {
		report_bug("workqueue: item %p (function %p) waits for itself", (void *)work,
			(void *)(uintptr_t)work->func);
		return false;
	}
	map_wait(&work->lockdep_map);
	if (!start_flush(work, &flusher, &wq))
		return false;
	if (!cancels) {
		check_reclaim(wq);
		/* It waits for those before it, too. One that is cancelled either runs, and nothing is before it, or is taken back. */
		if (wq->max_active == 1 || wq->rescuer)
			map_wait(&wq->lockdep_map);
	}
	for_work.queue = wq->name;
	sched_waits_for(&for_work.wait);
	sleep_on(&flusher, is_flushed, &flusher);
	sched_waits_for(NULL);
	return true;
}

bool flush_work(struct work_struct *work)
{
	might_sleep();
	return flush(work, false);
}

bool flush_delayed_work(struct delayed_work *dwork)
{
	host_sigmask_t mask = host_signals_block();

	if (timer_delete_sync(&dwork->timer))
		insert(dwork->wq, dwork->cpu, &dwork->work);
	host_signals_restore(mask);
	return flush_work(&dwork->work);
}

static bool not_canceling(void *work)
{
	return !(work_data(work) & WORK_CANCELING);
}

static bool cancel_sync(struct work_struct *work, struct timer_list *timer)
{
	host_sigmask_t mask;
	int result;

	might_sleep();
	while ((result = take(work, timer, &mask)) < 0) {
		host_signals_restore(mask);
		sleep_on(work, not_canceling, work);
	}
	__atomic_fetch_or(&work->data, WORK_CANCELING, __ATOMIC_RELAXED);
	host_signals_restore(mask);
	flush(work, true);
	/* Pairs with not_canceling(), and with who takes it next. */
	drop(work, WORK_PENDING | WORK_CANCELING);
	wake_on(work);
	return result;
}

bool cancel_work_sync(struct work_struct *work)
{
	return cancel_sync(work, NULL);
}

bool cancel_delayed_work_sync(struct delayed_work *dwork)
{
	return cancel_sync(&dwork->work, &dwork->timer);
}

/* ---- asking ---- */

unsigned int work_busy(struct work_struct *work)
{
	unsigned long data = work_data(work);
	struct worker_pool *pool = pool_of(data);
	unsigned int busy = data & WORK_PENDING ? WORK_BUSY_PENDING : 0;
	host_sigmask_t mask;

	if (!pool)
		return busy;
	mask = lock_acquire_masked(&pool->lock);
	if (__worker_of(pool, work))
		busy |= WORK_BUSY_RUNNING;
	lock_release_masked(&pool->lock, mask);
	return busy;
}

struct work_struct *current_work(void)
{
	struct worker *worker = in_task() ? current_worker() : NULL;

	return worker ? worker->work : NULL;
}
