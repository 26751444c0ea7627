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
#include "runtime/slab/attempt.h"
#include "runtime/slab/fast.h"
#include "runtime/slab/internal.h"

#define EXPORT __attribute__((visibility("default")))
#define CACHE_LINE 64u
#define MIN_ALIGN 8u
#define MAX_ALIGN 4096u
#define MAX_OTHER_SIZE (PAGE_SIZE << OTHER_ORDER)
#define MAX_REPORTED 16
#define DESTROY_TRIES 100

static unsigned int __slot_find(void)
{
	for (unsigned int slot = SLOT_FIRST_CACHE; slot < SLOT_DEFERRED; slot++)
		if (slot != SLOT_OTHER && !cache_by_slot[slot])
			return slot;
	return 0;
}

/* What a cache is created from, whichever form of the function was called. */
struct cache_spec {
	const char *name;
	unsigned int size;
	slab_flags_t flags;
	struct kmem_cache_args args;
	const void *caller;
};

static const char *create_refusal(const struct cache_spec *spec)
{
	const struct kmem_cache_args *args = &spec->args;

	if (!spec->name || !*spec->name)
		return "it has no name";
	if (!spec->size || spec->size > KMALLOC_MAX_SIZE)
		return "its size is 0 or above KMALLOC_MAX_SIZE";
	if (args->align & (args->align - 1) || args->align > MAX_ALIGN)
		return "its alignment is no power of two up to 4096";
	if (args->usersize > spec->size || args->useroffset > spec->size - args->usersize)
		return "the part for user copies reaches beyond its objects";
	if (args->use_freeptr_offset && !(spec->flags & SLAB_TYPESAFE_BY_RCU))
		return "freeptr_offset is for SLAB_TYPESAFE_BY_RCU";
	if (args->use_freeptr_offset &&
		(args->freeptr_offset >= spec->size || args->freeptr_offset % __alignof__(void *)))
		return "freeptr_offset lies outside of its objects, or is not that of a pointer";
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

/* A zeroed struct kmem_cache with the name behind it. */
static struct kmem_cache *struct_alloc(const struct cache_spec *spec)
{
	size_t length = strlen(spec->name) + 1;
	struct attempt attempt = {.kind = ATTEMPT_OWN,
		.gfp = GFP_KERNEL,
		.node = ANY_NODE,
		.size = sizeof(struct kmem_cache) + length,
		.caller = spec->caller};
	struct kmem_cache *cache;

	if (!attempt_begin(&attempt))
		return NULL;
	do
		cache = object_alloc_once(attempt.size, __alignof__(*cache), ALLOC_ZERO);
	while (unlikely(!cache) && attempt_again(&attempt));
	attempt_end(&attempt, cache);
	if (cache)
		memcpy(cache + 1, spec->name, length);
	return cache;
}

static unsigned char debug_of(slab_flags_t flags)
{
	unsigned int debug = 0;

	debug |= flags & SLAB_RED_ZONE ? CACHE_RED_ZONE : 0;
	debug |= flags & SLAB_POISON ? CACHE_POISON : 0;
	debug |= flags & SLAB_STORE_USER ? CACHE_STORE_USER : 0;
	return (unsigned char)debug;
}

static void cache_fill_in(struct kmem_cache *cache, const struct cache_spec *spec)
{
	cache->flags = spec->flags;
	cache->typesafe = spec->flags & SLAB_TYPESAFE_BY_RCU;
	cache->ctor = spec->args.ctor;
	cache->debug = debug_of(spec->flags);
	/* Not at the price of the cache: what lies behind the objects may make them too large. */
	if (slab_machine && spec->size <= MAX_OTHER_SIZE / 2)
		cache->debug |= checks_wanted(spec->name);
	cache->useroffset = spec->args.useroffset;
	cache->usersize = spec->args.usersize;
	if (spec->flags & SLAB_CACHE_DMA)
		cache->zone = __GFP_DMA;
	else if (spec->flags & SLAB_CACHE_DMA32)
		cache->zone = __GFP_DMA32;
}

/* Gives the cache a slot, if there is one, and sets it up. Returns why not, or NULL. */
static const char *cache_enter(struct kmem_cache *cache, const struct cache_spec *spec)
{
	unsigned int align = choose_align(spec->size, spec->args.align, spec->flags);
	host_sigmask_t mask = host_signals_block();
	const char *why = NULL;
	unsigned int slot;

	lock_acquire(&cache_list_lock);
	slot = __slot_find();
	cache_fill_in(cache, spec);
	if ((slot && slot < SLOT_OTHER) || spec->size + checks_bytes(cache) <= MAX_OTHER_SIZE)
		cache_setup(cache, (char *)(cache + 1), spec->size, align, slot);
	else
		why = "no slot is left for objects of that size";
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	return why;
}

static struct kmem_cache *cache_create(const struct cache_spec *spec)
{
	const char *why = create_refusal(spec);
	struct kmem_cache *cache;

	if (why)
		return create_failed(spec->name, why, spec->flags);
	cache = struct_alloc(spec);
	if (!cache)
		return create_failed(spec->name, "memory is out", spec->flags);
	if (spec->flags & SLAB_TYPESAFE_BY_RCU && !typesafe_start())
		why = "there are no grace periods for SLAB_TYPESAFE_BY_RCU";
	else
		why = cache_enter(cache, spec);
	if (!why && slab_machine)
		slab_machine->cache_created(cache, spec->caller);
	if (!why)
		return cache;
	object_free(cache);
	return create_failed(spec->name, why, spec->flags);
}

EXPORT struct kmem_cache *(kmem_cache_create)(const char *name, unsigned int size, unsigned int align,
	slab_flags_t flags, void (*ctor)(void *object))
{
	const struct cache_spec spec = {name, size, flags, {.align = align, .ctor = ctor}, __builtin_return_address(0)};

	return cache_create(&spec);
}

EXPORT struct kmem_cache *kmem_cache_create_args(
	const char *name, unsigned int size, const struct kmem_cache_args *args, slab_flags_t flags)
{
	struct cache_spec spec = {.name = name, .size = size, .flags = flags, .caller = __builtin_return_address(0)};

	if (args)
		spec.args = *args;
	return cache_create(&spec);
}

EXPORT struct kmem_cache *kmem_cache_create_usercopy(const char *name, unsigned int size, unsigned int align,
	slab_flags_t flags, unsigned int useroffset, unsigned int usersize, void (*ctor)(void *object))
{
	const struct cache_spec spec = {name, size, flags,
		{.align = align, .useroffset = useroffset, .usersize = usersize, .ctor = ctor},
		__builtin_return_address(0)};

	return cache_create(&spec);
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

	if (report->nr++ >= MAX_REPORTED)
		return;
	report_note("  %s object %p, %u bytes", report->cache->name, object, report->cache->object_size);
	if (slab_machine)
		slab_machine->describe(object);
}

/* Takes an empty cache off the list and out of its slot. Returns false, and how many objects live, if it is not empty: 0 if
 * that cannot be told, because CPUs hold magazines that the drain did not get, and while slabs wait for a grace period. */
static bool __cache_unlink(struct kmem_cache *cache, size_t *nr_live)
{
	bool known = drained(cache);
	size_t nr_slabs, nr_free;

	slabs_count(cache, &nr_slabs, &nr_free);
	*nr_live = known ? nr_slabs * cache->nr_objects - nr_free : 0;
	if (*nr_live || !known || typesafe_nr_waiting(cache))
		return false;
	capacity_release(cache);
	list_del(&cache->list);
	if (cache->slot)
		cache_by_slot[cache->slot] = NULL;
	return true;
}

static bool cache_unlink(struct kmem_cache *cache, size_t *nr_live)
{
	host_sigmask_t mask = host_signals_block();
	bool done;

	/* Before the drain: a trim under way has some of the cache's objects in its hands. */
	lock_acquire(&cache_list_lock);
	done = __cache_unlink(cache, nr_live);
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	return done;
}

/* As __cache_unlink(), after waiting for what needs a grace period to go: objects on their way to be freed, and then slabs. */
static bool cache_end(struct kmem_cache *cache, size_t *nr_live)
{
	bool done = cache_unlink(cache, nr_live);

	if (!done && *nr_live && slab_defers() && typesafe_barrier())
		done = cache_unlink(cache, nr_live);
	while (!done && !*nr_live && typesafe_nr_waiting(cache) && typesafe_barrier())
		done = cache_unlink(cache, nr_live);
	return done;
}

EXPORT void kmem_cache_destroy(struct kmem_cache *cache)
{
	const uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	struct live_report live = {cache, 0};
	size_t nr_live;

	if (!cache)
		return;
	if (cache_end(cache, &nr_live)) {
		if (slab_machine)
			slab_machine->cache_ends(cache);
		object_free(cache);
		return;
	}
	if (!nr_live) {
		report_note(
			"kmem_cache_destroy: cache %s could not be drained of what CPUs hold; it is kept", cache->name);
		return;
	}
	report_note("kmem_cache_destroy: cache %s still has %zu objects; it is kept", cache->name, nr_live);
	report_stack(&caller, 1);
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

/* Without this CPU's magazine, which was empty, or is not that node's. */
static noinline void *cache_alloc_hard(struct kmem_cache *cache, gfp_t flags, int node, const void *caller)
{
	struct attempt attempt = {.kind = ATTEMPT_SLAB,
		.gfp = (without_highmem("kmem_cache_alloc", flags) & ~GFP_ZONES) | cache->zone,
		.node = node,
		.order = cache->order,
		.size = cache->object_size,
		.cache = cache,
		.caller = caller};
	bool special = slab_machine && node != ANY_NODE;
	void *object;

	if (!attempt_begin(&attempt))
		return NULL;
	do
		object = special ? slab_machine->take(&attempt, 0) : cache_alloc_slow(cache);
	while (unlikely(!object) && attempt_again(&attempt));
	attempt_end(&attempt, object);
	return object;
}

static noinline void *cache_alloc_slow_half(struct kmem_cache *cache, gfp_t flags, const void *caller)
{
	void *object = cache_alloc_hard(cache, flags, ANY_NODE, caller);

	return object && flags & __GFP_ZERO ? memset(object, 0, cache->object_size) : object;
}

static inline __attribute__((always_inline)) void *cache_alloc_from(
	struct kmem_cache *cache, gfp_t flags, const void *caller)
{
	void *object = magazine_pop(2ul * cache->slot);

	if (unlikely(!object))
		return cache_alloc_slow_half(cache, flags, caller);
	if (unlikely(flags & __GFP_ZERO))
		memset(object, 0, cache->object_size);
	return object;
}

EXPORT void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags)
{
	return cache_alloc_from(cache, flags, __builtin_return_address(0));
}

EXPORT void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags)
{
	return cache_alloc_from(cache, flags | __GFP_ZERO, __builtin_return_address(0));
}

EXPORT void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t flags, int node)
{
	void *object;

	if (node == ANY_NODE || !slab_machine)
		return cache_alloc_from(cache, flags, __builtin_return_address(0));
	object = cache_alloc_hard(cache, flags, node, __builtin_return_address(0));
	return object && flags & __GFP_ZERO ? memset(object, 0, cache->object_size) : object;
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

static noinline void cache_free_hard(struct kmem_cache *cache, void *object, const void *caller)
{
	if (attempt_free(object, caller))
		cache_free_slow(cache, object);
}

EXPORT void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	if (!object)
		return;
	if (unlikely(!cache_owns(cache, object))) {
		if (!freed_twice(object, __builtin_return_address(0)))
			report_bug("kmem_cache_free of %p to cache %s, %s", object, cache->name,
				address_is_free(object) ? "which is free already, or was never allocated"
							: "which it does not belong to");
		return;
	}
	if (unlikely(!magazine_push(2ul * cache->slot, object)))
		cache_free_hard(cache, object, __builtin_return_address(0));
}

EXPORT int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t nr, void **p)
{
	for (size_t i = 0; i < nr; i++) {
		p[i] = cache_alloc_from(cache, flags, __builtin_return_address(0));
		if (!p[i]) {
			kmem_cache_free_bulk(cache, i, p);
			return 0; /* all or nothing */
		}
	}
	return (int)nr;
}

EXPORT void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **p)
{
	for (size_t i = 0; i < nr; i++)
		kmem_cache_free(cache, p[i]);
}
