/*
 * trim.c: gives back what is cached: everything, of one cache or of all, or what the last epoch did not need.
 *
 * Calls the ladder's way back (ladder_empty_out), depot.c, slabs.c, pool.c, and the page room. Decides no capacity.
 */
#include "runtime/host/host.h"
#include "runtime/slab/internal.h"

/* Full magazines: objects to their slabs. All: to the pool. */
static void list_put_away(struct kmem_cache *cache, struct magazine *list, bool full)
{
	for (struct magazine *next; list; list = next) {
		unsigned int capacity = (unsigned int)list->capacity;

		next = list->next;
		ladder_empty_out(cache, magazine_top_at(list, capacity, full ? capacity : 0));
	}
}

static void depot_drain(struct kmem_cache *cache)
{
	list_put_away(cache, depot_take_all(cache, true), true);
	list_put_away(cache, depot_take_all(cache, false), false);
}

void cache_drain(struct kmem_cache *cache)
{
	host_sigmask_t mask;

	if (cache->max_capacity)
		area_drain(cache->slot, cache->slot + 1, ladder_sink);
	mask = host_signals_block();
	depot_drain(cache);
	slabs_shrink(cache, 0);
	host_signals_restore(mask);
}

bool slab_drain_idle(void)
{
	host_sigmask_t mask = host_signals_block();
	bool left;

	/* As in slab_trim(). */
	lock_acquire(&cache_list_lock);
	left = area_drain_idle(ladder_sink);
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	return left;
}

bool slab_purge(void)
{
	host_sigmask_t mask = host_signals_block();
	struct kmem_cache *cache;
	bool left = false;

	lock_acquire(&cache_list_lock);
	list_for_each_entry(cache, &cache_list, list)
		left |= slabs_purge(cache);
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	return left;
}

size_t slab_trim_pages(size_t keep)
{
	host_sigmask_t mask = host_signals_block();
	size_t released = page_release(keep);

	host_signals_restore(mask);
	return released;
}

size_t slab_trim(size_t keep)
{
	host_sigmask_t mask;
	struct kmem_cache *cache;
	size_t released;

	mask = host_signals_block();
	/* Around the drain too: no cache ends while its objects are between magazines and slabs. */
	lock_acquire(&cache_list_lock);
	area_drain(1, AREA_SLOTS, ladder_sink);
	list_for_each_entry(cache, &cache_list, list) {
		depot_drain(cache);
		slabs_shrink(cache, 0);
	}
	lock_release(&cache_list_lock);
	typesafe_hurry();
	pool_shrink();
	released = page_release(keep);
	host_signals_restore(mask);
	return released;
}

static bool cache_age(struct kmem_cache *cache)
{
	bool missed = capacity_age(cache);

	if (depot_in_use(cache)) {
		list_put_away(cache, depot_take_idle(cache, true), true);
		list_put_away(cache, depot_take_idle(cache, false), false);
	}
	slabs_shrink(cache, missed ? 1 : 0);
	return missed || depot_in_use(cache) || __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED) ||
	       slabs_have_empty(cache);
}

bool slab_age(void)
{
	host_sigmask_t mask = host_signals_block();
	struct kmem_cache *cache;
	bool more = false;

	lock_acquire(&cache_list_lock);
	topology_read();
	depot_set_up_shards();
	slabs_set_up_nodes();
	list_for_each_entry(cache, &cache_list, list)
		more |= cache_age(cache);
	lock_release(&cache_list_lock);
	more |= pool_shrink();
	host_signals_restore(mask);
	return more;
}
