/*
 * test_topology.c: <linux/nodemask.h>, <linux/topology.h>, and what of <linux/cpumask.h> goes by nodes.
 *
 * Broken if this fails: a driver puts memory on a node that is not its CPU's, or walks over the wrong nodes and CPUs.
 */
#include <flagstone/machine.h>
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define NODES 3
#define CPUS 7 /* of the nodes 3, 2, 2 or so */

static int boot(void **state)
{
	(void)state;
	return flagstone_machine_boot_text("cpus=7,ram=96m,nodes=3,distances=10:15:20:15:10:30:20:30:10");
}

static int shut_down(void **state)
{
	(void)state;
	return flagstone_machine_shutdown();
}

static void every_node_and_cpu_is_walked_over(void **state)
{
	unsigned int cpus = 0, cpu, last = 0;
	int node, nodes = 0;

	(void)state;
	assert_int_equal(num_online_nodes(), NODES);
	assert_int_equal(num_possible_nodes(), NODES);
	assert_int_equal(nr_node_ids, NODES);
	assert_int_equal(first_online_node, 0);
	assert_int_equal(next_online_node(NODES - 1), MAX_NUMNODES);
	for_each_online_node(node)
	{
		assert_int_equal(node, nodes++);
		assert_true(node_online(node) && node_possible(node) && node_state(node, N_MEMORY));
		cpus += nr_cpus_node(node);
		for_each_cpu(cpu, cpumask_of_node(node)) {
			assert_true(cpu == 0 || cpu == last + 1); /* in order */
			last = cpu;
			assert_int_equal(cpu_to_node((int)cpu), node);
			assert_int_equal(cpu_to_mem((int)cpu), node);
		}
	}
	assert_int_equal(node, MAX_NUMNODES);
	assert_int_equal(nodes, NODES);
	assert_int_equal(cpus, CPUS);
	assert_false(node_online(NODES));
	assert_int_equal(cpumask_weight(cpumask_of_node(NUMA_NO_NODE)), CPUS);
}

static void distances_are_those_of_the_machine(void **state)
{
	static const int distances[NODES][NODES] = {{10, 15, 20}, {15, 10, 30}, {20, 30, 10}};

	(void)state;
	for (int from = 0; from < NODES; from++)
		for (int to = 0; to < NODES; to++)
			assert_int_equal(node_distance(from, to), distances[from][to]);
	assert_int_equal(node_distance(0, NODES), REMOTE_DISTANCE);
	assert_int_equal(node_distance(NUMA_NO_NODE, 0), REMOTE_DISTANCE);
}

static int note_node(void *nodes)
{
	int *here = nodes;
	void *object = kmalloc(100, GFP_KERNEL);

	here[0] = numa_node_id();
	here[1] = numa_mem_id();
	here[2] = page_to_nid(virt_to_page(object));
	kfree(object);
	return 0;
}

static void memory_is_of_the_node_of_the_cpu_that_asks(void **state)
{
	(void)state;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		int here[3], node = cpu_to_node((int)cpu);

		assert_int_equal(flagstone_machine_run(cpu, note_node, here), 0);
		assert_int_equal(here[0], node);
		assert_int_equal(here[1], node);
		assert_int_equal(here[2], node);
	}
}

static void a_cpu_that_goes_leaves_its_node(void **state)
{
	int node = cpu_to_node(CPUS - 1);
	unsigned int there = nr_cpus_node(node), cpu;

	(void)state;
	for (cpu = CPUS - there; cpu < CPUS; cpu++) {
		assert_true(node_state(node, N_CPU));
		assert_int_equal(remove_cpu(cpu), 0);
		assert_true(cpu_is_offline(cpu));
		assert_false(cpumask_test_cpu(cpu, cpumask_of_node(node)));
		assert_int_equal(cpu_to_node((int)cpu), node);
	}
	assert_false(node_state(node, N_CPU)); /* nor is it walked over: */
	for_each_node_with_cpus(node) assert_int_not_equal(node, cpu_to_node(CPUS - 1));
	for (cpu = CPUS - there; cpu < CPUS; cpu++)
		assert_int_equal(add_cpu(cpu), 0);
	assert_int_equal(nr_cpus_node(cpu_to_node(CPUS - 1)), there);
}

static void queues_are_spread_over_near_cpus_first(void **state)
{
	struct cpumask seen;
	unsigned int i;

	(void)state;
	for (int node = NUMA_NO_NODE; node < NODES; node++) {
		cpumask_clear(&seen);
		for (i = 0; i < CPUS; i++) {
			unsigned int cpu = cpumask_local_spread(i, node);

			if (node != NUMA_NO_NODE)
				assert_int_equal(cpu_to_node((int)cpu) == node, i < nr_cpus_node(node));
			assert_false(cpumask_test_and_set_cpu(cpu, &seen));
			assert_int_equal(cpumask_local_spread(i + CPUS, node), cpu);
		}
	}
}

/* What a walk that wraps sees, as decimal digits behind a 9. */
static unsigned long walked(const struct cpumask *mask, unsigned int start)
{
	unsigned long seen = 9;
	unsigned int cpu;

	for_each_cpu_wrap(cpu, mask, start) seen = seen * 10 + cpu;
	return seen;
}

static void walks_over_cpus_begin_anywhere(void **state)
{
	struct cpumask mask;
	unsigned long others = 9;
	unsigned int cpu;

	(void)state;
	cpumask_clear(&mask);
	assert_int_equal(walked(&mask, 0), 9);
	assert_int_equal(walked(&mask, 3), 9);
	cpumask_set_cpu(1, &mask);
	cpumask_set_cpu(3, &mask);
	cpumask_set_cpu(6, &mask);
	assert_int_equal(walked(&mask, 0), 9136);
	assert_int_equal(walked(&mask, 1), 9136);
	assert_int_equal(walked(&mask, 2), 9361);
	assert_int_equal(walked(&mask, 3), 9361);
	assert_int_equal(walked(&mask, 6), 9613);
	assert_int_equal(walked(&mask, NR_CPUS - 1), 9136);
	for_each_cpu_not(cpu, &mask) others = others * 10 + cpu;
	assert_int_equal(others, 90245);
	assert_int_equal(cpumask_first_zero(&mask), 0);
	assert_int_equal(cpumask_next_zero(5, &mask), 7);
	assert_int_equal(cpumask_nth(2, &mask), 6);
	assert_true(cpumask_nth(3, &mask) >= nr_cpu_ids);
	assert_int_equal(cpumask_any_but(&mask, 1), 3);
	assert_int_equal(cpumask_any_but(&mask, 3), 1);
	assert_int_equal(cpumask_weight_and(&mask, cpumask_of(3)), 1);
}

static void masks_of_nodes_are_sets(void **state)
{
	nodemask_t a = NODE_MASK_NONE, b = nodemask_of_node(5), all = NODE_MASK_ALL, to;

	(void)state;
	assert_true(nodes_empty(a));
	assert_int_equal(first_node(a), MAX_NUMNODES);
	node_set(2, a);
	node_set(5, a);
	assert_true(node_test_and_set(5, a));
	assert_false(node_test_and_set(15, a));
	node_clear(15, a);
	assert_true(node_isset(2, a));
	assert_int_equal(nodes_weight(a), 2);
	assert_int_equal(first_node(a), 2);
	assert_int_equal(next_node(2, a), 5);
	assert_int_equal(next_node(5, a), MAX_NUMNODES);
	assert_int_equal(next_node_in(5, a), 2);
	assert_int_equal(first_unset_node(all), MAX_NUMNODES);
	assert_int_equal(first_unset_node(a), 0);
	assert_true(nodes_full(all));
	assert_true(nodes_subset(b, a) && !nodes_subset(a, b) && nodes_intersects(a, b));
	nodes_andnot(to, a, b);
	assert_true(nodes_equal(to, nodemask_of_node(2)));
	nodes_xor(to, to, b);
	assert_true(nodes_equal(to, a));
	nodes_complement(to, a);
	assert_int_equal(nodes_weight(to), MAX_NUMNODES - 2);
	nodes_or(to, to, a);
	assert_true(nodes_full(to));
	nodes_and(to, to, b);
	assert_true(nodes_equal(to, b));
	nodes_clear(to);
	assert_true(nodes_empty(to));
	nodes_setall(to);
	assert_true(nodes_equal(to, all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_node_and_cpu_is_walked_over),
		cmocka_unit_test(distances_are_those_of_the_machine),
		cmocka_unit_test(memory_is_of_the_node_of_the_cpu_that_asks),
		cmocka_unit_test(a_cpu_that_goes_leaves_its_node),
		cmocka_unit_test(queues_are_spread_over_near_cpus_first),
		cmocka_unit_test(walks_over_cpus_begin_anywhere),
		cmocka_unit_test(masks_of_nodes_are_sets),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, boot, shut_down);
}
