/*
 * format.c: text by the kernel's formats: printf's, and what may follow %p.
 *
 * Calls libc's snprintf for one number, string or character at a time, straight into the caller's memory, and report for names of
 * functions. No allocation, no lock, nothing shared: any context, signal handlers included. Refuses to know where text goes.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/slab/slab.h"

#undef snprintf
#define EXPORT __attribute__((visibility("default")))
#define POINTER_DIGITS 16
#define FIRST_PAGE 4096
#define MOST_DUMPED 64
#define MOST_ZEROS 64 /* of a 0 with its prefix */
#define SPEC_BYTES 16

/* What was asked for and what fits: bytes below size - 1 are there, length counts all. */
struct out {
	char *buffer;
	size_t size, length;
};

/* What lies between '%' and the letter. */
struct conversion {
	bool left, plus, blank, hash, zeros;
	int width; /* -1: none is said */
	int precision; /* -1: none is said */
	char size; /* H: hh; h; l; L: ll; z; t; j; 0 */
};

/* A va_list that functions can share: an array type on some ISAs, which decays when passed. */
struct arguments {
	va_list list;
};

static void put_format(struct out *out, const char *format, va_list args);

static void put(struct out *out, char byte)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = byte;
	out->length++;
}

static void put_all(struct out *out, const char *bytes, size_t count)
{
	while (count--)
		put(out, *bytes++);
}

static char *rest(const struct out *out)
{
	return out->length < out->size ? out->buffer + out->length : NULL;
}

static size_t room(const struct out *out)
{
	return out->length < out->size ? out->size - out->length : 0;
}

/* The conversion again, with width and precision as arguments. */
static void spec_make(char *spec, const struct conversion *conversion, const char *size, char letter)
{
	*spec++ = '%';
	if (conversion->left)
		*spec++ = '-';
	if (conversion->plus)
		*spec++ = '+';
	if (conversion->blank)
		*spec++ = ' ';
	if (conversion->hash)
		*spec++ = '#';
	if (conversion->zeros)
		*spec++ = '0';
	memcpy(spec, "*.*", 3);
	spec += 3;
	while (*size)
		*spec++ = *size++;
	*spec++ = letter;
	*spec = '\0';
}

/* The formats are made here, of a letter and a type that belong together. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#define PUT_BY_LIBC(out, conversion, size_letters, letter, value)                                           \
	do {                                                                                                \
		char flagstone_spec[SPEC_BYTES];                                                            \
		int flagstone_more;                                                                         \
		spec_make(flagstone_spec, conversion, size_letters, letter);                                \
		flagstone_more = snprintf(rest(out), room(out), flagstone_spec,                             \
			(conversion)->width < 0 ? 0 : (conversion)->width, (conversion)->precision, value); \
		(out)->length += flagstone_more > 0 ? (size_t)flagstone_more : 0;                           \
	} while (0)

/* The kernel has 0x before 0, too, which libc has not. */
static void put_prefixed_zero(struct out *out, const struct conversion *conversion, char letter)
{
	struct conversion digits = *conversion;
	char text[2 + MOST_ZEROS + 1] = {'0', letter};
	bool padded = digits.zeros && !digits.left && digits.precision < 0;
	int zeros = padded ? digits.width - 2 : digits.precision;

	zeros = zeros < 1 ? 1 : zeros > MOST_ZEROS ? MOST_ZEROS : zeros;
	memset(text + 2, '0', (size_t)zeros);
	digits.hash = digits.zeros = false;
	digits.precision = -1;
	PUT_BY_LIBC(out, &digits, "", 's', text);
}

static void put_number(struct out *out, const struct conversion *conversion, char letter, unsigned long long number)
{
	if (!number && conversion->hash && (letter | 32) == 'x')
		put_prefixed_zero(out, conversion, letter);
	else
		PUT_BY_LIBC(out, conversion, "ll", letter, number);
}

/* Is none, or cannot be one: then what the kernel prints instead. */
static void put_string(struct out *out, const struct conversion *conversion, const char *string)
{
	if (!string)
		string = "(null)";
	else if ((uintptr_t)string < FIRST_PAGE || IS_ERR(string))
		string = "(efault)";
	PUT_BY_LIBC(out, conversion, "", 's', string);
}

static void put_double(struct out *out, const struct conversion *conversion, char letter, struct arguments *args)
{
	if (conversion->size == 'L')
		PUT_BY_LIBC(out, conversion, "L", letter, va_arg(args->list, long double));
	else
		PUT_BY_LIBC(out, conversion, "", letter, va_arg(args->list, double));
}

static void put_character(struct out *out, const struct conversion *conversion, int byte)
{
	PUT_BY_LIBC(out, conversion, "", 'c', byte);
}
#pragma GCC diagnostic pop

static unsigned long long take_number(const struct conversion *conversion, bool has_sign, struct arguments *args)
{
	int number;

	switch (conversion->size) {
	case 'L':
	case 'j':
		return va_arg(args->list, unsigned long long);
	case 'l':
	case 'z':
	case 't':
		return va_arg(args->list, unsigned long);
	default:
		number = va_arg(args->list, int);
	}
	if (conversion->size == 'H')
		return has_sign ? (unsigned long long)(signed char)number : (unsigned char)number;
	if (conversion->size == 'h')
		return has_sign ? (unsigned long long)(short)number : (unsigned short)number;
	return has_sign ? (unsigned long long)number : (unsigned int)number;
}

/* ---- pointers ---- */

/* An address, as the kernel prints it where no_hash_pointers is set: all digits, unless a width is said. */
static void put_pointer(struct out *out, const struct conversion *asked, const void *pointer)
{
	struct conversion conversion = *asked;

	if (conversion.width < 0) {
		conversion.width = POINTER_DIGITS;
		conversion.zeros = !conversion.left;
	}
	conversion.precision = -1;
	put_number(out, &conversion, 'x', (uintptr_t)pointer);
}

/* Of errors that only the kernel knows, since no system call returns them. */
static const char *kernel_error(long error)
{
	switch (error) {
	case 512:
		return "ERESTARTSYS";
	case 513:
		return "ERESTARTNOINTR";
	case 514:
		return "ERESTARTNOHAND";
	case 515:
		return "ENOIOCTLCMD";
	case 516:
		return "ERESTART_RESTARTBLOCK";
	case 517:
		return "EPROBE_DEFER";
	case 518:
		return "EOPENSTALE";
	case 519:
		return "ENOPARAM";
	case 521:
		return "EBADHANDLE";
	case 522:
		return "ENOTSYNC";
	case 523:
		return "EBADCOOKIE";
	case 524:
		return "ENOTSUPP";
	case 525:
		return "ETOOSMALL";
	case 526:
		return "ESERVERFAULT";
	case 527:
		return "EBADTYPE";
	case 528:
		return "EJUKEBOX";
	case 529:
		return "EIOCBQUEUED";
	case 530:
		return "ERECALLCONFLICT";
	default:
		return strerrorname_np((int)error);
	}
}

static void put_error(struct out *out, const struct conversion *conversion, const void *pointer)
{
	char name[32] = "-";
	const char *found;

	if (!IS_ERR(pointer)) {
		put_pointer(out, conversion, pointer);
		return;
	}
	found = kernel_error(-PTR_ERR(pointer));
	if (!found) {
		put_number(out, conversion, 'd', (unsigned long long)PTR_ERR(pointer));
		return;
	}
	strncat(name, found, sizeof(name) - 2);
	put_string(out, conversion, name);
}

/* A function: NAME+0xOFFSET/0xSIZE, or its name alone. back: the address is a return address, behind the call. */
static void put_symbol(struct out *out, const struct conversion *conversion, uintptr_t address, bool back, bool alone)
{
	char text[200];
	uintptr_t offset, size;
	const char *name = report_symbol(address - back, &offset, &size);

	if (!name)
		snprintf(text, sizeof(text), "0x%lx", (unsigned long)address);
	else if (alone)
		snprintf(text, sizeof(text), "%s", name);
	else
		snprintf(text, sizeof(text), "%s+0x%lx/0x%lx", name, (unsigned long)(offset + back),
			(unsigned long)size);
	put_string(out, conversion, text);
}

static void put_byte(struct out *out, unsigned char byte)
{
	put(out, "0123456789abcdef"[byte >> 4]);
	put(out, "0123456789abcdef"[byte & 15]);
}

/* As many bytes as the width says, or one. */
static void put_dump(struct out *out, const struct conversion *conversion, const unsigned char *bytes, char kind)
{
	char separator = kind == 'C' ? ':' : kind == 'D' ? '-' : kind == 'N' ? '\0' : ' ';
	int count = conversion->width < 0 ? 1 : conversion->width;

	for (int i = 0; i < count && i < MOST_DUMPED; i++) {
		if (i && separator)
			put(out, separator);
		put_byte(out, bytes[i]);
	}
}

/* Six bytes of an address of Ethernet's. */
static void put_mac(struct out *out, const unsigned char *bytes, bool separated, char how)
{
	for (int i = 0; i < 6; i++) {
		if (i && separated)
			put(out, how == 'F' ? '-' : ':');
		put_byte(out, bytes[how == 'R' ? 5 - i : i]);
	}
}

static void put_ipv4(struct out *out, const unsigned char *bytes, bool zeros)
{
	struct conversion conversion = {.precision = zeros ? 3 : -1, .width = -1};

	for (int i = 0; i < 4; i++) {
		if (i)
			put(out, '.');
		put_number(out, &conversion, 'd', bytes[i]);
	}
}

static bool bit_is_set(const unsigned long *bits, int nr)
{
	return bits[nr / BITS_PER_LONG] >> nr % BITS_PER_LONG & 1;
}

/* Groups of 32 bits, the highest first, which has no more digits than it needs for its bits. */
static void put_bits(struct out *out, const unsigned long *bits, int count)
{
	for (int end = count; end > 0; end = (end - 1) / 32 * 32) {
		int begin = (end - 1) / 32 * 32;
		struct conversion conversion = {.precision = (end - begin + 3) / 4, .width = -1};
		unsigned long word =
			bits[begin / BITS_PER_LONG] >> begin % BITS_PER_LONG & ~0ul >> (64 - (end - begin));

		put_number(out, &conversion, 'x', word);
		if (begin)
			put(out, ',');
	}
}

/* 0,3-7,20 */
static void put_bit_ranges(struct out *out, const unsigned long *bits, int count)
{
	struct conversion conversion = {.precision = -1, .width = -1};
	bool first = true;

	for (int begin = 0, end; begin < count; begin = end + 1) {
		for (end = begin; end < count && bit_is_set(bits, end); end++)
			;
		if (end == begin)
			continue;
		if (!first)
			put(out, ',');
		first = false;
		put_number(out, &conversion, 'd', (unsigned long long)begin);
		if (end == begin + 1)
			continue;
		put(out, '-');
		put_number(out, &conversion, 'd', (unsigned long long)(end - 1));
	}
}

static void put_physical(struct out *out, const struct conversion *asked, const void *pointer, char kind)
{
	struct conversion conversion = *asked;

	conversion.hash = conversion.zeros = true;
	conversion.left = false;
	conversion.precision = -1;
	conversion.width = POINTER_DIGITS + 2;
	put_number(out, &conversion, 'x', kind == 'd' ? *(const dma_addr_t *)pointer : *(const phys_addr_t *)pointer);
}

static void put_nested(struct out *out, const struct va_format *nested)
{
	va_list args;

	va_copy(args, *nested->va);
	put_format(out, nested->fmt, args);
	va_end(args);
}

/* What is at the pointer, for the letters that look there. False for others. */
static bool put_pointed_to(struct out *out, const struct conversion *conversion, const void *pointer, const char *kind)
{
	if (!kind[0] || !strchr("habMmIiV", kind[0]))
		return false;
	if ((kind[0] == 'I' || kind[0] == 'i') && kind[1] != '4')
		return false;
	if ((uintptr_t)pointer < FIRST_PAGE || IS_ERR(pointer)) {
		struct conversion error = {.width = conversion->width, .precision = -1, .left = conversion->left};

		put_string(out, &error, pointer);
		return true;
	}
	switch (kind[0]) {
	case 'h':
		put_dump(out, conversion, pointer, kind[1]);
		break;
	case 'a':
		put_physical(out, conversion, pointer, kind[1]);
		break;
	case 'b':
		(kind[1] == 'l' ? put_bit_ranges : put_bits)(out, pointer, conversion->width);
		break;
	case 'V':
		put_nested(out, pointer);
		break;
	case 'M':
	case 'm':
		put_mac(out, pointer, kind[0] == 'M', kind[1]);
		break;
	default:
		put_ipv4(out, pointer, kind[0] == 'i');
		break;
	}
	return true;
}

/* kind: the letters behind the p. */
static void put_kind(struct out *out, const struct conversion *conversion, const void *pointer, const char *kind)
{
	if (put_pointed_to(out, conversion, pointer, kind))
		return;
	switch (kind[0]) {
	case 'e':
		put_error(out, conversion, pointer);
		break;
	case 'S':
	case 's':
	case 'B':
		put_symbol(out, conversion, (uintptr_t)pointer, kind[0] == 'B', kind[0] == 's');
		break;
	default:
		put_pointer(out, conversion, pointer);
		break;
	}
}

/* ---- the format ---- */

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

static const char *parse_flags(struct conversion *conversion, const char *format)
{
	for (;; format++) {
		switch (*format) {
		case '-':
			conversion->left = true;
			break;
		case '+':
			conversion->plus = true;
			break;
		case ' ':
			conversion->blank = true;
			break;
		case '#':
			conversion->hash = true;
			break;
		case '0':
			conversion->zeros = true;
			break;
		default:
			return format;
		}
	}
}

static const char *parse_size(struct conversion *conversion, const char *format)
{
	if (!*format || !strchr("hlLzZtj", *format))
		return format;
	conversion->size = *format == 'Z' ? 'z' : *format;
	if (format[1] == format[0] && (*format == 'h' || *format == 'l')) {
		conversion->size = *format == 'h' ? 'H' : 'L';
		format++;
	}
	return format + 1;
}

/* Reads what follows '%', up to the letter, which it returns the place of. */
static const char *parse(struct conversion *conversion, const char *format, struct arguments *args)
{
	*conversion = (struct conversion){.width = -1, .precision = -1};
	format = parse_flags(conversion, format);
	if (*format == '*' || (*format >= '0' && *format <= '9')) {
		conversion->width = parse_count(&format, args);
		if (conversion->width < 0) {
			conversion->left = true;
			conversion->width = conversion->width == INT_MIN ? INT_MAX : -conversion->width;
		}
	}
	if (*format == '.') {
		format++;
		conversion->precision = parse_count(&format, args);
		/* Of the kernel's own: a negative one is none of printf's either, but 0. */
		if (conversion->precision < 0)
			conversion->precision = 0;
	}
	return parse_size(conversion, format);
}

/* The argument of one conversion. Returns what follows its letters; NULL: it is none that is known, nor how long its argument is. */
static const char *put_converted(
	struct out *out, const struct conversion *conversion, const char *letter, struct arguments *args)
{
	bool has_sign = *letter == 'd' || *letter == 'i';

	switch (*letter) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_number(out, conversion, *letter, take_number(conversion, has_sign, args));
		return letter + 1;
	case 's':
		put_string(out, conversion, va_arg(args->list, const char *));
		return letter + 1;
	case 'c':
		put_character(out, conversion, va_arg(args->list, int));
		return letter + 1;
	case 'p':
		put_kind(out, conversion, va_arg(args->list, const void *), letter + 1);
		/* All letters and digits behind it belong to it, as in the kernel. */
		for (letter++; (*letter | 32) - 'a' + 0u < 26 || *letter - '0' + 0u < 10; letter++)
			;
		return letter;
	case '%':
		put(out, '%');
		return letter + 1;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		put_double(out, conversion, *letter, args);
		return letter + 1;
	default:
		return NULL;
	}
}

static void put_format(struct out *out, const char *format, va_list list)
{
	struct conversion conversion;
	struct arguments args;

	va_copy(args.list, list);
	while (format && *format) {
		const char *percent = strchrnul(format, '%');

		put_all(out, format, (size_t)(percent - format));
		if (!*percent)
			break;
		format = put_converted(out, &conversion, parse(&conversion, percent + 1, &args), &args);
		if (!format)
			put_all(out, percent, strlen(percent));
	}
	va_end(args.list);
}

EXPORT int flagstone_vsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	struct out out = {.buffer = buffer, .size = size};

	put_format(&out, format, args);
	if (size)
		buffer[out.length < size ? out.length : size - 1] = '\0';
	return out.length > INT_MAX ? INT_MAX : (int)out.length;
}

EXPORT int flagstone_snprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = flagstone_vsnprintf(buffer, size, format, args);
	va_end(args);
	return length;
}

EXPORT int flagstone_vsprintf(char *buffer, const char *format, va_list args)
{
	return flagstone_vsnprintf(buffer, INT_MAX, format, args);
}

EXPORT int flagstone_sprintf(char *buffer, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = flagstone_vsnprintf(buffer, INT_MAX, format, args);
	va_end(args);
	return length;
}
