/*
 * depot.c: full and empty magazines in exchange for each other, a whole one at a time.
 *
 * Knows magazines as blocks; their objects are not its business. See struct depot for the invariant and for why its lock
 * is only tried. An exchange installs the CPU's new pair while it holds the lock, so that it takes the lock once.
 */
#include "runtime/slab/slab.h"

#define MAX_EMPTY_MAGAZINES 8

void depot_init(struct depot *depot, unsigned int max_full)
{
	lock_init(&depot->lock, LOCK_DEPOT);
	depot->max_full = max_full;
}

static struct magazine *list_pop(struct magazine **list)
{
	struct magazine *magazine = *list;

	*list = magazine->next;
	return magazine;
}

static void list_push(struct magazine **list, struct magazine *magazine)
{
	magazine->next = *list;
	*list = magazine;
}

bool depot_swap_full(struct kmem_cache *cache, const struct area_view *view, magazine_top keep, magazine_top surplus)
{
	struct depot *depot = &cache->depot;
	struct magazine_pair new_pair;
	struct magazine *magazine;
	bool done = false;

	/* Without the lock first: an empty depot is not worth a write to its line. */
	if (!__atomic_load_n(&depot->nr_full, __ATOMIC_RELAXED) || !lock_try_briefly(&depot->lock))
		return false;
	if (!depot->nr_full)
		goto out;
	/* Off the list first: once installed, it is the CPU's, and may be on another list before we go on. */
	magazine = list_pop(&depot->full);
	new_pair.top = magazine_top_at(magazine, cache->capacity, cache->capacity);
	new_pair.spare = keep;
	done = area_install(cache->slot, view, new_pair);
	if (!done) {
		list_push(&depot->full, magazine);
		goto out;
	}
	__atomic_store_n(&depot->nr_full, depot->nr_full - 1, __ATOMIC_RELAXED);
	if (surplus) {
		list_push(&depot->empty, magazine_of(surplus));
		depot->nr_empty++;
	}
out:
	lock_release(&depot->lock);
	return done;
}

bool depot_swap_empty(struct kmem_cache *cache, const struct area_view *view, magazine_top keep, magazine_top surplus)
{
	struct depot *depot = &cache->depot;
	struct magazine_pair new_pair;
	struct magazine *magazine;
	bool done = false;

	if (!lock_try_briefly(&depot->lock))
		return false;
	if (!depot->nr_empty || (surplus && depot->nr_full >= depot->max_full))
		goto out;
	/* Off the list first: once installed, it is the CPU's, and may be on another list before we go on. */
	magazine = list_pop(&depot->empty);
	new_pair.top = magazine_top_at(magazine, cache->capacity, 0);
	new_pair.spare = keep;
	done = area_install(cache->slot, view, new_pair);
	if (!done) {
		list_push(&depot->empty, magazine);
		goto out;
	}
	depot->nr_empty--;
	if (surplus) {
		list_push(&depot->full, magazine_of(surplus));
		__atomic_store_n(&depot->nr_full, depot->nr_full + 1, __ATOMIC_RELAXED);
	}
out:
	lock_release(&depot->lock);
	return done;
}

bool depot_give(struct depot *depot, struct magazine *magazine, bool full)
{
	bool taken;

	if (!lock_try_briefly(&depot->lock))
		return false;
	taken = full ? depot->nr_full < depot->max_full : depot->nr_empty < MAX_EMPTY_MAGAZINES;
	if (taken && full) {
		list_push(&depot->full, magazine);
		__atomic_store_n(&depot->nr_full, depot->nr_full + 1, __ATOMIC_RELAXED);
	} else if (taken) {
		list_push(&depot->empty, magazine);
		depot->nr_empty++;
	}
	lock_release(&depot->lock);
	return taken;
}

struct magazine *depot_take_all(struct depot *depot, bool full)
{
	struct magazine *list;

	if (!lock_try_patiently(&depot->lock))
		return NULL;
	list = full ? depot->full : depot->empty;
	if (full) {
		depot->full = NULL;
		__atomic_store_n(&depot->nr_full, 0, __ATOMIC_RELAXED);
	} else {
		depot->empty = NULL;
		depot->nr_empty = 0;
	}
	lock_release(&depot->lock);
	return list;
}

void depot_fork_prepare(struct depot *depot)
{
	bool held = lock_try_patiently(&depot->lock);

	if (held)
		depot->fork_held = true;
}

void depot_fork_done(struct depot *depot, bool child)
{
	/* Not ours: its holder, if that is the thread that forks, still has to let go; if it is another, the child does
	 * without this depot. */
	if (!depot->fork_held)
		return;
	depot->fork_held = false;
	if (child)
		lock_reinit(&depot->lock);
	else
		lock_release(&depot->lock);
}
