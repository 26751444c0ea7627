/*
 * linux/rbtree_types.h: nodes and roots of red-black trees; see linux/rbtree.h.
 */
#ifndef FLAGSTONE_LINUX_RBTREE_TYPES_H
#define FLAGSTONE_LINUX_RBTREE_TYPES_H

#include <stddef.h>

/* Synchronization: the caller's lock. */
struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right, *rb_left;
} __attribute__((aligned(sizeof(long))));

struct rb_root {
	struct rb_node *rb_node; /* NULL: the tree is empty */
};

struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};

/* clang-format off */
#define RB_ROOT (struct rb_root) { NULL }
#define RB_ROOT_CACHED (struct rb_root_cached) { { NULL }, NULL }
/* clang-format on */

#endif
