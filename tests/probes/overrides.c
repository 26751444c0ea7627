/*
 * overrides.c: every name by which a program can get a block, or give one back, is answered by the library.
 *
 * Broken if this fails: a block of libc's allocator comes into the hands of a program whose free() is flagstone's, or the
 * other way round.
 *
 * Each name is looked up as the dynamic linker does it, must lie in the library, is called, and what it returns must be a
 * block that the library's own malloc_usable_size() and free() know.
 */
#include "tests/stress/harness.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 100ul
#define ALIGN 64ul

/* How a name is called. */
enum shape {
	ALLOC, /* (size) */
	ALLOC_COUNT, /* (count, size) */
	ALLOC_ALIGNED, /* (align, size) */
	ALLOC_OUT, /* (&block, align, size) */
	ALLOC_RESIZE, /* (block, size) */
	ALLOC_RESIZE_COUNT, /* (block, count, size) */
	NEW_NOTHROW, /* (size, nothrow) */
	NEW_ALIGNED, /* (size, align) */
	NEW_ALIGNED_NOTHROW, /* (size, align, nothrow) */
	FREE, /* (block, anything that fits registers) */
	USABLE, /* (block) */
	OTHER, /* not called: its results are no blocks */
};

static const struct {
	const char *name;
	enum shape shape;
} names[] = {
	{"malloc", ALLOC},
	{"calloc", ALLOC_COUNT},
	{"realloc", ALLOC_RESIZE},
	{"reallocarray", ALLOC_RESIZE_COUNT},
	{"aligned_alloc", ALLOC_ALIGNED},
	{"memalign", ALLOC_ALIGNED},
	{"posix_memalign", ALLOC_OUT},
	{"valloc", ALLOC},
	{"pvalloc", ALLOC},
	{"free", FREE},
	{"cfree", FREE},
	{"free_sized", FREE},
	{"free_aligned_sized", FREE},
	{"malloc_usable_size", USABLE},
	{"malloc_trim", OTHER},
	{"malloc_stats", OTHER},
	{"malloc_info", OTHER},
	{"mallinfo", OTHER},
	{"mallinfo2", OTHER},
	{"mallopt", OTHER},
	/* What glibc exports beside the plain names; old programs and hooks call them. */
	{"__libc_malloc", ALLOC},
	{"__libc_calloc", ALLOC_COUNT},
	{"__libc_realloc", ALLOC_RESIZE},
	{"__libc_memalign", ALLOC_ALIGNED},
	{"__libc_valloc", ALLOC},
	{"__libc_pvalloc", ALLOC},
	{"__libc_free", FREE},
	/* operator new and delete: plain and array, nothrow, aligned, sized. */
	{"_Znwm", ALLOC},
	{"_Znam", ALLOC},
	{"_ZnwmRKSt9nothrow_t", NEW_NOTHROW},
	{"_ZnamRKSt9nothrow_t", NEW_NOTHROW},
	{"_ZnwmSt11align_val_t", NEW_ALIGNED},
	{"_ZnamSt11align_val_t", NEW_ALIGNED},
	{"_ZnwmSt11align_val_tRKSt9nothrow_t", NEW_ALIGNED_NOTHROW},
	{"_ZnamSt11align_val_tRKSt9nothrow_t", NEW_ALIGNED_NOTHROW},
	{"_ZdlPv", FREE},
	{"_ZdaPv", FREE},
	{"_ZdlPvm", FREE},
	{"_ZdaPvm", FREE},
	{"_ZdlPvRKSt9nothrow_t", FREE},
	{"_ZdaPvRKSt9nothrow_t", FREE},
	{"_ZdlPvSt11align_val_t", FREE},
	{"_ZdaPvSt11align_val_t", FREE},
	{"_ZdlPvmSt11align_val_t", FREE},
	{"_ZdaPvmSt11align_val_t", FREE},
	{"_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE},
	{"_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE},
};

typedef void *(*call_2)(uintptr_t a, uintptr_t b);
typedef void *(*call_3)(uintptr_t a, uintptr_t b, uintptr_t c);

static const char *library_of(const void *symbol)
{
	Dl_info info;

	require(dladdr(symbol, &info) && info.dli_fname, "no library has the address %p", symbol);
	return info.dli_fname;
}

/* What an allocating name returns when it is asked for SIZE bytes. */
static void *allocate(enum shape shape, void *symbol)
{
	call_2 two = (call_2)symbol;
	call_3 three = (call_3)symbol;
	void *block = NULL;

	switch (shape) {
	case ALLOC:
	case NEW_NOTHROW:
		return two(SIZE, 0);
	case ALLOC_COUNT:
		return two(4, SIZE / 4);
	case ALLOC_ALIGNED:
		return two(ALIGN, SIZE);
	case ALLOC_OUT:
		require(!three((uintptr_t)&block, ALIGN, SIZE), "a status that is not 0");
		return block;
	case ALLOC_RESIZE:
		return two((uintptr_t)malloc(SIZE / 2), SIZE);
	case ALLOC_RESIZE_COUNT:
		return three((uintptr_t)malloc(SIZE / 2), 4, SIZE / 4);
	default:
		return three(SIZE, ALIGN, 0);
	}
}

/* In program memory that sbrk() made, or unknown to the library: not its own. */
static void check_block(const char *name, void *block, const char *heap)
{
	require(block, "%s gave NULL", name);
	require((char *)block < heap || (char *)block >= (char *)sbrk(0), "%s gave %p, from the program break", name,
		block);
	require(malloc_usable_size(block) >= SIZE, "%s gave a block of %zu bytes", name, malloc_usable_size(block));
	memset(block, 1, SIZE);
}

static void check_name(const char *name, enum shape shape, const char *heap)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	void *block;

	require(symbol, "%s is not there", name);
	require(strstr(library_of(symbol), "libflagstone"), "%s is answered by %s", name, library_of(symbol));
	if (shape == OTHER)
		return;
	if (shape == USABLE || shape == FREE) {
		block = shape == FREE ? memalign(ALIGN, SIZE) : malloc(SIZE);
		((call_3)symbol)((uintptr_t)block, shape == FREE ? SIZE : 0, 0);
		if (shape == USABLE)
			free(block);
		return;
	}
	block = allocate(shape, symbol);
	check_block(name, block, heap);
	free(block);
}

int main(void)
{
	const char *heap = sbrk(0);
	size_t nr = sizeof(names) / sizeof(names[0]);

	printf("overrides: %s\n", harness_allocator());
	for (size_t i = 0; i < nr; i++)
		check_name(names[i].name, names[i].shape, heap);
	printf("PASS: overrides: %zu names\n", nr);
	return 0;
}
