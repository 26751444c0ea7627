/*
 * face.h: what the files of the malloc room share.
 */
#ifndef RUNTIME_MALLOC_FACE_H
#define RUNTIME_MALLOC_FACE_H

#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* Of C23 and of older C libraries: not in today's headers. */
void cfree(void *object);
void free_sized(void *object, size_t size);
void free_aligned_sized(void *object, size_t align, size_t size);

#endif
