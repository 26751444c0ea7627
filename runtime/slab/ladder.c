/*
 * ladder.c: what happens when this CPU's magazine is empty or full: spare, depot, slabs.
 *
 * Calls percpu's area operations, depot.c, pool.c, and slabs.c or runs.c. An area may change under us at any moment (migration, a
 * signal handler): area_install() checks the view that a decision was made on, and on failure the walk starts over.
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
	return object;
}

static void free_one(struct kmem_cache *cache, void *object)
{
	host_sigmask_t mask = host_signals_block();

	objects_put(cache, &object, 1);
	host_signals_restore(mask);
}

static void give_empty(struct kmem_cache *cache, struct magazine *magazine)
{
	if (!depot_give(&cache->depot, magazine, false))
		magazine_put(magazine);
}

/*
 * Fills a magazine from slabs, installs it, and returns one more object for the caller. Both of the CPU's magazines were
 * empty or absent: keep becomes the spare, surplus (or 0) goes to the depot.
 */
static void *refill(struct kmem_cache *cache, const struct area_view *view, magazine_top keep, magazine_top surplus)
{
	host_sigmask_t mask = host_signals_block();
	struct magazine *magazine = magazine_get(cache->capacity);
	void *batch[MAGAZINE_MAX_CAPACITY + 1];
	unsigned int n = slabs_alloc(cache, batch, magazine ? cache->capacity + 1 : 1);
	struct magazine_pair new_pair;

	if (n <= 1)
		goto out;
	/* The lowest address on top: it is handed out first. */
	for (unsigned int i = 1; i < n; i++)
		magazine->word[MAGAZINE_WORDS - cache->capacity + (n - 1 - i)] = batch[i];
	new_pair.top = magazine_top_at(magazine, cache->capacity, n - 1);
	new_pair.spare = keep;
	if (area_install(cache->slot, view, new_pair)) {
		magazine = NULL;
		if (surplus)
			give_empty(cache, magazine_of(surplus));
	} else {
		slabs_free(cache, batch + 1, n - 1);
	}
out:
	if (magazine)
		magazine_put(magazine);
	host_signals_restore(mask);
	return n ? batch[0] : NULL;
}

void *cache_alloc_slow(struct kmem_cache *cache)
{
	if (!cache->capacity)
		return alloc_one(cache);
	for (;;) {
		void *object = area_pop(cache->slot);
		magazine_top main, spare;
		struct area_view view;

		if (object)
			return object;
		if (!area_snapshot(cache->slot, &view))
			return alloc_one(cache);
		main = view.pair.top;
		spare = view.pair.spare;
		if (magazine_count(main, cache->capacity))
			continue;
		if (magazine_count(spare, cache->capacity)) {
			area_install(cache->slot, &view, (struct magazine_pair){spare, main});
			continue;
		}
		if (!main || !spare) {
			main = main ? main : spare;
			spare = 0;
		}
		/* main and spare are empty now, or absent: one stays as the spare, the other is surplus. */
		if (depot_swap_full(cache, &view, main, spare))
			continue;
		/* Runs are not taken in advance: their magazines only hold what was freed. */
		return cache->run ? alloc_one(cache) : refill(cache, &view, main, spare);
	}
}

/* Installs a new empty magazine for view; the surplus (full, or 0) goes to the depot, or its objects to their slabs. */
static bool spill(struct kmem_cache *cache, const struct area_view *view, magazine_top keep, magazine_top surplus)
{
	host_sigmask_t mask = host_signals_block();
	struct magazine *magazine = magazine_get(cache->capacity);
	struct magazine *full = surplus ? magazine_of(surplus) : NULL;
	bool out_of_memory = !magazine;

	if (!magazine)
		goto out;
	if (!area_install(
		    cache->slot, view, (struct magazine_pair){magazine_top_at(magazine, cache->capacity, 0), keep})) {
		magazine_put(magazine);
		goto out;
	}
	if (full && !depot_give(&cache->depot, full, true)) {
		objects_put(cache, &full->word[MAGAZINE_WORDS - cache->capacity], cache->capacity);
		give_empty(cache, full);
	}
out:
	host_signals_restore(mask);
	return !out_of_memory;
}

void cache_free_slow(struct kmem_cache *cache, void *object)
{
	while (cache->capacity) {
		magazine_top main, spare;
		struct area_view view;

		if (area_push(cache->slot, object))
			return;
		if (!area_snapshot(cache->slot, &view))
			break;
		main = view.pair.top;
		spare = view.pair.spare;
		if (main && !magazine_is_full(main))
			continue;
		if (spare && !magazine_is_full(spare)) {
			area_install(cache->slot, &view, (struct magazine_pair){spare, main});
			continue;
		}
		if (!main || !spare) {
			main = main ? main : spare;
			spare = 0;
		}
		/* Both full now, or absent: main, the warmer one, stays as the spare; the other is surplus. */
		if (!depot_swap_empty(cache, &view, main, spare) && !spill(cache, &view, main, spare))
			break;
	}
	free_one(cache, object);
}

/* Gives a detached magazine's objects back to their slabs, and itself to the pool. */
static void empty_out(struct kmem_cache *cache, magazine_top top)
{
	struct magazine *magazine;
	unsigned int count = magazine_count(top, cache->capacity);

	if (!top)
		return;
	magazine = magazine_of(top);
	if (count)
		objects_put(cache, &magazine->word[MAGAZINE_WORDS - cache->capacity], count);
	magazine_put(magazine);
}

void ladder_sink(unsigned int slot, struct magazine_pair pair)
{
	host_sigmask_t mask = host_signals_block();
	struct kmem_cache *cache = cache_by_slot[slot];

	empty_out(cache, pair.top);
	empty_out(cache, pair.spare);
	host_signals_restore(mask);
}

static void depot_drain(struct kmem_cache *cache)
{
	struct magazine *magazine, *next;

	for (magazine = depot_take_all(&cache->depot, true); magazine; magazine = next) {
		next = magazine->next;
		empty_out(cache, magazine_top_at(magazine, cache->capacity, cache->capacity));
	}
	for (magazine = depot_take_all(&cache->depot, false); magazine; magazine = next) {
		next = magazine->next;
		magazine_put(magazine);
	}
}

void cache_drain(struct kmem_cache *cache)
{
	host_sigmask_t mask;

	if (cache->capacity)
		area_drain(cache->slot, cache->slot + 1, ladder_sink);
	mask = host_signals_block();
	depot_drain(cache);
	slabs_shrink(cache);
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
		slabs_shrink(cache);
	}
	lock_release(&cache_list_lock);
	pool_shrink();
	page_drain_lists();
	released = page_release(keep);
	host_signals_restore(mask);
	return released;
}
