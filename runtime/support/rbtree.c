/*
 * rbtree.c: keeps red-black trees balanced: Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms", chapter 13, with NULL for its
 * leaves, which are black.
 *
 * No node that is red has a red child, and all ways from a node down to leaves have as many black nodes: so none is more than twice as
 * long as another. Calls nothing. Refuses to know what the order is.
 */
#include <linux/rbtree.h>

#define BLACK 1ul

enum side { LEFT, RIGHT };

static bool is_red(const struct rb_node *node)
{
	return node && !(node->__rb_parent_color & BLACK);
}

static void set_black(struct rb_node *node)
{
	node->__rb_parent_color |= BLACK;
}

static void set_red(struct rb_node *node)
{
	node->__rb_parent_color &= ~BLACK;
}

static void copy_color(struct rb_node *to, const struct rb_node *from)
{
	to->__rb_parent_color = (to->__rb_parent_color & ~BLACK) | (from->__rb_parent_color & BLACK);
}

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->__rb_parent_color = (unsigned long)parent | (node->__rb_parent_color & BLACK);
}

/* Readers under RCU may walk down meanwhile. */
static struct rb_node **child(struct rb_node *node, enum side side)
{
	return side == LEFT ? &node->rb_left : &node->rb_right;
}

static void set_link(struct rb_node **link, struct rb_node *node)
{
	rcu_assign_pointer(*link, node);
}

static struct rb_node **link_to(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent = rb_parent(node);

	if (!parent)
		return &root->rb_node;
	return parent->rb_left == node ? &parent->rb_left : &parent->rb_right;
}

/* The node goes down to that side, and its child of the other side takes its place. */
static void rotate(struct rb_node *node, enum side side, struct rb_root *root)
{
	enum side other = side == LEFT ? RIGHT : LEFT;
	struct rb_node *up = *child(node, other), *inner = *child(up, side), **link = link_to(node, root);

	set_link(child(node, other), inner);
	if (inner)
		set_parent(inner, node);
	set_parent(up, rb_parent(node));
	set_link(child(up, side), node);
	set_parent(node, up);
	set_link(link, up);
}

/* ---- insertion ---- */

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent;

	/* The node is red. Only its parent may be red, too, which has a parent then, for the root is black. */
	while ((parent = rb_parent(node)) && is_red(parent)) {
		struct rb_node *grandparent = rb_parent(parent);
		enum side side = grandparent->rb_left == parent ? LEFT : RIGHT, other = side == LEFT ? RIGHT : LEFT;
		struct rb_node *uncle = *child(grandparent, other);

		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grandparent);
			node = grandparent;
			continue;
		}
		if (*child(parent, other) == node) {
			rotate(parent, side, root);
			parent = node;
		}
		set_black(parent);
		set_red(grandparent);
		rotate(grandparent, other, root);
		break;
	}
	set_black(root->rb_node);
}

/* ---- removal ---- */

/* Ways through node, which may be a leaf and so has its parent beside it, have one black node too few. */
static void rebalance(struct rb_node *node, struct rb_node *parent, struct rb_root *root)
{
	while (parent && !is_red(node)) {
		enum side side = parent->rb_left == node ? LEFT : RIGHT, other = side == LEFT ? RIGHT : LEFT;
		struct rb_node *sibling = *child(parent, other); /* is there: ways through it have a black node more */

		if (is_red(sibling)) {
			set_black(sibling);
			set_red(parent);
			rotate(parent, side, root);
			sibling = *child(parent, other);
		}
		if (!is_red(sibling->rb_left) && !is_red(sibling->rb_right)) {
			set_red(sibling);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (!is_red(*child(sibling, other))) {
			set_black(*child(sibling, side));
			set_red(sibling);
			rotate(sibling, other, root);
			sibling = *child(parent, other);
		}
		copy_color(sibling, parent);
		set_black(parent);
		set_black(*child(sibling, other));
		rotate(parent, side, root);
		return;
	}
	if (node)
		set_black(node);
}

/* Puts a subtree, or nothing, where a node is. */
static void transplant(struct rb_node *node, struct rb_node *subtree, struct rb_root *root)
{
	set_link(link_to(node, root), subtree);
	if (subtree)
		set_parent(subtree, rb_parent(node));
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *next = node, *moved, *parent;
	bool lost_black = !is_red(node);

	if (!node->rb_left || !node->rb_right) {
		moved = node->rb_left ? node->rb_left : node->rb_right;
		parent = rb_parent(node);
		transplant(node, moved, root);
	} else {
		for (next = node->rb_right; next->rb_left;)
			next = next->rb_left;
		lost_black = !is_red(next);
		moved = next->rb_right;
		parent = rb_parent(next);
		if (parent == node) {
			parent = next;
		} else {
			transplant(next, moved, root);
			set_link(&next->rb_right, node->rb_right);
			set_parent(next->rb_right, next);
		}
		set_link(&next->rb_left, node->rb_left);
		set_parent(next->rb_left, next);
		transplant(node, next, root);
		copy_color(next, node);
	}
	if (lost_black)
		rebalance(moved, parent, root);
}

void rb_replace_node(struct rb_node *victim, struct rb_node *replacement, struct rb_root *root)
{
	struct rb_node **link = link_to(victim, root);

	*replacement = *victim;
	if (victim->rb_left)
		set_parent(victim->rb_left, replacement);
	if (victim->rb_right)
		set_parent(victim->rb_right, replacement);
	set_link(link, replacement);
}

/* ---- walks ---- */

static struct rb_node *last_on(struct rb_node *node, enum side side)
{
	while (node && *child(node, side))
		node = *child(node, side);
	return node;
}

static struct rb_node *neighbour(const struct rb_node *from, enum side side)
{
	struct rb_node *node = (struct rb_node *)from, *parent;

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (*child(node, side))
		return last_on(*child(node, side), side == LEFT ? RIGHT : LEFT);
	while ((parent = rb_parent(node)) && *child(parent, side) == node)
		node = parent;
	return parent;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, LEFT);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return last_on(root->rb_node, LEFT);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return last_on(root->rb_node, RIGHT);
}

/* The leaf-most node that a walk reaches by left links, and by right ones where there are none. */
static struct rb_node *deepest(struct rb_node *node)
{
	while (node && (node->rb_left || node->rb_right))
		node = node->rb_left ? node->rb_left : node->rb_right;
	return node;
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return deepest(root->rb_node);
}

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = node ? rb_parent(node) : NULL;

	if (parent && node == parent->rb_left && parent->rb_right)
		return deepest(parent->rb_right);
	return parent;
}
