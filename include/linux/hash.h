/*
 * linux/hash.h: spreads numbers over a power of two.
 *
 * Semantics: Linux, the kernel's header of this name; multiplicative hashing, Knuth, TAOCP 3, 6.4. Any context.
 */
#ifndef FLAGSTONE_LINUX_HASH_H
#define FLAGSTONE_LINUX_HASH_H

#include <linux/types.h>

/* The golden ratio of 2^32 and 2^64, as the kernel has it. */
#define GOLDEN_RATIO_32 0x61C88647
#define GOLDEN_RATIO_64 0x61C8864680B583EBull

/* The highest bits, 1 to 32, of the product; of an address. */
static inline u32 hash_32(u32 value, unsigned int bits)
{
	return value * GOLDEN_RATIO_32 >> (32 - bits);
}

static inline u32 hash_64(u64 value, unsigned int bits)
{
	return (u32)(value * GOLDEN_RATIO_64 >> (64 - bits));
}

static inline u32 hash_long(unsigned long value, unsigned int bits)
{
	return hash_64(value, bits);
}

static inline u32 hash_ptr(const void *pointer, unsigned int bits)
{
	return hash_long((unsigned long)pointer, bits);
}

static inline u32 hash32_ptr(const void *pointer)
{
	unsigned long value = (unsigned long)pointer;

	return (u32)(value ^ value >> 32);
}

#endif
