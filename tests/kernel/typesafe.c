// SPDX-License-Identifier: MIT
/*
 * typesafe.c: flows, found by their key without a lock, in memory that is used again at once: what SLAB_TYPESAFE_BY_RCU is for.
 *
 * A flow that is deleted is free as soon as its last reference is put, without a grace period. So a reader may stand on one that is free,
 * or is another flow by now, in another bucket. But while it is in its section, it is a flow: its count tells whether it lives. The reader
 *	finds it by its key,
 *	takes a reference, which fails if it is free,
 *	looks at the key again, since it may have become another one before there was the reference,
 *	and at the end of a bucket, whether that is the end of the bucket that it began.
 * If one of these fails it begins anew. See Linux, Documentation/RCU/rculist_nulls.rst.
 */
#include <linux/errno.h>
#include <linux/rculist_nulls.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "typesafe.h"

/* The tests build this without one or the other, too, to see it fail. */
#ifndef FLOW_SLAB_FLAGS
#define FLOW_SLAB_FLAGS SLAB_TYPESAFE_BY_RCU
#endif
#ifndef FLOW_LOOKS_AGAIN
#define FLOW_LOOKS_AGAIN true
#endif

#define NR_BUCKETS 16u

static struct hlist_nulls_head buckets[NR_BUCKETS];
static DEFINE_SPINLOCK(lock); /* of writers */
static struct kmem_cache *flow_cache;
unsigned long nr_strangers;

static struct hlist_nulls_head *bucket_of(u32 key)
{
	return &buckets[key % NR_BUCKETS];
}

/* Once for each object when its slab is made. What a reader looks at before it has a reference is never set by flow_add() alone. */
static void flow_construct(void *object)
{
	struct flow *flow = object;

	flow->type = FLOW_TYPE;
	flow->key = 0;
	refcount_set(&flow->ref, 0);
}

int flows_init(void)
{
	flow_cache = kmem_cache_create("flow", sizeof(struct flow), 0, FLOW_SLAB_FLAGS, flow_construct);
	for (u32 i = 0; i < NR_BUCKETS; i++)
		INIT_HLIST_NULLS_HEAD(&buckets[i], i);
	return flow_cache ? 0 : -ENOMEM;
}

void flows_shrink(void)
{
	kmem_cache_shrink(flow_cache);
}

/* ---- readers ---- */

void flow_put(struct flow *flow)
{
	if (refcount_dec_and_test(&flow->ref))
		kmem_cache_free(flow_cache, flow);
}

static bool is_flow(const struct flow *flow)
{
	if (likely(READ_ONCE(flow->type) == FLOW_TYPE))
		return true;
	WRITE_ONCE(nr_strangers, READ_ONCE(nr_strangers) + 1);
	return false;
}

struct flow *flow_get(u32 key)
{
	struct hlist_nulls_head *bucket = bucket_of(key);
	struct hlist_nulls_node *node;
	struct flow *flow;

	rcu_read_lock();
begin:
	hlist_nulls_for_each_entry_rcu(flow, node, bucket, node) {
		if (!is_flow(flow))
			goto out;
		if (READ_ONCE(flow->key) != key)
			continue;
		/* Pairs with flow_add(): whose reference this is, its key and the rest are seen, too. */
		if (!refcount_inc_not_zero_acquire(&flow->ref))
			goto begin;
		if (likely(READ_ONCE(flow->key) == key) || !FLOW_LOOKS_AGAIN) {
			rcu_read_unlock();
			return flow;
		}
		flow_put(flow);
		goto begin;
	}
	/* On the way, a flow went to another bucket, and we with it. */
	if (get_nulls_value(node) != key % NR_BUCKETS)
		goto begin;
out:
	rcu_read_unlock();
	return NULL;
}

/* ---- writers ---- */

static struct flow *__flow_find(u32 key)
{
	struct hlist_nulls_node *node;
	struct flow *flow;

	hlist_nulls_for_each_entry(flow, node, bucket_of(key), node)
		if (flow->key == key)
			return flow;
	return NULL;
}

int flow_add(u32 key, u64 packets, gfp_t gfp)
{
	struct flow *flow = kmem_cache_alloc(flow_cache, gfp);
	unsigned long irqflags;
	bool exists;

	if (!flow)
		return -ENOMEM;
	/* Readers that still stand on it, from before, look at this only. */
	WRITE_ONCE(flow->key, key);
	flow->packets = packets;
	flow->check = ~(key + packets);
	memset(flow->first, (u8)key, sizeof(flow->first));
	spin_lock_irqsave(&lock, irqflags);
	exists = __flow_find(key);
	if (!exists) {
		/* Pairs with flow_get(). */
		refcount_set_release(&flow->ref, 1);
		hlist_nulls_add_head_rcu(&flow->node, bucket_of(key));
	}
	spin_unlock_irqrestore(&lock, irqflags);
	if (exists)
		kmem_cache_free(flow_cache, flow);
	return exists ? -EEXIST : 0;
}

int flow_delete(u32 key)
{
	unsigned long irqflags;
	struct flow *flow;

	spin_lock_irqsave(&lock, irqflags);
	flow = __flow_find(key);
	if (flow)
		hlist_nulls_del_rcu(&flow->node);
	spin_unlock_irqrestore(&lock, irqflags);
	if (!flow)
		return -ENOENT;
	flow_put(flow);
	return 0;
}

void flows_exit(void)
{
	struct hlist_nulls_node *node;
	struct flow *flow;

	for (u32 i = 0; i < NR_BUCKETS; i++) {
		hlist_nulls_for_each_entry_safe(flow, node, &buckets[i], node) flow_put(flow);
	}
	/* Waits for slabs that readers could be in. */
	kmem_cache_destroy(flow_cache);
}
