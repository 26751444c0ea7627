/*
 * live.c: how many objects and blocks of pages are live in a machine, when nobody recorded them.
 *
 * Counts what is not free: first everything that is cached goes back. Calls slabs.c and looks at the pages' structs.
 * What this room itself has, the structs of caches, is not counted. Not linked into hosted programs.
 */
#include "runtime/slab/internal.h"

struct live {
	size_t nr, bytes;
};

/* The cache that a cache's struct lies in; NULL: it is a size class's. */
static const struct kmem_cache *home_of(struct kmem_cache *cache)
{
	const struct page *slab = slab_of(cache);

	return slab && !cache_is_class(cache) ? slab->cache : NULL;
}

/* The caller holds cache_list_lock. */
static size_t __own_objects(const struct kmem_cache *in)
{
	struct kmem_cache *cache;
	size_t nr = 0;

	list_for_each_entry(cache, &cache_list, list)
		nr += home_of(cache) == in;
	return nr;
}

static struct live __objects_of(struct kmem_cache *cache)
{
	size_t nr_slabs, nr_free, nr;

	slabs_count(cache, &nr_slabs, &nr_free);
	nr = nr_slabs * cache->nr_objects - nr_free - __own_objects(cache);
	return (struct live){nr, nr * cache->object_size};
}

/* Counts the block that begins at a page, if it is one. Returns its pages. Tails are not looked at: what they say is old. */
static unsigned long count_block(const struct page *page, struct live *live)
{
	unsigned int flags = page_flags_get(page);
	unsigned long nr;

	if (flags & PAGE_SLAB)
		return 1ul << page->cache->order;
	if (flags & PAGE_LARGE)
		nr = page->nr_pages;
	else
		nr = flags & (PAGE_ORDER | PAGE_BUDDY | PAGE_PCP) ? 1ul << page->order : 1;
	/* A run with a class was counted as its object. */
	if (flags & PAGE_ORDER || (flags & PAGE_LARGE && !*class_byte(page_struct_to_pfn(page)))) {
		live->nr++;
		live->bytes += nr * PAGE_SIZE;
	}
	return nr;
}

static struct live count_pages(void)
{
	struct live live = {0, 0};

	for (unsigned long pfn = 0; pfn < page_nr_phys();)
		pfn += count_block(page_of_phys_pfn(pfn), &live);
	return live;
}

size_t slab_for_each_live_count(void (*visit)(const char *what, size_t nr, size_t bytes))
{
	host_sigmask_t mask;
	struct kmem_cache *cache;
	struct live live;
	size_t nr = 0;

	slab_trim(0);
	mask = host_signals_block();
	lock_acquire(&cache_list_lock);
	list_for_each_entry(cache, &cache_list, list) {
		live = __objects_of(cache);
		nr += live.nr;
		if (live.nr)
			visit(cache->name, live.nr, live.bytes);
	}
	lock_release(&cache_list_lock);
	live = count_pages();
	if (live.nr)
		visit("pages", live.nr, live.bytes);
	host_signals_restore(mask);
	return nr + live.nr;
}
