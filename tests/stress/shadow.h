/*
 * shadow.h: a map of the address space that knows which bytes belong to a live block.
 *
 * Calls mmap. Refuses to know what allocates the blocks or what is in them.
 */
#ifndef TESTS_STRESS_SHADOW_H
#define TESTS_STRESS_SHADOW_H

#include <stddef.h>

#define SHADOW_GRANULE 8 /* blocks start at multiples of this; two live blocks never share a granule */

/*
 * Marks [start, start + size) as owned. Returns NULL, or the first address that was owned already: an overlap.
 * Any number of threads at once; of two overlapping blocks, at least one caller sees it.
 */
const void *shadow_set(const void *start, size_t size);
/* Marks it as free: before the block is given back. Returns NULL or an address that was not owned. */
const void *shadow_clear(const void *start, size_t size);

#endif
