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
	if (length >= size)
		length = size - 1;
	memcpy(to, from, length);
	to[length] = '\0';
	return from[length] ? -E2BIG : (ssize_t)length;
}

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A copy of a string, for kfree_const(); the string itself, if it lies in the program's constants; NULL of NULL, or when memory is out.
 * Constants of shared libraries are copied, as those of loaded modules are in Linux. Context: by the flags; kfree_const(): any.
 */
const char *kstrdup_const(const char *s, gfp_t flags);
void kfree_const(const void *object);

#ifdef __cplusplus
}
#endif

#endif
