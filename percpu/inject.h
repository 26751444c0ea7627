/*
 * inject.h: delays inside the critical sections, for the test build that widens every window.
 *
 * INJECT(n) stands at each instruction boundary of a section. It is nothing in a normal build; with CONFIG_INJECT it
 * spins percpu_inject_delay[n] times. The assembly keeps flags and all registers but the one named in the ISA's header.
 */
#ifndef PERCPU_INJECT_H
#define PERCPU_INJECT_H

#include "runtime/config.h"

#ifndef FLAGSTONE_NO_BARRIER
#define FLAGSTONE_NO_BARRIER 0
#endif
#define CONFIG_DRAIN_BARRIER (!FLAGSTONE_NO_BARRIER) /* off: negative control of the preemption tests */

/* First point of each operation; the points of an operation are consecutive. */
enum inject_point {
	INJECT_POP = 0,
	INJECT_PUSH = 10,
	INJECT_INSTALL = 20,
	INJECT_DRAIN = 30,
	NR_INJECT_POINTS = 40,
};

extern unsigned long percpu_inject_delay[NR_INJECT_POINTS] hidden;

static inline void inject_delay(enum inject_point point)
{
	if (!CONFIG_INJECT)
		return;
	for (unsigned long i = __atomic_load_n(&percpu_inject_delay[point], __ATOMIC_RELAXED); i; i--)
		__asm__ volatile("" ::: "memory");
}

#endif
