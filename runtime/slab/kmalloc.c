/*
 * kmalloc.c: the kernel's allocation functions by size, on the classes of this room.
 *
 * Semantics are documented in include/linux/slab.h. Calls fast.h, then objects.c in as many attempts as it takes.
 * What zones and nodes mean is a machine's affair (attempt.h).
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/fast.h"
#include "runtime/slab/internal.h"

#define EXPORT __attribute__((visibility("default")))
#define KMALLOC_UNUSUAL (__GFP_ZERO | GFP_ZONES) /* what the fast path leaves to the slow one */

struct kmalloc_request {
	size_t size;
	gfp_t flags;
	int node;
	const void *caller;
};

static unsigned int order_of(size_t size)
{
	const struct kmem_cache *cache = size <= SLAB_MAX_SIZE ? &kmalloc_caches[size_to_class(size)] : NULL;

	return cache && !cache->run ? cache->order : (unsigned int)get_order(size);
}

/* Without magazines. */
static void *kmalloc_hard(const struct kmalloc_request *request)
{
	unsigned int alloc_flags = ALLOC_EXACT | (request->flags & __GFP_ZERO ? ALLOC_ZERO : 0);
	size_t cleared = request->flags & __GFP_ZERO ? kmalloc_size_roundup(request->size) : request->size;
	struct attempt attempt = {.kind = ATTEMPT_SLAB,
		.gfp = without_highmem("kmalloc", request->flags),
		.node = request->node,
		.size = request->size,
		.caller = request->caller};
	bool special;
	void *object;

	if (!attempt_begin(&attempt))
		return NULL;
	attempt.order = order_of(request->size);
	special = slab_machine && (attempt.node != ANY_NODE || attempt.gfp & GFP_ZONES);
	do
		object = special ? slab_machine->take(&attempt, alloc_flags)
				 : object_alloc_once(cleared, ARCH_KMALLOC_MINALIGN, alloc_flags);
	while (unlikely(!object) && attempt_again(&attempt));
	attempt_end(&attempt, object);
	return object;
}

/* Whether the magazines may serve it. */
static bool is_usual(const struct kmalloc_request *request)
{
	return !slab_machine || (request->node == ANY_NODE && !(request->flags & GFP_ZONES));
}

/* With an object that the fast path has found, or NULL. */
static void *kmalloc_any(void *object, const struct kmalloc_request *request)
{
	if (unlikely(object && !is_usual(request))) {
		cache_free_slow(&kmalloc_caches[size_to_class(request->size)], object);
		object = NULL;
	}
	if (!object && request->size > SIZE_TABLE_MAX && is_usual(request))
		object = medium_alloc(request->size);
	/* Clears all that ksize() allows, not only what was asked for: krealloc() hands the rest out as it is. */
	if (object)
		return request->flags & __GFP_ZERO ? memset(object, 0, kmalloc_size_roundup(request->size)) : object;
	return kmalloc_hard(request);
}

static noinline void *kmalloc_slow(void *object, size_t size, gfp_t flags, const void *caller)
{
	const struct kmalloc_request request = {size, flags, ANY_NODE, caller};

	if (!size)
		return ZERO_SIZE_PTR;
	if (size > KMALLOC_MAX_SIZE) {
		report_too_large(flags, (unsigned int)get_order(size));
		return NULL;
	}
	return kmalloc_any(object, &request);
}

static noinline void *kmalloc_slow_half(void *object, size_t size, gfp_t flags)
{
	return kmalloc_slow(object, size, flags, __builtin_return_address(0));
}

/* For functions that do no more than that: see SLOW_HALF_IS_JUMPED_TO. */
static inline __attribute__((always_inline)) void *kmalloc_here(size_t size, gfp_t flags)
{
	void *object = likely(size) ? fast_alloc(size) : NULL;

	if (likely(object && !(flags & KMALLOC_UNUSUAL)))
		return object;
	if (SLOW_HALF_IS_JUMPED_TO)
		return kmalloc_slow_half(object, size, flags);
	return kmalloc_slow(object, size, flags, __builtin_return_address(0));
}

static inline __attribute__((always_inline)) void *kmalloc_from(size_t size, gfp_t flags, const void *caller)
{
	void *object = likely(size) ? fast_alloc(size) : NULL;

	if (likely(object && !(flags & KMALLOC_UNUSUAL)))
		return object;
	return kmalloc_slow(object, size, flags, caller);
}

void *kmalloc_for(size_t size, gfp_t flags, const void *caller)
{
	return kmalloc_from(size, flags, caller);
}

static void *kmalloc_node_from(size_t size, gfp_t flags, int node, const void *caller)
{
	const struct kmalloc_request request = {size, flags, node, caller};

	if (node == ANY_NODE || !size || size > KMALLOC_MAX_SIZE || !slab_machine)
		return kmalloc_from(size, flags, caller);
	return kmalloc_any(NULL, &request);
}

EXPORT void *kmalloc(size_t size, gfp_t flags)
{
	return kmalloc_here(size, flags);
}

EXPORT void *kzalloc(size_t size, gfp_t flags)
{
	return kmalloc_here(size, flags | __GFP_ZERO);
}

EXPORT void *kmalloc_array(size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc_here(bytes, flags);
}

EXPORT void *kcalloc(size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc_here(bytes, flags | __GFP_ZERO);
}

EXPORT void *kmalloc_node(size_t size, gfp_t flags, int node)
{
	return kmalloc_node_from(size, flags, node, __builtin_return_address(0));
}

EXPORT void *kzalloc_node(size_t size, gfp_t flags, int node)
{
	return kmalloc_node_from(size, flags | __GFP_ZERO, node, __builtin_return_address(0));
}

EXPORT void *kmalloc_array_node(size_t n, size_t size, gfp_t flags, int node)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc_node_from(bytes, flags, node, __builtin_return_address(0));
}

EXPORT void *kcalloc_node(size_t n, size_t size, gfp_t flags, int node)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc_node_from(bytes, flags | __GFP_ZERO, node, __builtin_return_address(0));
}

static noinline void kfree_slow(void *object, const void *caller)
{
	if (!ZERO_OR_NULL_PTR(object) && attempt_free(object, caller))
		object_free(object);
}

EXPORT void kfree(const void *object)
{
	if (unlikely(!fast_free((void *)object)))
		kfree_slow((void *)object, __builtin_return_address(0));
}

EXPORT void kfree_sensitive(const void *object)
{
	volatile char *byte = (volatile char *)object;

	for (size_t left = ksize(object); left; left--)
		*byte++ = 0;
	if (!fast_free((void *)object))
		kfree_slow((void *)object, __builtin_return_address(0));
}

EXPORT void kfree_bulk(size_t nr, void **objects)
{
	for (size_t i = 0; i < nr; i++)
		if (unlikely(!fast_free(objects[i])))
			kfree_slow(objects[i], __builtin_return_address(0));
}

EXPORT size_t ksize(const void *object)
{
	size_t size = ZERO_OR_NULL_PTR(object) ? 0 : object_size(object);

	/* Who asks may use all of it. */
	if (unlikely(slab_machine) && size)
		checks_set_asked((void *)object, size);
	return size;
}

EXPORT size_t kmalloc_size_roundup(size_t size)
{
	if (size > CLASS_MAX_SIZE)
		return ALIGN_UP(size, PAGE_SIZE) ? ALIGN_UP(size, PAGE_SIZE) : size;
	return size ? class_to_size(size_to_class(size)) : 0;
}

/* An object that is large enough stays. */
static void *resize_in_place(void *object, size_t old_size, size_t new_size, gfp_t flags)
{
	if (flags & __GFP_ZERO && checks_asked(object, old_size) == old_size)
		memset((char *)object + new_size, 0, old_size - new_size);
	if (unlikely(slab_machine))
		slab_machine->resized(object, new_size);
	return object;
}

static void *krealloc_from(void *p, size_t new_size, gfp_t flags, const void *caller)
{
	size_t old_size = ZERO_OR_NULL_PTR(p) ? 0 : object_size(p);
	void *moved;

	if (!new_size) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	if (unlikely(slab_machine) && old_size >= new_size)
		checks_set_asked(p, new_size);
	if (old_size >= new_size)
		return resize_in_place(p, old_size, new_size, flags);
	moved = kmalloc_from(new_size, flags, caller);
	if (!moved)
		return NULL;
	if (old_size)
		memcpy(moved, p, unlikely(slab_machine) ? checks_asked(p, old_size) : old_size);
	kfree(p);
	return moved;
}

EXPORT void *krealloc(const void *p, size_t new_size, gfp_t flags)
{
	return krealloc_from((void *)p, new_size, flags, __builtin_return_address(0));
}

EXPORT void *krealloc_array(void *p, size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return krealloc_from(p, bytes, flags, __builtin_return_address(0));
}
