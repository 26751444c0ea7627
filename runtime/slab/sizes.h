/*
 * sizes.h: the size classes, as arithmetic.
 *
 * Class 1 is 8 bytes, classes 2..9 are 16..128 in steps of 16; above that each doubling has eight steps, so that a class
 * is never more than 12.5% larger than the request. A power of two is always a class, and aligned to itself.
 *
 * Objects of the first NR_SLAB_CLASSES lie in slabs; those of the others are runs of whole pages.
 */
#ifndef RUNTIME_SLAB_SIZES_H
#define RUNTIME_SLAB_SIZES_H

#include <stddef.h>

#include "runtime/config.h"

#define NR_SLAB_CLASSES 73
#define SLAB_MAX_SIZE 32768ul
#define NR_CLASSES 97
#define CLASS_MAX_SIZE 262144ul /* larger objects have no class and are not cached */
#define SIZE_TABLE_MAX 1024ul /* sizes up to this have their class in the table that fast paths read */

static inline unsigned int size_to_class(size_t size)
{
	unsigned int log;

	if (size <= 8)
		return 1;
	if (size <= 128)
		return 1 + (unsigned int)(size + 15) / 16;
	log = 63 - (unsigned int)__builtin_clzl(size - 1);
	return 10 + (log - 7) * 8 + (unsigned int)((size - 1) >> (log - 3)) - 8;
}

/* The class that serves those of a quarter of a doubling, or half of one, together: 1 << n and 3 << n. */
static inline unsigned int class_to_loose(unsigned int class)
{
	return class > 9 && class <= NR_SLAB_CLASSES ? 10 + ((class - 10) | 3) : class;
}

static inline size_t class_to_size(unsigned int class)
{
	unsigned int step;

	if (class == 1)
		return 8;
	if (class <= 9)
		return 16 * (class - 1ul);
	step = class - 10;
	return (step % 8 + 9ul) << (step / 8 + 4);
}

#endif
