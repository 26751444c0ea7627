/*
 * linux/mempool.h: a reserve of elements, so that who may wait always gets one.
 *
 * Semantics: Linux, Documentation/core-api/mm-api.rst, "Memory pools". A pool keeps min_nr elements back.
 * mempool_alloc() asks the pool's allocator first, then takes from the reserve, then waits until an element comes
 * back; elements that come back go to those who wait, in their order, then to the reserve, and only then to the
 * allocator's free function.
 */
#ifndef FLAGSTONE_LINUX_MEMPOOL_H
#define FLAGSTONE_LINUX_MEMPOOL_H

#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Gets an element, or NULL; gfp_mask is what mempool_alloc() was given, without what would try hard. */
typedef void *(mempool_alloc_t)(gfp_t gfp_mask, void *pool_data);
typedef void(mempool_free_t)(void *element, void *pool_data);

/*
 * Under lock: elements[0 .. curr_nr - 1] are the reserve, curr_nr <= min_nr; where somebody waits, curr_nr == 0.
 * A pool that is all zero is none: mempool_initialized() is false, mempool_exit() does nothing.
 */
typedef struct mempool_s {
	unsigned int lock[2]; /* flagstone's own */
	int min_nr; /* Synchronization: lock; read without, atomically */
	int curr_nr; /* Synchronization: as min_nr */
	void **elements; /* Synchronization: lock */
	void *pool_data; /* Synchronization: const after init */
	mempool_alloc_t *alloc; /* Synchronization: const after init */
	mempool_free_t *free; /* Synchronization: const after init */
	void *waiters[2]; /* who waits, first come first. Synchronization: lock */
} mempool_t;

static inline bool mempool_initialized(mempool_t *pool)
{
	return pool->elements != NULL;
}

/* Whether nothing of the reserve is in use. A hint. Any context. */
static inline bool mempool_is_saturated(mempool_t *pool)
{
	return __atomic_load_n(&pool->curr_nr, __ATOMIC_RELAXED) >= __atomic_load_n(&pool->min_nr, __ATOMIC_RELAXED);
}

/*
 * Creates a pool whose reserve of min_nr elements is filled from alloc_fn(gfp, pool_data). Returns NULL when that
 * fails. _node: the pool itself and its table of elements on that node (NUMA_NO_NODE, -1: any); gfp_mask for the filling. Context: task, may
 * sleep.
 */
mempool_t *mempool_create(int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data);
mempool_t *mempool_create_node(
	int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data, gfp_t gfp_mask, int node_id);
/* Frees the reserve and the pool; nobody uses it any more. NULL: nothing. Context: task. */
void mempool_destroy(mempool_t *pool);

/* The same for a pool whose memory is the caller's. 0, or -ENOMEM: then it is not initialized. Context: task, may
 * sleep. */
int mempool_init(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data);
int mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn, void *pool_data,
	gfp_t gfp_mask, int node_id);
/* Takes back what mempool_init() did, if it did. Context: task. */
void mempool_exit(mempool_t *pool);

/*
 * Makes the reserve new_min_nr (> 0) elements large; a larger one is filled at once as far as memory is there, and by
 * and by through mempool_free(). 0, or -ENOMEM: then nothing has changed. Context: task, may sleep. One caller at a
 * time.
 */
int mempool_resize(mempool_t *pool, int new_min_nr);

/*
 * An element. With __GFP_DIRECT_RECLAIM it sleeps until there is one, and never returns NULL; without, NULL when
 * allocator and reserve are dry. __GFP_ZERO is not for pools: an element of the reserve is not cleared (a report).
 * Context: any; with __GFP_DIRECT_RECLAIM task, may sleep.
 */
void *mempool_alloc(mempool_t *pool, gfp_t gfp_mask);
/* An element of the reserve, or NULL; the allocator is not asked. Any context. */
void *mempool_alloc_preallocated(mempool_t *pool);
/* Gives an element back; NULL: nothing. A BUG report where the pool was exited, or destroyed. Context: any in which the pool's free function may be called. */
void mempool_free(void *element, mempool_t *pool);

/* ---- allocators for pools, and pools of them ---- */

/* pool_data is a struct kmem_cache without constructor. */
void *mempool_alloc_slab(gfp_t gfp_mask, void *pool_data);
void mempool_free_slab(void *element, void *pool_data);
/* pool_data is the size in bytes. */
void *mempool_kmalloc(gfp_t gfp_mask, void *pool_data);
void mempool_kfree(void *element, void *pool_data);
/* pool_data is the order; elements are struct page. */
void *mempool_alloc_pages(gfp_t gfp_mask, void *pool_data);
void mempool_free_pages(void *element, void *pool_data);

static inline int mempool_init_slab_pool(mempool_t *pool, int min_nr, struct kmem_cache *kc)
{
	return mempool_init(pool, min_nr, mempool_alloc_slab, mempool_free_slab, (void *)kc);
}

static inline mempool_t *mempool_create_slab_pool(int min_nr, struct kmem_cache *kc)
{
	return mempool_create(min_nr, mempool_alloc_slab, mempool_free_slab, (void *)kc);
}

static inline int mempool_init_kmalloc_pool(mempool_t *pool, int min_nr, size_t size)
{
	return mempool_init(pool, min_nr, mempool_kmalloc, mempool_kfree, (void *)size);
}

static inline mempool_t *mempool_create_kmalloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, mempool_kmalloc, mempool_kfree, (void *)size);
}

static inline int mempool_init_page_pool(mempool_t *pool, int min_nr, int order)
{
	return mempool_init(pool, min_nr, mempool_alloc_pages, mempool_free_pages, (void *)(long)order);
}

static inline mempool_t *mempool_create_page_pool(int min_nr, int order)
{
	return mempool_create(min_nr, mempool_alloc_pages, mempool_free_pages, (void *)(long)order);
}

#ifdef __cplusplus
}
#endif

#endif
