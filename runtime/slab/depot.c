/*
 * depot.c: full and empty magazines in exchange for each other, a whole one at a time.
 *
 * Knows magazines as blocks; their objects are not its business. See struct depot for the invariant and for why its lock
 * is only tried. An exchange installs the CPU's new pair while it holds the lock, so that it takes the lock once.
 *
 * Each last-level cache has its depots (a shard): lines that CPUs share stay within it, except where one side allocates and
 * the other frees. Then a whole magazine from the other side is better than as many objects from slabs that both share: who
 * finds its own shard without a full magazine looks at the others, by a read of lines that nobody writes while they are empty.
 */
#include <limits.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/slab/internal.h"

#define MAX_EMPTY_MAGAZINES 8

/* Of the shards beyond the first, whose depots lie in the caches themselves: an array by slot. Synchronization: set under
 * cache_list_lock, read anywhere */
struct depot *depot_shards[TOPOLOGY_SHARDS];
unsigned int nr_depot_shards = 1; /* Synchronization: as depot_shards; those below are set up */

/* ---- shards ---- */

static unsigned int nr_shards(void)
{
	return __atomic_load_n(&nr_depot_shards, __ATOMIC_ACQUIRE); /* Pairs with depot_set_up_shards(). */
}

static struct depot *depot_of(struct kmem_cache *cache, unsigned int shard)
{
	return shard ? &depot_shards[shard][cache->slot] : &cache->depot;
}

static unsigned int shard_here(void)
{
	unsigned int nr = nr_shards();

	return likely(nr == 1) ? 0 : topology_shard(percpu_host_cpu()) % nr;
}

static struct depot *depot_here(struct kmem_cache *cache)
{
	return depot_of(cache, shard_here());
}

static struct depot *shard_create(void)
{
	struct depot *depots = slot_table_create(sizeof(*depots));

	for (unsigned int slot = 0; depots && slot < AREA_SLOTS; slot++)
		lock_init(&depots[slot].lock, LOCK_DEPOT);
	return depots;
}

void depot_set_up_shards(void)
{
	unsigned int wanted = topology_nr_shards();

	for (unsigned int shard = nr_depot_shards; shard < wanted; shard++) {
		depot_shards[shard] = shard_create();
		if (!depot_shards[shard])
			return;
		/* Pairs with nr_shards(). */
		__atomic_store_n(&nr_depot_shards, shard + 1, __ATOMIC_RELEASE);
	}
}

void depot_reset_shards(void)
{
	nr_depot_shards = 1;
	memset(depot_shards, 0, sizeof(depot_shards));
}

/* ---- stacks: the caller holds the depot's lock ---- */

static struct magazine *__stack_pop(struct depot_stack *stack)
{
	struct magazine *magazine = stack->top;

	stack->top = magazine->next;
	__atomic_store_n(&stack->nr, stack->nr - 1, __ATOMIC_RELAXED);
	if (stack->low_water > stack->nr)
		stack->low_water = stack->nr;
	return magazine;
}

static void __stack_push(struct depot_stack *stack, struct magazine *magazine)
{
	magazine->next = stack->top;
	stack->top = magazine;
	__atomic_store_n(&stack->nr, stack->nr + 1, __ATOMIC_RELAXED);
}

static bool stack_is_empty(const struct depot_stack *stack)
{
	return !__atomic_load_n(&stack->nr, __ATOMIC_RELAXED);
}

/* ---- magazines in and out: the caller holds the depot's lock ---- */

static void __count_objects(struct depot *depot, size_t delta)
{
	__atomic_store_n(&depot->nr_objects, depot->nr_objects + (unsigned int)delta, __ATOMIC_RELAXED);
}

static void __put_full(struct depot *depot, struct magazine *magazine)
{
	__stack_push(&depot->full, magazine);
	__count_objects(depot, magazine->capacity);
}

static struct magazine *__get_full(struct depot *depot)
{
	struct magazine *magazine = __stack_pop(&depot->full);

	__count_objects(depot, -magazine->capacity);
	return magazine;
}

/*
 * A shard's part of what the cache may hold in depots, but two magazines at least. Not for one that is smaller than those
 * that are taken now: it would come and go full for ever, and cost an exchange for few objects each time.
 */
static bool __has_room(const struct kmem_cache *cache, const struct depot *depot, const struct magazine *magazine)
{
	unsigned int limit = cache->max_depot / nr_shards();

	if (magazine->capacity < __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED))
		return false;
	return depot->nr_objects + magazine->capacity <= limit ||
	       (cache->max_depot && depot->full.nr < 2 && !cache->run);
}

static bool __put(struct kmem_cache *cache, struct depot *depot, magazine_top top, unsigned int max_empty)
{
	struct magazine *magazine = magazine_of(top);

	if (magazine_is_full(top) && __has_room(cache, depot, magazine))
		__put_full(depot, magazine);
	else if (magazine_is_empty(top) && depot->empty.nr < max_empty)
		__stack_push(&depot->empty, magazine);
	else
		return false;
	return true;
}

/* ---- exchanges ---- */

/* Installs the magazine for the CPU, and takes the surplus in. */
static bool __exchange(struct kmem_cache *cache, struct depot *depot, struct swap *swap, magazine_top top)
{
	if (!area_install(cache->slot, &swap->view, (struct magazine_pair){top, swap->keep}))
		return false;
	/* An empty one takes the place of the full one that has left: however many these are, they will be wanted again. */
	if (swap->surplus && __put(cache, depot, swap->surplus, UINT_MAX))
		swap->surplus = 0;
	return true;
}

/* Without locks: an empty depot is not worth a write to its line. */
static struct depot *depot_with_full(struct kmem_cache *cache)
{
	unsigned int nr = nr_shards(), here = shard_here();

	for (unsigned int i = 0; i < nr; i++) {
		struct depot *depot = depot_of(cache, (here + i) % nr);

		if (!stack_is_empty(&depot->full))
			return depot;
	}
	return NULL;
}

bool depot_swap_full(struct kmem_cache *cache, struct swap *swap)
{
	struct depot *depot = depot_with_full(cache);
	struct magazine *magazine;
	bool done = false;

	if (!depot || !lock_try_briefly(&depot->lock))
		return false;
	if (depot->full.nr) {
		/* Off the stack first: once installed, it is the CPU's, and may be on another one before we go on. */
		magazine = __get_full(depot);
		done = __exchange(
			cache, depot, swap, magazine_top_at(magazine, magazine->capacity, magazine->capacity));
		if (!done)
			__put_full(depot, magazine);
	}
	lock_release(&depot->lock);
	return done;
}

bool depot_swap_empty(struct kmem_cache *cache, struct swap *swap, unsigned int capacity)
{
	struct depot *depot = depot_here(cache);
	struct magazine *magazine;
	bool done = false;

	if (stack_is_empty(&depot->empty) || !lock_try_briefly(&depot->lock))
		return false;
	if (depot->empty.nr) {
		magazine = __stack_pop(&depot->empty); /* first, as in depot_swap_full() */
		magazine_set_capacity(magazine, capacity);
		done = __exchange(cache, depot, swap, magazine_top_at(magazine, capacity, 0));
		if (!done)
			__stack_push(&depot->empty, magazine);
	}
	lock_release(&depot->lock);
	return done;
}

bool depot_give(struct kmem_cache *cache, magazine_top top)
{
	struct depot *depot = depot_here(cache);
	bool taken;

	if (!lock_try_briefly(&depot->lock))
		return false;
	taken = __put(cache, depot, top, MAX_EMPTY_MAGAZINES);
	lock_release(&depot->lock);
	return taken;
}

/* ---- what goes back ---- */

static void __take(struct depot *depot, bool full, unsigned int nr, struct magazine **list)
{
	while (nr-- > 0) {
		struct magazine *magazine = full ? __get_full(depot) : __stack_pop(&depot->empty);

		magazine->next = *list;
		*list = magazine;
	}
}

static struct depot_stack *stack_of(struct depot *depot, bool full)
{
	return full ? &depot->full : &depot->empty;
}

struct magazine *depot_take_all(struct kmem_cache *cache, bool full)
{
	struct magazine *list = NULL;

	for (unsigned int shard = 0; shard < nr_shards(); shard++) {
		struct depot *depot = depot_of(cache, shard);

		if (!lock_try_patiently(&depot->lock))
			continue;
		__take(depot, full, stack_of(depot, full)->nr, &list);
		lock_release(&depot->lock);
	}
	return list;
}

struct magazine *depot_take_idle(struct kmem_cache *cache, bool full)
{
	struct magazine *list = NULL;

	for (unsigned int shard = 0; shard < nr_shards(); shard++) {
		struct depot *depot = depot_of(cache, shard);
		struct depot_stack *stack = stack_of(depot, full);

		if (stack_is_empty(stack) || !lock_try_briefly(&depot->lock))
			continue;
		__take(depot, full, stack->low_water, &list);
		stack->low_water = stack->nr;
		lock_release(&depot->lock);
	}
	return list;
}

bool depot_in_use(const struct kmem_cache *cache)
{
	for (unsigned int shard = 0; shard < nr_shards(); shard++) {
		const struct depot *depot = depot_of((struct kmem_cache *)cache, shard);

		if (!stack_is_empty(&depot->full) || !stack_is_empty(&depot->empty))
			return true;
	}
	return false;
}

/* ---- checks ---- */

static void __stack_check(const struct kmem_cache *cache, const struct depot_stack *stack, bool full, size_t *objects)
{
	unsigned int nr = 0;

	for (struct magazine *magazine = stack->top; magazine; magazine = magazine->next, nr++) {
		if (magazine->capacity > cache->max_capacity || magazine_objects(magazine)[-1])
			report_bug("depot of cache %s: a magazine of capacity %zu has no floor there", cache->name,
				(size_t)magazine->capacity);
		*objects += full ? magazine->capacity : 0;
	}
	if (nr != stack->nr || stack->low_water > nr)
		report_bug("depot of cache %s: %u magazines, counted as %u, low water %u", cache->name, nr, stack->nr,
			stack->low_water);
}

void depot_check(struct kmem_cache *cache)
{
	for (unsigned int shard = 0; shard < nr_shards(); shard++) {
		struct depot *depot = depot_of(cache, shard);
		size_t objects = 0;

		if (!lock_try_patiently(&depot->lock))
			continue;
		__stack_check(cache, &depot->full, true, &objects);
		__stack_check(cache, &depot->empty, false, &objects);
		if (objects != depot->nr_objects)
			report_bug("depot of cache %s: %zu objects, counted as %u", cache->name, objects,
				depot->nr_objects);
		lock_release(&depot->lock);
	}
}

/* ---- fork ---- */

void depot_fork_prepare(struct kmem_cache *cache)
{
	for (unsigned int shard = 0; shard < nr_shards(); shard++) {
		struct depot *depot = depot_of(cache, shard);

		if (lock_try_patiently(&depot->lock))
			depot->fork_held = true;
	}
}

/* A lock that is not ours: its holder, if that is the thread that forks, still has to let go; if it is another, the child
 * does without this depot. */
void depot_fork_done(struct kmem_cache *cache, bool child)
{
	for (unsigned int shard = 0; shard < nr_shards(); shard++) {
		struct depot *depot = depot_of(cache, shard);

		if (!depot->fork_held)
			continue;
		depot->fork_held = false;
		if (child)
			lock_reinit(&depot->lock);
		else
			lock_release(&depot->lock);
	}
}
