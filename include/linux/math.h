/*
 * linux/math.h: rounding and dividing.
 *
 * Semantics: Linux, the kernel's header of this name. Any context. Dividing by 0 is the caller's mistake.
 */
#ifndef FLAGSTONE_LINUX_MATH_H
#define FLAGSTONE_LINUX_MATH_H

#pragma GCC system_header /* its macros nest, with locals of the same names */
#include <linux/types.h>
#include <stdlib.h> /* abs(), before the macro */

/* To a multiple of a power of two: up, down. */
#define round_up(x, power) ((((x)-1) | (__typeof__(x))((power)-1)) + 1)
#define round_down(x, power) ((x) & ~((__typeof__(x))((power)-1)))
/* To a multiple of any number, x not below 0. */
#define roundup(x, to)                                                   \
	({                                                               \
		__typeof__(to) flagstone_to = (to);                      \
		((x) + (flagstone_to - 1)) / flagstone_to *flagstone_to; \
	})
#define rounddown(x, to)                          \
	({                                        \
		__typeof__(x) flagstone_x = (x);  \
		flagstone_x - flagstone_x % (to); \
	})
/* n / d, rounded up, n not below 0; as unsigned long long; down, as that. */
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((unsigned long long)(n), (unsigned long long)(d))
#define DIV_ROUND_DOWN_ULL(n, d) ((unsigned long long)(n) / (d))
#define DIV_ROUND_UP_SECTOR_T(n, d) DIV_ROUND_UP_ULL(n, d)
/* To the nearest; halves away from 0. With a type without sign neither is below 0. */
#define DIV_ROUND_CLOSEST(n, d)                                                            \
	({                                                                                 \
		__typeof__(n) flagstone_n = (n);                                           \
		__typeof__(d) flagstone_d = (d);                                           \
		((flagstone_n < 0) == (flagstone_d < 0) ? flagstone_n + flagstone_d / 2    \
							: flagstone_n - flagstone_d / 2) / \
			flagstone_d;                                                       \
	})
#define DIV_ROUND_CLOSEST_ULL(n, d)                                        \
	({                                                                 \
		unsigned long long flagstone_d = (d);                      \
		((unsigned long long)(n) + flagstone_d / 2) / flagstone_d; \
	})
/* x * n / d without overflow where x * n has one; the fraction is dropped. */
#define mult_frac(x, n, d)                                                                                     \
	({                                                                                                     \
		__typeof__(x) flagstone_x = (x);                                                               \
		__typeof__(n) flagstone_n = (n);                                                               \
		__typeof__(d) flagstone_d = (d);                                                               \
		flagstone_x / flagstone_d *flagstone_n + flagstone_x % flagstone_d *flagstone_n / flagstone_d; \
	})

#ifndef __cplusplus
/* How far from 0, of any signed type, as that type; of its smallest number it is undefined. */
#define abs(x)                                                \
	({                                                    \
		__typeof__(x) flagstone_x = (x);              \
		flagstone_x < 0 ? -flagstone_x : flagstone_x; \
	})
#endif

#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define lower_32_bits(n) ((u32)((n)&0xffffffff))
#define upper_16_bits(n) ((u16)((n) >> 16))
#define lower_16_bits(n) ((u16)((n)&0xffff))

#endif
