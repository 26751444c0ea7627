/*
 * linux/list_nulls.h: lists with a single pointer as head, whose end tells which list it is the end of.
 *
 * Semantics: Linux, Documentation/RCU/rculist_nulls.rst. Where objects may be had again at once (SLAB_TYPESAFE_BY_RCU), a reader may stand
 * on one that has moved to another list, and goes on there. If it comes to the end of a list that it did not begin, it begins anew.
 * An end is an odd number: twice the list's, plus one. Any context; the caller keeps others away.
 */
#ifndef FLAGSTONE_LINUX_LIST_NULLS_H
#define FLAGSTONE_LINUX_LIST_NULLS_H

#include <linux/list.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hlist_nulls_node {
	struct hlist_nulls_node *next, **pprev; /* next: or an end; pprev NULL: on no list */
};

struct hlist_nulls_head {
	struct hlist_nulls_node *first;
};

#define NULLS_MARKER(value) (1UL | (((long)(value)) << 1))
/* Makes a list empty, whose end has a number: up to 2^62. */
#define INIT_HLIST_NULLS_HEAD(head, nulls) ((head)->first = (struct hlist_nulls_node *)NULLS_MARKER(nulls))

/* Whether it is no node, but an end; and then, its number. */
static inline int is_a_nulls(const struct hlist_nulls_node *ptr)
{
	return (uintptr_t)ptr & 1;
}

static inline unsigned long get_nulls_value(const struct hlist_nulls_node *ptr)
{
	return (uintptr_t)ptr >> 1;
}

#define hlist_nulls_entry(ptr, type, member) container_of(ptr, type, member)
#define hlist_nulls_entry_safe(ptr, type, member)                                            \
	({                                                                                   \
		__typeof__(ptr) ____ptr = (ptr);                                             \
		!is_a_nulls(____ptr) ? hlist_nulls_entry(____ptr, type, member) : (type *)0; \
	})

static inline int hlist_nulls_unhashed(const struct hlist_nulls_node *h)
{
	return !h->pprev;
}

/* As that, while others may change it. */
static inline int hlist_nulls_unhashed_lockless(const struct hlist_nulls_node *h)
{
	return !READ_ONCE(h->pprev);
}

static inline int hlist_nulls_empty(const struct hlist_nulls_head *h)
{
	return is_a_nulls(READ_ONCE(h->first));
}

static inline void hlist_nulls_add_head(struct hlist_nulls_node *n, struct hlist_nulls_head *h)
{
	struct hlist_nulls_node *first = h->first;

	n->next = first;
	WRITE_ONCE(n->pprev, &h->first);
	h->first = n;
	if (!is_a_nulls(first))
		WRITE_ONCE(first->pprev, &n->next);
}

/* Out of its list. With release, for readers of linux/rculist_nulls.h: what is behind is seen as it was added. */
static inline void __hlist_nulls_del(struct hlist_nulls_node *n)
{
	struct hlist_nulls_node *next = n->next;

	__atomic_store_n(n->pprev, next, __ATOMIC_RELEASE);
	if (!is_a_nulls(next))
		WRITE_ONCE(next->pprev, n->pprev);
}

static inline void hlist_nulls_del(struct hlist_nulls_node *n)
{
	__hlist_nulls_del(n);
	WRITE_ONCE(n->pprev, (struct hlist_nulls_node **)LIST_POISON2);
}

/* tpos: the element; pos: its node, and behind the loop, the end. */
#define hlist_nulls_for_each_entry(tpos, pos, head, member)                    \
	for (pos = (head)->first; !is_a_nulls(pos) && ({                       \
		     tpos = hlist_nulls_entry(pos, __typeof__(*tpos), member); \
		     1;                                                        \
	     });                                                               \
		pos = pos->next)
#define hlist_nulls_for_each_entry_from(tpos, pos, member)                     \
	for (; !is_a_nulls(pos) && ({                                          \
		     tpos = hlist_nulls_entry(pos, __typeof__(*tpos), member); \
		     1;                                                        \
	     });                                                               \
		pos = pos->next)

#ifdef __cplusplus
}
#endif

#endif
