/*
 * linux/numa.h: how many memory nodes there may be, and the number that means none.
 */
#ifndef FLAGSTONE_LINUX_NUMA_H
#define FLAGSTONE_LINUX_NUMA_H

#define NODES_SHIFT 4
#define MAX_NUMNODES (1 << NODES_SHIFT)
/* Where a node is asked for: the one of the CPU that asks. */
#define NUMA_NO_NODE (-1)

#endif
