/*
 * linux/hashtable.h: tables of a power of two of lists, by a number.
 *
 * Semantics: Linux, the kernel's header of this name. Any context; the caller's lock keeps others away. There are no _rcu forms.
 */
#ifndef FLAGSTONE_LINUX_HASHTABLE_H
#define FLAGSTONE_LINUX_HASHTABLE_H

#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/types.h>

/* A table of 1 << bits lists: a variable, which is empty; a declaration; a member, to be emptied by hash_init(). */
#define DEFINE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)] = {[0 ...(1 << (bits)) - 1] = HLIST_HEAD_INIT}
#define DECLARE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)]
#define HASH_SIZE(table) (ARRAY_SIZE(table))
#define HASH_BITS(table) ((unsigned int)ilog2(HASH_SIZE(table)))

/* The list of a number, which is of 32 or 64 bits as its type is. */
#define hash_min(value, bits) \
	(sizeof(value) <= 4 ? hash_32((u32)(value), (bits)) : hash_long((unsigned long)(value), (bits)))

static inline void flagstone_hash_init(struct hlist_head *table, size_t size)
{
	for (size_t i = 0; i < size; i++)
		INIT_HLIST_HEAD(&table[i]);
}
#define hash_init(table) flagstone_hash_init((table), HASH_SIZE(table))

static inline bool flagstone_hash_empty(const struct hlist_head *table, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!hlist_empty(&table[i]))
			return false;
	return true;
}
#define hash_empty(table) flagstone_hash_empty((table), HASH_SIZE(table))

/* Enters a node by its number; whether it is in some table; takes it out, which may be done again. */
#define hash_add(table, node, key) hlist_add_head((node), &(table)[hash_min((key), HASH_BITS(table))])
#define hash_hashed(node) (!hlist_unhashed(node))
#define hash_del(node) hlist_del_init(node)

/* All elements of a table, bucket: an int; those of a number, and others of the same list. _safe: which the body may take out; next: a
 * struct hlist_node *. */
#define hash_for_each(table, bucket, element, member)                                                    \
	for ((bucket) = 0, (element) = NULL; !(element) && (bucket) < (int)HASH_SIZE(table); (bucket)++) \
	hlist_for_each_entry((element), &(table)[bucket], member)
#define hash_for_each_safe(table, bucket, next, element, member)                                         \
	for ((bucket) = 0, (element) = NULL; !(element) && (bucket) < (int)HASH_SIZE(table); (bucket)++) \
	hlist_for_each_entry_safe((element), (next), &(table)[bucket], member)
#define hash_for_each_possible(table, element, member, key) \
	hlist_for_each_entry((element), &(table)[hash_min((key), HASH_BITS(table))], member)
#define hash_for_each_possible_safe(table, element, next, member, key) \
	hlist_for_each_entry_safe((element), (next), &(table)[hash_min((key), HASH_BITS(table))], member)

#endif
