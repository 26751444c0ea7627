/*
 * typesafe.h: a table of flows that is looked up without a lock, as a kernel module's would be.
 */
#ifndef TESTS_KERNEL_TYPESAFE_H
#define TESTS_KERNEL_TYPESAFE_H

#include <linux/gfp.h>
#include <linux/list_nulls.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct flow {
	struct hlist_nulls_node node; /* of its bucket */
	refcount_t ref; /* the table's and readers'; 0: it is free, or will be in a moment */
	u32 key;
	u32 type; /* FLOW_TYPE, from its construction on, free or not */
	u64 packets, check; /* ~(key + packets) */
	u8 first[1500]; /* packet; here, all bytes are the key's lowest */
};

#define FLOW_TYPE 0xf10f10f1u

/* 0 or -ENOMEM. */
int flows_init(void);
/* Nobody looks up any more. */
void flows_exit(void);
/* Gives memory of flows that are gone back. Context: task. */
void flows_shrink(void);

/* Adds one. 0, -EEXIST or -ENOMEM. Context: as gfp allows. */
int flow_add(u32 key, u64 packets, gfp_t gfp);
/* Takes it out: it is free as soon as nobody has a reference to it. 0 or -ENOENT. Any context. */
int flow_delete(u32 key);
/* The flow of that key, with a reference to it, or NULL. Any context, takes no lock. */
struct flow *flow_get(u32 key);
/* Puts the reference. */
void flow_put(struct flow *flow);

/* Things that were met in a bucket and were no flows. */
extern unsigned long nr_strangers;

#endif
