/*
 * nodes.c: the machine's memory nodes as kernel code asks for them.
 *
 * Semantics are documented in include/linux/{nodemask,topology}.h. Calls the page room for what nodes there are. Refuses to know what
 * memory they have.
 */
#include <linux/smp.h>
#include <linux/topology.h>

#include "runtime/page/page.h"
#include "runtime/sched/internal.h"

static_assert(MAX_NUMNODES == PAGE_MAX_NODES, "masks have room for every node");

#define ONE_NODE          \
	{                 \
		{         \
			1 \
		}         \
	}

nodemask_t node_states[NR_NODE_STATES] = {ONE_NODE, ONE_NODE, ONE_NODE, ONE_NODE, ONE_NODE};
unsigned int nr_node_ids = 1, nr_online_nodes = 1;

/* Of each node those that are online. Synchronization: atomic words */
static struct cpumask node_cpus[MAX_NUMNODES];

void nodes_boot(unsigned int nr_cpus)
{
	nodemask_t there = {{(1ul << page_nr_nodes()) - 1}};

	for (unsigned int state = 0; state < NR_NODE_STATES; state++)
		node_states[state] = there;
	nodes_clear(node_states[N_CPU]);
	nr_node_ids = nr_online_nodes = page_nr_nodes();
	for (unsigned int node = 0; node < MAX_NUMNODES; node++)
		cpumask_clear(&node_cpus[node]);
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		nodes_cpu_is(cpu, true);
}

void nodes_cpu_is(unsigned int cpu, bool online)
{
	unsigned int node = page_node_of_cpu(cpu);

	if (online)
		cpumask_set_cpu(cpu, &node_cpus[node]);
	else
		cpumask_clear_cpu(cpu, &node_cpus[node]);
	if (cpumask_empty(&node_cpus[node]))
		node_clear((int)node, node_states[N_CPU]);
	else
		node_set((int)node, node_states[N_CPU]);
}

int numa_node_id(void)
{
	int cpu = raw_smp_processor_id();

	return cpu < 0 ? 0 : cpu_to_node(cpu);
}

int cpu_to_node(int cpu)
{
	return (int)page_node_of_cpu((unsigned int)cpu);
}

int node_distance(int from, int to)
{
	if (from < 0 || to < 0 || !node_online(from) || !node_online(to))
		return from == to ? LOCAL_DISTANCE : REMOTE_DISTANCE;
	return (int)page_node_distance((unsigned int)from, (unsigned int)to);
}

const struct cpumask *cpumask_of_node(int node)
{
	return node == NUMA_NO_NODE ? cpu_online_mask : &node_cpus[node];
}

unsigned int cpumask_local_spread(unsigned int i, int node)
{
	unsigned int cpu;

	i %= num_online_cpus();
	if (node != NUMA_NO_NODE) {
		for_each_cpu_and(cpu, cpumask_of_node(node), cpu_online_mask) if (!i--) return cpu;
		for_each_cpu(cpu, cpu_online_mask)
			if (!cpumask_test_cpu(cpu, cpumask_of_node(node)) && !i--)
				return cpu;
	}
	for_each_cpu(cpu, cpu_online_mask)
		if (!i--)
			return cpu;
	return cpumask_first(cpu_online_mask); /* CPUs went meanwhile */
}
