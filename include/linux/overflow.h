/*
 * linux/overflow.h: arithmetic that tells when a result does not fit, and sizes that then become SIZE_MAX, which no allocation gives.
 *
 * Semantics: Linux, Documentation/process/deprecated.rst ("open-coded arithmetic in allocator arguments") and the kernel's header of
 * this name. Any context.
 */
#ifndef FLAGSTONE_LINUX_OVERFLOW_H
#define FLAGSTONE_LINUX_OVERFLOW_H

#pragma GCC system_header /* comparisons that are always true for some types */
#include <linux/compiler.h>
#include <linux/limits.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The smallest and largest number of an integer type; whether it has a sign. */
#define is_signed_type(type) (((type)(-1)) < (__typeof__((type)(-1)))1)
#define FLAGSTONE_HALF_MAX(type) ((type)1 << (8 * sizeof(type) - 1 - is_signed_type(type)))
#define type_max(type) ((type)((FLAGSTONE_HALF_MAX(type) - 1) + FLAGSTONE_HALF_MAX(type)))
#define type_min(type) ((type)((type)-type_max(type) - (type)1))

/* Of a macro: that its result is looked at. */
static inline bool __must_check __must_check_overflow(bool overflow)
{
	return unlikely(overflow);
}

/*
 * *d = a + b, a - b, a * b: integers of any types. Returns true if *d, which has the result's lower bits in any case, is not that.
 * Each argument is evaluated once.
 */
#define check_add_overflow(a, b, d) __must_check_overflow(__builtin_add_overflow(a, b, d))
#define check_sub_overflow(a, b, d) __must_check_overflow(__builtin_sub_overflow(a, b, d))
#define check_mul_overflow(a, b, d) __must_check_overflow(__builtin_mul_overflow(a, b, d))
/* *d = a << s. Returns true if that is not what it should be, and *d of no use: a or s is below 0, or a's bits do not fit below the
 * sign. Each argument is evaluated once. */
#define check_shl_overflow(a, s, d)                                                                                \
	__must_check_overflow(({                                                                                   \
		__typeof__(a) flagstone_a = (a);                                                                   \
		__typeof__(s) flagstone_s = (s);                                                                   \
		__typeof__(d) flagstone_d = (d);                                                                   \
		unsigned long long flagstone_most = (unsigned long long)type_max(__typeof__(*flagstone_d));        \
		bool flagstone_fits = flagstone_a >= 0 && flagstone_s >= 0 && flagstone_s < 64 &&                  \
				      (unsigned long long)flagstone_a <= flagstone_most >> flagstone_s;            \
		*flagstone_d =                                                                                     \
			(__typeof__(*flagstone_d))(flagstone_fits ? (unsigned long long)flagstone_a << flagstone_s \
								  : 0);                                            \
		!flagstone_fits;                                                                                   \
	}))

/* Bytes, or SIZE_MAX if the result does not fit; of size_sub() also if one of them is SIZE_MAX already. */
static inline size_t __must_check size_mul(size_t a, size_t b)
{
	size_t bytes;

	return check_mul_overflow(a, b, &bytes) ? SIZE_MAX : bytes;
}

static inline size_t __must_check size_add(size_t a, size_t b)
{
	size_t bytes;

	return check_add_overflow(a, b, &bytes) ? SIZE_MAX : bytes;
}

static inline size_t __must_check size_sub(size_t a, size_t b)
{
	size_t bytes;

	return a == SIZE_MAX || b == SIZE_MAX || check_sub_overflow(a, b, &bytes) ? SIZE_MAX : bytes;
}

/* Bytes of a two- and of a three-dimensional array. */
#define array_size(a, b) size_mul(a, b)
#define array3_size(a, b, c) size_mul(size_mul(a, b), c)
/* Bytes of count elements of the flexible array at a structure's end; and with the structure. p is not dereferenced. */
#define flex_array_size(p, member, count) size_mul((size_t)(count), sizeof(*(p)->member) + __must_be_array((p)->member))
#define struct_size(p, member, count) size_add(sizeof(*(p)), flex_array_size(p, member, count))
/* As struct_size, of a type. */
#define struct_size_t(type, member, count) struct_size((type *)NULL, member, count)

#ifdef __cplusplus
}
#endif

#endif
