/*
 * linux/math64.h: divides 64-bit numbers.
 *
 * Semantics: Linux, the kernel's header of this name. Any context. Dividing by 0 is the caller's mistake.
 */
#ifndef FLAGSTONE_LINUX_MATH64_H
#define FLAGSTONE_LINUX_MATH64_H

#pragma GCC system_header /* 128-bit integers are an extension; macros nest */
#include <linux/math.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* By numbers of 32 bits; _rem: and the remainder, which has the sign of the dividend. */
static inline u64 div_u64_rem(u64 dividend, u32 divisor, u32 *remainder)
{
	*remainder = (u32)(dividend % divisor);
	return dividend / divisor;
}

static inline s64 div_s64_rem(s64 dividend, s32 divisor, s32 *remainder)
{
	*remainder = (s32)(dividend % divisor);
	return dividend / divisor;
}

static inline u64 div_u64(u64 dividend, u32 divisor)
{
	return dividend / divisor;
}

static inline s64 div_s64(s64 dividend, s32 divisor)
{
	return dividend / divisor;
}

/* By numbers of 64 bits. */
static inline u64 div64_u64_rem(u64 dividend, u64 divisor, u64 *remainder)
{
	*remainder = dividend % divisor;
	return dividend / divisor;
}

static inline u64 div64_u64(u64 dividend, u64 divisor)
{
	return dividend / divisor;
}

static inline s64 div64_s64(s64 dividend, s64 divisor)
{
	return dividend / divisor;
}

#define div64_long(x, y) div64_s64((x), (y))
#define div64_ul(x, y) div64_u64((x), (y))

/* For a quotient that is small. */
static inline u32 iter_div_u64_rem(u64 dividend, u32 divisor, u64 *remainder)
{
	*remainder = dividend % divisor;
	return (u32)(dividend / divisor);
}

/* Divides the u64 variable n by base, and is the remainder. */
#define do_div(n, base)                                   \
	({                                                \
		u32 flagstone_base = (base);              \
		u32 flagstone_rem = (n) % flagstone_base; \
		(n) = (n) / flagstone_base;               \
		flagstone_rem;                            \
	})

/* Products; _shr, _div: shifted down, or divided, before they are cut to 64 bits. */
static inline u64 mul_u32_u32(u32 a, u32 b)
{
	return (u64)a * b;
}

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (u64)(((unsigned __int128)a * b) >> shift);
}

static inline u64 mul_u64_u32_shr(u64 a, u32 b, unsigned int shift)
{
	return mul_u64_u64_shr(a, b, shift);
}

static inline u64 mul_s64_u64_shr(s64 a, u64 b, unsigned int shift)
{
	u64 product = mul_u64_u64_shr(a < 0 ? 0 - (u64)a : (u64)a, b, shift);

	return a < 0 ? 0 - product : product;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 divisor)
{
	return (u64)((unsigned __int128)a * b / divisor);
}

static inline u64 mul_u64_u32_div(u64 a, u32 b, u32 divisor)
{
	return mul_u64_u64_div_u64(a, b, divisor);
}

/* Rounded up; to the nearest. */
#define DIV64_U64_ROUND_UP(n, d)                                 \
	({                                                       \
		u64 flagstone_up = (d);                          \
		div64_u64((n) + flagstone_up - 1, flagstone_up); \
	})
#define DIV64_U64_ROUND_CLOSEST(n, d)                                \
	({                                                           \
		u64 flagstone_near = (d);                            \
		div64_u64((n) + flagstone_near / 2, flagstone_near); \
	})
#define DIV_U64_ROUND_CLOSEST(n, d)                                     \
	({                                                              \
		u32 flagstone_near = (d);                               \
		div_u64((u64)(n) + flagstone_near / 2, flagstone_near); \
	})
#define DIV_S64_ROUND_CLOSEST(n, d)                                                   \
	({                                                                            \
		s64 flagstone_of = (n);                                               \
		s32 flagstone_near = (d);                                             \
		(flagstone_of < 0) == (flagstone_near < 0)                            \
			? div_s64(flagstone_of + flagstone_near / 2, flagstone_near)  \
			: div_s64(flagstone_of - flagstone_near / 2, flagstone_near); \
	})

#ifdef __cplusplus
}
#endif

#endif
