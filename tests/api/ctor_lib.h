/*
 * ctor_lib.h: a shared library that allocates in its constructor, at exit and in its destructor; for test_ctor.c.
 */
#ifndef TESTS_API_CTOR_LIB_H
#define TESTS_API_CTOR_LIB_H

#include <stddef.h>

#define CTOR_LIB_EXPORT __attribute__((visibility("default")))
#define NR_EARLY 200

/* Blocks that the constructor allocated: block i has early_size(i) bytes, all equal to i & 255. */
CTOR_LIB_EXPORT extern unsigned char *early_blocks[NR_EARLY];
/* Set by the constructor. */
CTOR_LIB_EXPORT extern int constructor_ran;

static inline size_t early_size(size_t index)
{
	return 1 + index * index * 7;
}

#endif
