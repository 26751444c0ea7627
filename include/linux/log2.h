/*
 * linux/log2.h: logarithms to the base of two, and powers of two.
 *
 * Semantics: Linux, the kernel's header of this name. Any context. All but is_power_of_2() are constants where n is one, so that they
 * may size an array. n is unsigned, up to 64 bits; what n = 0 gives is undefined where nothing is said.
 */
#ifndef FLAGSTONE_LINUX_LOG2_H
#define FLAGSTONE_LINUX_LOG2_H

#include <linux/bitops.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of a constant, which may be evaluated twice, and of what is evaluated once. 0 of 0. */
#define FLAGSTONE_LOG2_CONSTANT(n) ((n) < 2 ? 0 : 63 - __builtin_clzll((unsigned long long)(n)))
static inline int flagstone_log2(unsigned long long n)
{
	return n < 2 ? 0 : 63 - __builtin_clzll(n);
}

/* The number of the highest bit set: of 8 3, of 9 3. */
#define ilog2(n) (__builtin_constant_p(n) ? FLAGSTONE_LOG2_CONSTANT(n) : flagstone_log2(n))
/* The power that 2 has to be raised to so that it is not below n: of 0, 1 0, of 3, 4 2, of 5 3. */
static inline int flagstone_order_base_2(unsigned long long n)
{
	return n > 1 ? flagstone_log2(n - 1) + 1 : 0;
}
#define order_base_2(n)                                                                         \
	(__builtin_constant_p(n) ? ((n) > 1 ? FLAGSTONE_LOG2_CONSTANT((n) - ((n) > 1)) + 1 : 0) \
				 : flagstone_order_base_2(n))
/* The smallest power of two that is not below n; the largest that is not above it. An unsigned long. */
#define roundup_pow_of_two(n) (1ul << order_base_2(n))
#define rounddown_pow_of_two(n) (1ul << ilog2(n))
/* Bits that hold n: of 0, 1 1, of 2, 3 2, of 4 3. */
#define bits_per(n) (ilog2(n) + 1)

/* Whether n is a power of two; 0 is none. */
static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

#ifdef __cplusplus
}
#endif

#endif
