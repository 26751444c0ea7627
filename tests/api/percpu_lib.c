/*
 * percpu_lib.c: a library with per-CPU variables of its own, for test_percpu_vars.c.
 */
#include <linux/percpu.h>

#include "tests/api/percpu_lib.h"

#define EXPORT __attribute__((visibility("default")))

static DEFINE_PER_CPU(long, value) = 100;
EXPORT_PER_CPU_SYMBOL(value);

EXPORT void percpu_lib_add(long n)
{
	this_cpu_add(value, n);
	*this_cpu_ptr(&value) += n;
}

EXPORT long percpu_lib_value(unsigned int cpu)
{
	return per_cpu(value, cpu);
}
