/*
 * list_lru.c: lists of objects by node.
 *
 * Calls the sched room's spinlocks. Knows nothing of the objects but the node of their memory.
 */
#include <errno.h>

#include "runtime/page/page.h"

#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/slab.h>

#define EXPORT __attribute__((visibility("default")))

struct flagstone_lru_node {
	spinlock_t lock;
	struct list_lru_one one; /* Synchronization: lock */
};

static void __count(struct list_lru_one *list, long change)
{
	WRITE_ONCE(list->nr_items, list->nr_items + change);
}

static struct flagstone_lru_node *node_of(struct list_lru *lru, const struct list_head *item)
{
	struct page *page = virt_to_page(item);

	return &lru->node[page ? page_to_nid(page) : 0];
}

EXPORT int list_lru_init(struct list_lru *lru)
{
	lru->node = kcalloc(page_nr_nodes(), sizeof(*lru->node), GFP_KERNEL);
	if (!lru->node)
		return -ENOMEM;
	for (unsigned int i = 0; i < page_nr_nodes(); i++) {
		spin_lock_init(&lru->node[i].lock);
		INIT_LIST_HEAD(&lru->node[i].one.list);
	}
	return 0;
}

EXPORT void list_lru_destroy(struct list_lru *lru)
{
	kfree(lru->node);
	lru->node = NULL;
}

EXPORT bool list_lru_add(struct list_lru *lru, struct list_head *item)
{
	struct flagstone_lru_node *node = node_of(lru, item);
	bool added;

	spin_lock(&node->lock);
	added = list_empty(item);
	if (added) {
		list_add_tail(item, &node->one.list);
		__count(&node->one, 1);
	}
	spin_unlock(&node->lock);
	return added;
}

EXPORT bool list_lru_del(struct list_lru *lru, struct list_head *item)
{
	struct flagstone_lru_node *node = node_of(lru, item);
	bool removed;

	spin_lock(&node->lock);
	removed = !list_empty(item);
	if (removed)
		list_lru_isolate(&node->one, item);
	spin_unlock(&node->lock);
	return removed;
}

EXPORT unsigned long list_lru_count_node(struct list_lru *lru, int nid)
{
	return (unsigned long)READ_ONCE(lru->node[nid].one.nr_items);
}

EXPORT unsigned long list_lru_count(struct list_lru *lru)
{
	unsigned long nr = 0;

	for (int nid = 0; nid < (int)page_nr_nodes(); nid++)
		nr += list_lru_count_node(lru, nid);
	return nr;
}

EXPORT void list_lru_isolate(struct list_lru_one *list, struct list_head *item)
{
	list_del_init(item);
	__count(list, -1);
}

EXPORT void list_lru_isolate_move(struct list_lru_one *list, struct list_head *item, struct list_head *head)
{
	list_move(item, head);
	__count(list, -1);
}

/* One item's turn. Returns whether the walk must begin anew. */
static bool __walk_one(struct flagstone_lru_node *node, struct list_head *item, list_lru_walk_cb isolate, void *cb_arg,
	unsigned long *removed)
{
	enum lru_status status = isolate(item, &node->one, &node->lock, cb_arg);

	if (status == LRU_REMOVED || status == LRU_REMOVED_RETRY)
		++*removed;
	if (status == LRU_ROTATE)
		list_move_tail(item, &node->one.list);
	return status == LRU_REMOVED_RETRY || status == LRU_RETRY;
}

EXPORT unsigned long list_lru_walk_node(
	struct list_lru *lru, int nid, list_lru_walk_cb isolate, void *cb_arg, unsigned long *nr_to_walk)
{
	struct flagstone_lru_node *node = &lru->node[nid];
	unsigned long removed = 0, left = 0;
	struct list_head *item, *next;

	spin_lock(&node->lock);
	/* What is rotated is not met again, unless the walk begins anew. */
	left = (unsigned long)node->one.nr_items;
	for (item = node->one.list.next; item != &node->one.list && left && *nr_to_walk; item = next) {
		next = item->next;
		--*nr_to_walk;
		left--;
		if (__walk_one(node, item, isolate, cb_arg, &removed)) {
			next = node->one.list.next;
			left = (unsigned long)node->one.nr_items;
		}
	}
	spin_unlock(&node->lock);
	return removed;
}

EXPORT unsigned long list_lru_walk(
	struct list_lru *lru, list_lru_walk_cb isolate, void *cb_arg, unsigned long nr_to_walk)
{
	unsigned long removed = 0;

	for (int nid = 0; nid < (int)page_nr_nodes() && nr_to_walk; nid++)
		removed += list_lru_walk_node(lru, nid, isolate, cb_arg, &nr_to_walk);
	return removed;
}
