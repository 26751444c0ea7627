/*
 * linux/string.h: the C library's functions on strings and memory, and those that only the kernel has; kmemdup and its like are in
 * linux/slab.h.
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

/* As strscpy(), and zeros up to size. */
static inline ssize_t strscpy_pad(char *to, const char *from, size_t size)
{
	ssize_t length = strscpy(to, from, size);

	if (length >= 0)
		memset(to + length, 0, size - (size_t)length);
	return length;
}

/* Older forms: return the length that the whole text would have. */
static inline size_t flagstone_strlcpy(char *to, const char *from, size_t size)
{
	strscpy(to, from, size);
	return strlen(from);
}

static inline size_t flagstone_strlcat(char *to, const char *from, size_t size)
{
	size_t length = strnlen(to, size);

	return length + flagstone_strlcpy(to + length, from, size - length);
}
#ifndef __cplusplus /* newer C libraries have these */
#undef strlcpy
#undef strlcat
#define strlcpy flagstone_strlcpy
#define strlcat flagstone_strlcat
#endif

/* The first byte that is no blank; and the text without blanks around it, which is cut. strstrip() is strim(). */
static inline char *skip_spaces(const char *text)
{
	return (char *)text + strspn(text, " \t\n\v\f\r");
}

static inline char *strim(char *text)
{
	size_t length = strlen(text);

	while (length && strchr(" \t\n\v\f\r", text[length - 1]))
		length--;
	text[length] = '\0';
	return skip_spaces(text);
}
#define strstrip(text) strim(text)

/* Puts one byte in place of another, everywhere. Returns the end of the text. */
static inline char *strreplace(char *text, char old, char with)
{
	for (; *text; text++)
		if (*text == old)
			*text = with;
	return text;
}

/* The first such byte of the first length ones, its zero not counted; NULL: none. Where it is, or else the end. */
static inline char *strnchr(const char *text, size_t length, int byte)
{
	for (; length-- && *text; text++)
		if (*text == (char)byte)
			return (char *)text;
	return NULL;
}

#if !defined(_GNU_SOURCE) && !defined(__cplusplus)
static inline char *strchrnul(const char *text, int byte)
{
	while (*text && *text != (char)byte)
		text++;
	return (char *)text;
}
#endif

/* The first place of a text within the first length bytes of another; NULL: none. */
static inline char *strnstr(const char *text, const char *what, size_t length)
{
	size_t wanted = strlen(what);

	for (; length >= wanted; text++, length--) {
		if (!memcmp(text, what, wanted))
			return (char *)text;
		if (!*text)
			break;
	}
	return NULL;
}

/* Whether it begins so; the length of how it begins, or 0. */
static inline bool strstarts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static inline size_t str_has_prefix(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? length : 0;
}

/* What follows the last slash. */
static inline const char *kbasename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether two texts are the same, one newline at the end of either left out: what somebody wrote by echo. */
static inline bool sysfs_streq(const char *a, const char *b)
{
	size_t length_a = strlen(a), length_b = strlen(b);

	length_a -= length_a && a[length_a - 1] == '\n';
	length_b -= length_b && b[length_b - 1] == '\n';
	return length_a == length_b && !memcmp(a, b, length_a);
}

/* Where a text is among n, or before the first NULL; -EINVAL: nowhere. __sysfs_: compared as sysfs_streq() does. */
static inline int match_string(const char *const *array, size_t n, const char *text)
{
	for (size_t i = 0; i < n && array[i]; i++)
		if (!strcmp(array[i], text))
			return (int)i;
	return -EINVAL;
}

static inline int __sysfs_match_string(const char *const *array, size_t n, const char *text)
{
	for (size_t i = 0; i < n && array[i]; i++)
		if (sysfs_streq(array[i], text))
			return (int)i;
	return -EINVAL;
}
#define sysfs_match_string(array, text) __sysfs_match_string((array), sizeof(array) / sizeof((array)[0]), (text))

/* The first byte that is not that one; NULL: none. */
static inline void *memchr_inv(const void *memory, int byte, size_t length)
{
	const unsigned char *at = (const unsigned char *)memory;

	for (; length; at++, length--)
		if (*at != (unsigned char)byte)
			return (void *)at;
	return NULL;
}

/* The first byte that is that one; else the end. */
static inline void *memscan(void *memory, int byte, size_t length)
{
	void *found = memchr(memory, byte, length);

	return found ? found : (char *)memory + length;
}

/* Cleared for good: the compiler may not leave it out. */
static inline void memzero_explicit(void *memory, size_t length)
{
	memset(memory, 0, length);
	__asm__ __volatile__("" : : "r"(memory) : "memory");
}

/* size bytes at to: those of from, cut or with pad behind them. */
static inline void memcpy_and_pad(void *to, size_t size, const void *from, size_t length, int pad)
{
	if (length > size)
		length = size;
	memcpy(to, from, length);
	memset((char *)to + length, pad, size - length);
}

static inline void *memset16(uint16_t *to, uint16_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = value;
	return to;
}

static inline void *memset32(uint32_t *to, uint32_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = value;
	return to;
}

static inline void *memset64(uint64_t *to, uint64_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = value;
	return to;
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
