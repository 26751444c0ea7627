/*
 * linux/topology.h: which memory node a CPU belongs to, and how far apart nodes are.
 *
 * Semantics: Linux, Documentation/mm/numa.rst. Context: any. CPUs belong to the nodes in order, in equal parts; every node has memory.
 */
#ifndef FLAGSTONE_LINUX_TOPOLOGY_H
#define FLAGSTONE_LINUX_TOPOLOGY_H

#include <linux/cpumask.h>
#include <linux/nodemask.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOCAL_DISTANCE 10
#define REMOTE_DISTANCE 20

/* The node of the CPU that runs this; with preemption on it may be another one at once. numa_mem_id(): the nearest that has memory. */
int numa_node_id(void);
#define numa_mem_id() numa_node_id()
/* The node of a CPU below nr_cpu_ids, online or not; the nearest to it that has memory. */
int cpu_to_node(int cpu);
#define cpu_to_mem(cpu) cpu_to_node(cpu)
/* The distance of two nodes: LOCAL_DISTANCE of one to itself, else what the machine was booted with (REMOTE_DISTANCE). A node that is
 * not there is as far as that from any other. */
int node_distance(int from, int to);
/* The CPUs of a node that are online; of NUMA_NO_NODE, all that are online, which not every
 * architecture of Linux takes. The mask goes with hotplug. */
const struct cpumask *cpumask_of_node(int node);
/* How many that are. */
#define nr_cpus_node(node) cpumask_weight(cpumask_of_node(node))

#ifdef __cplusplus
}
#endif

#endif
