/*
 * face.h: what the files of the malloc room share.
 */
#ifndef RUNTIME_MALLOC_FACE_H
#define RUNTIME_MALLOC_FACE_H

#include <stdbool.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

#define MALLOC_ALIGN 8 /* what malloc asks for; classes above 8 bytes are aligned to 16 anyway */

/* The C++ library's nothrow operator new, where there is one (nothrow.c). */
void *nothrow_new_of_library(size_t size, size_t align, bool *done) __attribute__((weak));

/* A symbol of the C++ library, if one has been loaded since; else NULL (nothrow.c). */
void *cxx_symbol(const char *name) __attribute__((weak));

/* Of C23 and of older C libraries: not in today's headers. */
void cfree(void *object);
void free_sized(void *object, size_t size);
void free_aligned_sized(void *object, size_t align, size_t size);

#endif
