/*
 * capacity.c: how many objects the magazines of each cache have room for: more where CPUs miss often, within a budget.
 *
 * A cache begins cold, without magazines: what it frees goes straight back to its slabs, where other classes can have the
 * pages. After a few misses its magazines begin small; each further miss doubles what the next magazine has room for. Once
 * the budget is spent, it is taken from classes that did not miss since the hand last passed them. Magazines that are
 * filled or with a CPU keep the capacity that they have.
 *
 * Knows no magazines and no depots. Any context, signal handlers too: there are no locks here.
 */
#include "runtime/lib/report.h"
#include "runtime/lib/tunables.h"
#include "runtime/slab/internal.h"

#define COLD_MISSES 4
#define COLD_BYTES_PER_MISS 128 /* an object that covers whole pages is worth more patience */
#define MAX_COLD_MISSES 64
#define FREE_CAPACITY 8
#define FREE_BYTES 4096

/*
 * With nobody at work here: used == sum over caches of charge(capacity).
 * At any time: used >= that sum; it is raised before a capacity and lowered after it, and a child of a fork in between
 * keeps the difference. used <= budget.
 *
 * A few small objects are free of charge, so that no such cache goes without magazines; so those of a CPU that have their
 * cache's capacity hold at most budget + 2 * FREE_BYTES * nr_caches.
 */
static size_t used; /* Synchronization: atomic */
static unsigned int hand; /* the class that is asked next for what it does not need. Synchronization: atomic */

static size_t budget(void)
{
	return tunable_cpu_cache / (percpu_mode == PERCPU_THREAD ? THREAD_SHARE : 1);
}

/* What every warm cache may have without asking. */
static unsigned int free_capacity(const struct kmem_cache *cache)
{
	unsigned int capacity = FREE_BYTES / cache->size;

	if (capacity > FREE_CAPACITY)
		capacity = FREE_CAPACITY;
	return capacity < cache->max_capacity ? capacity : cache->max_capacity;
}

/* How often a cold cache misses before it gets magazines. */
static unsigned int patience(const struct kmem_cache *cache)
{
	unsigned int misses = COLD_MISSES + cache->size / COLD_BYTES_PER_MISS;

	return misses < MAX_COLD_MISSES ? misses : MAX_COLD_MISSES;
}

/* The bytes of the budget that a capacity takes: those of two magazines, beyond what every cache may have. */
static size_t charge(const struct kmem_cache *cache, unsigned int capacity)
{
	unsigned int free = free_capacity(cache);

	return capacity > free ? 2ul * (capacity - free) * cache->size : 0;
}

static bool budget_take(size_t bytes)
{
	size_t old = __atomic_load_n(&used, __ATOMIC_RELAXED);

	do {
		if (old + bytes > budget())
			return false;
	} while (!__atomic_compare_exchange_n(&used, &old, old + bytes, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static void budget_give(size_t bytes)
{
	__atomic_fetch_sub(&used, bytes, __ATOMIC_RELAXED);
}

/* Where it is still that, a cache's capacity becomes another, lower one. */
static bool capacity_lower(struct kmem_cache *cache, unsigned int from, unsigned int to)
{
	if (!__atomic_compare_exchange_n(&cache->capacity, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	budget_give(charge(cache, from) - charge(cache, to));
	return true;
}

/* Goes once round the classes, halving those that had no miss since the last time, until bytes of the budget are had. */
static bool budget_steal(const struct kmem_cache *thief, size_t bytes)
{
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		unsigned int class = 1 + __atomic_fetch_add(&hand, 1, __ATOMIC_RELAXED) % NR_CLASSES;
		struct kmem_cache *cache = &kmalloc_caches[class];
		unsigned int capacity = __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED);

		if (cache == thief || !charge(cache, capacity))
			continue;
		if (__atomic_exchange_n(&cache->missed, false, __ATOMIC_RELAXED))
			continue;
		if (capacity_lower(cache, capacity, capacity / 2) && budget_take(bytes))
			return true;
	}
	return false;
}

/* Returns the capacity from now on. */
static unsigned int capacity_raise(struct kmem_cache *cache, unsigned int from)
{
	unsigned int to = from ? 2 * from : free_capacity(cache);
	size_t bytes;

	if (!to)
		to = 1;
	if (to > cache->max_capacity)
		to = cache->max_capacity;
	bytes = charge(cache, to) - charge(cache, from);
	if (!budget_take(bytes) && !budget_steal(cache, bytes))
		return from;
	if (__atomic_compare_exchange_n(&cache->capacity, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return to;
	budget_give(bytes);
	return from;
}

unsigned int capacity_miss(struct kmem_cache *cache)
{
	unsigned int capacity = __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED);

	/* Read first: the line is everybody's. */
	if (!__atomic_load_n(&cache->missed, __ATOMIC_RELAXED))
		__atomic_store_n(&cache->missed, true, __ATOMIC_RELAXED);
	if (likely(capacity == cache->max_capacity))
		return capacity;
	if (!capacity && __atomic_fetch_add(&cache->cold_misses, 1, __ATOMIC_RELAXED) < patience(cache))
		return 0;
	return capacity_raise(cache, capacity);
}

bool capacity_age(struct kmem_cache *cache)
{
	unsigned int capacity = __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED);

	if (__atomic_exchange_n(&cache->missed, false, __ATOMIC_RELAXED))
		return true;
	__atomic_store_n(&cache->cold_misses, 0, __ATOMIC_RELAXED);
	if (capacity)
		capacity_lower(cache, capacity, capacity > free_capacity(cache) ? capacity / 2 : 0);
	return false;
}

void capacity_release(struct kmem_cache *cache)
{
	unsigned int capacity;

	do
		capacity = __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED);
	while (!capacity_lower(cache, capacity, 0));
}

void capacity_reset(void)
{
	used = 0;
	hand = 0;
}

void capacity_check(void)
{
	size_t sum = 0;
	struct kmem_cache *cache;

	lock_acquire(&cache_list_lock);
	list_for_each_entry(cache, &cache_list, list) {
		unsigned int capacity = __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED);

		if (capacity > cache->max_capacity)
			report_bug("cache %s: magazines of %u objects, at most %u allowed", cache->name, capacity,
				cache->max_capacity);
		sum += charge(cache, capacity);
	}
	if (sum != used || used > budget())
		report_bug("capacities take %zu bytes of %zu, counted as %zu", sum, budget(), used);
	lock_release(&cache_list_lock);
}
