/*
 * kstrtox.c: numbers from texts.
 *
 * Calls nothing. Refuses to know where the texts come from.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <stddef.h>

/* The number that a digit is, of base 16 and below; more than any base: it is no digit. */
static unsigned int digit_of(char byte)
{
	if (byte >= '0' && byte <= '9')
		return (unsigned int)(byte - '0');
	byte |= 32;
	return byte >= 'a' && byte <= 'f' ? (unsigned int)(byte - 'a') + 10 : ~0u;
}

/* Skips what says the base. A 0x without a digit behind it is the number 0, and an x. */
static const char *find_base(const char *text, unsigned int *base)
{
	bool hexadecimal = text[0] == '0' && (text[1] | 32) == 'x' && digit_of(text[2]) < 16;

	if (!*base)
		*base = hexadecimal ? 16 : text[0] == '0' ? 8 : 10;
	return *base == 16 && hexadecimal ? text + 2 : text;
}

/* Digits up to the first byte that is none, whose place is returned. *overflow: they are too many, and have wrapped around. */
static const char *take_digits(const char *text, unsigned int base, unsigned long long *number, bool *overflow)
{
	*number = 0;
	*overflow = false;
	for (; digit_of(*text) < base; text++) {
		*overflow |= __builtin_mul_overflow(*number, base, number);
		*overflow |= __builtin_add_overflow(*number, digit_of(*text), number);
	}
	return text;
}

/* A whole text, without a sign. */
static int whole_number(const char *text, unsigned int base, unsigned long long *result)
{
	const char *digits = find_base(text, &base), *end;
	unsigned long long number;
	bool overflow;

	end = take_digits(digits, base, &number, &overflow);
	if (overflow)
		return -ERANGE;
	if (end == digits)
		return -EINVAL;
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	*result = number;
	return 0;
}

int kstrtoull(const char *text, unsigned int base, unsigned long long *result)
{
	return whole_number(*text == '+' ? text + 1 : text, base, result);
}

int kstrtoll(const char *text, unsigned int base, long long *result)
{
	bool minus = *text == '-';
	unsigned long long number;
	int error = whole_number(minus || *text == '+' ? text + 1 : text, base, &number);

	if (error)
		return error;
	if (number > (unsigned long long)LLONG_MAX + minus)
		return -ERANGE;
	*result = (long long)(minus ? 0 - number : number);
	return 0;
}

/* Of a wider type, for a narrower one. */
#define NARROWER(name, type, wide, wide_type)                       \
	int name(const char *text, unsigned int base, type *result) \
	{                                                           \
		wide_type number;                                   \
		int error = wide(text, base, &number);              \
                                                                    \
		if (error)                                          \
			return error;                               \
		if (number != (wide_type)(type)number)              \
			return -ERANGE;                             \
		*result = (type)number;                             \
		return 0;                                           \
	}

NARROWER(kstrtoul, unsigned long, kstrtoull, unsigned long long)
NARROWER(kstrtol, long, kstrtoll, long long)
NARROWER(kstrtouint, unsigned int, kstrtoull, unsigned long long)
NARROWER(kstrtoint, int, kstrtoll, long long)
NARROWER(kstrtou16, u16, kstrtoull, unsigned long long)
NARROWER(kstrtos16, s16, kstrtoll, long long)
NARROWER(kstrtou8, u8, kstrtoull, unsigned long long)
NARROWER(kstrtos8, s8, kstrtoll, long long)

int kstrtobool(const char *text, bool *result)
{
	char first = text ? text[0] | 32 : '\0', second = first == 'o' ? text[1] | 32 : '\0';

	if (text && (first == 'y' || first == 't' || text[0] == '1' || second == 'n'))
		*result = true;
	else if (text && (first == 'n' || first == 'f' || text[0] == '0' || second == 'f'))
		*result = false;
	else
		return -EINVAL;
	return 0;
}

/* ---- the number that a text begins with ---- */

unsigned long long simple_strtoull(const char *text, char **end, unsigned int base)
{
	const char *digits = find_base(text, &base), *behind;
	unsigned long long number;
	bool overflow;

	behind = take_digits(digits, base, &number, &overflow);
	if (end)
		*end = (char *)behind;
	return number;
}

long long simple_strtoll(const char *text, char **end, unsigned int base)
{
	if (*text == '-')
		return (long long)(0 - simple_strtoull(text + 1, end, base));
	return (long long)simple_strtoull(text, end, base);
}

unsigned long simple_strtoul(const char *text, char **end, unsigned int base)
{
	return (unsigned long)simple_strtoull(text, end, base);
}

long simple_strtol(const char *text, char **end, unsigned int base)
{
	return (long)simple_strtoll(text, end, base);
}

unsigned long long memparse(const char *text, char **rest)
{
	static const char suffixes[] = "kmgtpe";
	char *end;
	unsigned long long number = simple_strtoull(text, &end, 0);

	for (int i = 0; suffixes[i]; i++) {
		if ((*end | 32) != suffixes[i])
			continue;
		number <<= 10 * (i + 1);
		end++;
		break;
	}
	if (rest)
		*rest = end;
	return number;
}

int get_option(char **text, int *number)
{
	char *begin = *text, *end;
	long value = begin ? simple_strtol(begin, &end, 0) : 0;

	if (!begin || !*begin || end == begin)
		return 0;
	*number = (int)value;
	*text = end;
	if (*end == ',') {
		*text = end + 1;
		return 2;
	}
	return *end == '-' ? 3 : 1;
}
