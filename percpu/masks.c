/*
 * masks.c: which simulated CPUs there are.
 *
 * Semantics are documented in include/linux/cpumask.h. Calls nothing. Refuses to know what a CPU does; who takes one offline
 * changes the mask.
 */
#include <string.h>

#include <linux/cpumask.h>

#include "percpu/vars_alloc.h"

#define EXPORT __attribute__((visibility("default")))

static_assert(NR_CPUS == FLAGSTONE_PERCPU_CPUS, "masks have room for every CPU that may have variables");

EXPORT unsigned int nr_cpu_ids;
EXPORT struct cpumask __cpu_possible_mask, __cpu_present_mask, __cpu_online_mask;

static struct cpumask single[NR_CPUS]; /* Synchronization: atomic; every writer writes the same */

EXPORT const struct cpumask *cpumask_of(unsigned int cpu)
{
	if (!cpumask_test_cpu(cpu, &single[cpu]))
		cpumask_set_cpu(cpu, &single[cpu]);
	return &single[cpu];
}

void masks_boot(unsigned int nr_cpus)
{
	nr_cpu_ids = nr_cpus;
	cpumask_setall(&__cpu_possible_mask);
	cpumask_setall(&__cpu_present_mask);
	cpumask_setall(&__cpu_online_mask);
}
