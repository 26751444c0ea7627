/*
 * linux/container_of.h: the structure that a member lies in.
 *
 * Semantics: Linux, Documentation/process/coding-style.rst and the kernel's header of this name. Any context.
 */
#ifndef FLAGSTONE_LINUX_CONTAINER_OF_H
#define FLAGSTONE_LINUX_CONTAINER_OF_H

#include <stddef.h>

/* ptr: a member of that name of an object of that type. Returns the object's address. */
#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif

#endif
