/*
 * ladder.c: what happens when this CPU's magazine is empty or full: spare, depot, slabs.
 *
 * Calls percpu's area operations, capacity.c, depot.c, pool.c, and slabs.c or runs.c. An area may change under us at any
 * moment (migration, a signal handler): area_install() checks the view that a decision was made on, and on failure the walk
 * starts over.
 */
#include "runtime/host/host.h"
#include "runtime/slab/internal.h"

static unsigned int objects_get(struct kmem_cache *cache, void **out, unsigned int n)
{
	return cache->run ? runs_alloc(cache, out, n) : slabs_alloc(cache, out, n);
}

static void objects_put(struct kmem_cache *cache, void **objects, unsigned int n)
{
	if (cache->run)
		runs_free(cache, objects, n);
	else
		slabs_free(cache, objects, n);
}

static void *alloc_one(struct kmem_cache *cache)
{
	host_sigmask_t mask = host_signals_block();
	void *object = NULL;

	objects_get(cache, &object, 1);
	host_signals_restore(mask);
	if (unlikely(cache->debug & CACHE_CHECKED) && object)
		checks_alloc(cache, object);
	return object;
}

static void free_one(struct kmem_cache *cache, void *object)
{
	host_sigmask_t mask;

	if (unlikely(cache->debug & CACHE_CHECKED) && !checks_free(cache, object))
		return;
	mask = host_signals_block();
	objects_put(cache, &object, 1);
	host_signals_restore(mask);
}

/* Gives the objects of a magazine that no CPU has back to their slabs. */
static void objects_out(struct kmem_cache *cache, struct magazine *magazine, magazine_top top)
{
	unsigned int count = magazine_count(top, (unsigned int)magazine->capacity);

	if (count)
		objects_put(cache, magazine_objects(magazine), count);
}

/* What the depot has no room for: the magazine's objects go to their slabs, itself to the depot or to the pool. */
static void put_out(struct kmem_cache *cache, magazine_top top)
{
	struct magazine *magazine = magazine_of(top);

	objects_out(cache, magazine, top);
	if (!depot_give(cache, magazine_top_at(magazine, (unsigned int)magazine->capacity, 0)))
		magazine_put(magazine);
}

static void put_away(struct kmem_cache *cache, magazine_top top)
{
	if (top && !depot_give(cache, top))
		put_out(cache, top);
}

/* The lowest address on top: it is handed out first. */
static magazine_top fill(struct magazine *magazine, void **batch, unsigned int n)
{
	void **objects = magazine_objects(magazine);

	for (unsigned int i = 0; i < n; i++)
		objects[n - 1 - i] = batch[i];
	return magazine_top_at(magazine, (unsigned int)magazine->capacity, n);
}

/* Installs a magazine filled from slabs, and returns one more object for the caller. */
static void *refill(struct kmem_cache *cache, struct swap *swap, unsigned int capacity)
{
	host_sigmask_t mask = host_signals_block();
	struct magazine *magazine = magazine_get(capacity);
	void *batch[MAGAZINE_MAX_CAPACITY + 1];
	unsigned int n = slabs_alloc(cache, batch, magazine ? capacity + 1 : 1);

	if (n > 1) {
		struct magazine_pair new_pair = {fill(magazine, batch + 1, n - 1), swap->keep};

		if (area_install(cache->slot, &swap->view, new_pair)) {
			magazine = NULL;
			put_away(cache, swap->surplus);
		} else {
			slabs_free(cache, batch + 1, n - 1);
		}
	}
	if (magazine)
		magazine_put(magazine);
	host_signals_restore(mask);
	page_reclaim_poke();
	return n ? batch[0] : NULL;
}

/* After an exchange with the depot: what that had no room for. */
static void put_surplus_away(struct kmem_cache *cache, const struct swap *swap)
{
	host_sigmask_t mask;

	if (likely(!swap->surplus))
		return;
	mask = host_signals_block();
	put_out(cache, swap->surplus);
	host_signals_restore(mask);
}

/* main stays as the spare, since it is the warmer one; what was the spare leaves. If one is absent, nothing does. */
static struct swap swap_of(const struct area_view *view)
{
	magazine_top main = view->pair.top, spare = view->pair.spare;

	return main && spare ? (struct swap){*view, main, spare} : (struct swap){*view, main ? main : spare, 0};
}

/*
 * A pair with a spare is turned round once, and known to be used up when it is met again like that: whether the spare
 * has what is wanted can only be seen by who operates on it. Were the pair changed and changed back meanwhile, then a
 * magazine leaves that is not used up, and put_away() sees that.
 */
static bool turn_round(struct kmem_cache *cache, const struct area_view *view, struct magazine_pair *turned)
{
	if (!view->pair.spare || (view->pair.top == turned->top && view->pair.spare == turned->spare))
		return false;
	*turned = (struct magazine_pair){view->pair.spare, view->pair.top};
	area_install(cache->slot, view, *turned);
	return true;
}

void *cache_alloc_slow(struct kmem_cache *cache)
{
	struct magazine_pair turned = {0, 0};
	struct area_view view;

	while (cache->max_capacity && area_snapshot(cache->slot, &view)) {
		void *object = area_pop(cache->slot);
		struct swap swap;
		unsigned int capacity;

		if (object)
			return object;
		if (turn_round(cache, &view, &turned)) {
			/* Mostly the spare has what is wanted, and then no other view is needed. */
			object = area_pop(cache->slot);
			if (object)
				return object;
			continue;
		}
		capacity = capacity_miss(cache);
		if (!capacity)
			break;
		swap = swap_of(&view);
		if (depot_swap_full(cache, &swap))
			put_surplus_away(cache, &swap);
		else if (!cache->run)
			return refill(cache, &swap, capacity);
		else
			break; /* runs are not taken in advance: their magazines only hold what was freed */
	}
	return alloc_one(cache);
}

/* Installs a new empty magazine, or finds that the pair has changed. False when memory is out. */
static bool spill(struct kmem_cache *cache, struct swap *swap, unsigned int capacity)
{
	host_sigmask_t mask = host_signals_block();
	struct magazine *magazine = magazine_get(capacity);

	if (magazine) {
		struct magazine_pair new_pair = {magazine_top_at(magazine, capacity, 0), swap->keep};

		if (area_install(cache->slot, &swap->view, new_pair))
			put_away(cache, swap->surplus);
		else
			magazine_put(magazine);
	}
	host_signals_restore(mask);
	page_reclaim_poke();
	return magazine;
}

/* Makes room in this CPU's magazines, whose main one had none; false: do without. */
static bool make_room(struct kmem_cache *cache)
{
	struct area_view view;
	struct swap swap;
	unsigned int capacity;

	if (!area_snapshot(cache->slot, &view))
		return false;
	if (view.pair.top && !magazine_is_full(view.pair.top))
		return true;
	if (view.pair.spare && !magazine_is_full(view.pair.spare)) {
		area_install(cache->slot, &view, (struct magazine_pair){view.pair.spare, view.pair.top});
		return true;
	}
	capacity = capacity_miss(cache);
	if (!capacity)
		return false;
	swap = swap_of(&view);
	if (!depot_swap_empty(cache, &swap, capacity))
		return spill(cache, &swap, capacity);
	put_surplus_away(cache, &swap);
	return true;
}

void cache_free_slow(struct kmem_cache *cache, void *object)
{
	while (cache->max_capacity) {
		if (area_push(cache->slot, object))
			return;
		if (!make_room(cache))
			break;
	}
	free_one(cache, object);
}

void ladder_empty_out(struct kmem_cache *cache, magazine_top top)
{
	objects_out(cache, magazine_of(top), top);
	magazine_put(magazine_of(top));
}

static const struct slab_deferred *slab_deferred; /* Synchronization: atomic */

void slab_set_deferred(const struct slab_deferred *deferred)
{
	if (__atomic_load_n(&slab_deferred, __ATOMIC_RELAXED) != deferred)
		__atomic_store_n(&slab_deferred, deferred, __ATOMIC_RELEASE);
}

bool slab_defers(void)
{
	return __atomic_load_n(&slab_deferred, __ATOMIC_RELAXED);
}

void slab_deferred_sink(unsigned int slot, struct magazine_pair pair)
{
	(void)slot;
	__atomic_load_n(&slab_deferred, __ATOMIC_ACQUIRE)->sink(pair);
}

void slab_deferred_reclaim(void)
{
	const struct slab_deferred *deferred = __atomic_load_n(&slab_deferred, __ATOMIC_ACQUIRE);

	if (deferred)
		deferred->reclaim();
}

void ladder_sink(unsigned int slot, struct magazine_pair pair)
{
	host_sigmask_t mask;
	struct kmem_cache *cache = cache_by_slot[slot];

	if (unlikely(slot == SLOT_DEFERRED)) {
		slab_deferred_sink(slot, pair);
		return;
	}
	mask = host_signals_block();
	if (pair.top)
		ladder_empty_out(cache, pair.top);
	if (pair.spare)
		ladder_empty_out(cache, pair.spare);
	host_signals_restore(mask);
}
