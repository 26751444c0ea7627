/*
 * vmstat.c: what reclaim has done, in numbers.
 *
 * Calls nothing. Each CPU counts for itself; interrupts may come between, so the counters are atomic, but nobody else
 * writes them.
 */
#include <string.h>

#include "runtime/pressure/internal.h"
#include "runtime/sched/sched.h"

struct counters {
	unsigned long event[NR_VMSTAT_EVENTS]; /* Synchronization: atomic */
} cache_aligned;

static struct counters counters[SCHED_MAX_CPUS];

#define VMSTAT_NAME(name) #name,
static const char *const names[] = {VMSTAT_EVENTS(VMSTAT_NAME)};

void vmstat_add(enum vmstat_event event, unsigned long nr)
{
	int cpu = flagstone_this.cpu;

	__atomic_add_fetch(&counters[cpu < 0 ? 0 : cpu].event[event], nr, __ATOMIC_RELAXED);
}

unsigned long vmstat_get(enum vmstat_event event)
{
	unsigned long sum = 0;

	for (unsigned int cpu = 0; cpu < SCHED_MAX_CPUS; cpu++)
		sum += __atomic_load_n(&counters[cpu].event[event], __ATOMIC_RELAXED);
	return sum;
}

void vmstat_reset(void)
{
	memset(counters, 0, sizeof(counters));
}

void vmstat_for_each(void (*visit)(const char *name, unsigned long value, void *arg), void *arg)
{
	for (unsigned int event = 0; event < NR_VMSTAT_EVENTS; event++)
		visit(names[event], vmstat_get((enum vmstat_event)event), arg);
	cache_for_each_gauge(visit, arg);
}
