/*
 * linux/numa.h: the number that means no node.
 */
#ifndef FLAGSTONE_LINUX_NUMA_H
#define FLAGSTONE_LINUX_NUMA_H

/* Where a node is asked for: the one of the CPU that asks. */
#define NUMA_NO_NODE (-1)

#endif
