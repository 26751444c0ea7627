/*
 * linux/poison.h: what memory that must not be used is filled with.
 *
 * Semantics: Linux, Documentation/mm/slub.rst. In caches with SLAB_POISON.
 */
#ifndef FLAGSTONE_LINUX_POISON_H
#define FLAGSTONE_LINUX_POISON_H

#define POISON_INUSE 0x5a /* between objects */
#define POISON_FREE 0x6b /* a free object, and a new one */
#define POISON_END 0xa5 /* its last byte */
#define PAGE_POISON 0xaa /* a free page, of a machine with page_poison */

#endif
