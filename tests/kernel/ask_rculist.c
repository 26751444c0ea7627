// SPDX-License-Identifier: MIT
/*
 * ask_rculist.c: what the functions of linux/rculist.h and linux/rculist_nulls.h leave behind.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/rculist_nulls.h>

struct element {
	int number;
	struct list_head node;
	struct hlist_node hash;
	struct hlist_nulls_node nulls;
};

static struct element e[8];
static LIST_HEAD(head);
static LIST_HEAD(other);
static struct hlist_head hash, hash2;
static struct hlist_nulls_head nulls;

static long digits(void)
{
	struct element *element;
	long n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(element, &head, node)
		n = n * 10 + element->number;
	rcu_read_unlock();
	return n;
}

static long hash_digits(struct hlist_head *of)
{
	struct element *element;
	long n = 0;

	rcu_read_lock();
	hlist_for_each_entry_rcu(element, of, hash)
		n = n * 10 + element->number;
	rcu_read_unlock();
	return n;
}

static long nulls_digits(unsigned long *end)
{
	struct hlist_nulls_node *pos;
	struct element *element;
	long n = 0;

	rcu_read_lock();
	hlist_nulls_for_each_entry_rcu(element, pos, &nulls, nulls)
		n = n * 10 + element->number;
	rcu_read_unlock();
	*end = get_nulls_value(pos);
	return n;
}

static void ask_lists(void)
{
	struct element *element;

	pr_info("an empty list: list_first_or_null_rcu() NULL %d\n",
		!list_first_or_null_rcu(&head, struct element, node));
	list_add_tail_rcu(&e[2].node, &head);
	list_add_rcu(&e[1].node, &head);
	list_add_tail_rcu(&e[3].node, &head);
	list_add_tail_rcu(&e[4].node, &head);
	pr_info("list_add_rcu(), list_add_tail_rcu(): %ld\n", digits());
	pr_info("list_first_or_null_rcu(): %d, list_next_or_null_rcu(): %d, of the last NULL %d\n",
		list_first_or_null_rcu(&head, struct element, node)->number,
		list_next_or_null_rcu(&head, &e[1].node, struct element, node)->number,
		!list_next_or_null_rcu(&head, &e[4].node, struct element, node));
	element = &e[2];
	list_for_each_entry_continue_rcu(element, &head, node) break;
	pr_info("list_for_each_entry_continue_rcu(): begins at %d\n", element->number);
	list_for_each_entry_from_rcu(element, &head, node) break;
	pr_info("list_for_each_entry_from_rcu(): begins at %d\n", element->number);
	list_replace_rcu(&e[2].node, &e[5].node);
	pr_info("list_replace_rcu(): %ld, the old one's next stays %d, its prev is LIST_POISON2 %d\n", digits(),
		e[2].node.next == &e[3].node, e[2].node.prev == LIST_POISON2);
	list_del_rcu(&e[3].node);
	pr_info("list_del_rcu(): %ld, its next stays %d, its prev is LIST_POISON2 %d\n", digits(),
		e[3].node.next == &e[4].node, e[3].node.prev == LIST_POISON2);
	list_add_rcu(&e[6].node, &other);
	list_add_tail_rcu(&e[7].node, &other);
	list_splice_init_rcu(&other, &head, synchronize_rcu);
	pr_info("list_splice_init_rcu(): %ld, the other is empty %d\n", digits(), list_empty(&other));
	list_add_rcu(&e[2].node, &other);
	list_splice_tail_init_rcu(&other, &head, synchronize_rcu);
	pr_info("list_splice_tail_init_rcu(): %ld, the other is empty %d\n", digits(), list_empty(&other));
}

static void ask_hash_lists(void)
{
	hlist_add_tail_rcu(&e[3].hash, &hash);
	hlist_add_head_rcu(&e[1].hash, &hash);
	hlist_add_before_rcu(&e[2].hash, &e[3].hash);
	hlist_add_behind_rcu(&e[4].hash, &e[3].hash);
	pr_info("hlist_add_tail_rcu(), _head, _before, _behind: %ld\n", hash_digits(&hash));
	hlist_del_rcu(&e[2].hash);
	pr_info("hlist_del_rcu(): %ld, its next stays %d, unhashed %d\n", hash_digits(&hash),
		e[2].hash.next == &e[3].hash, hlist_unhashed(&e[2].hash));
	hlist_del_init_rcu(&e[3].hash);
	hlist_del_init_rcu(&e[3].hash);
	pr_info("hlist_del_init_rcu() twice: %ld, its next stays %d, unhashed %d %d\n", hash_digits(&hash),
		e[3].hash.next == &e[4].hash, hlist_unhashed(&e[3].hash), hlist_unhashed_lockless(&e[3].hash));
	hlist_replace_rcu(&e[4].hash, &e[5].hash);
	pr_info("hlist_replace_rcu(): %ld, the old one's pprev is LIST_POISON2 %d\n", hash_digits(&hash),
		(void *)e[4].hash.pprev == (void *)LIST_POISON2);
	hlist_add_head_rcu(&e[6].hash, &hash2);
	hlists_swap_heads_rcu(&hash, &hash2);
	pr_info("hlists_swap_heads_rcu(): %ld and %ld\n", hash_digits(&hash), hash_digits(&hash2));
}

static void ask_nulls(void)
{
	unsigned long end;
	long n;

	INIT_HLIST_NULLS_HEAD(&nulls, 77);
	n = nulls_digits(&end);
	pr_info("an empty list with the end 77: %ld, empty %d, its end %lu\n", n, hlist_nulls_empty(&nulls), end);
	hlist_nulls_add_head_rcu(&e[2].nulls, &nulls);
	hlist_nulls_add_head_rcu(&e[1].nulls, &nulls);
	hlist_nulls_add_tail_rcu(&e[3].nulls, &nulls);
	n = nulls_digits(&end);
	pr_info("hlist_nulls_add_head_rcu(), _tail: %ld, empty %d, its end %lu\n", n, hlist_nulls_empty(&nulls), end);
	hlist_nulls_del_rcu(&e[2].nulls);
	n = nulls_digits(&end);
	pr_info("hlist_nulls_del_rcu(): %ld, its next stays %d, unhashed %d\n", n, e[2].nulls.next == &e[3].nulls,
		hlist_nulls_unhashed(&e[2].nulls));
	hlist_nulls_del_init_rcu(&e[3].nulls);
	hlist_nulls_del_init_rcu(&e[3].nulls);
	n = nulls_digits(&end);
	pr_info("hlist_nulls_del_init_rcu() twice: %ld, its next is an end %d, unhashed %d %d\n", n,
		is_a_nulls(e[3].nulls.next), hlist_nulls_unhashed(&e[3].nulls),
		hlist_nulls_unhashed_lockless(&e[3].nulls));
	hlist_nulls_add_fake(&e[4].nulls);
	pr_info("hlist_nulls_add_fake(): unhashed %d, its next is an end %d\n", hlist_nulls_unhashed(&e[4].nulls),
		is_a_nulls(e[4].nulls.next));
	pr_info("NULLS_MARKER(5): 0x%lx\n", NULLS_MARKER(5));
}

static int __init ask_init(void)
{
	int i;

	for (i = 0; i < 8; i++)
		e[i].number = i;
	ask_lists();
	ask_hash_lists();
	ask_nulls();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about lists for readers without locks");
