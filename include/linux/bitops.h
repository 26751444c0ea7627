/*
 * linux/bitops.h: bits of arrays of longs, and where the first one of a word is.
 *
 * Semantics: Linux, Documentation/atomic_bitops.txt. Those that return something are full barriers; those with two underscores are not
 * atomic. nr may be beyond the first word. Any context.
 */
#ifndef FLAGSTONE_LINUX_BITOPS_H
#define FLAGSTONE_LINUX_BITOPS_H

#include <asm/barrier.h>
#include <linux/bits.h>
#include <linux/types.h>
#include <strings.h> /* ffs */

#ifdef __cplusplus
extern "C" {
#endif

static inline volatile unsigned long *flagstone_bit_word(long nr, const volatile unsigned long *addr)
{
	return (volatile unsigned long *)addr + nr / BITS_PER_LONG;
}

static inline void set_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_or(flagstone_bit_word(nr, addr), BIT_MASK(nr), __ATOMIC_RELAXED);
}

static inline void clear_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_and(flagstone_bit_word(nr, addr), ~BIT_MASK(nr), __ATOMIC_RELAXED);
}

static inline void change_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_xor(flagstone_bit_word(nr, addr), BIT_MASK(nr), __ATOMIC_RELAXED);
}

static inline bool test_bit(long nr, const volatile unsigned long *addr)
{
	return __atomic_load_n(flagstone_bit_word(nr, addr), __ATOMIC_RELAXED) & BIT_MASK(nr);
}

static inline bool test_bit_acquire(long nr, const volatile unsigned long *addr)
{
	return __atomic_load_n(flagstone_bit_word(nr, addr), __ATOMIC_ACQUIRE) & BIT_MASK(nr);
}

/* What the bit was. */
static inline bool test_and_set_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_or(flagstone_bit_word(nr, addr), BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}

static inline bool test_and_clear_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_and(flagstone_bit_word(nr, addr), ~BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}

static inline bool test_and_change_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_xor(flagstone_bit_word(nr, addr), BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}

/* A bit as a lock: acquire, and release. */
static inline bool test_and_set_bit_lock(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_or(flagstone_bit_word(nr, addr), BIT_MASK(nr), __ATOMIC_ACQUIRE) & BIT_MASK(nr);
}

static inline void clear_bit_unlock(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_and(flagstone_bit_word(nr, addr), ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

static inline void __set_bit(long nr, volatile unsigned long *addr)
{
	*flagstone_bit_word(nr, addr) |= BIT_MASK(nr);
}

static inline void __clear_bit(long nr, volatile unsigned long *addr)
{
	*flagstone_bit_word(nr, addr) &= ~BIT_MASK(nr);
}

static inline void __change_bit(long nr, volatile unsigned long *addr)
{
	*flagstone_bit_word(nr, addr) ^= BIT_MASK(nr);
}

static inline bool __test_and_set_bit(long nr, volatile unsigned long *addr)
{
	bool was = *flagstone_bit_word(nr, addr) & BIT_MASK(nr);

	__set_bit(nr, addr);
	return was;
}

static inline bool __test_and_clear_bit(long nr, volatile unsigned long *addr)
{
	bool was = *flagstone_bit_word(nr, addr) & BIT_MASK(nr);

	__clear_bit(nr, addr);
	return was;
}

static inline bool __test_and_change_bit(long nr, volatile unsigned long *addr)
{
	bool was = *flagstone_bit_word(nr, addr) & BIT_MASK(nr);

	__change_bit(nr, addr);
	return was;
}

/* As clear_bit_unlock(), where the lock's holder alone changes bits of that word. */
static inline void __clear_bit_unlock(long nr, volatile unsigned long *addr)
{
	volatile unsigned long *word = flagstone_bit_word(nr, addr);

	__atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) & ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

static inline void __assign_bit(long nr, volatile unsigned long *addr, bool value)
{
	if (value)
		__set_bit(nr, addr);
	else
		__clear_bit(nr, addr);
}

static inline void assign_bit(long nr, volatile unsigned long *addr, bool value)
{
	if (value)
		set_bit(nr, addr);
	else
		clear_bit(nr, addr);
}

/* The number of the first bit set, and of the first one clear. Undefined if there is none. */
static inline unsigned long __ffs(unsigned long word)
{
	return (unsigned long)__builtin_ctzl(word);
}

static inline unsigned long ffz(unsigned long word)
{
	return __ffs(~word);
}

/* The number of the last bit set. Undefined for 0. */
static inline unsigned long __fls(unsigned long word)
{
	return (unsigned long)(BITS_PER_LONG - 1 - __builtin_clzl(word));
}

static inline unsigned long __ffs64(uint64_t word)
{
	return (unsigned long)__builtin_ctzll(word);
}

/* The last bit set, from 1; 0 if there is none. */
static inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static inline int fls64(uint64_t x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline unsigned int fls_long(unsigned long x)
{
	return (unsigned int)fls64(x);
}

/* The smallest order so that 1 << order is not below count; -1 of 0. */
static inline int get_count_order_long(unsigned long count)
{
	return count ? fls64(count - 1) : -1;
}

static inline int get_count_order(unsigned int count)
{
	return get_count_order_long(count);
}

/* The number whose sign is bit index, from 0, of value. */
static inline int32_t sign_extend32(uint32_t value, int index)
{
	return (int32_t)(value << (31 - index)) >> (31 - index);
}

static inline int64_t sign_extend64(uint64_t value, int index)
{
	return (int64_t)(value << (63 - index)) >> (63 - index);
}

/* How many are set. */
static inline unsigned int hweight32(uint32_t x)
{
	return (unsigned int)__builtin_popcount(x);
}

static inline unsigned int hweight8(uint32_t x)
{
	return hweight32(x & 0xff);
}

static inline unsigned int hweight16(uint32_t x)
{
	return hweight32(x & 0xffff);
}

static inline unsigned long hweight64(uint64_t x)
{
	return (unsigned long)__builtin_popcountll(x);
}

static inline unsigned long hweight_long(unsigned long x)
{
	return hweight64(x);
}

static inline uint32_t rol32(uint32_t word, unsigned int shift)
{
	return word << (shift & 31) | word >> (-shift & 31);
}

static inline uint32_t ror32(uint32_t word, unsigned int shift)
{
	return word >> (shift & 31) | word << (-shift & 31);
}

static inline uint64_t rol64(uint64_t word, unsigned int shift)
{
	return word << (shift & 63) | word >> (-shift & 63);
}

static inline uint64_t ror64(uint64_t word, unsigned int shift)
{
	return word >> (shift & 63) | word << (-shift & 63);
}

/* The next bit, from offset on, whose value is not that of invert; size if there is none. */
static inline unsigned long flagstone_find_bit(
	const unsigned long *addr, unsigned long size, unsigned long offset, unsigned long invert)
{
	while (offset < size) {
		unsigned long word = (READ_ONCE(addr[BIT_WORD(offset)]) ^ invert) >> offset % BITS_PER_LONG;

		if (word) {
			offset += __ffs(word);
			return offset < size ? offset : size;
		}
		offset = (BIT_WORD(offset) + 1) * BITS_PER_LONG;
	}
	return size;
}

static inline unsigned long find_next_bit(const unsigned long *addr, unsigned long size, unsigned long offset)
{
	return flagstone_find_bit(addr, size, offset, 0);
}

static inline unsigned long find_next_zero_bit(const unsigned long *addr, unsigned long size, unsigned long offset)
{
	return flagstone_find_bit(addr, size, offset, ~0ul);
}

static inline unsigned long find_first_bit(const unsigned long *addr, unsigned long size)
{
	return find_next_bit(addr, size, 0);
}

static inline unsigned long find_first_zero_bit(const unsigned long *addr, unsigned long size)
{
	return find_next_zero_bit(addr, size, 0);
}

/* size if there is none. */
static inline unsigned long find_last_bit(const unsigned long *addr, unsigned long size)
{
	for (unsigned long bit = size; bit; bit--)
		if (test_bit((long)bit - 1, addr))
			return bit - 1;
	return size;
}

/* The first that is set in both, from offset on; the first that is set in the first and not in the second; size if there is none. */
static inline unsigned long find_next_and_bit(
	const unsigned long *a, const unsigned long *b, unsigned long size, unsigned long offset)
{
	do
		offset = find_next_bit(a, size, offset);
	while (offset < size && !test_bit((long)offset, b) && ++offset);
	return offset;
}

static inline unsigned long find_first_and_bit(const unsigned long *a, const unsigned long *b, unsigned long size)
{
	return find_next_and_bit(a, b, size, 0);
}

static inline unsigned long find_next_andnot_bit(
	const unsigned long *a, const unsigned long *b, unsigned long size, unsigned long offset)
{
	do
		offset = find_next_bit(a, size, offset);
	while (offset < size && test_bit((long)offset, b) && ++offset);
	return offset;
}

/* The n-th that is set, from 0; size if there are not so many. */
static inline unsigned long find_nth_bit(const unsigned long *addr, unsigned long size, unsigned long n)
{
	unsigned long bit = find_first_bit(addr, size);

	while (bit < size && n--)
		bit = find_next_bit(addr, size, bit + 1);
	return bit;
}

/* Each bit that is set, or clear, ascending; bit: an unsigned long or int; after the loop, size. _from: from bit on. */
#define for_each_set_bit_from(bit, addr, size)                             \
	for ((bit) = find_next_bit((addr), (size), (bit)); (bit) < (size); \
		(bit) = find_next_bit((addr), (size), (bit) + 1))
#define for_each_clear_bit_from(bit, addr, size)                                \
	for ((bit) = find_next_zero_bit((addr), (size), (bit)); (bit) < (size); \
		(bit) = find_next_zero_bit((addr), (size), (bit) + 1))
#define for_each_set_bit(bit, addr, size) \
	for ((bit) = find_first_bit((addr), (size)); (bit) < (size); (bit) = find_next_bit((addr), (size), (bit) + 1))
#define for_each_clear_bit(bit, addr, size)                               \
	for ((bit) = find_first_zero_bit((addr), (size)); (bit) < (size); \
		(bit) = find_next_zero_bit((addr), (size), (bit) + 1))
/* Each run of bits that are set, or clear: from the first of it to the one behind it. */
#define for_each_set_bitrange(first, behind, addr, size)                                  \
	for ((first) = 0; (first) = find_next_bit((addr), (size), (first)),               \
	    (behind) = find_next_zero_bit((addr), (size), (first) + 1), (first) < (size); \
		(first) = (behind) + 1)
#define for_each_clear_bitrange(first, behind, addr, size)                           \
	for ((first) = 0; (first) = find_next_zero_bit((addr), (size), (first)),     \
	    (behind) = find_next_bit((addr), (size), (first) + 1), (first) < (size); \
		(first) = (behind) + 1)

/* *ptr = (*ptr & ~mask) | bits, at once. Returns what it was. A full barrier. */
#define set_mask_bits(ptr, mask, bits)                                                                         \
	({                                                                                                     \
		__typeof__(*(ptr)) __mask = (mask), __bits = (bits), __old = READ_ONCE(*(ptr));                \
		while (!__atomic_compare_exchange_n(                                                           \
			(ptr), &__old, (__old & ~__mask) | __bits, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) \
			;                                                                                      \
		__old;                                                                                         \
	})

#ifdef __cplusplus
}
#endif

#endif
