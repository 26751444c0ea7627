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
#include <linux/align.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/might_sleep.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <stdio.h> /* snprintf */

#include <stdarg.h>

/* How many elements an array has. What is no array does not compile. */
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]) + (size_t)__must_be_array(array))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Text into size bytes, cut and, unless size is 0, ended, as snprintf() does; but returns how many bytes are there, without the zero,
 * and so never size or more.
 */
static inline __printf(3, 0) int vscnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	int length = vsnprintf(buffer, size, format, args);

	return length < 0 || !size ? 0 : (size_t)length < size ? length : (int)size - 1;
}

static inline __printf(3, 4) int scnprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vscnprintf(buffer, size, format, args);
	va_end(args);
	return length;
}

/*
 * Text in memory of its own, for kfree(). Formats are those of printk(). Returns NULL when memory is out. _const: the format itself, if
 * it is a constant with nothing to fill in, or "%s" and the argument, if that is a constant; for kfree_const(). Context: by the flags.
 */
char *kasprintf(gfp_t gfp, const char *format, ...) __printf(2, 3) __attribute__((malloc));
char *kvasprintf(gfp_t gfp, const char *format, va_list args) __printf(2, 0) __attribute__((malloc));
const char *kvasprintf_const(gfp_t gfp, const char *format, va_list args) __printf(2, 0);

#ifdef __cplusplus
}
#endif

#endif
