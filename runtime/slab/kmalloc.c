/*
 * kmalloc.c: the kernel's allocation functions by size, on the classes of this room.
 *
 * Semantics are documented in include/linux/slab.h. Calls fast.h, then objects.c.
 */
#include <linux/slab.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/slab/fast.h"

#define EXPORT __attribute__((visibility("default")))

static void *kmalloc_slow(void *object, size_t size, gfp_t flags)
{
	if (!size)
		return ZERO_SIZE_PTR;
	/* Clears all that ksize() allows, not only what was asked for: krealloc() hands the rest out as it is. */
	if (flags & __GFP_ZERO)
		size = kmalloc_size_roundup(size);
	if (object)
		return flags & __GFP_ZERO ? memset(object, 0, size) : object;
	if (size > KMALLOC_MAX_SIZE)
		return NULL;
	object = size > SIZE_TABLE_MAX ? medium_alloc(size) : NULL;
	if (object)
		return flags & __GFP_ZERO ? memset(object, 0, size) : object;
	do {
		object = object_alloc(size, ARCH_KMALLOC_MINALIGN, ALLOC_EXACT | (flags & __GFP_ZERO ? ALLOC_ZERO : 0));
		if (!object)
			host_yield();
	} while (!object && (flags & __GFP_NOFAIL));
	return object;
}

EXPORT void *kmalloc(size_t size, gfp_t flags)
{
	void *object = likely(size) ? fast_alloc(size) : NULL;

	if (likely(object && !(flags & __GFP_ZERO)))
		return object;
	return kmalloc_slow(object, size, flags);
}

EXPORT void *kzalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags | __GFP_ZERO);
}

EXPORT void *kmalloc_array(size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc(bytes, flags);
}

EXPORT void *kcalloc(size_t n, size_t size, gfp_t flags)
{
	return kmalloc_array(n, size, flags | __GFP_ZERO);
}

EXPORT void kfree(const void *object)
{
	if (unlikely(!fast_free((void *)object)) && !ZERO_OR_NULL_PTR(object))
		object_free((void *)object);
}

EXPORT void kfree_sensitive(const void *object)
{
	volatile char *byte = (volatile char *)object;

	for (size_t left = ksize(object); left; left--)
		*byte++ = 0;
	kfree(object);
}

EXPORT size_t ksize(const void *object)
{
	return ZERO_OR_NULL_PTR(object) ? 0 : object_size(object);
}

EXPORT size_t kmalloc_size_roundup(size_t size)
{
	if (size > CLASS_MAX_SIZE)
		return ALIGN_UP(size, PAGE_SIZE) ? ALIGN_UP(size, PAGE_SIZE) : size;
	return size ? class_to_size(size_to_class(size)) : 0;
}

EXPORT void *krealloc(const void *p, size_t new_size, gfp_t flags)
{
	size_t old_size = ksize(p);
	void *moved;

	if (!new_size) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	if (old_size >= new_size) {
		if (flags & __GFP_ZERO)
			memset((char *)p + new_size, 0, old_size - new_size);
		return (void *)p;
	}
	moved = kmalloc(new_size, flags);
	if (!moved)
		return NULL;
	if (old_size)
		memcpy(moved, p, old_size);
	kfree(p);
	return moved;
}

EXPORT void *krealloc_array(void *p, size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return krealloc(p, bytes, flags);
}
