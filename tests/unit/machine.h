/*
 * machine.h: a small machine for tests of the rooms that run on one.
 *
 * Calls the rooms' own boot functions. Knows nothing of what the test does with it.
 */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include "runtime/sched/sched.h"
#include "runtime/slab/slab.h"

/* The hosted program is not to boot: the machine does. */
static __attribute__((constructor(101))) void test_machine_constructor(void)
{
	slab_boot_by_machine();
}

/* All fields of *config but the CPUs are the caller's. */
static inline int test_machine_boot_config(unsigned int nr_cpus, struct page_machine *config)
{
	int error;

	config->nr_cpus = nr_cpus;
	error = slab_boot_machine(config);
	if (error)
		return error;
	error = sched_boot(nr_cpus);
	if (error)
		slab_shutdown();
	return error;
}

/* With one node of ram bytes, all in NORMAL. */
static inline int test_machine_boot_ram(unsigned int nr_cpus, size_t ram)
{
	struct page_machine config = {.nr_nodes = 1, .node_bytes = {ram}};

	return test_machine_boot_config(nr_cpus, &config);
}

static inline int test_machine_boot(unsigned int nr_cpus)
{
	return test_machine_boot_ram(nr_cpus, 64ul << 20);
}

static inline int test_machine_shutdown(void)
{
	int error = sched_shutdown();

	if (!error)
		slab_shutdown();
	return error;
}

#endif
