/*
 * linux/align.h: up and down to a multiple of a power of two.
 *
 * Semantics: Linux, the kernel's header of this name. Any context. align: a power of two. Results have the type of x.
 */
#ifndef FLAGSTONE_LINUX_ALIGN_H
#define FLAGSTONE_LINUX_ALIGN_H

/* The first multiple from x on; the last one up to x. */
#define ALIGN(x, align) (((x) + ((__typeof__(x))(align)-1)) & ~((__typeof__(x))(align)-1))
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
/* The same of addresses. */
#define PTR_ALIGN(pointer, align) ((__typeof__(pointer))ALIGN((unsigned long)(pointer), (align)))
#define PTR_ALIGN_DOWN(pointer, align) ((__typeof__(pointer))ALIGN_DOWN((unsigned long)(pointer), (align)))
/* Whether x is a multiple. */
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align)-1)) == 0)

#endif
