/*
 * aarch64/vars_ops.h: nothing: flagstone_percpu_op() finds the distance of this thread's CPU in vars_distance.
 */
#ifndef PERCPU_VARS_OPS_H
#define PERCPU_VARS_OPS_H

#include <stdbool.h>

static inline bool ops_base_may_be_negative(bool have_fsgsbase)
{
	(void)have_fsgsbase;
	return true;
}

static inline void ops_set_base(unsigned long base, bool have_fsgsbase)
{
	(void)base;
	(void)have_fsgsbase;
	__asm__ volatile("" ::: "memory");
}

#endif
