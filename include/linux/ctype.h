/*
 * linux/ctype.h: kinds of characters: the C library's.
 *
 * Semantics: Linux, the kernel's header of this name; of what is not ASCII, the locale's. Any context.
 */
#ifndef FLAGSTONE_LINUX_CTYPE_H
#define FLAGSTONE_LINUX_CTYPE_H

#include <ctype.h>

#define isodigit(c) ((c) >= '0' && (c) <= '7')

#endif
