/*
 * vars.h: per-CPU variables and CPU masks of a simulated machine: the interface for the rooms above.
 *
 * What kernel-style code sees is in include/flagstone/percpu.h and include/linux/{percpu-defs,percpu,cpumask}.h.
 */
#ifndef PERCPU_VARS_H
#define PERCPU_VARS_H

#include <stdbool.h>
#include <stddef.h>

#include <flagstone/percpu.h>

#include "runtime/config.h"
#include "vars_ops.h"

/*
 * Gives each of CPUs 0 .. nr_cpus - 1 its copies of all per-CPU variables, with their initial values, and takes the rights to
 * the link addresses away. All these CPUs are possible, present and online from then on. No thread holds a CPU yet.
 * Context: task, one thread. Returns 0, -EINVAL (nr_cpus is 0 or too large, a section is not whole pages), -EBUSY (booted
 * already), -ENOMEM (no memory, or no distance at which all sections find room).
 */
int vars_boot(unsigned int nr_cpus);
/* Takes all of it back: per-CPU variables are their initial values again, whatever alloc_percpu() returned is gone. Of all
 * threads only the caller may be in a CPU; it is in none afterwards. Not booted: a no-op. */
void vars_shutdown(void);
/* In a fork child, before vars_shutdown(): another thread may have held the lock. */
void vars_fork_child(void);

/* Whether an address is that of a per-CPU variable's name, which nothing may read or write. Any context. */
bool vars_is_percpu_pointer(const void *address);

/* This thread's distance, as its %gs base. Synchronization: this thread, with interrupts off */
extern __thread unsigned long vars_distance hidden;
/* Synchronization: const after boot */
extern bool vars_have_fsgsbase hidden;
/* For tests: do without the wrgsbase instruction, as old kernels have to. Synchronization: before boot */
extern bool vars_avoid_fsgsbase hidden;

static inline void vars_use_distance(unsigned long distance)
{
	vars_distance = distance;
	ops_set_base(distance, vars_have_fsgsbase);
}

/* From here on this thread's CPU is cpu, below vars_boot()'s nr_cpus. Context: interrupts off. A thread starts without a
 * CPU, or with that of the one that created it. */
static inline void vars_use_cpu(unsigned int cpu)
{
	vars_use_distance(flagstone_percpu_distance[cpu]);
}

/* This thread has no CPU: operations on this CPU's variables fault. Context: interrupts off. */
static inline void vars_use_none(void)
{
	vars_use_distance(0);
}

/* Called by alloc_percpu() and its kind where they may sleep; NULL (the default, and after shutdown): nothing is. */
void vars_set_sleep_check(void (*check)(void));
/* Asked by alloc_percpu() and its kind, with the bytes of one CPU and the return address in who called them: true, and they fail. NULL
 * (the default, and after shutdown): nobody is. */
void vars_set_fault(bool (*fault)(unsigned int gfp, size_t size, const void *caller));
/* As __alloc_percpu_gfp(), for rooms above that allocate for somebody: caller is who asked them; NULL: the machine's own. */
void *vars_alloc(size_t size, size_t align, unsigned int gfp, const void *caller);

/* Bytes are those of one CPU: each has as many. */
struct vars_stats {
	size_t static_bytes; /* sections, whole pages */
	size_t populated_bytes; /* mapped for alloc_percpu() */
	size_t allocated_bytes; /* of those, rounded to 8 bytes an object */
	size_t nr_allocations; /* objects */
};
/* Exact while nothing is allocated or freed. Context: any. */
void vars_stats_read(struct vars_stats *stats);

#endif
