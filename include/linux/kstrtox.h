/*
 * linux/kstrtox.h: numbers from texts.
 *
 * Semantics: Linux, Documentation/core-api/kernel-api.rst ("String Conversions"), and asked of one (tests/kernel/ask_text.c). Any context.
 */
#ifndef FLAGSTONE_LINUX_KSTRTOX_H
#define FLAGSTONE_LINUX_KSTRTOX_H

#include <linux/compiler.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A text that is a number and nothing else, but for one newline at its end. base: 2 to 16, or 0: 0x begins a hexadecimal number, another 0
 * an octal one. 16 allows the 0x. A '+' may stand before it, and where the type has a sign, a '-'.
 *
 * 0, and the number; -EINVAL: it is none; -ERANGE: the type cannot hold it. *result stays as it was then.
 */
int __must_check kstrtoull(const char *text, unsigned int base, unsigned long long *result);
int __must_check kstrtoll(const char *text, unsigned int base, long long *result);
int __must_check kstrtoul(const char *text, unsigned int base, unsigned long *result);
int __must_check kstrtol(const char *text, unsigned int base, long *result);
int __must_check kstrtouint(const char *text, unsigned int base, unsigned int *result);
int __must_check kstrtoint(const char *text, unsigned int base, int *result);
int __must_check kstrtou16(const char *text, unsigned int base, u16 *result);
int __must_check kstrtos16(const char *text, unsigned int base, s16 *result);
int __must_check kstrtou8(const char *text, unsigned int base, u8 *result);
int __must_check kstrtos8(const char *text, unsigned int base, s8 *result);

static inline int __must_check kstrtou64(const char *text, unsigned int base, u64 *result)
{
	return kstrtoull(text, base, result);
}

static inline int __must_check kstrtos64(const char *text, unsigned int base, s64 *result)
{
	return kstrtoll(text, base, result);
}

static inline int __must_check kstrtou32(const char *text, unsigned int base, u32 *result)
{
	return kstrtouint(text, base, result);
}

static inline int __must_check kstrtos32(const char *text, unsigned int base, s32 *result)
{
	return kstrtoint(text, base, result);
}

/* True of what begins with y, t, 1 or on, false of n, f, 0, of, in any case. 0, or -EINVAL; also of NULL. */
int __must_check kstrtobool(const char *text, bool *result);

/*
 * The number that a text begins with, wrapped around where the type cannot hold it; 0 if there is none. *end, unless end is NULL: what
 * follows it. No blanks are skipped. Where a wrong text should be noticed, use the functions above.
 */
unsigned long long simple_strtoull(const char *text, char **end, unsigned int base);
long long simple_strtoll(const char *text, char **end, unsigned int base);
unsigned long simple_strtoul(const char *text, char **end, unsigned int base);
long simple_strtol(const char *text, char **end, unsigned int base);

/* The number that a text begins with, times 1024 to the power that a K, M, G, T, P or E behind it says. *rest, unless NULL: what follows. */
unsigned long long memparse(const char *text, char **rest);
/* Takes a number from *text: 0: there is none; 1; 2: with a comma behind it, which is taken, too; 3: with a '-' behind. */
int get_option(char **text, int *number);

#ifdef __cplusplus
}
#endif

#endif
