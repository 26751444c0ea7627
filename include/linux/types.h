/*
 * linux/types.h: the kernel's own types, beside those that the C library's header of this name has.
 */
#ifndef FLAGSTONE_LINUX_TYPES_H
#define FLAGSTONE_LINUX_TYPES_H

#pragma GCC system_header /* for #include_next, which is an extension */
#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

typedef unsigned int gfp_t;
typedef unsigned int slab_flags_t;
typedef uint64_t phys_addr_t;
typedef uint64_t dma_addr_t;

/* What call_rcu() and kfree_rcu() queue an object by; see linux/rcupdate.h. */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};
#define callback_head rcu_head
typedef void (*rcu_callback_t)(struct rcu_head *head);

/* A set of that many bits: <linux/bitmap.h>. */
#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + 63) / 64]

#endif
