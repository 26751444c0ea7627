/*
 * typesafe.c: slabs of caches with SLAB_TYPESAFE_BY_RCU: their pages go back when no reader can be in them any more.
 *
 * Objects of such a cache are free, and may be had again, at once. Only a slab that is empty, and would go back to the page room, waits
 * for a grace period first: so whoever finds an object in a section finds an object of that cache until the section ends, alive or not.
 * The slab waits with the head that lies in its own struct page, where its link was: nothing is allocated.
 *
 * Called by slabs.c and cache.c. Grace periods are of a room above, which puts them in: struct slab_periods.
 */
#include "runtime/host/host.h"
#include "runtime/slab/internal.h"

static_assert(sizeof(struct rcu_head) == sizeof(struct list_head) &&
		      __alignof__(struct rcu_head) == __alignof__(struct list_head),
	"the head takes the place of a slab's link");

static const struct slab_periods *slab_periods; /* Synchronization: atomic; what it points to is const */
static size_t nr_waiting; /* slabs of all caches. Synchronization: atomic */

void slab_set_periods(const struct slab_periods *periods)
{
	__atomic_store_n(&slab_periods, periods, __ATOMIC_RELEASE);
}

static const struct slab_periods *periods_get(void)
{
	return __atomic_load_n(&slab_periods, __ATOMIC_ACQUIRE);
}

bool typesafe_start(void)
{
	const struct slab_periods *periods = periods_get();

	return periods && periods->start();
}

/* A period has ended since the slab became empty. */
static void slab_after_period(struct rcu_head *head)
{
	struct page *slab = container_of((struct list_head *)(void *)head, struct page, list);
	struct kmem_cache *cache = slab->cache;
	host_sigmask_t mask = host_signals_block();

	slab_destroy(cache, slab);
	__atomic_fetch_sub(&nr_waiting, 1, __ATOMIC_RELAXED);
	/* The last that is done with the cache. Pairs with typesafe_nr_waiting(). */
	__atomic_fetch_sub(&cache->nr_waiting, 1, __ATOMIC_RELEASE);
	host_signals_restore(mask);
}

void typesafe_wait(struct kmem_cache *cache, struct list_head *list)
{
	const struct slab_periods *periods = periods_get();

	while (periods && !list_empty(list)) {
		struct page *slab = list_first_entry(list, struct page, list);

		list_del(&slab->list);
		__atomic_fetch_add(&nr_waiting, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&cache->nr_waiting, 1, __ATOMIC_RELAXED);
		periods->call((struct rcu_head *)(void *)&slab->list, slab_after_period);
	}
}

size_t typesafe_nr_waiting(const struct kmem_cache *cache)
{
	return __atomic_load_n(&cache->nr_waiting, __ATOMIC_ACQUIRE);
}

void typesafe_hurry(void)
{
	const struct slab_periods *periods;

	if (likely(!__atomic_load_n(&nr_waiting, __ATOMIC_RELAXED)))
		return;
	periods = periods_get();
	if (periods)
		periods->hurry();
}

bool typesafe_barrier(void)
{
	const struct slab_periods *periods = periods_get();

	return periods && periods->barrier();
}

void typesafe_reset(void)
{
	nr_waiting = 0;
}
