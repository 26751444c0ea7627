/*
 * linux/minmax.h: the smaller, the larger, and what lies between.
 *
 * Semantics: Linux, the kernel's header of this name. Any context. Every argument is evaluated once.
 */
#ifndef FLAGSTONE_LINUX_MINMAX_H
#define FLAGSTONE_LINUX_MINMAX_H

#pragma GCC system_header /* its macros nest, with locals of the same names */

/* Of both as that type. */
#define min_t(type, x, y)                                                              \
	({                                                                             \
		type flagstone_min_x = (x), flagstone_min_y = (y);                     \
		flagstone_min_x < flagstone_min_y ? flagstone_min_x : flagstone_min_y; \
	})
#define max_t(type, x, y)                                                              \
	({                                                                             \
		type flagstone_max_x = (x), flagstone_max_y = (y);                     \
		flagstone_max_x > flagstone_max_y ? flagstone_max_x : flagstone_max_y; \
	})
/* x, or the nearer bound, low <= high. clamp_val: as the type of x. */
#define clamp_t(type, x, low, high) min_t(type, max_t(type, x, low), high)
#define clamp_val(x, low, high) clamp_t(__typeof__(x), x, low, high)

#ifndef __cplusplus /* which has its own, by the same names */
/* Of one type: comparing others is a mistake that the compiler warns of. */
#define min(x, y)                                                                      \
	({                                                                             \
		__typeof__(x) flagstone_min_x = (x);                                   \
		__typeof__(y) flagstone_min_y = (y);                                   \
		(void)(&flagstone_min_x == &flagstone_min_y);                          \
		flagstone_min_x < flagstone_min_y ? flagstone_min_x : flagstone_min_y; \
	})
#define max(x, y)                                                                      \
	({                                                                             \
		__typeof__(x) flagstone_max_x = (x);                                   \
		__typeof__(y) flagstone_max_y = (y);                                   \
		(void)(&flagstone_max_x == &flagstone_max_y);                          \
		flagstone_max_x > flagstone_max_y ? flagstone_max_x : flagstone_max_y; \
	})
/* Of three. */
#define min3(x, y, z) min((__typeof__(x))min(x, y), z)
#define max3(x, y, z) max((__typeof__(x))max(x, y), z)
/* The smaller that is not 0; 0 if both are. */
#define min_not_zero(x, y)                                               \
	({                                                               \
		__typeof__(x) flagstone_nz_x = (x);                      \
		__typeof__(y) flagstone_nz_y = (y);                      \
		!flagstone_nz_x   ? flagstone_nz_y                       \
		: !flagstone_nz_y ? flagstone_nz_x                       \
				  : min(flagstone_nz_x, flagstone_nz_y); \
	})
#define clamp(x, low, high) clamp_t(__typeof__(x), x, low, high)
/* Trades the values of two variables. */
#define swap(a, b)                                     \
	do {                                           \
		__typeof__(a) flagstone_swapped = (a); \
		(a) = (b);                             \
		(b) = flagstone_swapped;               \
	} while (0)
#endif

#endif
