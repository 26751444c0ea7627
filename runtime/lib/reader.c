/*
 * reader.c: the reader of one's own process.
 *
 * Calls nothing. Refuses to know what it reads.
 */
#include "runtime/lib/reader.h"

#include <stdint.h>

/* Others write meanwhile, and who reads must expect it. Clang takes only its own word for leaving atomics alone too. */
#ifndef __has_attribute
#define __has_attribute(x) 0
#endif
#if __has_attribute(disable_sanitizer_instrumentation)
#define racy __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define racy __attribute__((noinline, no_sanitize("thread")))
#endif

racy static void copy_words(const uint32_t *from, uint32_t *to, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

racy static void copy_longs(const uint64_t *from, uint64_t *to, size_t count)
{
	/* Acquire, so that what a pointer leads to is read after the pointer. Pairs with whoever published it. */
	for (size_t i = 0; i < count; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
}

racy static void copy_bytes(const unsigned char *from, unsigned char *to, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static bool is_aligned(const void *from, const void *to, size_t size, size_t align)
{
	return ((uintptr_t)from | (uintptr_t)to | size) % align == 0;
}

static bool local_read(const struct reader *reader, const void *remote, void *local, size_t size)
{
	(void)reader;
	if (is_aligned(remote, local, size, sizeof(uint64_t)))
		copy_longs(remote, local, size / sizeof(uint64_t));
	else if (is_aligned(remote, local, size, sizeof(uint32_t)))
		copy_words(remote, local, size / sizeof(uint32_t));
	else
		copy_bytes(remote, local, size);
	return true;
}

const struct reader reader_local = {.read = local_read};
