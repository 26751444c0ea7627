/*
 * text.h: bounded text in a caller's buffer; the printf of places where libc's must not be called.
 *
 * Nothing here allocates, locks, or fails: text that does not fit is cut, or written out when a descriptor is set.
 */
#ifndef RUNTIME_LIB_TEXT_H
#define RUNTIME_LIB_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct text {
	char *buffer;
	size_t size; /* of buffer; length < size, and buffer[length] == 0 */
	size_t length;
	int fd; /* full buffers are flushed here; -1: cut instead */
};

#define TEXT_INIT(b, s, f) ((struct text){.buffer = (b), .size = (s), .length = 0, .fd = (f)})

/* Knows %s %c %d %i %u %ld %lu %lld %llu %zu %x %lx %zx %llx %p %%, widths, '-', '0', '*', '#' of %x, and precision for %s. */
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void text_flush(struct text *text);

#endif
