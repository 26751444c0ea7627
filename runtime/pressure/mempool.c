/*
 * mempool.c: reserves of elements, and the line of tasks that wait for one.
 *
 * Calls the slab room's kernel face for the pool itself and the usual allocators. Knows nothing of where elements
 * come from.
 *
 * An element that comes back is handed to the first in line under the pool's lock, so that nobody who came later
 * takes it, and no wake-up is lost. Who waits looks at the allocator again now and then, since memory may come from
 * elsewhere.
 */
#include <errno.h>
#include <linux/jiffies.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "runtime/config.h"
#include "runtime/lib/report.h"
#include "runtime/pressure/internal.h"
#include "runtime/slab/slab.h"

#define LOOK_AGAIN (5 * HZ) /* jiffies between looks at the allocator */

static_assert(sizeof(struct lock) == sizeof(((mempool_t *)0)->lock), "the public header leaves room for a lock");
static_assert(sizeof(struct list_head) == sizeof(((mempool_t *)0)->waiters), "and for a list's head");

static struct lock *lock_of(mempool_t *pool)
{
	return (struct lock *)(void *)pool->lock;
}

static struct list_head *line_of(mempool_t *pool)
{
	return (struct list_head *)(void *)pool->waiters;
}

static void __set_nr(mempool_t *pool, int nr)
{
	__atomic_store_n(&pool->curr_nr, nr, __ATOMIC_RELAXED);
}

static void __add_element(mempool_t *pool, void *element)
{
	pool->elements[pool->curr_nr] = element;
	__set_nr(pool, pool->curr_nr + 1);
}

static void *__remove_element(mempool_t *pool)
{
	if (!pool->curr_nr)
		return NULL;
	__set_nr(pool, pool->curr_nr - 1);
	return pool->elements[pool->curr_nr];
}

/* ---- making and ending ---- */

static void **elements_create(int nr, gfp_t gfp, int node)
{
	return kmalloc_array_node(nr > 0 ? (size_t)nr : 1, sizeof(void *), gfp, node);
}

EXPORT void mempool_exit(mempool_t *pool)
{
	if (!pool->elements)
		return;
	resource_ended(RESOURCE_MEMPOOL, pool);
	while (pool->curr_nr)
		pool->free(__remove_element(pool), pool->pool_data);
	kfree(pool->elements);
	pool->elements = NULL;
}

/* Who asks for a pool, and on which node, or NUMA_NO_NODE. */
struct request {
	gfp_t gfp;
	int node;
	const void *caller;
	bool created; /* with its struct */
};

static void record(const mempool_t *pool, const struct request *request)
{
	resource_made(&(struct resource){.type = RESOURCE_MEMPOOL,
		.object = pool,
		.size = (size_t)pool->min_nr,
		.caller = request->caller,
		.extra = request->created ? pool : NULL});
}

static int init(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data,
	const struct request *request)
{
	lock_init(lock_of(pool), LOCK_PRESSURE);
	list_init(line_of(pool));
	pool->min_nr = min_nr;
	pool->curr_nr = 0;
	pool->pool_data = pool_data;
	pool->alloc = alloc_fn;
	pool->free = free_fn;
	pool->elements = elements_create(min_nr, request->gfp, request->node);
	if (!pool->elements)
		return -ENOMEM;
	while (pool->curr_nr < min_nr) {
		void *element = alloc_fn(request->gfp, pool_data);

		if (!element) {
			mempool_exit(pool);
			return -ENOMEM;
		}
		__add_element(pool, element);
	}
	record(pool, request);
	return 0;
}

EXPORT int mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn,
	void *pool_data, gfp_t gfp_mask, int node_id)
{
	return init(pool, min_nr, alloc_fn, free_fn, pool_data,
		&(struct request){gfp_mask, node_id, __builtin_return_address(0), false});
}

EXPORT int mempool_init(
	mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data)
{
	return init(pool, min_nr, alloc_fn, free_fn, pool_data,
		&(struct request){GFP_KERNEL, NUMA_NO_NODE, __builtin_return_address(0), false});
}

static mempool_t *create(
	int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data, const struct request *request)
{
	mempool_t *pool = kzalloc_node(sizeof(*pool), request->gfp, request->node);

	if (!pool)
		return NULL;
	if (!init(pool, min_nr, alloc_fn, free_fn, pool_data, request))
		return pool;
	kfree(pool);
	return NULL;
}

EXPORT mempool_t *mempool_create_node(
	int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data, gfp_t gfp_mask, int node_id)
{
	return create(min_nr, alloc_fn, free_fn, pool_data,
		&(struct request){gfp_mask, node_id, __builtin_return_address(0), true});
}

EXPORT mempool_t *mempool_create(int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data)
{
	return create(min_nr, alloc_fn, free_fn, pool_data,
		&(struct request){GFP_KERNEL, NUMA_NO_NODE, __builtin_return_address(0), true});
}

EXPORT void mempool_destroy(mempool_t *pool)
{
	if (!pool)
		return;
	mempool_exit(pool);
	kfree(pool);
}

/* ---- resizing ---- */

/* The surplus goes one by one: the free function is not called under the lock. */
static void shrink_to(mempool_t *pool, int new_min_nr)
{
	host_sigmask_t mask = lock_acquire_masked(lock_of(pool));

	__atomic_store_n(&pool->min_nr, new_min_nr, __ATOMIC_RELAXED);
	while (pool->curr_nr > new_min_nr) {
		void *element = __remove_element(pool);

		lock_release_masked(lock_of(pool), mask);
		pool->free(element, pool->pool_data);
		mask = lock_acquire_masked(lock_of(pool));
	}
	lock_release_masked(lock_of(pool), mask);
}

static void fill_up(mempool_t *pool)
{
	while (!mempool_is_saturated(pool)) {
		void *element = pool->alloc(GFP_KERNEL, pool->pool_data);

		if (!element)
			return;
		mempool_free(element, pool);
	}
}

static void enlarge_to(mempool_t *pool, int new_min_nr, void **elements)
{
	host_sigmask_t mask = lock_acquire_masked(lock_of(pool));
	void **old = pool->elements;

	for (int i = 0; i < pool->curr_nr; i++)
		elements[i] = old[i];
	pool->elements = elements;
	__atomic_store_n(&pool->min_nr, new_min_nr, __ATOMIC_RELAXED);
	lock_release_masked(lock_of(pool), mask);
	kfree(old);
}

EXPORT int mempool_resize(mempool_t *pool, int new_min_nr)
{
	void **elements;

	if (new_min_nr <= 0) {
		report_bug("mempool_resize to %d elements", new_min_nr);
		return -EINVAL;
	}
	resource_resized(RESOURCE_MEMPOOL, pool, (size_t)new_min_nr);
	if (new_min_nr <= pool->min_nr) {
		shrink_to(pool, new_min_nr);
		return 0;
	}
	elements = elements_create(new_min_nr, GFP_KERNEL, NUMA_NO_NODE);
	if (!elements)
		return -ENOMEM;
	enlarge_to(pool, new_min_nr, elements);
	fill_up(pool);
	return 0;
}

/* ---- elements ---- */

EXPORT void *mempool_alloc_preallocated(mempool_t *pool)
{
	host_sigmask_t mask = lock_acquire_masked(lock_of(pool));
	void *element = __remove_element(pool);

	lock_release_masked(lock_of(pool), mask);
	return element;
}

/*
 * Stands in line until an element is handed over. Looks at the allocator now and then without losing its place: an
 * element that is handed over meanwhile goes on to the next.
 */
static void *wait_for_element(mempool_t *pool, gfp_t gfp)
{
	host_sigmask_t mask = lock_acquire_masked(lock_of(pool));
	void *element = __remove_element(pool);
	struct waiter waiter;

	if (element) {
		lock_release_masked(lock_of(pool), mask);
		return element;
	}
	__waiter_enter(line_of(pool), &waiter);
	for (;;) {
		__waiter_sleep(lock_of(pool), &mask, &waiter, LOOK_AGAIN, false);
		if (waiter.woken)
			break;
		lock_release_masked(lock_of(pool), mask);
		element = pool->alloc(gfp, pool->pool_data);
		mask = lock_acquire_masked(lock_of(pool));
		if (element)
			break;
	}
	__waiter_leave(&waiter);
	lock_release_masked(lock_of(pool), mask);
	if (!element)
		return waiter.given;
	mempool_free(waiter.given, pool);
	return element;
}

EXPORT void *mempool_alloc(mempool_t *pool, gfp_t gfp_mask)
{
	gfp_t gfp = gfp_mask | __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
	void *element;

	if (gfp_mask & __GFP_ZERO)
		report_bug("mempool_alloc with __GFP_ZERO: elements of the reserve are not cleared");
	might_alloc(gfp_mask);
	element = pool->alloc(gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_IO), pool->pool_data);
	if (!element)
		element = mempool_alloc_preallocated(pool);
	if (!(gfp_mask & __GFP_DIRECT_RECLAIM))
		return element;
	if (!element)
		element = pool->alloc(gfp, pool->pool_data);
	return element ? element : wait_for_element(pool, gfp);
}

/*
 * Whether an element that comes back can be neither the reserve's nor a waiter's: told without the lock, whose line all CPUs
 * would write. Nobody is left waiting: the one who took the last of the reserve, before somebody had to wait, sees at least
 * that when he frees, and a later number that is not 0 only after all who waited have been served. A pool without a reserve
 * does not tell by its number.
 */
static bool has_no_need(mempool_t *pool)
{
	return __atomic_load_n(&pool->min_nr, __ATOMIC_RELAXED) > 0 && mempool_is_saturated(pool);
}

/* False: it is not wanted. */
static bool take_back(mempool_t *pool, void *element)
{
	struct list_head *line = line_of(pool);
	host_sigmask_t mask;
	bool taken = true;

	if (unlikely(!mempool_initialized(pool))) {
		report_bug("mempool_free of %p to %p, which is no pool, or none any more", element, (void *)pool);
		return true;
	}
	mask = lock_acquire_masked(lock_of(pool));
	if (!list_empty(line))
		__waiter_wake(list_first_entry(line, struct waiter, list), element);
	else if (pool->curr_nr < pool->min_nr)
		__add_element(pool, element);
	else
		taken = false;
	lock_release_masked(lock_of(pool), mask);
	return taken;
}

EXPORT void mempool_free(void *element, mempool_t *pool)
{
	if (element && (has_no_need(pool) || !take_back(pool, element)))
		pool->free(element, pool->pool_data);
}

/* ---- the usual allocators ---- */

EXPORT void *mempool_alloc_slab(gfp_t gfp_mask, void *pool_data)
{
	return kmem_cache_alloc(pool_data, gfp_mask);
}

EXPORT void mempool_free_slab(void *element, void *pool_data)
{
	kmem_cache_free(pool_data, element);
}

EXPORT void *mempool_kmalloc(gfp_t gfp_mask, void *pool_data)
{
	return kmalloc((size_t)pool_data, gfp_mask);
}

EXPORT void mempool_kfree(void *element, void *pool_data)
{
	(void)pool_data;
	kfree(element);
}

EXPORT void *mempool_alloc_pages(gfp_t gfp_mask, void *pool_data)
{
	return alloc_pages(gfp_mask, (unsigned int)(long)pool_data);
}

EXPORT void mempool_free_pages(void *element, void *pool_data)
{
	__free_pages(element, (unsigned int)(long)pool_data);
}

/* ---- leaks ---- */

/* Another allocator's function is not called here: it may want what is there no more. */
static bool is_usual(mempool_free_t *free)
{
	return free == mempool_free_slab || free == mempool_kfree || free == mempool_free_pages;
}

/* Whether a pool in the caller's memory is still what it was: that may be freed, and used for something else. */
static bool is_intact(const mempool_t *pool)
{
	return pool->elements && pool->curr_nr >= 0 && pool->curr_nr <= pool->min_nr && object_size(pool->elements);
}

static void abandon(const void *object, const void *created)
{
	mempool_t *pool = (mempool_t *)(uintptr_t)object;

	if (!is_intact(pool))
		return;
	while (pool->curr_nr && is_usual(pool->free))
		pool->free(__remove_element(pool), pool->pool_data);
	kfree(pool->elements);
	if (created)
		kfree(pool);
}

void mempools_abandon(void)
{
	resources_for_each(RESOURCE_MEMPOOL, abandon);
}
