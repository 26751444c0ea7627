/*
 * alloc_functions.h: the functions that allocate, each behind one signature, with what sets them apart.
 *
 * Calls the kernel's functions. Knows nothing of what is expected of them.
 */
#ifndef TESTS_UNIT_ALLOC_FUNCTIONS_H
#define TESTS_UNIT_ALLOC_FUNCTIONS_H

#include <linux/genalloc.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/page_frag_cache.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <string.h>

#define SIZE 2000 /* of an object: a slab of several pages, and no page of its own */
#define EXACT (3 * PAGE_SIZE)

static struct kmem_cache *cache;
static mempool_t *pool; /* whose reserve is never empty here */
static struct gen_pool *gen_pool;
static struct page_frag_cache frags;
static char text[SIZE];

static void *by_kmalloc(gfp_t gfp)
{
	return kmalloc(SIZE, gfp);
}

static void *by_kzalloc(gfp_t gfp)
{
	return kzalloc(SIZE, gfp);
}

static void *by_kcalloc(gfp_t gfp)
{
	return kcalloc(2, SIZE / 2, gfp);
}

static void *by_kmalloc_array(gfp_t gfp)
{
	return kmalloc_array(2, SIZE / 2, gfp);
}

static void *by_kmalloc_node(gfp_t gfp)
{
	return kmalloc_node(SIZE, gfp, 0);
}

static void *by_krealloc(gfp_t gfp)
{
	return krealloc(NULL, SIZE, gfp);
}

static void *by_kmemdup(gfp_t gfp)
{
	return kmemdup(text, SIZE, gfp);
}

static void *by_kstrdup(gfp_t gfp)
{
	return kstrdup(text, gfp);
}

static void *by_kstrndup(gfp_t gfp)
{
	return kstrndup(text, SIZE, gfp);
}

static void free_object(void *object)
{
	kfree(object);
}

static void *by_cache_alloc(gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp);
}

static void *by_cache_zalloc(gfp_t gfp)
{
	return kmem_cache_zalloc(cache, gfp);
}

static void *by_cache_node(gfp_t gfp)
{
	return kmem_cache_alloc_node(cache, gfp, 0);
}

static void *by_cache_bulk(gfp_t gfp)
{
	void *object;

	return kmem_cache_alloc_bulk(cache, gfp, 1, &object) ? object : NULL;
}

static void free_cached(void *object)
{
	kmem_cache_free(cache, object);
}

static void *by_pages(gfp_t gfp)
{
	return alloc_pages(gfp, 0);
}

static void *by_pages_node(gfp_t gfp)
{
	return alloc_pages_node(0, gfp, 0);
}

static void *by_pages_bulk(gfp_t gfp)
{
	struct page *page = NULL;

	return alloc_pages_bulk(gfp, 1, &page) ? page : NULL;
}

static void free_block(void *page)
{
	__free_pages(page, 0);
}

static void *by_free_page(gfp_t gfp)
{
	return (void *)__get_free_page(gfp);
}

static void *by_zeroed_page(gfp_t gfp)
{
	return (void *)get_zeroed_page(gfp);
}

static void free_address(void *address)
{
	free_page((unsigned long)address);
}

static void *by_exact(gfp_t gfp)
{
	return alloc_pages_exact(EXACT, gfp);
}

static void free_exact(void *address)
{
	free_pages_exact(address, EXACT);
}

static void *by_frag(gfp_t gfp)
{
	return page_frag_alloc(&frags, SIZE, gfp);
}

static void free_frag(void *address)
{
	page_frag_free(address);
	page_frag_cache_drain(&frags);
}

static void *by_mempool(gfp_t gfp)
{
	return mempool_alloc(pool, gfp);
}

static void free_element(void *element)
{
	mempool_free(element, pool);
}

static void *by_gen_pool(gfp_t gfp)
{
	(void)gfp;
	return (void *)gen_pool_alloc(gen_pool, SIZE);
}

static void free_chunk(void *chunk)
{
	gen_pool_free(gen_pool, (unsigned long)chunk, SIZE);
}

static void *by_percpu(gfp_t gfp)
{
	return (void *)(uintptr_t)__alloc_percpu_gfp(SIZE, 8, gfp);
}

static void free_variable(void *variable)
{
	free_percpu((void __percpu *)variable);
}

static const struct function {
	const char *name;
	void *(*alloc)(gfp_t gfp);
	void (*free)(void *object);
	gfp_t never; /* flags that it is not for */
	bool has_own; /* memory is set aside: it never runs out here */
	bool no_flags; /* takes none, and never sleeps */
	bool prefers_large; /* a large block without sleeping, if there is one */
	bool wants_all; /* sleeps only with all of GFP_KERNEL */
	bool is_patient; /* also where it waits long before it fails */
} functions[] = {
	{.name = "alloc_pages", .alloc = by_pages, .free = free_block, .is_patient = true},
	{.name = "alloc_pages_node", .alloc = by_pages_node, .free = free_block},
	{.name = "alloc_pages_bulk", .alloc = by_pages_bulk, .free = free_block},
	{.name = "__get_free_page", .alloc = by_free_page, .free = free_address},
	{.name = "get_zeroed_page", .alloc = by_zeroed_page, .free = free_address},
	{.name = "alloc_pages_exact", .alloc = by_exact, .free = free_exact},
	{.name = "kmalloc", .alloc = by_kmalloc, .free = free_object},
	{.name = "kzalloc", .alloc = by_kzalloc, .free = free_object},
	{.name = "kcalloc", .alloc = by_kcalloc, .free = free_object},
	{.name = "kmalloc_array", .alloc = by_kmalloc_array, .free = free_object},
	{.name = "kmalloc_node", .alloc = by_kmalloc_node, .free = free_object},
	{.name = "krealloc", .alloc = by_krealloc, .free = free_object},
	{.name = "kmemdup", .alloc = by_kmemdup, .free = free_object},
	{.name = "kstrdup", .alloc = by_kstrdup, .free = free_object},
	{.name = "kstrndup", .alloc = by_kstrndup, .free = free_object},
	{.name = "kmem_cache_alloc", .alloc = by_cache_alloc, .free = free_cached},
	{.name = "kmem_cache_zalloc", .alloc = by_cache_zalloc, .free = free_cached},
	{.name = "kmem_cache_alloc_node", .alloc = by_cache_node, .free = free_cached},
	{.name = "kmem_cache_alloc_bulk", .alloc = by_cache_bulk, .free = free_cached},
	{.name = "page_frag_alloc", .alloc = by_frag, .free = free_frag, .prefers_large = true},
	{.name = "mempool_alloc", .alloc = by_mempool, .free = free_element, .never = __GFP_ZERO, .has_own = true},
	{.name = "gen_pool_alloc", .alloc = by_gen_pool, .free = free_chunk, .has_own = true, .no_flags = true},
	{.name = "alloc_percpu_gfp", .alloc = by_percpu, .free = free_variable, .has_own = true, .wants_all = true},
};

/* Returns whether what they take from is there. */
static inline bool functions_set_up(void)
{
	memset(text, 'x', sizeof(text) - 1);
	cache = kmem_cache_create("matrix", SIZE, 0, 0, NULL);
	pool = mempool_create_kmalloc_pool(2, SIZE);
	gen_pool = gen_pool_create(4, NUMA_NO_NODE);
	return cache && pool && gen_pool && !gen_pool_add(gen_pool, 0x10000, 16 * SIZE, NUMA_NO_NODE);
}

static inline void functions_tear_down(void)
{
	gen_pool_destroy(gen_pool);
	mempool_destroy(pool);
	kmem_cache_destroy(cache);
}

#endif
