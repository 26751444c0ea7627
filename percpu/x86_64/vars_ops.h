/*
 * x86_64/vars_ops.h: how a thread is told the distance of its CPU's variables: the base of the segment %gs.
 *
 * Nothing else in user space uses %gs on x86-64; the kernel keeps the base across signals and context switches.
 */
#ifndef PERCPU_VARS_OPS_H
#define PERCPU_VARS_OPS_H

#include <stdbool.h>

#include "runtime/host/host.h"

/* Whether the base may be above user space, as a distance downwards is: the system call refuses that. */
static inline bool ops_base_may_be_negative(bool have_fsgsbase)
{
	return have_fsgsbase;
}

/* gs.base = base */
static inline void ops_set_base(unsigned long base, bool have_fsgsbase)
{
	if (__builtin_expect(have_fsgsbase, 1))
		__asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
	else
		host_set_gs_base(base);
}

#endif
