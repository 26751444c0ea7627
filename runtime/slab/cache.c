/*
 * cache.c: the kernel's slab caches, on the classes' own machinery.
 *
 * Semantics are documented in include/linux/slab.h. A cache gets a slot of every CPU's area while there are any; after that
 * it works without magazines.
 */
#include <linux/slab.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/fast.h"
#include "runtime/slab/internal.h"
#include "runtime/slab/retry.h"

#define EXPORT __attribute__((visibility("default")))
#define CACHE_LINE 64u
#define MIN_ALIGN 8u
#define MAX_ALIGN 4096u
#define MAX_OTHER_SIZE (PAGE_SIZE << OTHER_ORDER)
#define MAX_REPORTED 16
#define DESTROY_TRIES 100

static unsigned int __slot_find(void)
{
	for (unsigned int slot = SLOT_FIRST_CACHE; slot < AREA_SLOTS; slot++)
		if (slot != SLOT_OTHER && !cache_by_slot[slot])
			return slot;
	return 0;
}

static const char *create_refusal(const char *name, unsigned int size, unsigned int align)
{
	if (!name || !*name)
		return "it has no name";
	if (!size || size > KMALLOC_MAX_SIZE)
		return "its size is 0 or above KMALLOC_MAX_SIZE";
	if (align & (align - 1) || align > MAX_ALIGN)
		return "its alignment is no power of two up to 4096";
	return NULL;
}

static struct kmem_cache *create_failed(const char *name, const char *why, slab_flags_t flags)
{
	report_note("kmem_cache_create: cannot create '%s': %s", name ? name : "(null)", why);
	if (flags & SLAB_PANIC)
		host_abort();
	return NULL;
}

/* Objects of half a cache line or less share one, but none lies in two. */
static unsigned int choose_align(unsigned int size, unsigned int align, slab_flags_t flags)
{
	unsigned int line = flags & SLAB_HWCACHE_ALIGN ? CACHE_LINE : MIN_ALIGN;

	while (line > MIN_ALIGN && size <= line / 2)
		line /= 2;
	return align < line ? line : align;
}

EXPORT struct kmem_cache *kmem_cache_create(
	const char *name, unsigned int size, unsigned int align, slab_flags_t flags, void (*ctor)(void *object))
{
	const char *why = create_refusal(name, size, align);
	struct kmem_cache *cache;
	host_sigmask_t mask;
	size_t length;
	unsigned int slot;

	if (why)
		return create_failed(name, why, flags);
	align = choose_align(size, align, flags);
	length = strlen(name) + 1;
	cache = object_alloc(sizeof(*cache) + length, __alignof__(*cache), ALLOC_ZERO);
	if (!cache)
		return create_failed(name, "memory is out", flags);
	memcpy(cache + 1, name, length);
	mask = host_signals_block();
	lock_acquire(&cache_list_lock);
	slot = __slot_find();
	if ((slot && slot < SLOT_OTHER) || size <= MAX_OTHER_SIZE) {
		cache_setup(cache, (char *)(cache + 1), size, align, slot);
		cache->flags = flags;
		cache->ctor = ctor;
	} else {
		why = "no slot is left for objects of that size";
	}
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	if (!why)
		return cache;
	object_free(cache);
	return create_failed(name, why, flags);
}

static void count_slot(const struct area *area, int cpu, void *arg)
{
	unsigned int *slot = arg;

	(void)cpu;
	if (*slot < AREA_SLOTS && (__atomic_load_n(&area->pair[*slot].top, __ATOMIC_RELAXED) ||
					  __atomic_load_n(&area->pair[*slot].spare, __ATOMIC_RELAXED)))
		*slot = AREA_SLOTS; /* found: no later area changes that */
}

/* Drains until no CPU holds a magazine of the cache; its users are gone, so only the drain itself can be in the way. */
static bool drained(struct kmem_cache *cache)
{
	for (int i = 0; i < DESTROY_TRIES; i++) {
		unsigned int slot = cache->slot;

		cache_drain(cache);
		area_for_each(count_slot, &slot);
		if (slot == cache->slot)
			return true;
		host_yield();
	}
	return false;
}

struct live_report {
	struct kmem_cache *cache;
	unsigned int nr;
};

static void report_live(void *object, void *arg)
{
	struct live_report *report = arg;

	if (report->nr++ < MAX_REPORTED)
		report_note("  %s object %p, %u bytes", report->cache->name, object, report->cache->object_size);
}

/* Takes an empty cache off the list and out of its slot. Returns false, and how many objects live, if it is not empty: 0 if
 * that cannot be told, because CPUs hold magazines that the drain did not get. */
static bool __cache_unlink(struct kmem_cache *cache, size_t *nr_live)
{
	bool known = drained(cache);
	size_t nr_slabs, nr_free;

	slabs_count(cache, &nr_slabs, &nr_free);
	*nr_live = known ? nr_slabs * cache->nr_objects - nr_free : 0;
	if (*nr_live || !known)
		return false;
	capacity_release(cache);
	list_del(&cache->list);
	if (cache->slot)
		cache_by_slot[cache->slot] = NULL;
	return true;
}

EXPORT void kmem_cache_destroy(struct kmem_cache *cache)
{
	struct live_report live = {cache, 0};
	host_sigmask_t mask;
	size_t nr_live;
	bool done;

	if (!cache)
		return;
	mask = host_signals_block();
	/* Before the drain: a trim under way has some of the cache's objects in its hands. */
	lock_acquire(&cache_list_lock);
	done = __cache_unlink(cache, &nr_live);
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	if (done) {
		object_free(cache);
		return;
	}
	if (!nr_live) {
		report_note(
			"kmem_cache_destroy: cache %s could not be drained of what CPUs hold; it is kept", cache->name);
		return;
	}
	report_note("kmem_cache_destroy: cache %s still has %zu objects; it is kept", cache->name, nr_live);
	slabs_for_each_live(cache, report_live, &live);
}

EXPORT int kmem_cache_shrink(struct kmem_cache *cache)
{
	cache_drain(cache);
	return 0;
}

EXPORT unsigned int kmem_cache_size(struct kmem_cache *cache)
{
	return cache->object_size;
}

static void *cache_alloc_hard(struct kmem_cache *cache, gfp_t flags)
{
	unsigned int tries = 0;
	void *object;

	do {
		object = cache_alloc_slow(cache);
	} while (unlikely(!object) && alloc_again(flags, &tries));
	return object;
}

EXPORT void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags)
{
	void *object = magazine_pop(2ul * cache->slot);

	if (unlikely(!object))
		object = cache_alloc_hard(cache, flags);
	if (unlikely(flags & __GFP_ZERO) && object)
		memset(object, 0, cache->object_size);
	return object;
}

EXPORT void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags)
{
	return kmem_cache_alloc(cache, flags | __GFP_ZERO);
}

/* Whether the object lies in a slab of the cache, by its class byte where that is enough. */
static bool cache_owns(struct kmem_cache *cache, void *object)
{
	unsigned long pfn = addr_to_pfn(object);
	struct page *slab;

	if (pfn >= __atomic_load_n(&percpu_fast.nr_pfns, __ATOMIC_RELAXED) || *class_byte(pfn) != cache->class_byte)
		return false;
	if (cache->class_byte != 2 * SLOT_OTHER)
		return true;
	slab = slab_of(object);
	return slab && slab->cache == cache;
}

EXPORT void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	if (!object)
		return;
	if (unlikely(!cache_owns(cache, object))) {
		report_bug("kmem_cache_free of %p to cache %s, which it does not belong to", object, cache->name);
		return;
	}
	if (unlikely(!magazine_push(2ul * cache->slot, object)))
		cache_free_slow(cache, object);
}

EXPORT int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t nr, void **p)
{
	for (size_t i = 0; i < nr; i++) {
		p[i] = kmem_cache_alloc(cache, flags);
		if (!p[i]) {
			kmem_cache_free_bulk(cache, i, p);
			return 0;
		}
	}
	return (int)nr;
}

EXPORT void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **p)
{
	for (size_t i = 0; i < nr; i++)
		kmem_cache_free(cache, p[i]);
}
