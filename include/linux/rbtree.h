/*
 * linux/rbtree.h: red-black trees, with the node inside the element.
 *
 * Semantics: Linux, Documentation/core-api/rbtree.rst. A tree is ordered by its user: to insert, walk down from rb_node to a NULL link, then
 * rb_link_node() and rb_insert_color(); or rb_add() and rb_find() with a function that compares. Any context; the caller's lock keeps
 * others away.
 */
#ifndef FLAGSTONE_LINUX_RBTREE_H
#define FLAGSTONE_LINUX_RBTREE_H

#pragma GCC system_header /* its macros nest */
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/rbtree_types.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A black node's parent has the lowest bit of the word set. */
#define rb_parent(node) ((struct rb_node *)((node)->__rb_parent_color & ~3ul))
#define rb_entry(node, type, member) container_of(node, type, member)
#define rb_entry_safe(node, type, member)                                       \
	({                                                                      \
		__typeof__(node) flagstone_node = (node);                       \
		flagstone_node ? rb_entry(flagstone_node, type, member) : NULL; \
	})
#define RB_EMPTY_ROOT(root) (READ_ONCE((root)->rb_node) == NULL)
/* A node that is in no tree, where it was cleared so. */
#define RB_EMPTY_NODE(node) ((node)->__rb_parent_color == (unsigned long)(node))
#define RB_CLEAR_NODE(node) ((node)->__rb_parent_color = (unsigned long)(node))

/* Hangs a node onto a NULL link of its parent, both found by the caller; then the tree is balanced by rb_insert_color(). */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->__rb_parent_color = (unsigned long)parent;
	node->rb_left = node->rb_right = NULL;
	*link = node;
}

/* As that, where readers walk down under rcu_read_lock(). They may miss nodes while the tree is balanced. */
static inline void rb_link_node_rcu(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->__rb_parent_color = (unsigned long)parent;
	node->rb_left = node->rb_right = NULL;
	rcu_assign_pointer(*link, node);
}

void rb_insert_color(struct rb_node *node, struct rb_root *root);
/* Takes a node of the tree out of it. */
void rb_erase(struct rb_node *node, struct rb_root *root);
/* Puts a node that has the same place in the order where another one is. */
void rb_replace_node(struct rb_node *victim, struct rb_node *replacement, struct rb_root *root);

/* In the order: the neighbours; the ends. NULL: there is none, or, of next and prev, the node was cleared. */
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
/* Children before their parents: each may be freed once its next one is known. */
struct rb_node *rb_first_postorder(const struct rb_root *root);
struct rb_node *rb_next_postorder(const struct rb_node *node);

#define rbtree_postorder_for_each_entry_safe(at, n, root, member)                                \
	for (at = rb_entry_safe(rb_first_postorder(root), __typeof__(*at), member); at && ({     \
		     n = rb_entry_safe(rb_next_postorder(&at->member), __typeof__(*at), member); \
		     1;                                                                          \
	     });                                                                                 \
		at = n)

/* ---- trees that know their first node ---- */

#define rb_first_cached(root) ((root)->rb_leftmost)

/* leftmost: the walk down never went to the right. */
static inline void rb_insert_color_cached(struct rb_node *node, struct rb_root_cached *root, bool leftmost)
{
	if (leftmost)
		root->rb_leftmost = node;
	rb_insert_color(node, &root->rb_root);
}

/* Returns the new first node if it has changed, else NULL. */
static inline struct rb_node *rb_erase_cached(struct rb_node *node, struct rb_root_cached *root)
{
	struct rb_node *leftmost = NULL;

	if (root->rb_leftmost == node)
		leftmost = root->rb_leftmost = rb_next(node);
	rb_erase(node, &root->rb_root);
	return leftmost;
}

static inline void rb_replace_node_cached(
	struct rb_node *victim, struct rb_node *replacement, struct rb_root_cached *root)
{
	if (root->rb_leftmost == victim)
		root->rb_leftmost = replacement;
	rb_replace_node(victim, replacement, &root->rb_root);
}

/* ---- by functions that compare ---- */

/* Inserts; behind those that are equal. less: whether the first is before the second. */
static inline void rb_add(
	struct rb_node *node, struct rb_root *tree, bool (*less)(struct rb_node *a, const struct rb_node *b))
{
	struct rb_node **link = &tree->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = less(node, parent) ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(node, parent, link);
	rb_insert_color(node, tree);
}

/* The same. Returns the node if it is the first one, else NULL. */
static inline struct rb_node *rb_add_cached(
	struct rb_node *node, struct rb_root_cached *tree, bool (*less)(struct rb_node *a, const struct rb_node *b))
{
	struct rb_node **link = &tree->rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(node, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(node, parent, link);
	rb_insert_color_cached(node, tree, leftmost);
	return leftmost ? node : NULL;
}

/* Inserts unless an equal one is there, which is returned then; else NULL. cmp: as strcmp(). */
static inline struct rb_node *rb_find_add(
	struct rb_node *node, struct rb_root *tree, int (*cmp)(struct rb_node *a, const struct rb_node *b))
{
	struct rb_node **link = &tree->rb_node, *parent = NULL;
	int order;

	while (*link) {
		parent = *link;
		order = cmp(node, parent);
		if (!order)
			return parent;
		link = order < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(node, parent, link);
	rb_insert_color(node, tree);
	return NULL;
}

/* One that is equal to the key; NULL: none. _first: the first of those; rb_next_match(): the next of them. */
static inline struct rb_node *rb_find(
	const void *key, const struct rb_root *tree, int (*cmp)(const void *key, const struct rb_node *node))
{
	struct rb_node *node = tree->rb_node;
	int order;

	while (node && (order = cmp(key, node)))
		node = order < 0 ? node->rb_left : node->rb_right;
	return node;
}

static inline struct rb_node *rb_find_first(
	const void *key, const struct rb_root *tree, int (*cmp)(const void *key, const struct rb_node *node))
{
	struct rb_node *node = tree->rb_node, *match = NULL;
	int order;

	while (node) {
		order = cmp(key, node);
		if (!order)
			match = node;
		node = order <= 0 ? node->rb_left : node->rb_right;
	}
	return match;
}

static inline struct rb_node *rb_next_match(
	const void *key, struct rb_node *node, int (*cmp)(const void *key, const struct rb_node *node))
{
	node = rb_next(node);
	return node && !cmp(key, node) ? node : NULL;
}

#define rb_for_each(node, key, tree, cmp) \
	for ((node) = rb_find_first((key), (tree), (cmp)); (node); (node) = rb_next_match((key), (node), (cmp)))

#ifdef __cplusplus
}
#endif

#endif
