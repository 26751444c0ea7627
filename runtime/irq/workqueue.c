/*
 * workqueue.c: work queues as a whole: made, flushed, drained, destroyed; and those of the system.
 *
 * Calls worker.c and work.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/irq/wq.h"

struct lock wq_list_lock = LOCK_INIT(LOCK_TASKS);
struct list_head wq_list = LIST_HEAD_INIT(wq_list);
struct workqueue_struct *system_wq, *system_highpri_wq, *system_long_wq, *system_unbound_wq;

#define NR_KEPT 64 /* of those that were destroyed. Uses of older ones are uses of freed memory */
static struct workqueue_struct *kept[NR_KEPT]; /* Synchronization: wq_list_lock */
static unsigned int nr_destroyed; /* Synchronization: wq_list_lock */

/* ---- their classes of lock checking ---- */

#define NR_CLASSES 256

/* Each queue is a class of its own. A class is never forgotten while a machine lasts, so once all are used a queue gets that of one of its
 * name that was destroyed; without such a one it is not checked. */
static struct wq_class {
	struct lock_class_key key;
	bool used, live; /* Synchronization: wq_list_lock */
	char name[48]; /* Synchronization: const once it is used */
} classes[NR_CLASSES];

/* wq_list_lock is held. */
static struct wq_class *__class_for(const char *name)
{
	for (unsigned int i = 0; i < NR_CLASSES; i++)
		if (!classes[i].used)
			return &classes[i];
	for (unsigned int i = 0; i < NR_CLASSES; i++)
		if (!classes[i].live && !strcmp(classes[i].name, name))
			return &classes[i];
	return NULL;
}

static void take_class(struct workqueue_struct *wq)
{
	char name[sizeof(classes->name)];
	struct text text = TEXT_INIT(name, sizeof(name), -1);
	struct wq_class *class;
	host_sigmask_t mask;

	if (!lockdep_on)
		return;
	text_printf(&text, "(wq_completion)%s", wq->name);
	mask = lock_acquire_masked(&wq_list_lock);
	class = __class_for(name);
	if (class) {
		memcpy(class->name, name, sizeof(name));
		class->used = class->live = true;
		wq->class = class;
		lockdep_init_map(&wq->lockdep_map, class->name, &class->key, 0);
	}
	lock_release_masked(&wq_list_lock, mask);
}

/* ---- making ---- */

static struct worker_pool *pool_for(unsigned int flags, unsigned int cpu)
{
	unsigned int highpri = (flags & WQ_HIGHPRI) != 0;

	return &worker_pools[flags & WQ_UNBOUND ? NR_POOLS - 2 + highpri : 2 * cpu + highpri];
}

static bool make_queues(struct workqueue_struct *wq, const void *caller)
{
	wq->nr_queues = wq->flags & WQ_UNBOUND ? 1 : sched_nr_cpus;
	wq->queues = sched_kzalloc(wq->nr_queues * sizeof(*wq->queues), caller);
	for (unsigned int i = 0; wq->queues && i < wq->nr_queues; i++) {
		wq->queues[i].wq = wq;
		wq->queues[i].pool = pool_for(wq->flags, i);
		list_init(&wq->queues[i].inactive);
	}
	return wq->queues;
}

static void wq_free(struct workqueue_struct *wq)
{
	sched_free(wq->queues);
	sched_free(wq);
}

static unsigned int limit(const char *name, int max_active)
{
	if (!max_active)
		return WQ_DFL_ACTIVE;
	if (max_active >= 1 && max_active <= WQ_MAX_ACTIVE)
		return (unsigned int)max_active;
	report_note("workqueue: max_active %d requested for %s is out of range, clamping between %d and %d", max_active,
		name, 1, WQ_MAX_ACTIVE);
	return max_active < 1 ? 1 : WQ_MAX_ACTIVE;
}

/* caller: as in struct sched_kthread. */
static struct workqueue_struct *create(const char *name, unsigned int flags, int max_active, const void *caller)
{
	struct workqueue_struct *wq = sched_kzalloc(sizeof(*wq), caller);
	host_sigmask_t mask;

	if (!wq)
		return NULL;
	strncpy(wq->name, name, sizeof(wq->name) - 1);
	wq->flags = flags;
	wq->max_active = limit(wq->name, max_active);
	if (!make_queues(wq, caller) || ((flags & WQ_MEM_RECLAIM) && rescuer_start(wq, caller))) {
		wq_free(wq);
		return NULL;
	}
	take_class(wq);
	mask = lock_acquire_masked(&wq_list_lock);
	list_add_tail(&wq->list, &wq_list);
	lock_release_masked(&wq_list_lock, mask);
	resource_made(&(struct resource){.type = RESOURCE_WORKQUEUE, .object = wq, .name = wq->name, .caller = caller});
	return wq;
}

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max_active, ...)
{
	char name[sizeof(((struct workqueue_struct *)NULL)->name)];
	host_sigmask_t mask = host_signals_block();
	va_list args;

	va_start(args, max_active);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	host_signals_restore(mask);
	return create(name, flags, max_active, __builtin_return_address(0));
}

/* ---- flushing ---- */

static bool may_flush(void *arg)
{
	struct workqueue_struct *wq = arg;

	/* Pairs with flush_end(). */
	return !__atomic_exchange_n(&wq->flushing, 1, __ATOMIC_ACQUIRE);
}

static void flush_end(struct workqueue_struct *wq)
{
	__atomic_store_n(&wq->flushing, 0, __ATOMIC_RELEASE);
	wake_on(&wq->flushing);
}

/* Whether nothing of the color that is not queued any more is left. */
static bool is_flushed(void *arg)
{
	struct workqueue_struct *wq = arg;
	unsigned int color = !__atomic_load_n(&wq->color, __ATOMIC_RELAXED);
	bool flushed = true;

	for (unsigned int i = 0; flushed && i < wq->nr_queues; i++) {
		host_sigmask_t mask = lock_acquire_masked(&wq->queues[i].pool->lock);

		flushed = !wq->queues[i].nr_in_flight[color];
		lock_release_masked(&wq->queues[i].pool->lock, mask);
	}
	return flushed;
}

static bool flushes_itself(struct workqueue_struct *wq)
{
	struct worker *worker = current_worker();

	return worker && worker->queue && worker->queue->wq == wq;
}

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	text_printf(text, "the items of workqueue %s", ((const struct workqueue_struct *)wait->what)->name);
}

void flush_workqueue(struct workqueue_struct *wq)
{
	const struct sched_wait wait = {print_wait, wq};

	might_sleep();
	if (wq_check_destroyed(wq, NULL, "flush"))
		return;
	if (flushes_itself(wq)) {
		report_bug("workqueue: an item of %s waits for all items of %s", wq->name, wq->name);
		return;
	}
	map_wait(&wq->lockdep_map);
	sleep_on(&wq->flushing, may_flush, wq);
	/* What is queued from here on has the other color, which the last flush left empty. */
	__atomic_fetch_xor(&wq->color, 1, __ATOMIC_SEQ_CST);
	sched_waits_for(&wait);
	sleep_on(&wq->color, is_flushed, wq);
	sched_waits_for(NULL);
	flush_end(wq);
}

static bool is_empty(struct workqueue_struct *wq)
{
	bool empty = true;

	for (unsigned int i = 0; empty && i < wq->nr_queues; i++) {
		host_sigmask_t mask = lock_acquire_masked(&wq->queues[i].pool->lock);

		empty = !wq->queues[i].nr_in_flight[0] && !wq->queues[i].nr_in_flight[1];
		lock_release_masked(&wq->queues[i].pool->lock, mask);
	}
	return empty;
}

void drain_workqueue(struct workqueue_struct *wq)
{
	__atomic_fetch_add(&wq->draining, 1, __ATOMIC_SEQ_CST);
	for (unsigned int tries = 1;; tries++) {
		flush_workqueue(wq);
		if (is_empty(wq))
			break;
		if (tries == 10 || tries % 100 == 0)
			report_note("workqueue %s: drain_workqueue() isn't complete after %u tries", wq->name, tries);
	}
	__atomic_fetch_sub(&wq->draining, 1, __ATOMIC_SEQ_CST);
}

/* ---- destroying ---- */

bool wq_check_destroyed(struct workqueue_struct *wq, const struct work_struct *work, const char *what)
{
	uintptr_t frames[16];
	unsigned int nr;

	/* Pairs with destroy_workqueue(). */
	if (likely(!__atomic_load_n(&wq->destroyed, __ATOMIC_ACQUIRE)))
		return false;
	nr = sched_stack(frames, ARRAY_SIZE(frames));
	if (work)
		report_begin("BUG: ", "workqueue: cannot queue %p on wq %s: it was destroyed by %s/%d",
			(void *)(uintptr_t)work->func, wq->name, wq->destroyer, wq->destroyer_pid);
	else
		report_begin("BUG: ", "workqueue: cannot %s wq %s: it was destroyed by %s/%d", what, wq->name,
			wq->destroyer, wq->destroyer_pid);
	report_line("Destroyed at:");
	report_frames(wq->frames, wq->nr_frames);
	report_line("Call Trace:");
	report_frames(frames, nr);
	report_end();
	return true;
}

/* It takes the place of the one that was destroyed so many before it. */
static void unlist_and_keep(struct workqueue_struct *wq)
{
	host_sigmask_t mask = lock_acquire_masked(&wq_list_lock);
	struct workqueue_struct **place = &kept[nr_destroyed++ % NR_KEPT], *old = *place;

	list_del(&wq->list);
	if (wq->class)
		wq->class->live = false;
	*place = wq;
	lock_release_masked(&wq_list_lock, mask);
	sched_free(old);
}

static void forget_kept(void)
{
	for (unsigned int i = 0; i < NR_KEPT; i++) {
		sched_free(kept[i]);
		kept[i] = NULL;
	}
}

/* Their time would come after the queue's end. */
static void take_delayed(struct workqueue_struct *wq)
{
	struct delayed_work *dwork;

	while ((dwork = timer_take_delayed(wq))) {
		void *function = (void *)(uintptr_t)dwork->work.func;

		__atomic_store_n(&dwork->work.data, 0, __ATOMIC_RELEASE);
		report_bug("destroy_workqueue of %s, with delayed work %p (function %p) pending", wq->name,
			(void *)dwork, function);
	}
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	if (wq_check_destroyed(wq, NULL, "destroy"))
		return;
	drain_workqueue(wq);
	__atomic_fetch_add(&wq->draining, 1, __ATOMIC_SEQ_CST);
	take_delayed(wq);
	rescuer_stop(wq);
	sched_free(wq->queues);
	wq->queues = NULL;
	wq->nr_queues = 0;
	memcpy(wq->destroyer, current->comm, sizeof(wq->destroyer));
	wq->destroyer_pid = current->pid;
	wq->nr_frames = sched_stack(wq->frames, ARRAY_SIZE(wq->frames));
	/* Pairs with wq_check_destroyed(). */
	__atomic_store_n(&wq->destroyed, true, __ATOMIC_RELEASE);
	unlist_and_keep(wq);
	resource_ended(RESOURCE_WORKQUEUE, wq);
}

/* ---- boot and shutdown ---- */

int workqueue_boot(void)
{
	int error = pools_boot();

	/* In a fork child those of the parent's machine are still on it. */
	lock_reinit(&wq_list_lock);
	list_init(&wq_list);
	memset(kept, 0, sizeof(kept));
	memset(classes, 0, sizeof(classes));
	if (error)
		return error;
	system_wq = create("events", 0, 0, NULL);
	system_highpri_wq = create("events_highpri", WQ_HIGHPRI, 0, NULL);
	system_long_wq = create("events_long", 0, 0, NULL);
	system_unbound_wq = create("events_unbound", WQ_UNBOUND, WQ_UNBOUND_MAX_ACTIVE, NULL);
	return system_wq && system_highpri_wq && system_long_wq && system_unbound_wq ? 0 : -12;
}

/* Takes back what has not begun, with a report. Returns how many there were. */
static unsigned int forget_works(struct worker_pool *pool)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	unsigned int nr = 0;

	while (!list_empty(&pool->works)) {
		struct work_struct *work = list_first_entry(&pool->works, struct work_struct, entry);
		uintptr_t function = (uintptr_t)work->func;
		char what[64];
		struct text text = TEXT_INIT(what, sizeof(what), -1);

		text_printf(&text, "work on workqueue %s", work->queue->wq->name);
		__work_take(pool, work);
		__atomic_store_n(&work->data, 0, __ATOMIC_RELEASE);
		lock_release_masked(&pool->lock, mask);
		report_pending(what, work, function);
		nr++;
		mask = lock_acquire_masked(&pool->lock);
	}
	lock_release_masked(&pool->lock, mask);
	return nr;
}

unsigned int workqueue_shutdown(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_POOLS; i++)
		if (worker_pools[i].works.next)
			nr += forget_works(&worker_pools[i]);
	nr += resources_report(RESOURCE_WORKQUEUE);
	while (!list_empty(&wq_list))
		destroy_workqueue(list_first_entry(&wq_list, struct workqueue_struct, list));
	system_wq = system_highpri_wq = system_long_wq = system_unbound_wq = NULL;
	forget_kept();
	pools_shutdown();
	return nr;
}
