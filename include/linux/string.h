/*
 * linux/string.h: the C library's functions on strings and memory; kmemdup and its like are in linux/slab.h.
 *
 * Semantics: Linux, Documentation/core-api/kernel-api.rst, "String Manipulation". Any context.
 */
#ifndef FLAGSTONE_LINUX_STRING_H
#define FLAGSTONE_LINUX_STRING_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/string.h>)
#include_next <linux/string.h>
#endif
#endif
#include <errno.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <string.h>

/* Copies text into size bytes, cut and always ended. Returns its length, or -E2BIG if it was cut. */
static inline ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size);

	if (!size)
		return -E2BIG;
	if (length == size)
		length--;
	memcpy(to, from, length);
	to[length] = '\0';
	return from[length] ? -E2BIG : (ssize_t)length;
}

#endif
