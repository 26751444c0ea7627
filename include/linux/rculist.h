/*
 * linux/rculist.h: lists whose readers take no lock.
 *
 * Semantics: Linux, Documentation/RCU/listRCU.rst and the kernel-doc of include/linux/rculist.h. Readers go through a list between
 * rcu_read_lock() and rcu_read_unlock(), and meet each element that is there all the time; one that comes or goes meanwhile, maybe. What
 * a reader can still stand on is freed after a grace period, or lies in a cache with SLAB_TYPESAFE_BY_RCU (linux/slab.h).
 *
 * Functions that change a list: any context, under the lock that keeps other writers of the list away; none sleeps but where it says so.
 * Every pointer that a reader may follow is stored with release, also where it leads past an element that goes: so what is in the element
 * behind that is seen as it was before that was added, whoever added it.
 */
#ifndef FLAGSTONE_LINUX_RCULIST_H
#define FLAGSTONE_LINUX_RCULIST_H

#include <linux/list.h>
#include <linux/rcupdate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- doubly linked lists ---- */

/* The pointer to what comes next, as readers see it; and, of a list's head, to the last. */
#define list_next_rcu(list) (*(struct list_head **)(&(list)->next))
#define list_tail_rcu(head) (*(struct list_head **)(&(head)->prev))

/* Makes a list empty that readers may be looking at. */
static inline void INIT_LIST_HEAD_RCU(struct list_head *list)
{
	WRITE_ONCE(list->next, list);
	WRITE_ONCE(list->prev, list);
}

static inline void __list_add_rcu(struct list_head *fresh, struct list_head *prev, struct list_head *next)
{
	rcu_assign_pointer(list_next_rcu(fresh), next);
	fresh->prev = prev;
	rcu_assign_pointer(list_next_rcu(prev), fresh);
	next->prev = fresh;
}

/* As the first, or the last, of the list. Readers that find it see it as it was written before. */
static inline void list_add_rcu(struct list_head *fresh, struct list_head *head)
{
	__list_add_rcu(fresh, head, head->next);
}

static inline void list_add_tail_rcu(struct list_head *fresh, struct list_head *head)
{
	__list_add_rcu(fresh, head->prev, head);
}

/* Out of its list. Readers that stand on it find on; list_empty() of it does not tell. After a grace period it may be freed, or added to a
 * list again. */
static inline void list_del_rcu(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	rcu_assign_pointer(list_next_rcu(entry->prev), entry->next);
	entry->prev = LIST_POISON2;
}

/* As list_del_rcu(), for lists that readers also go through backwards (list_bidir_prev_rcu()): entry's prev stays as well. */
static inline void list_bidir_del_rcu(struct list_head *entry)
{
	rcu_assign_pointer(list_tail_rcu(entry->next), entry->prev);
	rcu_assign_pointer(list_next_rcu(entry->prev), entry->next);
}
#define list_bidir_prev_rcu(list) rcu_dereference(list_tail_rcu(list))

/* fresh takes the place of old, which is not empty; a reader meets one of them. */
static inline void list_replace_rcu(struct list_head *old, struct list_head *fresh)
{
	rcu_assign_pointer(list_next_rcu(fresh), old->next);
	fresh->prev = old->prev;
	rcu_assign_pointer(list_next_rcu(fresh->prev), fresh);
	fresh->next->prev = fresh;
	old->prev = LIST_POISON2;
}

static inline void __list_splice_init_rcu(
	struct list_head *list, struct list_head *prev, struct list_head *next, void (*sync)(void))
{
	struct list_head *first = list->next, *last = list->prev;

	/* Readers that are on list come to its end yet, since last leads there. */
	INIT_LIST_HEAD_RCU(list);
	sync();
	/* There are none any more: now last may lead on into the other list. */
	rcu_assign_pointer(list_next_rcu(last), next);
	first->prev = prev;
	rcu_assign_pointer(list_next_rcu(prev), first);
	next->prev = last;
}

/*
 * Joins list, whose readers may be at work, in front of, or behind, what is on head, whose readers may be, too; list is empty then. sync: what
 * waits for the readers of list, as synchronize_rcu(); so this may sleep.
 */
static inline void list_splice_init_rcu(struct list_head *list, struct list_head *head, void (*sync)(void))
{
	if (!list_empty(list))
		__list_splice_init_rcu(list, head, head->next, sync);
}

static inline void list_splice_tail_init_rcu(struct list_head *list, struct list_head *head, void (*sync)(void))
{
	if (!list_empty(list))
		__list_splice_init_rcu(list, head->prev, head, sync);
}

/* ---- their readers. Inside a section, or under the writers' lock, which a last argument may state, and which is not looked at ---- */

/* The element of a node that was found by a pointer that may change. */
#define list_entry_rcu(ptr, type, member) container_of(rcu_dereference(ptr), type, member)

/* The first element; NULL of an empty list. There is no list_first_entry_rcu(): between two reads of the head, it may have changed. */
#define list_first_or_null_rcu(head, type, member)                                       \
	({                                                                               \
		struct list_head *____head = (head);                                     \
		struct list_head *____next = rcu_dereference(list_next_rcu(____head));   \
		____next != ____head ? container_of(____next, type, member) : (type *)0; \
	})
/* The element behind the one of the node ptr; NULL behind the last. */
#define list_next_or_null_rcu(head, ptr, type, member)                                   \
	({                                                                               \
		struct list_head *____head = (head);                                     \
		struct list_head *____ptr = (ptr);                                       \
		struct list_head *____next = rcu_dereference(list_next_rcu(____ptr));    \
		____next != ____head ? container_of(____next, type, member) : (type *)0; \
	})

#define __list_entry_next_rcu(node, type, member) container_of(rcu_dereference(list_next_rcu(node)), type, member)

#define list_for_each_rcu(pos, head) \
	for (pos = rcu_dereference((head)->next); pos != (head); pos = rcu_dereference(pos->next))
#define list_for_each_entry_rcu(pos, head, member, ...)                                                           \
	for (pos = __list_entry_next_rcu(head, __typeof__(*pos), member); !list_entry_is_head(pos, head, member); \
		pos = __list_entry_next_rcu(&pos->member, __typeof__(*pos), member))
/* Behind pos; and from pos on. In the section in which pos was found, or with a reference to it that keeps it on the list. */
#define list_for_each_entry_continue_rcu(pos, head, member)                       \
	for (pos = __list_entry_next_rcu(&pos->member, __typeof__(*pos), member); \
		!list_entry_is_head(pos, head, member);                           \
		pos = __list_entry_next_rcu(&pos->member, __typeof__(*pos), member))
#define list_for_each_entry_from_rcu(pos, head, member) \
	for (; !list_entry_is_head(pos, head, member);  \
		pos = __list_entry_next_rcu(&pos->member, __typeof__(*pos), member))
/* Where elements are never freed: without a section. */
#define list_entry_lockless(ptr, type, member) list_entry_rcu(ptr, type, member)
#define list_for_each_entry_lockless(pos, head, member) list_for_each_entry_rcu(pos, head, member)

/* ---- lists whose head is one pointer ---- */

#define hlist_first_rcu(head) (*(struct hlist_node **)(&(head)->first))
#define hlist_next_rcu(node) (*(struct hlist_node **)(&(node)->next))
#define hlist_pprev_rcu(node) (*(struct hlist_node **)((node)->pprev))

static inline void __hlist_del_rcu(struct hlist_node *n)
{
	struct hlist_node *next = n->next;

	rcu_assign_pointer(hlist_pprev_rcu(n), next);
	if (next)
		WRITE_ONCE(next->pprev, n->pprev);
}

/* As list_del_rcu(). hlist_unhashed() of it does not tell. */
static inline void hlist_del_rcu(struct hlist_node *n)
{
	__hlist_del_rcu(n);
	WRITE_ONCE(n->pprev, (struct hlist_node **)LIST_POISON2);
}

/* As that, and hlist_unhashed() of it is true; nothing if it is on no list. */
static inline void hlist_del_init_rcu(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	__hlist_del_rcu(n);
	WRITE_ONCE(n->pprev, (struct hlist_node **)NULL);
}

/* fresh takes the place of old; a reader meets one of them. */
static inline void hlist_replace_rcu(struct hlist_node *old, struct hlist_node *fresh)
{
	struct hlist_node *next = old->next;

	rcu_assign_pointer(hlist_next_rcu(fresh), next);
	WRITE_ONCE(fresh->pprev, old->pprev);
	rcu_assign_pointer(hlist_pprev_rcu(fresh), fresh);
	if (next)
		WRITE_ONCE(next->pprev, &fresh->next);
	WRITE_ONCE(old->pprev, (struct hlist_node **)LIST_POISON2);
}

/* What is on each of two lists goes to the other. A reader finds the end of the one that it began. */
static inline void hlists_swap_heads_rcu(struct hlist_head *left, struct hlist_head *right)
{
	struct hlist_node *first = left->first, *second = right->first;

	rcu_assign_pointer(hlist_first_rcu(right), first);
	rcu_assign_pointer(hlist_first_rcu(left), second);
	if (second)
		WRITE_ONCE(second->pprev, &left->first);
	if (first)
		WRITE_ONCE(first->pprev, &right->first);
}

static inline void __hlist_add_rcu(struct hlist_node *n, struct hlist_node **place)
{
	struct hlist_node *next = *place;

	rcu_assign_pointer(hlist_next_rcu(n), next);
	WRITE_ONCE(n->pprev, place);
	rcu_assign_pointer(*place, n);
	if (next)
		WRITE_ONCE(next->pprev, &n->next);
}

/* As the first of the list. Readers that find it see it as it was written before. */
static inline void hlist_add_head_rcu(struct hlist_node *n, struct hlist_head *h)
{
	__hlist_add_rcu(n, &h->first);
}

/* As the last: goes through all of the list. */
static inline void hlist_add_tail_rcu(struct hlist_node *n, struct hlist_head *h)
{
	struct hlist_node **place = &h->first;

	while (*place)
		place = &(*place)->next;
	__hlist_add_rcu(n, place);
}

static inline void hlist_add_before_rcu(struct hlist_node *n, struct hlist_node *next)
{
	__hlist_add_rcu(n, next->pprev);
}

static inline void hlist_add_behind_rcu(struct hlist_node *n, struct hlist_node *prev)
{
	__hlist_add_rcu(n, &prev->next);
}

/* ---- their readers, as those of lists ---- */

#define __hlist_entry_rcu(pointer, type, member) hlist_entry_safe(rcu_dereference(pointer), type, member)

#define __hlist_for_each_rcu(pos, head) \
	for (pos = rcu_dereference((head)->first); pos; pos = rcu_dereference(pos->next))
#define hlist_for_each_entry_rcu(pos, head, member, ...)                                      \
	for (pos = __hlist_entry_rcu(hlist_first_rcu(head), __typeof__(*(pos)), member); pos; \
		pos = __hlist_entry_rcu(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member))
#define hlist_for_each_entry_rcu_bh(pos, head, member) hlist_for_each_entry_rcu(pos, head, member)
#define hlist_for_each_entry_rcu_notrace(pos, head, member) hlist_for_each_entry_rcu(pos, head, member)
#define hlist_for_each_entry_continue_rcu(pos, member)                                                 \
	for (pos = __hlist_entry_rcu(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member); pos; \
		pos = __hlist_entry_rcu(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member))
#define hlist_for_each_entry_continue_rcu_bh(pos, member) hlist_for_each_entry_continue_rcu(pos, member)
#define hlist_for_each_entry_from_rcu(pos, member) \
	for (; pos; pos = __hlist_entry_rcu(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member))

#ifdef __cplusplus
}
#endif

#endif
