/*
 * reader.h: reading allocator state that may belong to another process, and may change meanwhile.
 *
 * Statistics are collected by one piece of code, through a reader: in the program itself it copies, in a tool it asks the
 * kernel. What was read is a guess until it has been checked.
 */
#ifndef RUNTIME_LIB_READER_H
#define RUNTIME_LIB_READER_H

#include <stdbool.h>
#include <stddef.h>

struct reader {
	/* Copies size bytes at remote to local; false: not readable, and local is undefined. */
	bool (*read)(const struct reader *reader, const void *remote, void *local, size_t size);
	int pid; /* for the read function; 0: this process */
};

/* Reads this process, each aligned word at once. Any context. The address must be readable. */
extern const struct reader reader_local;

static inline bool reader_read(const struct reader *reader, const void *remote, void *local, size_t size)
{
	return reader->read(reader, remote, local, size);
}

/* Reads the variable that remote points to. */
#define reader_get(reader, remote, local) reader_read(reader, remote, local, sizeof(*(remote)))

#endif
