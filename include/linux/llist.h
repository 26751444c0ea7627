/*
 * linux/llist.h: lists that end in NULL, to which any number of threads add without a lock.
 *
 * Semantics: Linux, the kernel's header of this name. Any context, interrupts included. Adding and llist_del_all() need no lock, whoever
 * else does what; llist_del_first() needs that nobody else takes out at the same time. The last that was added is the first. What a
 * thread wrote to an element before it added it is seen by whoever takes it out.
 */
#ifndef FLAGSTONE_LINUX_LLIST_H
#define FLAGSTONE_LINUX_LLIST_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct llist_node {
	struct llist_node *next; /* Synchronization: atomic; who took the node out owns it */
};
struct llist_head {
	struct llist_node *first; /* Synchronization: atomic */
};

/* clang-format off */
#define LLIST_HEAD_INIT(name) { NULL }
/* clang-format on */
#define LLIST_HEAD(name) struct llist_head name = LLIST_HEAD_INIT(name)

/* Makes an empty list. Nobody uses it. */
static inline void init_llist_head(struct llist_head *list)
{
	list->first = NULL;
}

#define llist_entry(ptr, type, member) container_of(ptr, type, member)

/* Whether the list is empty: a hint, as others may change it. */
static inline bool llist_empty(const struct llist_head *head)
{
	return READ_ONCE(head->first) == NULL;
}

/* The node behind one that was taken out with llist_del_all(); NULL behind the last. */
static inline struct llist_node *llist_next(struct llist_node *node)
{
	return node->next;
}

/*
 * Adds the nodes from first to last, which are linked to each other, in front of the list. Returns whether the list was empty: of all
 * who add to it only one is told so, until it is emptied again, and can see to that. A release.
 */
static inline bool llist_add_batch(struct llist_node *first, struct llist_node *last, struct llist_head *head)
{
	struct llist_node *old = READ_ONCE(head->first);

	do
		WRITE_ONCE(last->next, old);
	while (!try_cmpxchg(&head->first, &old, first));
	return old == NULL;
}

static inline bool llist_add(struct llist_node *node, struct llist_head *head)
{
	return llist_add_batch(node, node, head);
}

/* Takes all nodes out. Returns the first, the last that was added; NULL if there was none. An acquire. */
static inline struct llist_node *llist_del_all(struct llist_head *head)
{
	return xchg(&head->first, (struct llist_node *)NULL);
}

/* Takes the first node out and returns it; NULL if there is none. One caller at a time, and no llist_del_all() meanwhile. */
static inline struct llist_node *llist_del_first(struct llist_head *head)
{
	struct llist_node *first;

	/* Each look pairs with llist_add_batch(): the link is there. */
	do
		first = smp_load_acquire(&head->first);
	while (first && cmpxchg(&head->first, first, READ_ONCE(first->next)) != first);
	return first;
}

/* The same for a list that nobody else uses. */
static inline bool __llist_add_batch(struct llist_node *first, struct llist_node *last, struct llist_head *head)
{
	last->next = head->first;
	head->first = first;
	return last->next == NULL;
}

static inline bool __llist_add(struct llist_node *node, struct llist_head *head)
{
	return __llist_add_batch(node, node, head);
}

static inline struct llist_node *__llist_del_all(struct llist_head *head)
{
	struct llist_node *first = head->first;

	head->first = NULL;
	return first;
}

/* Turns a list that was taken out round: the first that was added comes first. Returns its first node. */
static inline struct llist_node *llist_reverse_order(struct llist_node *head)
{
	struct llist_node *turned = NULL;

	while (head) {
		struct llist_node *next = head->next;

		head->next = turned;
		turned = head;
		head = next;
	}
	return turned;
}

/*
 * Each node, or each element, from a node on of a list that was taken out. _safe: the loop may free pos; n: another of its type. Without a
 * macro's _entry, pos is the node.
 */
#define llist_for_each(pos, node) for ((pos) = (node); pos; (pos) = (pos)->next)
#define llist_for_each_safe(pos, n, node) for ((pos) = (node); (pos) && ((n) = (pos)->next, true); (pos) = (n))
/* An element's address from its node's; NULL stays NULL in the guise of an element: told without a member access. */
#define FLAGSTONE_LLIST_IS(pos, member) ((uintptr_t)(pos) + offsetof(__typeof__(*(pos)), member) != 0)
#define llist_for_each_entry(pos, node, member)                                                        \
	for ((pos) = llist_entry((node), __typeof__(*(pos)), member); FLAGSTONE_LLIST_IS(pos, member); \
		(pos) = llist_entry((pos)->member.next, __typeof__(*(pos)), member))
#define llist_for_each_entry_safe(pos, n, node, member)                                  \
	for ((pos) = llist_entry((node), __typeof__(*(pos)), member);                    \
		FLAGSTONE_LLIST_IS(pos, member) &&                                       \
		((n) = llist_entry((pos)->member.next, __typeof__(*(n)), member), true); \
		(pos) = (n))

#ifdef __cplusplus
}
#endif

#endif
