/*
 * libc_names.c: glibc's second names of its allocation functions, for programs and hooks that call them.
 *
 * Calls the plain names: the block must be one that the process's free() knows, whosever that is. Only in the shared
 * library: in a static program these names are libc's, with all that else is in the same object.
 */
#include <malloc.h>
#include <stdlib.h>

#include "runtime/malloc/face.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *object, size_t size);
void *__libc_memalign(size_t align, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *object);

EXPORT void *__libc_malloc(size_t size)
{
	return malloc(size);
}

EXPORT void *__libc_calloc(size_t n, size_t size)
{
	return calloc(n, size);
}

EXPORT void *__libc_realloc(void *object, size_t size)
{
	return realloc(object, size);
}

EXPORT void *__libc_memalign(size_t align, size_t size)
{
	return memalign(align, size);
}

EXPORT void *__libc_valloc(size_t size)
{
	return valloc(size);
}

EXPORT void *__libc_pvalloc(size_t size)
{
	return pvalloc(size);
}

EXPORT void __libc_free(void *object)
{
	free(object);
}
