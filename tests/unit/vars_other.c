/*
 * vars_other.c: per-CPU variables of another object file, for test_vars.c.
 */
#include "tests/unit/vars_other.h"

DEFINE_PER_CPU(int, other_count) = 11;

int *other_ptr(unsigned int cpu)
{
	return &per_cpu(other_count, cpu);
}

void other_increment(void)
{
	this_cpu_inc(other_count);
}
