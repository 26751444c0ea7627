/*
 * linux/kernel.h: small helpers that kernel code is full of.
 *
 * Semantics: Linux, Documentation/core-api/kernel-api.rst. Any context. Every argument is evaluated once.
 */
#ifndef FLAGSTONE_LINUX_KERNEL_H
#define FLAGSTONE_LINUX_KERNEL_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/kernel.h>)
#include_next <linux/kernel.h>
#endif
#endif
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/might_sleep.h>
#include <linux/printk.h>
#include <linux/types.h>
#include <stdio.h> /* snprintf */

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif
#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif

#define U8_MAX ((u8)~0U)
#define U16_MAX ((u16)~0U)
#define U32_MAX ((u32)~0U)
#define U64_MAX ((u64)~0ULL)
#define S32_MAX ((s32)(U32_MAX >> 1))
#define S64_MAX ((s64)(U64_MAX >> 1))

/* To a multiple of a power of two: up, down; whether it is one. */
#define ALIGN(x, align) (((x) + ((__typeof__(x))(align)-1)) & ~((__typeof__(x))(align)-1))
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
#define PTR_ALIGN(pointer, align) ((__typeof__(pointer))ALIGN((unsigned long)(pointer), (align)))
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align)-1)) == 0)
#define round_up(x, power) ((((x)-1) | (__typeof__(x))((power)-1)) + 1)
#define round_down(x, power) ((x) & ~((__typeof__(x))((power)-1)))
/* To a multiple of any number. */
#define roundup(x, to)                                                   \
	({                                                               \
		__typeof__(x) flagstone_to = (to);                       \
		((x) + (flagstone_to - 1)) / flagstone_to *flagstone_to; \
	})
#define rounddown(x, to)                          \
	({                                        \
		__typeof__(x) flagstone_x = (x);  \
		flagstone_x - flagstone_x % (to); \
	})
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_CLOSEST(n, d)                        \
	({                                             \
		__typeof__(d) flagstone_d = (d);       \
		((n) + flagstone_d / 2) / flagstone_d; \
	})

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
#define clamp_t(type, x, low, high) min_t(type, max_t(type, x, low), high)

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
#define clamp(x, low, high) clamp_t(__typeof__(x), x, low, high)
#define swap(a, b)                                     \
	do {                                           \
		__typeof__(a) flagstone_swapped = (a); \
		(a) = (b);                             \
		(b) = flagstone_swapped;               \
	} while (0)
#endif

#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define lower_32_bits(n) ((u32)((n)&0xffffffff))

#endif
