/*
 * runs.c: the objects of the run classes: blocks of whole pages, with a class byte on the first one only.
 *
 * The class byte lets them pass through magazines like any other object. Calls the page room, which keeps each run's
 * length; knows nothing of magazines.
 *
 * Context: signals blocked.
 */
#include "runtime/lib/report.h"
#include "runtime/slab/slab.h"

static void count_runs(struct kmem_cache *cache, long delta)
{
	__atomic_fetch_add(&cache->slabs.nr_slabs, (size_t)delta, __ATOMIC_RELAXED);
}

unsigned int runs_alloc(struct kmem_cache *cache, void **out, unsigned int n)
{
	unsigned int got;

	for (got = 0; got < n; got++) {
		struct page *page = page_alloc_exact(ALIGN_UP(cache->size, PAGE_SIZE) / PAGE_SIZE, PAGE_ALLOC_LOOSE);

		if (!page)
			break;
		*class_byte(page_struct_to_pfn(page)) = cache->class_byte;
		out[got] = page_to_addr(page);
	}
	count_runs(cache, got);
	return got;
}

static void run_give(struct kmem_cache *cache, void *object)
{
	unsigned long pfn = addr_to_pfn(object);
	struct page *page = pfn_to_page_struct(pfn);

	if (page_to_addr(page) != object) {
		report_bug("free of %p, which is inside an object of cache %s (%u bytes each)", object, cache->name,
			cache->size);
		return;
	}
	if (*class_byte(pfn) != cache->class_byte || !(page_flags_get(page) & PAGE_LARGE)) {
		report_bug("double free of %p, an object of cache %s (%u bytes)", object, cache->name, cache->size);
		return;
	}
	*class_byte(pfn) = 0;
	page_free_exact(page);
	count_runs(cache, -1);
}

void runs_free(struct kmem_cache *cache, void **objects, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		run_give(cache, objects[i]);
}

bool run_resize(void *object, size_t size)
{
	unsigned long pfn = addr_to_pfn(object);
	unsigned int old_byte = *class_byte(pfn);
	struct kmem_cache *cache = size <= CLASS_MAX_SIZE ? &kmalloc_caches[size_to_class(size)] : NULL;
	size_t bytes = cache ? cache->size : ALIGN_UP(size, PAGE_SIZE);

	/* A class of a power of two holds objects aligned to it only: this one goes without a class, and around magazines. */
	if (cache && !(bytes & (bytes - 1)) && ((uintptr_t)object & (bytes - 1)))
		cache = NULL;
	if (!page_resize_exact(pfn_to_page_struct(pfn), bytes / PAGE_SIZE))
		return false;
	if (old_byte)
		count_runs(cache_by_slot[old_byte / 2], -1);
	if (cache)
		count_runs(cache, 1);
	*class_byte(pfn) = cache ? cache->class_byte : 0;
	return true;
}
