/*
 * strings.c: copies of memory and strings, and text in memory of its own.
 *
 * Calls kmalloc.c, and format.c, which is also printk's. No malloc comes here. Refuses to know how objects are found.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "runtime/host/host.h"
#include "runtime/slab/internal.h"

#define EXPORT __attribute__((visibility("default")))

/* length bytes of src, and behind them, with room for it, a zero. */
static void *dup_from(const void *src, size_t length, size_t room, gfp_t flags, const void *caller)
{
	char *copy = kmalloc_for(length + room, flags, caller);

	if (ZERO_OR_NULL_PTR(copy))
		return copy;
	memcpy(copy, src, length);
	if (room)
		copy[length] = '\0';
	return copy;
}

EXPORT void *kmemdup(const void *src, size_t length, gfp_t flags)
{
	return dup_from(src, length, 0, flags, __builtin_return_address(0));
}

EXPORT char *kstrdup(const char *s, gfp_t flags)
{
	return s ? dup_from(s, strlen(s), 1, flags, __builtin_return_address(0)) : NULL;
}

EXPORT char *kstrndup(const char *s, size_t max, gfp_t flags)
{
	return s ? dup_from(s, strnlen(s, max), 1, flags, __builtin_return_address(0)) : NULL;
}

EXPORT char *kmemdup_nul(const char *s, size_t length, gfp_t flags)
{
	return s ? dup_from(s, length, 1, flags, __builtin_return_address(0)) : NULL;
}

EXPORT const char *kstrdup_const(const char *s, gfp_t flags)
{
	if (!s || host_is_constant(s))
		return s;
	return dup_from(s, strlen(s), 1, flags, __builtin_return_address(0));
}

EXPORT void kfree_const(const void *object)
{
	if (!host_is_constant(object))
		kfree(object);
}

/* ---- text ---- */

static char *print_from(gfp_t gfp, const char *format, va_list args, const void *caller)
{
	va_list again;
	char *text;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return NULL;
	text = kmalloc_for((size_t)length + 1, gfp, caller);
	if (text)
		vsnprintf(text, (size_t)length + 1, format, args);
	return text;
}

EXPORT char *kvasprintf(gfp_t gfp, const char *format, va_list args)
{
	return print_from(gfp, format, args, __builtin_return_address(0));
}

EXPORT char *kasprintf(gfp_t gfp, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = print_from(gfp, format, args, __builtin_return_address(0));
	va_end(args);
	return text;
}

EXPORT const char *kvasprintf_const(gfp_t gfp, const char *format, va_list args)
{
	va_list first;
	const char *only;

	if (!strchr(format, '%'))
		return kstrdup_const(format, gfp);
	if (!strcmp(format, "%s")) {
		va_copy(first, args);
		only = va_arg(first, const char *);
		va_end(first);
		return kstrdup_const(only, gfp);
	}
	return print_from(gfp, format, args, __builtin_return_address(0));
}
