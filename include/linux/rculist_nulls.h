/*
 * linux/rculist_nulls.h: lists of linux/list_nulls.h whose readers take no lock.
 *
 * Semantics: Linux, Documentation/RCU/rculist_nulls.rst. Contexts, and what readers may count on, as in linux/rculist.h.
 */
#ifndef FLAGSTONE_LINUX_RCULIST_NULLS_H
#define FLAGSTONE_LINUX_RCULIST_NULLS_H

#include <linux/list_nulls.h>
#include <linux/rcupdate.h>

#ifdef __cplusplus
extern "C" {
#endif

#define hlist_nulls_first_rcu(head) (*(struct hlist_nulls_node **)(&(head)->first))
#define hlist_nulls_next_rcu(node) (*(struct hlist_nulls_node **)(&(node)->next))

/* Out of its list. Readers that stand on it find on; hlist_nulls_unhashed() of it does not tell. */
static inline void hlist_nulls_del_rcu(struct hlist_nulls_node *n)
{
	hlist_nulls_del(n);
}

/* As that, and hlist_nulls_unhashed() of it is true; nothing if it is on no list. */
static inline void hlist_nulls_del_init_rcu(struct hlist_nulls_node *n)
{
	if (hlist_nulls_unhashed(n))
		return;
	__hlist_nulls_del(n);
	WRITE_ONCE(n->pprev, (struct hlist_nulls_node **)NULL);
}

static inline void __hlist_nulls_add_rcu(struct hlist_nulls_node *n, struct hlist_nulls_node **place)
{
	struct hlist_nulls_node *next = *place;

	/* A reader may stand on n yet, where it was before. */
	rcu_assign_pointer(hlist_nulls_next_rcu(n), next);
	WRITE_ONCE(n->pprev, place);
	rcu_assign_pointer(*place, n);
	if (!is_a_nulls(next))
		WRITE_ONCE(next->pprev, &n->next);
}

/* As the first of the list. Readers that find it see it as it was written before. */
static inline void hlist_nulls_add_head_rcu(struct hlist_nulls_node *n, struct hlist_nulls_head *h)
{
	__hlist_nulls_add_rcu(n, &h->first);
}

/* As the last: goes through all of the list. */
static inline void hlist_nulls_add_tail_rcu(struct hlist_nulls_node *n, struct hlist_nulls_head *h)
{
	struct hlist_nulls_node **place = &h->first;

	while (!is_a_nulls(*place))
		place = &(*place)->next;
	__hlist_nulls_add_rcu(n, place);
}

/* A node that counts as on a list without being on any, so that hlist_nulls_del() of it works. */
static inline void hlist_nulls_add_fake(struct hlist_nulls_node *n)
{
	n->pprev = &n->next;
	n->next = (struct hlist_nulls_node *)NULLS_MARKER(0);
}

/* Inside a section. tpos: the element; pos: its node, and behind the loop, the end: get_nulls_value(pos). The second form: tpos may be
 * taken out of the list, and freed. */
#define hlist_nulls_for_each_entry_rcu(tpos, pos, head, member)                         \
	for (pos = rcu_dereference(hlist_nulls_first_rcu(head)); !is_a_nulls(pos) && ({ \
		     tpos = hlist_nulls_entry(pos, __typeof__(*tpos), member);          \
		     1;                                                                 \
	     });                                                                        \
		pos = rcu_dereference(hlist_nulls_next_rcu(pos)))
#define hlist_nulls_for_each_entry_safe(tpos, pos, head, member)                        \
	for (pos = rcu_dereference(hlist_nulls_first_rcu(head)); !is_a_nulls(pos) && ({ \
		     tpos = hlist_nulls_entry(pos, __typeof__(*tpos), member);          \
		     pos = rcu_dereference(hlist_nulls_next_rcu(pos));                  \
		     1;                                                                 \
	     });)

#ifdef __cplusplus
}
#endif

#endif
