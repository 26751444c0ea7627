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
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/might_sleep.h>
#include <linux/minmax.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/sprintf.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>

/* How many elements an array has. What is no array does not compile. */
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]) + (size_t)__must_be_array(array))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The digits of a byte in lower case; the number of a digit, or -1. Any context. */
extern const char hex_asc[];
#define hex_asc_lo(x) hex_asc[(x)&0x0f]
#define hex_asc_hi(x) hex_asc[((x)&0xf0) >> 4]
static inline char *hex_byte_pack(char *buffer, u8 byte)
{
	*buffer++ = hex_asc_hi(byte);
	*buffer++ = hex_asc_lo(byte);
	return buffer;
}
int hex_to_bin(unsigned char digit);
/* count bytes from twice as many digits: 0, or -EINVAL for what is no digit. */
int __must_check hex2bin(u8 *to, const char *digits, size_t count);
/* Twice count digits of count bytes, with no zero behind them. Returns where they end. */
char *bin2hex(char *to, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
