/*
 * machine.h: a small machine for tests of the rooms that run on one.
 *
 * Calls the rooms' own boot functions. Knows nothing of what the test does with it.
 */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include "runtime/sched/sched.h"

int percpu_set_cpu(int cpu) __attribute__((weak));

int percpu_set_cpu(int cpu)
{
	return cpu < 0;
}

static inline int test_machine_boot(unsigned int nr_cpus)
{
	return sched_boot(nr_cpus);
}

static inline int test_machine_shutdown(void)
{
	return sched_shutdown();
}

#endif
