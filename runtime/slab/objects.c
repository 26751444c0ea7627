/*
 * objects.c: memory of any size: from a class, from a run of pages, or straight from the OS.
 *
 * The slow half of kmalloc and malloc: calls ladder.c and the page room. Knows no errno and no flags but its own.
 */
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/fast.h"
#include "runtime/slab/internal.h"

#define RUN_MAX_SIZE (PAGE_SIZE << MAX_ORDER) /* larger ones come straight from the OS */
#define SECTIONS_MAX_SIZE (1ul << 30) /* of what the direct map takes over when the OS refuses */
#define HOPELESS_SIZE (1ul << 42) /* when refused, not for want of what is cached here */
#define CLASS_ALIGN 16 /* of every class from 16 bytes on */

/* The smallest class whose objects have that size and alignment; 0 if none does. */
static unsigned int class_for(size_t size, size_t align)
{
	unsigned int class;

	if (size > CLASS_MAX_SIZE || align > PAGE_SIZE)
		return 0;
	if (size < align)
		size = align;
	class = size_to_class(size);
	if (align <= CLASS_ALIGN)
		return class;
	while (class <= NR_CLASSES && class_to_size(class) % align)
		class ++;
	return class <= NR_CLASSES ? class : 0;
}

/*
 * A few objects of each of many sizes would touch a page for each size. So while a class is cold, its objects are taken
 * from a larger one that stands in for four.
 */
static struct kmem_cache *cache_for(unsigned int class, size_t align, unsigned int flags)
{
	struct kmem_cache *own = &kmalloc_caches[class], *loose = &kmalloc_caches[class_to_loose(class)];

	if (own == loose || align > CLASS_ALIGN || (flags & ALLOC_EXACT) ||
		__atomic_load_n(&own->capacity, __ATOMIC_RELAXED))
		return own;
	return capacity_miss(own) ? own : loose;
}

/* A run of whole pages from the direct map. */
static void *run_alloc(size_t size, size_t align, unsigned int flags)
{
	host_sigmask_t mask = host_signals_block();
	size_t span = size < align ? align : size;
	unsigned int loose = align <= PAGE_SIZE ? PAGE_ALLOC_LOOSE : 0;
	struct page *page =
		page_alloc_exact((span + PAGE_SIZE - 1) / PAGE_SIZE, flags & ALLOC_ZERO ? PAGE_ALLOC_ZERO : loose);

	if (page && span != size)
		page_resize_exact(page, (size + PAGE_SIZE - 1) / PAGE_SIZE);
	host_signals_restore(mask);
	return page ? page_to_addr(page) : NULL;
}

/* The OS may refuse a mapping (it counts them) and still have memory for the direct map. */
static void *sections_alloc(size_t size, unsigned int flags)
{
	struct page *page =
		page_alloc_sections((size + PAGE_SIZE - 1) / PAGE_SIZE, flags & ALLOC_ZERO ? PAGE_ALLOC_ZERO : 0);

	return page ? page_to_addr(page) : NULL;
}

static void *os_alloc(size_t size, size_t align, unsigned int flags)
{
	host_sigmask_t mask = host_signals_block();
	void *object =
		large_alloc(size, align < PAGE_SIZE ? PAGE_SIZE : align, flags & ALLOC_ZERO ? PAGE_ALLOC_ZERO : 0);

	if (unlikely(!object) && size <= SECTIONS_MAX_SIZE && align <= RUN_MAX_SIZE)
		object = sections_alloc(size, flags);
	host_signals_restore(mask);
	return object;
}

void *object_alloc_once(size_t size, size_t align, unsigned int flags)
{
	unsigned int class = class_for(size, align);
	void *object;

	if (class) {
		object = cache_alloc_slow(cache_for(class, align, flags));
		if (object && (flags & ALLOC_ZERO))
			memset(object, 0, size);
		return object;
	}
	if (size <= RUN_MAX_SIZE && align <= RUN_MAX_SIZE)
		return run_alloc(size ? size : 1, align, flags);
	return os_alloc(size ? size : 1, align, flags);
}

void *object_alloc(size_t size, size_t align, unsigned int flags)
{
	void *object;

	if (size > PTRDIFF_MAX || align > PTRDIFF_MAX || !slab_boot())
		return NULL;
	object = object_alloc_once(size, align, flags);
	if (likely(object))
		return object;
	if (size > HOPELESS_SIZE)
		return NULL;
	slab_trim(0);
	return object_alloc_once(size, align, flags);
}

/* The head of the page run that p lies in, p's own page or one before it; NULL if it lies in none. */
static struct page *run_of(unsigned long pfn)
{
	for (unsigned long back = 0; back < 1ul << MAX_ORDER && page_pfn_online(pfn - back); back++) {
		struct page *page = pfn_to_page_struct(pfn - back);
		unsigned int byte = *class_byte(pfn - back);

		/* A slab: no run reaches across it, and its tail's structs are bitmaps. */
		if (byte && (byte == 2 * SLOT_OTHER || !cache_by_slot[byte / 2]->run))
			return NULL;
		if (page_flags_get(page) & PAGE_LARGE)
			return page->nr_pages > back ? page : NULL;
	}
	return NULL;
}

bool address_is_free(const void *p)
{
	unsigned long pfn = addr_to_pfn(p);
	const struct page *head;

	if (pfn >= FAST_READ(percpu_fast.nr_pfns) || !page_pfn_online(pfn) || *class_byte(pfn))
		return false;
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		head = pfn_to_page_struct(ALIGN_DOWN(pfn, 1ul << order));
		if (page_flags_get(head) & (PAGE_BUDDY | PAGE_PCP))
			return head->order >= order;
	}
	return false;
}

static void run_free(void *object, unsigned long pfn)
{
	struct page *page = page_pfn_online(pfn) ? pfn_to_page_struct(pfn) : NULL;
	host_sigmask_t mask;

	if (page && page_to_addr(page) == object && (page_flags_get(page) & PAGE_LARGE)) {
		mask = host_signals_block();
		page_free_exact(page);
		host_signals_restore(mask);
		return;
	}
	page = page ? run_of(pfn) : NULL;
	if (page)
		report_bug("free of %p, which is inside an object of %zu bytes at %p", object,
			page->nr_pages * PAGE_SIZE, page_to_addr(page));
	else if (address_is_free(object))
		report_bug("free of %p, which is free already, or was never allocated", object);
	else
		report_bug("free of %p, which flagstone did not allocate", object);
}

/* A mapping that is gone has left nothing behind that would tell it from one that never was. */
static void os_free(void *object)
{
	host_sigmask_t mask = host_signals_block();
	bool done = large_free(object);

	host_signals_restore(mask);
	if (!done)
		report_bug("free of %p, which flagstone did not allocate%s", object,
			(uintptr_t)object % PAGE_SIZE ? "" : ", or has freed already");
}

void object_free(void *object)
{
	unsigned long pfn = addr_to_pfn(object);
	struct kmem_cache *cache;

	if (!object)
		return;
	if (pfn >= __atomic_load_n(&percpu_fast.nr_pfns, __ATOMIC_RELAXED)) {
		os_free(object);
		return;
	}
	cache = cache_of(object, pfn);
	if (cache)
		cache_free_slow(cache, object);
	else
		run_free(object, pfn);
}

size_t object_size(const void *object)
{
	unsigned long pfn = addr_to_pfn(object);
	struct kmem_cache *cache;
	host_sigmask_t mask;
	size_t size;

	if (pfn < __atomic_load_n(&percpu_fast.nr_pfns, __ATOMIC_RELAXED)) {
		cache = cache_of(object, pfn);
		if (cache)
			return cache->usable;
		if (page_pfn_online(pfn) && (page_flags_get(pfn_to_page_struct(pfn)) & PAGE_LARGE))
			return pfn_to_page_struct(pfn)->nr_pages * PAGE_SIZE;
		return 0;
	}
	mask = host_signals_block();
	size = large_size(object);
	host_signals_restore(mask);
	return size;
}

/* Growing blocks of this size and more move to mappings of their own, which the OS can then grow without a copy. */
#define REMAP_SIZE CLASS_MAX_SIZE

/* Whether object_alloc() may take a class for that size. */
static bool serves(unsigned int class, size_t size)
{
	return size_to_class(size) == class || class_to_loose(size_to_class(size)) == class;
}

/* Resizes without moving, or, for OS mappings, by moving page tables. NULL: must be copied. */
static void *resize_in_place(void *object, size_t old_size, size_t size)
{
	unsigned long pfn = addr_to_pfn(object);
	host_sigmask_t mask;
	void *resized = NULL;

	if (old_size <= SLAB_MAX_SIZE)
		return size <= old_size && serves(size_to_class(old_size), size) ? object : NULL;
	if (size <= SLAB_MAX_SIZE)
		return NULL;
	if (old_size <= CLASS_MAX_SIZE && size <= old_size && size_to_class(size) == size_to_class(old_size))
		return object;
	mask = host_signals_block();
	if (pfn >= FAST_READ(percpu_fast.nr_pfns)) {
		if (size > CLASS_MAX_SIZE)
			resized = large_resize(object, size);
	} else if (size <= RUN_MAX_SIZE && run_resize(object, size)) {
		resized = object;
	}
	host_signals_restore(mask);
	return resized;
}

void *object_resize(void *object, size_t size, size_t align)
{
	size_t old_size = object_size(object);
	size_t wanted = size;
	void *resized;

	if (!old_size) {
		report_bug("realloc of %p, which flagstone did not allocate", object);
		return NULL;
	}
	if (size > PTRDIFF_MAX)
		return NULL;
	resized = resize_in_place(object, old_size, size);
	if (resized)
		return resized;
	/* A run that grows is likely to grow again: leave it room. Pages that nobody touches cost nothing. */
	if (size > SLAB_MAX_SIZE && size > old_size && size < RUN_MAX_SIZE - size / 8)
		wanted = size + size / 8;
	resized = size > old_size && size >= REMAP_SIZE ? os_alloc(size, align, 0) : NULL;
	if (!resized)
		resized = object_alloc(wanted, align, 0);
	if (!resized && size <= old_size)
		return object;
	if (!resized)
		return NULL;
	memcpy(resized, object, old_size < size ? old_size : size);
	object_free(object);
	return resized;
}
