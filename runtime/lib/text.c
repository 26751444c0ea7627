/*
 * text.c: bounded formatting.
 *
 * Calls host to write full buffers out. Refuses to know locale, floating point, and the heap.
 */
#include "runtime/lib/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/host/host.h"

/* One conversion of a format: %[-0#]*[width][.precision][size]type. */
struct conversion {
	bool left;
	bool zeros;
	bool prefixed; /* %#x: with 0x before it, unless it is 0 */
	bool is_size;
	unsigned int longs; /* number of l */
	size_t width;
	size_t precision; /* of %s; SIZE_MAX: all of it */
	char type;
};

/* A va_list that functions can share: an array type on some ISAs, which decays when passed. */
struct arguments {
	va_list list;
};

void text_flush(struct text *text)
{
	if (text->fd < 0 || !text->length)
		return;
	host_write(text->fd, text->buffer, text->length);
	text->length = 0;
	text->buffer[0] = '\0';
}

static void put(struct text *text, const char *bytes, size_t length)
{
	if (text->size < 2)
		return;
	while (length) {
		size_t room = text->size - 1 - text->length;
		size_t part = length < room ? length : room;

		memcpy(text->buffer + text->length, bytes, part);
		text->length += part;
		bytes += part;
		length -= part;
		if (length && text->fd < 0)
			return;
		if (length)
			text_flush(text);
	}
}

static void put_repeated(struct text *text, char byte, size_t count)
{
	for (; count; count--)
		put(text, &byte, 1);
}

static void put_padded(struct text *text, const struct conversion *conversion, const char *bytes, size_t length)
{
	size_t padding = conversion->width > length ? conversion->width - length : 0;

	if (!conversion->left)
		put_repeated(text, ' ', padding);
	put(text, bytes, length);
	if (conversion->left)
		put_repeated(text, ' ', padding);
}

static void put_number(struct text *text, const struct conversion *conversion, unsigned long long number,
	unsigned int base, const char *prefix)
{
	char digits[24];
	char *first = digits + sizeof(digits);
	size_t length, prefix_length = strlen(prefix);

	do
		*--first = "0123456789abcdef"[number % base];
	while (number /= base);
	length = (size_t)(digits + sizeof(digits) - first);
	if (conversion->zeros && !conversion->left) {
		put(text, prefix, prefix_length);
		if (conversion->width > length + prefix_length)
			put_repeated(text, '0', conversion->width - length - prefix_length);
		put(text, first, length);
		return;
	}
	first -= prefix_length;
	memcpy(first, prefix, prefix_length);
	put_padded(text, conversion, first, length + prefix_length);
}

static long long take_signed(const struct conversion *conversion, struct arguments *args)
{
	if (conversion->is_size)
		return va_arg(args->list, ptrdiff_t);
	if (conversion->longs >= 2)
		return va_arg(args->list, long long);
	return conversion->longs ? va_arg(args->list, long) : va_arg(args->list, int);
}

static unsigned long long take_unsigned(const struct conversion *conversion, struct arguments *args)
{
	if (conversion->is_size)
		return va_arg(args->list, size_t);
	if (conversion->longs >= 2)
		return va_arg(args->list, unsigned long long);
	return conversion->longs ? va_arg(args->list, unsigned long) : va_arg(args->list, unsigned int);
}

static void put_signed(struct text *text, const struct conversion *conversion, struct arguments *args)
{
	long long number = take_signed(conversion, args);
	unsigned long long magnitude = (unsigned long long)number;

	put_number(text, conversion, number < 0 ? 0 - magnitude : magnitude, 10, number < 0 ? "-" : "");
}

static void put_string(struct text *text, const struct conversion *conversion, const char *string)
{
	if (!string)
		string = "(null)";
	put_padded(text, conversion, string, strnlen(string, conversion->precision));
}

/* False for a type that this room does not know: how long its argument is, is then unknown too. */
static bool put_converted(struct text *text, const struct conversion *conversion, struct arguments *args)
{
	unsigned long long number;
	char byte;

	switch (conversion->type) {
	case 's':
		put_string(text, conversion, va_arg(args->list, const char *));
		return true;
	case 'c':
		byte = (char)va_arg(args->list, int);
		put_padded(text, conversion, &byte, 1);
		return true;
	case 'd':
	case 'i':
		put_signed(text, conversion, args);
		return true;
	case 'u':
		put_number(text, conversion, take_unsigned(conversion, args), 10, "");
		return true;
	case 'x':
		number = take_unsigned(conversion, args);
		put_number(text, conversion, number, 16, conversion->prefixed && number ? "0x" : "");
		return true;
	case 'p':
		put_number(text, conversion, (uintptr_t)va_arg(args->list, void *), 16, "0x");
		return true;
	case '%':
		put(text, "%", 1);
		return true;
	default:
		return false;
	}
}

/* A number of the format, or the next argument for '*'. Huge ones are held at INT_MAX. */
static int parse_count(const char **format, struct arguments *args)
{
	int count = 0;

	if (**format == '*') {
		(*format)++;
		return va_arg(args->list, int);
	}
	for (; **format >= '0' && **format <= '9'; (*format)++)
		count = count > (INT_MAX - 9) / 10 ? INT_MAX : count * 10 + (**format - '0');
	return count;
}

/* Reads what follows '%' and returns what follows the conversion. */
static const char *parse(struct conversion *conversion, const char *format, struct arguments *args)
{
	int count;

	*conversion = (struct conversion){.precision = SIZE_MAX};
	for (; *format == '-' || *format == '0' || *format == '#'; format++) {
		conversion->prefixed |= *format == '#';
		conversion->left |= *format == '-';
		conversion->zeros |= *format == '0';
	}
	count = parse_count(&format, args);
	conversion->left |= count < 0;
	conversion->width = count < 0 ? 0 - (size_t)count : (size_t)count;
	if (*format == '.') {
		format++;
		count = parse_count(&format, args);
		conversion->precision = count < 0 ? SIZE_MAX : (size_t)count;
	}
	for (; *format == 'l'; format++)
		conversion->longs++;
	if (*format == 'z') {
		conversion->is_size = true;
		format++;
	}
	conversion->type = *format;
	return *format ? format + 1 : format;
}

void text_vprintf(struct text *text, const char *format, va_list list)
{
	struct conversion conversion;
	struct arguments args;

	va_copy(args.list, list);
	while (*format) {
		const char *percent = strchrnul(format, '%');

		put(text, format, (size_t)(percent - format));
		if (!*percent)
			break;
		format = parse(&conversion, percent + 1, &args);
		if (!put_converted(text, &conversion, &args)) {
			put(text, percent, strlen(percent));
			break;
		}
	}
	va_end(args.list);
	if (text->size)
		text->buffer[text->length] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(text, format, args);
	va_end(args);
}
