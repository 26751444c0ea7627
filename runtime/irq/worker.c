/*
 * worker.c: the threads that run work items: pools of them, how many run at once, and rescuers.
 *
 * Calls sched for threads. Knows nothing of how items come to be queued.
 *
 * Of a CPU's pool one worker runs at a time; when it sleeps in its item the next is woken. A worker that is about to
 * run the last idle one away makes another first. Where that does not succeed, rescuers run the items of their queues.
 */
#include <errno.h>
#include <string.h>

#include "runtime/irq/freed.h"
#include "runtime/irq/wq.h"

#define MAYDAY_NS 10000000u /* how long making a worker may take before rescuers are called */
#define MAYDAY_AGAIN_NS 100000000u

struct worker_pool worker_pools[NR_POOLS];
bool (*irq_worker_hook)(void);

struct worker *current_worker(void)
{
	struct task_struct *task = current;

	return task && (task->flags & PF_WQ_WORKER) ? kthread_data(task) : NULL;
}

struct worker *__worker_of(struct worker_pool *pool, const struct work_struct *work)
{
	struct worker *worker;

	list_for_each_entry(worker, &pool->busy, list)
		if (worker->work == work && worker->func == work->func)
			return worker;
	return NULL;
}

/* ---- who runs ---- */

static bool __is_wanted(const struct worker_pool *pool)
{
	return !list_empty(&pool->works) && !pool->nr_running;
}

void __pool_kick(struct worker_pool *pool)
{
	if (__is_wanted(pool) && pool->nr_idle)
		wake_up_process(list_first_entry(&pool->idle, struct worker, list)->task);
}

static void __enter_idle(struct worker *worker)
{
	list_add(&worker->list, &worker->pool->idle);
	worker->pool->nr_idle++;
}

static void __leave_idle(struct worker *worker)
{
	list_del(&worker->list);
	worker->pool->nr_idle--;
}

static void __count(struct worker *worker, bool on)
{
	if (worker->pool->cpu < 0 || worker->counted == on)
		return;
	worker->counted = on;
	worker->pool->nr_running += on ? 1u : -1u;
}

/* Called by schedule(), in a worker: while it sleeps another may run. */
static void worker_sleeps(bool sleeps)
{
	struct worker *worker = current_worker();
	host_sigmask_t mask;

	if (!worker || !worker->counted || worker->sleeps == sleeps)
		return;
	worker->sleeps = sleeps;
	mask = lock_acquire_masked(&worker->pool->lock);
	worker->pool->nr_running += sleeps ? -1u : 1u;
	__pool_kick(worker->pool);
	lock_release_masked(&worker->pool->lock, mask);
}

/* ---- one item ---- */

static void __flusher_done(struct flusher *flusher)
{
	list_del(&flusher->list);
	/* Pairs with flush_work(): the item has ended; after this the flusher may be gone. */
	__atomic_store_n(&flusher->done, 1, __ATOMIC_RELEASE);
	wake_on(flusher);
}

void __flushers_done(struct list_head *flushers, const struct work_struct *work)
{
	struct flusher *flusher, *next;

	list_for_each_entry_safe(flusher, next, flushers, list)
		if (flusher->work == work)
			__flusher_done(flusher);
}

static void __activate_next(struct pool_workqueue *queue)
{
	struct work_struct *work;

	if (list_empty(&queue->inactive) || queue->nr_active >= queue->wq->max_active)
		return;
	work = list_first_entry(&queue->inactive, struct work_struct, entry);
	list_del(&work->entry);
	list_add_tail(&work->entry, &queue->pool->works);
	__atomic_fetch_and(&work->data, ~(unsigned long)WORK_INACTIVE, __ATOMIC_RELEASE);
	queue->nr_active++;
	__pool_kick(queue->pool);
}

void __queue_done(struct pool_workqueue *queue, unsigned long color, bool was_active)
{
	unsigned int *in_flight = &queue->nr_in_flight[color != 0];

	queue->nr_active -= was_active;
	__activate_next(queue);
	if (!--*in_flight)
		wake_on(&queue->wq->color);
}

static void __begin(struct worker *worker, struct work_struct *work)
{
	struct worker_pool *pool = worker->pool;
	struct flusher *flusher, *next;

	freed_unwatch(work);
	list_del(&work->entry);
	worker->work = work;
	worker->func = work->func;
	worker->queue = work->queue;
	worker->color = work_data(work) & WORK_COLOR;
	list_add(&worker->list, &pool->busy);
	list_for_each_entry_safe(flusher, next, &pool->flushers, list) {
		if (flusher->work == work) {
			list_del(&flusher->list);
			list_add_tail(&flusher->list, &worker->flushers);
		}
	}
	if (worker->queue->wq->flags & WQ_CPU_INTENSIVE)
		__count(worker, false);
	__pool_kick(pool);
	/* Pairs with queue_work_on(): who finds the item pending knows that its function sees what was written
	 * before. */
	__atomic_exchange_n(&work->data, pool_bits(pool), __ATOMIC_ACQ_REL);
}

static void __end(struct worker *worker)
{
	struct pool_workqueue *queue = worker->queue;

	list_del(&worker->list);
	__flushers_done(&worker->flushers, worker->work);
	worker->work = NULL;
	worker->queue = NULL;
	__queue_done(queue, worker->color, true);
}

static void check_context(struct worker *worker)
{
	int rcu_depth = sched_rcu_depth();

	if (!preempt_count() && !irqs_disabled() && !rcu_depth)
		return;
	report_bug("workqueue leaked atomic, lock or RCU: %s[%d] preempt=0x%08x irqs_disabled=%d workfn=%p",
		current->comm, current->pid, preempt_count(), irqs_disabled(), (void *)(uintptr_t)worker->func);
	flagstone_this.preempt_count = 0;
	local_irq_enable();
	while (rcu_depth--)
		sched_rcu_leave_hook();
}

/* The item may be freed in it, and is not looked at any more. Of lock checking its queue and itself are held: who waits for either while it
 * holds a lock that the item takes is reported. */
static void call(struct worker *worker, struct work_struct *work)
{
	struct lockdep_map map = map_copy(&work->lockdep_map);
	struct lockdep_map *queue = &worker->queue->wq->lockdep_map;

	lock_map_acquire(queue);
	lock_map_acquire(&map);
	worker->func(work);
	lock_map_release(&map);
	lock_map_release(queue);
}

/* The pool's lock is held, and let go while the item runs. */
static void __run(struct worker *worker, struct work_struct *work)
{
	struct worker_pool *pool = worker->pool;
	struct worker *other = __worker_of(pool, work);
	bool was_counted = worker->counted;

	if (other) {
		list_del(&work->entry);
		list_add_tail(&work->entry, &other->scheduled);
		return;
	}
	__begin(worker, work);
	lock_release(&pool->lock);
	host_signals_restore(0);
	call(worker, work);
	check_context(worker);
	_cond_resched();
	host_signals_block();
	lock_acquire(&pool->lock);
	if (was_counted)
		__count(worker, true);
	__end(worker);
}

static void __run_with_scheduled(struct worker *worker, struct work_struct *work)
{
	__run(worker, work);
	while (!list_empty(&worker->scheduled))
		__run(worker, list_first_entry(&worker->scheduled, struct work_struct, entry));
}

/* ---- workers come and go ---- */

static struct task_struct *start_thread(struct worker *worker, int (*body)(void *worker), unsigned int id)
{
	struct worker_pool *pool = worker->pool;
	char name[32];
	struct text text = TEXT_INIT(name, sizeof(name), -1);

	if (pool->cpu < 0)
		text_printf(&text, "kworker/u%u:%u%s", sched_nr_cpus, id, pool->highpri ? "H" : "");
	else
		text_printf(&text, "kworker/%d:%u%s", pool->cpu, id, pool->highpri ? "H" : "");
	return sched_kthread_create(&(struct sched_kthread){
		.function = body, .data = worker, .cpu = pool->cpu, .name = name, .serves = true});
}

static int worker_body(void *arg);

static struct worker *worker_alloc(struct worker_pool *pool)
{
	struct worker *worker = sched_zalloc(sizeof(*worker));

	if (worker) {
		worker->pool = pool;
		list_init(&worker->scheduled);
		list_init(&worker->flushers);
	}
	return worker;
}

static int worker_create(struct worker_pool *pool)
{
	struct worker *worker;
	host_sigmask_t mask;

	if (irq_worker_hook && !irq_worker_hook())
		return -ENOMEM;
	worker = worker_alloc(pool);
	if (!worker)
		return -ENOMEM;
	worker->task = start_thread(worker, worker_body, __atomic_fetch_add(&pool->next_id, 1, __ATOMIC_RELAXED));
	if (IS_ERR(worker->task)) {
		sched_free(worker);
		return -ENOMEM;
	}
	mask = lock_acquire_masked(&pool->lock);
	pool->nr_workers++;
	__enter_idle(worker);
	lock_release_masked(&pool->lock, mask);
	wake_up_process(worker->task);
	return 0;
}

static void __call_rescuers(struct worker_pool *pool)
{
	struct work_struct *work;

	list_for_each_entry(work, &pool->works, entry) {
		struct worker *rescuer = work->queue->wq->rescuer;

		if (!rescuer)
			continue;
		work->queue->mayday = true;
		wake_up_process(rescuer->task);
	}
}

static void mayday(struct clock_event *event)
{
	struct worker_pool *pool = container_of(event, struct worker_pool, mayday);
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);

	if (pool->mayday_on) {
		__call_rescuers(pool);
		clock_set(&pool->mayday, host_clock_ns() + MAYDAY_AGAIN_NS);
	}
	lock_release_masked(&pool->lock, mask);
}

static void lock_pool(struct worker_pool *pool)
{
	host_signals_block();
	lock_acquire(&pool->lock);
}

static void unlock_pool(struct worker_pool *pool)
{
	lock_release(&pool->lock);
	host_signals_restore(0);
}

/* No worker is idle: this one makes another before it runs anything. The pool's lock is held, and let go meanwhile. */
static void __manage(struct worker_pool *pool)
{
	pool->managed = true;
	pool->mayday_on = true;
	clock_set(&pool->mayday, host_clock_ns() + MAYDAY_NS);
	for (;;) {
		int error;

		unlock_pool(pool);
		error = worker_create(pool);
		lock_pool(pool);
		if (!error || pool->nr_idle || !__is_wanted(pool))
			break;
		__call_rescuers(pool);
		unlock_pool(pool);
		schedule_timeout_uninterruptible(1);
		lock_pool(pool);
		if (pool->nr_idle || !__is_wanted(pool))
			break;
	}
	pool->mayday_on = false;
	unlock_pool(pool);
	/* Still managed: the next one to manage would set it anew. */
	clock_cancel_sync(&pool->mayday);
	lock_pool(pool);
	pool->managed = false;
}

/* Sleeps until it is wanted; false: it is to end. The pool's lock is held, and let go meanwhile. */
static bool __wait_idle(struct worker *worker)
{
	struct worker_pool *pool = worker->pool;

	for (;;) {
		bool stop;

		set_current_state(TASK_IDLE);
		stop = kthread_should_stop();
		if (stop || (__is_wanted(pool) && !worker->ends)) {
			__set_current_state(TASK_RUNNING);
			return !stop;
		}
		unlock_pool(pool);
		schedule();
		lock_pool(pool);
	}
}

/* Runs items for as long as this worker is the one to. The pool's lock is held. */
static void __work_on(struct worker *worker)
{
	struct worker_pool *pool = worker->pool;

	__count(worker, true);
	do
		__run_with_scheduled(worker, list_first_entry(&pool->works, struct work_struct, entry));
	while (!list_empty(&pool->works) && pool->nr_running <= 1);
	__count(worker, false);
}

static int worker_body(void *arg)
{
	struct worker *worker = arg;
	struct worker_pool *pool = worker->pool;

	current->flags |= PF_WQ_WORKER;
	lock_pool(pool);
	while (__wait_idle(worker)) {
		__leave_idle(worker);
		while (__is_wanted(pool) && !pool->nr_idle && !pool->managed)
			__manage(pool);
		if (__is_wanted(pool))
			__work_on(worker);
		__enter_idle(worker);
	}
	unlock_pool(pool);
	return 0;
}

/* ---- rescuers ---- */

static struct work_struct *__first_of(struct worker_pool *pool, struct pool_workqueue *queue)
{
	struct work_struct *work;

	list_for_each_entry(work, &pool->works, entry)
		if (work->queue == queue)
			return work;
	return NULL;
}

/* Its items may count on running on their CPU. */
static void go_to(int cpu)
{
	uint64_t allowed[CPU_WORDS];

	memset(allowed, cpu < 0 ? 0xff : 0, sizeof(allowed));
	if (cpu >= 0)
		allowed[cpu / 64] = 1ull << cpu % 64;
	if (cpu < 0 || cpu_is_online((unsigned int)cpu))
		sched_set_allowed(current, allowed);
}

static void rescue(struct worker *rescuer, struct pool_workqueue *queue)
{
	struct worker_pool *pool = queue->pool;
	struct work_struct *work;

	go_to(pool->cpu);
	rescuer->pool = pool;
	lock_pool(pool);
	queue->mayday = false;
	while ((work = __first_of(pool, queue)))
		__run_with_scheduled(rescuer, work);
	__pool_kick(pool);
	unlock_pool(pool);
}

static bool is_called(struct pool_workqueue *queue)
{
	host_sigmask_t mask = lock_acquire_masked(&queue->pool->lock);
	bool called = queue->mayday;

	lock_release_masked(&queue->pool->lock, mask);
	return called;
}

struct rescuer_start {
	struct worker worker; /* first: it is the thread's data */
	struct workqueue_struct *wq;
};

static int rescuer_body(void *arg)
{
	struct rescuer_start *start = arg;
	struct workqueue_struct *wq = start->wq;

	current->flags |= PF_WQ_WORKER;
	for (;;) {
		bool stop, ran = false;

		set_current_state(TASK_IDLE);
		stop = kthread_should_stop();
		for (unsigned int i = 0; i < wq->nr_queues; i++) {
			if (!is_called(&wq->queues[i]))
				continue;
			__set_current_state(TASK_RUNNING);
			rescue(&start->worker, &wq->queues[i]);
			ran = true;
		}
		if (stop)
			break;
		if (!ran)
			schedule();
		else
			go_to(-1);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

int rescuer_start(struct workqueue_struct *wq, const void *caller)
{
	struct rescuer_start *start = sched_kzalloc(sizeof(*start), caller);

	if (!start)
		return -ENOMEM;
	start->wq = wq;
	list_init(&start->worker.scheduled);
	list_init(&start->worker.flushers);
	start->worker.task = sched_kthread_create(&(struct sched_kthread){.function = rescuer_body,
		.data = start,
		.cpu = -1,
		.name = wq->name,
		.serves = true,
		.caller = caller});
	if (IS_ERR(start->worker.task)) {
		sched_free(start);
		return -ENOMEM;
	}
	wq->rescuer = &start->worker;
	wake_up_process(start->worker.task);
	return 0;
}

void rescuer_stop(struct workqueue_struct *wq)
{
	if (!wq->rescuer)
		return;
	kthread_stop(wq->rescuer->task);
	sched_free(wq->rescuer);
	wq->rescuer = NULL;
}

/* ---- boot and shutdown ---- */

static int pool_boot(struct worker_pool *pool, int cpu, bool highpri)
{
	memset(pool, 0, sizeof(*pool));
	lock_init(&pool->lock, LOCK_TASKS);
	pool->cpu = cpu;
	pool->highpri = highpri;
	pool->mayday.fire = mayday;
	list_init(&pool->works);
	list_init(&pool->idle);
	list_init(&pool->busy);
	list_init(&pool->flushers);
	return worker_create(pool);
}

int pools_boot(void)
{
	int error = 0;

	sched_worker_hook = worker_sleeps;
	for (unsigned int i = 0; i < 2 * sched_nr_cpus && !error; i++)
		error = pool_boot(&worker_pools[i], (int)(i / 2), i % 2);
	for (unsigned int i = 0; i < 2 && !error; i++)
		error = pool_boot(&worker_pools[NR_POOLS - 2 + i], -1, i);
	return error;
}

static void stop_workers(struct worker_pool *pool)
{
	while (pool->nr_workers) {
		struct worker *worker;

		lock_pool(pool);
		worker = pool->nr_idle ? list_first_entry(&pool->idle, struct worker, list) : NULL;
		if (worker) {
			__leave_idle(worker);
			worker->ends = true;
			pool->nr_workers--;
		}
		unlock_pool(pool);
		if (!worker) {
			schedule_timeout_uninterruptible(1);
			continue;
		}
		kthread_stop(worker->task);
		sched_free(worker);
	}
}

void pools_shutdown(void)
{
	for (unsigned int i = 0; i < NR_POOLS; i++)
		stop_workers(&worker_pools[i]);
	memset(worker_pools, 0, sizeof(worker_pools));
	sched_worker_hook = NULL;
}
