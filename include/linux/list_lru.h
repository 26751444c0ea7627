/*
 * linux/list_lru.h: lists of objects by the node of their memory, oldest first: what a shrinker frees from.
 *
 * Semantics: Linux, include/linux/list_lru.h of 6.1, without memory cgroups. Each list has a lock of its own.
 */
#ifndef FLAGSTONE_LINUX_LIST_LRU_H
#define FLAGSTONE_LINUX_LIST_LRU_H

#include <linux/list.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a walk's function says of an item. */
enum lru_status {
	LRU_REMOVED, /* it took it off with list_lru_isolate() or _isolate_move() */
	LRU_REMOVED_RETRY, /* the same, and let the lock go meanwhile: the walk begins anew */
	LRU_ROTATE, /* to the young end */
	LRU_SKIP, /* stays */
	LRU_RETRY, /* the lock was let go: the walk begins anew */
};

struct list_lru_one {
	struct list_head list; /* oldest first. Synchronization: the node's lock */
	long nr_items; /* == length(list). Synchronization: the node's lock; a hint without */
};

struct list_lru {
	struct flagstone_lru_node *node; /* one a node; NULL: not initialized */
};

/* Looks at an item; lock is held, and interrupts are as the caller of the walk has them. */
typedef enum lru_status (*list_lru_walk_cb)(
	struct list_head *item, struct list_lru_one *list, spinlock_t *lock, void *cb_arg);

/* 0 or -ENOMEM. Context: task, may sleep. */
int list_lru_init(struct list_lru *lru);
/* The lists are empty. Context: task. */
void list_lru_destroy(struct list_lru *lru);

/* At the young end of the list of the node that the item's memory is of. False: it is on a list already (its head
 * is not empty). Any context in which the lock may be taken: not in an interrupt unless all uses have interrupts
 * off. */
bool list_lru_add(struct list_lru *lru, struct list_head *item);
/* Off its list, and empty. False: it was on none. As list_lru_add. */
bool list_lru_del(struct list_lru *lru, struct list_head *item);
#define list_lru_add_obj(lru, item) list_lru_add(lru, item)
#define list_lru_del_obj(lru, item) list_lru_del(lru, item)

/* How many items a node's list has, and all of them. A hint. Any context. */
unsigned long list_lru_count_node(struct list_lru *lru, int nid);
unsigned long list_lru_count(struct list_lru *lru);
static inline unsigned long list_lru_shrink_count(struct list_lru *lru, struct shrink_control *sc)
{
	return list_lru_count_node(lru, sc->nid);
}

/* For a walk's function: takes the item off, or moves it to a list of the function's. */
void list_lru_isolate(struct list_lru_one *list, struct list_head *item);
void list_lru_isolate_move(struct list_lru_one *list, struct list_head *item, struct list_head *head);

/* Calls isolate for items, oldest first, until *nr_to_walk calls were made, which it counts down, or the list has
 * come to its end. Returns how many were removed. Context: as list_lru_add. _walk: of all nodes. */
unsigned long list_lru_walk_node(
	struct list_lru *lru, int nid, list_lru_walk_cb isolate, void *cb_arg, unsigned long *nr_to_walk);
unsigned long list_lru_walk(struct list_lru *lru, list_lru_walk_cb isolate, void *cb_arg, unsigned long nr_to_walk);
static inline unsigned long list_lru_shrink_walk(
	struct list_lru *lru, struct shrink_control *sc, list_lru_walk_cb isolate, void *cb_arg)
{
	return list_lru_walk_node(lru, sc->nid, isolate, cb_arg, &sc->nr_to_scan);
}

#ifdef __cplusplus
}
#endif

#endif
