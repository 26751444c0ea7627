/*
 * vars_other.h: per-CPU variables of another object file, for test_vars.c.
 */
#ifndef TESTS_UNIT_VARS_OTHER_H
#define TESTS_UNIT_VARS_OTHER_H

#include <linux/percpu-defs.h>

DECLARE_PER_CPU(int, other_count); /* initially 11 */

int *other_ptr(unsigned int cpu);
void other_increment(void);

#endif
