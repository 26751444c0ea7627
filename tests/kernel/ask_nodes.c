// SPDX-License-Identifier: MIT
/*
 * ask_nodes.c: which memory nodes are there, and what are sets of nodes and CPUs?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/topology.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static void ask_machine(void)
{
	int node, nodes = 0, with_cpus = 0;

	ask(num_online_nodes());
	ask(num_possible_nodes());
	ask(nr_node_ids);
	ask(nr_online_nodes);
	ask(numa_node_id());
	ask(numa_mem_id());
	ask(cpu_to_node(3));
	ask(cpu_to_mem(3));
	ask(node_distance(0, 0));
	ask(LOCAL_DISTANCE);
	ask(REMOTE_DISTANCE);
	ask(node_online(0));
	ask(node_online(1));
	ask(node_possible(0));
	ask(node_state(0, N_MEMORY));
	ask(node_state(0, N_NORMAL_MEMORY));
	ask(node_state(0, N_CPU));
	ask(first_online_node);
	ask(next_online_node(0) == MAX_NUMNODES);
	for_each_online_node(node) nodes++;
	for_each_node_with_cpus(node) with_cpus++;
	pr_info("%d nodes, %d with CPUs, after them %d\n", nodes, with_cpus, node == MAX_NUMNODES);
	ask(nr_cpus_node(0));
}

static void ask_hotplug(void)
{
	ask(remove_cpu(3));
	ask(cpu_is_offline(3));
	ask(nr_cpus_node(0));
	ask(cpumask_test_cpu(3, cpumask_of_node(0)));
	ask(cpu_to_node(3));
	ask(cpumask_local_spread(0, 0));
	ask(cpumask_local_spread(2, 0));
	ask(cpumask_local_spread(3, 0));
	ask(cpumask_local_spread(4, NUMA_NO_NODE));
	ask(add_cpu(3));
	ask(nr_cpus_node(0));
}

static void ask_node_masks(void)
{
	nodemask_t a = NODE_MASK_NONE, b = nodemask_of_node(1), to;

	ask(nodes_empty(a));
	ask(first_node(a) == MAX_NUMNODES);
	ask(first_unset_node(a));
	node_set(0, a);
	node_set(1, a);
	ask(node_isset(0, a));
	ask(node_test_and_set(1, a));
	ask(nodes_weight(a));
	ask(first_node(a));
	ask(next_node(0, a));
	ask(next_node(1, a) == MAX_NUMNODES);
	ask(next_node_in(1, a));
	ask(nodes_subset(b, a));
	ask(nodes_subset(a, b));
	ask(nodes_intersects(a, b));
	nodes_andnot(to, a, b);
	ask(first_node(to));
	nodes_complement(to, a);
	ask(first_node(to));
	nodes_or(to, to, a);
	ask(nodes_full(to));
	node_clear(0, to);
	ask(first_node(to));
}

static void ask_cpu_masks(void)
{
	static struct cpumask mask;
	unsigned int cpu, start;

	cpumask_set_cpu(1, &mask);
	cpumask_set_cpu(3, &mask);
	ask(cpumask_first_zero(&mask));
	ask(cpumask_next_zero(0, &mask));
	ask(cpumask_next_zero(3, &mask) >= nr_cpu_ids);
	ask(cpumask_any_but(&mask, 1));
	ask(cpumask_any_but(&mask, 3));
	for (start = 0; start < 4; start++) {
		pr_info("from %u round:\n", start);
		for_each_cpu_wrap(cpu, &mask, start) ask(cpu);
	}
	pr_info("not in it:\n");
	for_each_cpu_not(cpu, &mask) ask(cpu);
}

static int __init ask_init(void)
{
	ask_machine();
	ask_hotplug();
	ask_node_masks();
	ask_cpu_masks();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about memory nodes, and sets of nodes and CPUs");
