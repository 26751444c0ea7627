/*
 * linux/nodemask.h: sets of memory nodes, and those of the machine.
 *
 * Semantics: Linux, Documentation/admin-guide/mm/numaperf.rst and the kernel's header of this name. Context: any. Nodes are numbered
 * from 0 to MAX_NUMNODES - 1. Functions that change one node's bit are atomic, unless their name begins with __; those on whole masks
 * are not. A machine has all its nodes from boot to shutdown.
 */
#ifndef FLAGSTONE_LINUX_NODEMASK_H
#define FLAGSTONE_LINUX_NODEMASK_H

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/numa.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nodemask {
	unsigned long bits[1]; /* node n: bit n */
} nodemask_t;

#define FLAGSTONE_ALL_NODES ((1ul << MAX_NUMNODES) - 1)
/* Initialisers: every node, none, one. */
/* clang-format off */
#define NODE_MASK_ALL { { FLAGSTONE_ALL_NODES } }
#define NODE_MASK_NONE { { 0 } }
/* clang-format on */
#define nodes_addr(mask) ((mask).bits)

static inline nodemask_t nodemask_of_node(int node)
{
	nodemask_t mask = {{1ul << node}};

	return mask;
}

/* ---- one node ---- */

/* Adds a node, removes it, tells whether it is there. mask: a nodemask_t, not a pointer. */
#define node_set(node, mask) set_bit((node), (mask).bits)
#define __node_set(node, mask) __set_bit((node), (mask)->bits)
#define node_clear(node, mask) clear_bit((node), (mask).bits)
#define __node_clear(node, mask) __clear_bit((node), (mask)->bits)
#define node_isset(node, mask) test_bit((node), (mask).bits)
/* Adds it; whether it was there. A full barrier. */
#define node_test_and_set(node, mask) test_and_set_bit((node), (mask).bits)

/* The first node; the first above node; the first that is not there: MAX_NUMNODES if there is none. _in: from the start again then. */
static inline unsigned int flagstone_next_node(int node, const nodemask_t *mask, unsigned long invert)
{
	return (unsigned int)flagstone_find_bit(mask->bits, MAX_NUMNODES, (unsigned long)(node + 1), invert);
}

#define first_node(mask) flagstone_next_node(-1, &(mask), 0)
#define next_node(node, mask) flagstone_next_node((node), &(mask), 0)
#define first_unset_node(mask) flagstone_next_node(-1, &(mask), ~0ul)

static inline unsigned int flagstone_next_node_in(int node, const nodemask_t *mask)
{
	unsigned int next = flagstone_next_node(node, mask, 0);

	return next < MAX_NUMNODES ? next : flagstone_next_node(-1, mask, 0);
}
#define next_node_in(node, mask) flagstone_next_node_in((node), &(mask))

/* Each node of a mask, ascending. node: an int; after the loop MAX_NUMNODES. */
#define for_each_node_mask(node, mask) \
	for ((node) = (int)first_node(mask); (node) < MAX_NUMNODES; (node) = (int)next_node((node), (mask)))

/* ---- whole masks: nodemask_t, not pointers ---- */

#define nodes_setall(mask) ((void)((mask).bits[0] = FLAGSTONE_ALL_NODES))
#define nodes_clear(mask) ((void)((mask).bits[0] = 0))
#define nodes_and(to, a, b) ((void)((to).bits[0] = (a).bits[0] & (b).bits[0]))
#define nodes_or(to, a, b) ((void)((to).bits[0] = (a).bits[0] | (b).bits[0]))
#define nodes_xor(to, a, b) ((void)((to).bits[0] = (a).bits[0] ^ (b).bits[0]))
#define nodes_andnot(to, a, b) ((void)((to).bits[0] = (a).bits[0] & ~(b).bits[0]))
#define nodes_complement(to, a) ((void)((to).bits[0] = ~(a).bits[0] & FLAGSTONE_ALL_NODES))
/* Whether they are the same; whether a node is in both; whether every node of a is in b; whether none, or all, are in it. */
#define nodes_equal(a, b) ((a).bits[0] == (b).bits[0])
#define nodes_intersects(a, b) (((a).bits[0] & (b).bits[0]) != 0)
#define nodes_subset(a, b) (((a).bits[0] & ~(b).bits[0]) == 0)
#define nodes_empty(mask) ((mask).bits[0] == 0)
#define nodes_full(mask) ((mask).bits[0] == FLAGSTONE_ALL_NODES)
/* How many there are; an int. */
#define nodes_weight(mask) ((int)hweight_long((mask).bits[0]))

/* ---- the machine's nodes ---- */

enum node_states {
	N_POSSIBLE, /* may be there */
	N_ONLINE, /* is there */
	N_NORMAL_MEMORY, /* has memory that is not highmem */
	N_HIGH_MEMORY, /* has memory: the kernel's word, highmem or not */
	N_MEMORY = N_HIGH_MEMORY,
	N_CPU, /* has CPUs */
	NR_NODE_STATES
};

/* Without a machine there is node 0. Synchronization: const while a machine runs, but for N_CPU: atomic words */
extern nodemask_t node_states[NR_NODE_STATES];
/* Node numbers are below this; how many are online. Synchronization: const while a machine runs */
extern unsigned int nr_node_ids, nr_online_nodes;

#define node_online_map node_states[N_ONLINE]
#define node_possible_map node_states[N_POSSIBLE]
#define node_state(node, state) node_isset((node), node_states[state])
#define num_node_state(state) nodes_weight(node_states[state])
#define node_online(node) node_state((node), N_ONLINE)
#define node_possible(node) node_state((node), N_POSSIBLE)
#define num_online_nodes() nr_online_nodes
#define num_possible_nodes() num_node_state(N_POSSIBLE)
#define first_online_node ((int)first_node(node_states[N_ONLINE]))
#define first_memory_node ((int)first_node(node_states[N_MEMORY]))
#define next_online_node(node) ((int)next_node((node), node_states[N_ONLINE]))
#define next_memory_node(node) ((int)next_node((node), node_states[N_MEMORY]))
#define for_each_node_state(node, state) for_each_node_mask(node, node_states[state])
#define for_each_node(node) for_each_node_state(node, N_POSSIBLE)
#define for_each_online_node(node) for_each_node_state(node, N_ONLINE)
#define for_each_node_with_cpus(node)                              \
	for_each_online_node(node) if (!node_state((node), N_CPU)) \
	{                                                          \
	}                                                          \
	else

#ifdef __cplusplus
}
#endif

#endif
