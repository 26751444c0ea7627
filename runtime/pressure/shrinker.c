/*
 * shrinker.c: the list of shrinkers, and how much each is asked for.
 *
 * Calls the shrinkers, in task context without locks of this room. Knows nothing of what they free.
 *
 * A round of priority p asks for 4 / seeks times the 2^-p-th part of what a shrinker counts, together with what
 * earlier rounds asked for and did not get, in batches; objects that cost nothing to make again (seeks 0) by halves.
 * What is left over is deferred, to at most twice of what there is.
 */
#include <errno.h>
#include <linux/delay.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <stdarg.h>
#include <stdio.h>

#include "runtime/lib/report.h"
#include "runtime/pressure/internal.h"
#include "runtime/sched/sched.h"

#define BATCH 128
#define NAME_BYTES 40

/* A call runs on it while users > 0: it stays on the list, where the walk goes on. */
struct flagstone_shrinker {
	struct list_head list; /* Synchronization: shrinkers_lock */
	struct shrinker *shrinker; /* Synchronization: const */
	unsigned int users; /* Synchronization: shrinkers_lock */
	bool ending; /* nobody calls it any more. Synchronization: shrinkers_lock */
	bool listed; /* Synchronization: shrinkers_lock */
	bool allocated; /* the shrinker is shrinker_alloc()'s. Synchronization: const */
	struct waiter *ender; /* waits for users to be 0. Synchronization: shrinkers_lock */
	char name[NAME_BYTES]; /* Synchronization: const */
	unsigned long nr_deferred[PAGE_MAX_NODES]; /* Synchronization: atomic */
};

static struct lock shrinkers_lock = {.rank = LOCK_PRESSURE};
static struct list_head shrinkers = LIST_HEAD_INIT(shrinkers); /* Synchronization: shrinkers_lock */

/* ---- registration ---- */

static struct flagstone_shrinker *named(struct shrinker *shrinker, const void *caller, const char *fmt, va_list args)
{
	struct flagstone_shrinker *registered = sched_kzalloc(sizeof(*registered), caller);
	host_sigmask_t mask;

	if (!registered)
		return NULL;
	mask = host_signals_block();
	vsnprintf(registered->name, sizeof(registered->name), fmt, args);
	host_signals_restore(mask);
	registered->shrinker = shrinker;
	resource_made(&(struct resource){.type = RESOURCE_SHRINKER,
		.object = shrinker,
		.extra = registered,
		.name = registered->name,
		.caller = caller});
	return registered;
}

static void put_on_list(struct flagstone_shrinker *registered)
{
	host_sigmask_t mask = lock_acquire_masked(&shrinkers_lock);

	list_add_tail(&registered->list, &shrinkers);
	registered->listed = true;
	lock_release_masked(&shrinkers_lock, mask);
}

/* Off the list, once no call runs. */
static void take_off_list(struct flagstone_shrinker *registered)
{
	struct list_head line = LIST_HEAD_INIT(line);
	host_sigmask_t mask = lock_acquire_masked(&shrinkers_lock);
	struct waiter waiter;

	registered->ending = true;
	while (registered->users) {
		__waiter_enter(&line, &waiter);
		registered->ender = &waiter;
		__waiter_sleep(&shrinkers_lock, &mask, &waiter, MAX_SCHEDULE_TIMEOUT, false);
		__waiter_leave(&waiter);
		registered->ender = NULL;
	}
	if (registered->listed)
		list_del(&registered->list);
	lock_release_masked(&shrinkers_lock, mask);
	resource_ended(RESOURCE_SHRINKER, registered->shrinker);
	sched_free(registered);
}

EXPORT struct shrinker *shrinker_alloc(unsigned int flags, const char *fmt, ...)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
	va_list args;

	if (!shrinker)
		return NULL;
	va_start(args, fmt);
	shrinker->registered = named(shrinker, __builtin_return_address(0), fmt, args);
	va_end(args);
	if (!shrinker->registered) {
		kfree(shrinker);
		return NULL;
	}
	shrinker->registered->allocated = true;
	shrinker->flags = flags;
	shrinker->seeks = DEFAULT_SEEKS;
	return shrinker;
}

EXPORT void shrinker_register(struct shrinker *shrinker)
{
	if (shrinker->registered && shrinker->count_objects && shrinker->scan_objects)
		put_on_list(shrinker->registered);
	else
		report_bug("shrinker_register of a shrinker that was not allocated as one, or without functions");
}

EXPORT void shrinker_free(struct shrinker *shrinker)
{
	if (!shrinker)
		return;
	take_off_list(shrinker->registered);
	kfree(shrinker);
}

EXPORT int flagstone_register_shrinker(struct shrinker *shrinker, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	shrinker->registered = named(shrinker, __builtin_return_address(0), fmt, args);
	va_end(args);
	if (!shrinker->registered)
		return -ENOMEM;
	put_on_list(shrinker->registered);
	return 0;
}

EXPORT void unregister_shrinker(struct shrinker *shrinker)
{
	if (!shrinker->registered)
		return;
	take_off_list(shrinker->registered);
	shrinker->registered = NULL;
}

/* ---- one shrinker ---- */

static unsigned long wanted_now(const struct shrinker *shrinker, unsigned long freeable, unsigned int priority)
{
	if (!shrinker->seeks)
		return freeable / 2;
	return (freeable >> priority) * 4 / (unsigned long)shrinker->seeks;
}

static unsigned long scan_in_batches(struct shrinker *shrinker, struct shrink_control *sc, unsigned long total,
	unsigned long freeable, unsigned long *done)
{
	unsigned long batch = shrinker->batch ? (unsigned long)shrinker->batch : BATCH;
	unsigned long freed = 0;

	/* A whole batch at a time, unless that is more than there is. */
	while (total >= batch || total >= freeable) {
		unsigned long nr = total < batch ? total : batch, result;

		sc->nr_to_scan = nr;
		sc->nr_scanned = nr;
		result = shrinker->scan_objects(shrinker, sc);
		if (result == SHRINK_STOP)
			break;
		freed += result;
		vmstat_add(VMSTAT_slabs_scanned, sc->nr_scanned);
		*done += sc->nr_scanned;
		total = sc->nr_scanned < total ? total - sc->nr_scanned : 0;
		if (!total)
			break;
		_cond_resched();
	}
	return freed;
}

static unsigned long shrink_one(struct flagstone_shrinker *registered, struct shrink_control *sc, unsigned int priority)
{
	unsigned long *deferred_here = &registered->nr_deferred[sc->nid];
	struct shrinker *shrinker = registered->shrinker;
	unsigned long freeable = shrinker->count_objects(shrinker, sc);
	unsigned long deferred, total, delta, freed, done = 0, left;

	if (!freeable || freeable == SHRINK_EMPTY)
		return 0;
	deferred = __atomic_exchange_n(deferred_here, 0, __ATOMIC_RELAXED);
	delta = wanted_now(shrinker, freeable, priority);
	total = (deferred >> priority) + delta;
	if (total > 2 * freeable)
		total = 2 * freeable;
	freed = scan_in_batches(shrinker, sc, total, freeable, &done);
	left = deferred + delta > done ? deferred + delta - done : 0;
	if (left > 2 * freeable)
		left = 2 * freeable;
	__atomic_add_fetch(deferred_here, left, __ATOMIC_RELAXED);
	return freed;
}

/* ---- all ---- */

/* The next after one that this task uses, or the first; this task uses it then, and the one before no more. */
static struct flagstone_shrinker *use_next(struct flagstone_shrinker *at)
{
	host_sigmask_t mask = lock_acquire_masked(&shrinkers_lock);
	struct list_head *next = at ? at->list.next : shrinkers.next;
	struct flagstone_shrinker *found = NULL;

	for (; next != &shrinkers; next = next->next) {
		found = list_entry(next, struct flagstone_shrinker, list);
		if (!found->ending)
			break;
		found = NULL;
	}
	if (found)
		found->users++;
	if (at && !--at->users && at->ender && !at->ender->woken)
		__waiter_wake(at->ender, NULL);
	lock_release_masked(&shrinkers_lock, mask);
	return found;
}

unsigned long shrink_slab(gfp_t gfp, int node, unsigned int priority)
{
	struct flagstone_shrinker *at = NULL;
	unsigned long freed = 0;

	while ((at = use_next(at))) {
		bool by_node = at->shrinker->flags & SHRINKER_NUMA_AWARE;
		struct shrink_control sc = {.gfp_mask = gfp, .nid = by_node ? node : 0};

		if (by_node || node == 0)
			freed += shrink_one(at, &sc, priority);
	}
	return freed;
}

/* What was allocated with it is one leak with it. */
static void forget(const void *shrinker, const void *extra)
{
	struct flagstone_shrinker *registered = (struct flagstone_shrinker *)(uintptr_t)extra;
	bool allocated = registered->allocated;

	take_off_list(registered);
	if (allocated)
		kfree(shrinker);
}

unsigned int shrinkers_reset(void)
{
	unsigned int nr = resources_report(RESOURCE_SHRINKER);

	resources_for_each(RESOURCE_SHRINKER, forget);
	list_init(&shrinkers);
	return nr;
}

void shrinkers_forget(void)
{
	lock_reinit(&shrinkers_lock);
	list_init(&shrinkers);
}
