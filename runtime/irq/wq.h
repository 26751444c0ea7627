/*
 * wq.h: work queues, the pools of threads that run them, and what both know of each other: of workqueue.c, work.c and
 * worker.c.
 *
 * A work item is queued on a workqueue, which has one pool_workqueue a pool: one pool a CPU, or the one of unbound
 * threads. Each CPU has two pools, and there are two of unbound ones: of ordinary and of WQ_HIGHPRI queues.
 */
#ifndef RUNTIME_IRQ_WQ_H
#define RUNTIME_IRQ_WQ_H

#include <linux/workqueue.h>

#include "runtime/irq/internal.h"

/*
 * Bits of work->data; above them the number + 1 of the pool that it is, or was last, in.
 *
 * Who sets PENDING owns the work until it is QUEUED; then the pool's lock owns it; who takes it from a list clears
 * both, or owns it again.
 */
enum {
	WORK_PENDING = WORK_STRUCT_PENDING,
	WORK_QUEUED = 2, /* on a list: its entry, queue and bits change under the pool's lock only */
	WORK_COLOR = 4, /* which of its queue's two counts it is in */
	WORK_INACTIVE = 8, /* on its queue's list of those beyond max_active */
	WORK_CANCELING = 16, /* PENDING belongs to a cancel_work_sync() that waits */
	WORK_POOL_SHIFT = 8,
};

#define NR_POOLS (2 * MAX_CPUS + 2)

/*
 * Under lock: nr_idle == length(idle); nr_running == workers that run an item and do not sleep in it (0 of unbound
 * pools). While there are works and nr_running == 0, an idle worker was woken, or one is about to make another.
 */
struct worker_pool {
	struct lock lock; /* rank TASKS, interrupts off */
	int cpu; /* below 0: unbound. Synchronization: const after boot */
	bool highpri; /* as cpu */
	struct list_head works; /* Synchronization: lock, as what follows */
	struct list_head idle, busy;
	struct list_head flushers; /* who wait for items on lists */
	unsigned int nr_idle, nr_running, nr_workers;
	unsigned int next_id;
	bool managed; /* a worker is making another */
	bool mayday_on; /* mayday is set, and sets itself again. Only while managed */
	struct clock_event mayday; /* that takes too long */
};

/* Synchronization: the pool's lock, or the worker's own thread. */
struct worker {
	struct list_head list; /* idle or busy */
	struct worker_pool *pool;
	struct task_struct *task;
	struct work_struct *work; /* that it runs; NULL */
	work_func_t func;
	struct pool_workqueue *queue;
	unsigned long color;
	struct list_head scheduled; /* items that ran here when they came up: the next for this worker */
	struct list_head flushers; /* who wait for work */
	bool counted; /* in nr_running, unless it sleeps */
	bool sleeps;
	bool ends; /* is on no list any more */
};

struct flusher {
	struct list_head list; /* Synchronization: the pool's lock */
	struct work_struct *work;
	uint32_t done; /* Synchronization: atomic */
};

/* Synchronization: the pool's lock. */
struct pool_workqueue {
	struct worker_pool *pool; /* const, as wq */
	struct workqueue_struct *wq;
	unsigned int nr_active; /* items on the pool's list or running */
	unsigned int nr_in_flight[2]; /* items of each color, inactive ones too */
	struct list_head inactive;
	bool mayday; /* the rescuer is to run its items */
};

struct workqueue_struct {
	char name[32]; /* const, as what follows */
	unsigned int flags;
	unsigned int max_active;
	unsigned int nr_queues;
	struct pool_workqueue *queues; /* by CPU; unbound: one */
	struct worker *rescuer; /* NULL without WQ_MEM_RECLAIM */
	unsigned int color; /* of what is queued now: 0, 1. Synchronization: atomic; changed by who holds flushing */
	uint32_t flushing; /* Synchronization: atomic; taken with sleep_on() */
	unsigned int draining; /* Synchronization: atomic */
	struct list_head list; /* Synchronization: wq_list_lock */
	struct wq_class *class; /* NULL: not checked. Synchronization: const */
	struct lockdep_map lockdep_map; /* held while an item runs. Synchronization: const after init */
	/* Who destroyed it, and where. Synchronization: written before destroyed */
	char destroyer[TASK_COMM_LEN];
	int destroyer_pid;
	unsigned int nr_frames;
	uintptr_t frames[8];
	bool destroyed; /* Synchronization: atomic, release */
};

extern struct worker_pool worker_pools[NR_POOLS];
extern struct lock wq_list_lock; /* rank TASKS */
extern struct list_head wq_list;

static inline struct worker_pool *pool_of(unsigned long data)
{
	unsigned long number = data >> WORK_POOL_SHIFT;

	return number ? &worker_pools[number - 1] : NULL;
}

static inline unsigned long pool_bits(const struct worker_pool *pool)
{
	return (unsigned long)(pool - worker_pools + 1) << WORK_POOL_SHIFT;
}

static inline unsigned long work_data(const struct work_struct *work)
{
	return __atomic_load_n(&work->data, __ATOMIC_ACQUIRE);
}

/* ---- worker.c. __: the pool's lock is held ---- */

int pools_boot(void);
void pools_shutdown(void);
/* The worker that this thread is; NULL. Any context but interrupts. */
struct worker *current_worker(void);
struct worker *__worker_of(struct worker_pool *pool, const struct work_struct *work);
/* Wakes a worker if one should run. */
void __pool_kick(struct worker_pool *pool);
/* An item of the queue has ended, or was taken back. */
void __queue_done(struct pool_workqueue *queue, unsigned long color, bool was_active);
void __flushers_done(struct list_head *flushers, const struct work_struct *work);
/* caller: as in struct sched_kthread. */
int rescuer_start(struct workqueue_struct *wq, const void *caller);
void rescuer_stop(struct workqueue_struct *wq);

/* ---- workqueue.c ---- */

/* Whether somebody destroyed the queue, which one of the last few is still there to tell: then that is reported of the work, or of
 * what is done to the queue, by its name. Any context. */
bool wq_check_destroyed(struct workqueue_struct *wq, const struct work_struct *work, const char *what);

/* ---- work.c ---- */

/* Takes a queued item from its list; it stays PENDING, and belongs to the caller. */
void __work_take(struct worker_pool *pool, struct work_struct *work);

#endif
