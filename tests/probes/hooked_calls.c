/*
 * hooked_calls.c: the program has functions under libc's names that map memory, read files and so on, which allocate.
 *
 * Broken if this fails: the library calls one of them on its way up, or while it allocates or frees, so that a program or a
 * tracer that hooks it recurses without end, or waits for boot's own lock. The library is to use raw system calls.
 *
 * Calls none of them itself, which rules out the harness.
 */
#include "tests/probes/hooks.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024ul)

static void allocate_all(void)
{
	static void *volatile block[64];
	size_t nr = 0;

	for (size_t size = 1; size < 64 * MIB && nr < 64; size += size / 2 + 1) {
		block[nr] = size % 3 ? malloc(size) : memalign(256, size);
		if (!block[nr]) {
			printf("FAIL: malloc(%zu) gave NULL\n", size);
			exit(1);
		}
		memset(block[nr++], 1, size);
	}
	for (size_t i = 0; i < nr; i++)
		block[i] = realloc(block[i], 4 * malloc_usable_size(block[i]) % (8 * MIB) + 1);
	for (size_t i = 0; i < nr; i++)
		free(block[i]);
	malloc_trim(0);
}

int main(void)
{
	unsigned long before = hooks_called;

	allocate_all();
	if (hooks_called) {
		printf("FAIL: %lu calls of hooked functions, %lu of them before main, the last of %s\n", hooks_called,
			before, hooks_last);
		return 1;
	}
	/* Were they in the way at all? */
	hooks_try();
	if (hooks_called != 1) {
		printf("FAIL: %lu calls seen after one\n", hooks_called);
		return 1;
	}
	puts("PASS: hooked_calls: no hooked function was called");
	return 0;
}
