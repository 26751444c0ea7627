/*
 * fast.h: the two inlined fast paths, by size and by address, that every face shares.
 */
#ifndef RUNTIME_SLAB_FAST_H
#define RUNTIME_SLAB_FAST_H

#include "runtime/slab/slab.h"

/* A sanitizer must see that these are atomic; elsewhere the plain read lets the compiler compare with memory. */
#define FAST_READ(word) (CONFIG_RSEQ ? (word) : __atomic_load_n(&(word), __ATOMIC_ACQUIRE))

/* An object of at least size bytes out of this CPU's magazine; NULL: ask object_alloc. */
static inline __attribute__((always_inline)) void *fast_alloc(size_t size)
{
	const unsigned char *sizes = (const unsigned char *)percpu_fast.anchor + PERCPU_SIZE_TABLE;

	if (unlikely(size >= FAST_READ(percpu_fast.size_limit)))
		return NULL;
	return magazine_pop(sizes[size]);
}

/* As fast_alloc for any size that has a class; NULL: ask object_alloc. */
static inline __attribute__((always_inline)) void *medium_alloc(size_t size)
{
	if (unlikely(size > CLASS_MAX_SIZE || !FAST_READ(percpu_fast.size_limit)))
		return NULL;
	return magazine_pop(2ul * size_to_class(size));
}

/* Puts an object into this CPU's magazine; false: ask object_free. Takes any pointer. */
static inline __attribute__((always_inline)) bool fast_free(void *object)
{
	const unsigned char *anchor = (const unsigned char *)percpu_fast.anchor;
	unsigned long pfn = ((uintptr_t)object - (uintptr_t)anchor) >> PAGE_SHIFT;

	if (unlikely(pfn >= FAST_READ(percpu_fast.nr_pfns)))
		return false;
	return magazine_push(anchor[CLASS_BYTES + pfn], object);
}

#endif
