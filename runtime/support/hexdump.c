/*
 * hexdump.c: bytes as hexadecimal digits, and back.
 *
 * Calls printk. Refuses to know what the bytes mean.
 */
#include <ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <string.h>

const char hex_asc[] = "0123456789abcdef";

int hex_to_bin(unsigned char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 32;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int hex2bin(u8 *to, const char *digits, size_t count)
{
	for (; count; count--, digits += 2) {
		int high = hex_to_bin((unsigned char)digits[0]);
		int low = high < 0 ? -1 : hex_to_bin((unsigned char)digits[1]);

		if (low < 0)
			return -EINVAL;
		*to++ = (u8)(high << 4 | low);
	}
	return 0;
}

char *bin2hex(char *to, const void *bytes, size_t count)
{
	const u8 *byte = bytes;

	while (count--)
		to = hex_byte_pack(to, *byte++);
	return to;
}

/* ---- lines ---- */

/* What a line consists of, after what was asked for has been made into what can be. */
struct layout {
	size_t length, rowsize, groupsize;
};

static struct layout layout_of(size_t length, int rowsize, int groupsize)
{
	struct layout layout = {.rowsize = rowsize == 32 ? 32 : 16};

	layout.length = length < layout.rowsize ? length : layout.rowsize;
	layout.groupsize = groupsize == 2 || groupsize == 4 || groupsize == 8 ? (size_t)groupsize : 1;
	if (layout.length % layout.groupsize)
		layout.groupsize = 1;
	return layout;
}

struct line {
	char *text;
	size_t size, length;
};

static void put(struct line *line, char byte)
{
	if (line->length + 1 < line->size)
		line->text[line->length] = byte;
	line->length++;
}

/* The number's digits, its highest byte first. */
static void put_group(struct line *line, const u8 *bytes, size_t size)
{
	const u16 one = 1;
	bool little = *(const u8 *)&one;

	for (size_t i = 0; i < size; i++) {
		u8 byte = bytes[little ? size - 1 - i : i];

		put(line, hex_asc_hi(byte));
		put(line, hex_asc_lo(byte));
	}
}

static void put_characters(struct line *line, const u8 *bytes, const struct layout *layout)
{
	size_t column = layout->rowsize * 2 + layout->rowsize / layout->groupsize + 1;

	while (line->length < column)
		put(line, ' ');
	for (size_t i = 0; i < layout->length; i++)
		put(line, bytes[i] < 128 && isprint(bytes[i]) ? (char)bytes[i] : '.');
}

int hex_dump_to_buffer(
	const void *bytes, size_t length, int rowsize, int groupsize, char *text, size_t size, bool ascii)
{
	struct layout layout = layout_of(length, rowsize, groupsize);
	struct line line = {.text = text, .size = size};

	for (size_t i = 0; i < layout.length; i += layout.groupsize) {
		if (i)
			put(&line, ' ');
		put_group(&line, (const u8 *)bytes + i, layout.groupsize);
	}
	if (ascii && layout.length)
		put_characters(&line, bytes, &layout);
	if (size)
		text[line.length < size ? line.length : size - 1] = '\0';
	return (int)line.length;
}

void print_hex_dump(const char *level, const char *prefix, int prefix_type, int rowsize, int groupsize,
	const void *bytes, size_t length, bool ascii)
{
	const u8 *byte = bytes;
	char line[32 * 3 + 2 + 32 + 1];

	rowsize = rowsize == 32 ? 32 : 16;
	for (size_t i = 0; i < length; i += (size_t)rowsize) {
		hex_dump_to_buffer(byte + i, length - i, rowsize, groupsize, line, sizeof(line), ascii);
		if (prefix_type == DUMP_PREFIX_ADDRESS)
			printk("%s%s%p: %s\n", level, prefix, (const void *)(byte + i), line);
		else if (prefix_type == DUMP_PREFIX_OFFSET)
			printk("%s%s%.8zx: %s\n", level, prefix, i, line);
		else
			printk("%s%s%s\n", level, prefix, line);
	}
}
