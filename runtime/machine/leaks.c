/*
 * leaks.c: what is still there when the machine ends.
 *
 * Calls each room for what it knows, and the pressure room for the memory of pools that are leaks themselves. Refuses to free the rest: the
 * rooms' own ends do.
 */
#include "percpu/vars.h"
#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"
#include "runtime/machine/machine.h"
#include "runtime/pressure/pressure.h"
#include "runtime/sched/sched.h"
#include "runtime/slab/slab.h"

static void report_leak(const struct slab_leak *leak, void *arg)
{
	(void)arg;
	slab_report_leak(leak);
}

static void report_count(const char *what, size_t nr, size_t bytes)
{
	report_note("leak: %s: %zu, %zu bytes; tracking=1 tells who allocated them", what, nr, bytes);
}

/* What could not be recorded. */
static unsigned int report_unrecorded(unsigned int nr_recorded)
{
	struct vars_stats stats;

	vars_stats_read(&stats);
	if (stats.nr_allocations <= nr_recorded)
		return 0;
	report_note("leak: per-CPU memory: %zu objects more, whose allocation is not recorded",
		stats.nr_allocations - nr_recorded);
	return (unsigned int)stats.nr_allocations - nr_recorded;
}

static unsigned int report_percpu(void)
{
	unsigned int nr = resources_report(RESOURCE_PERCPU) + resources_report(RESOURCE_PERCPU_COUNTER);

	return nr + report_unrecorded(nr);
}

/* Their memory is not told of twice. */
static unsigned int report_pools(void)
{
	unsigned int nr = resources_report(RESOURCE_MEMPOOL) + resources_report(RESOURCE_GEN_POOL);

	pools_abandon();
	return nr;
}

unsigned int leaks_report(unsigned int nr)
{
	nr += sched_report_unput() + resources_report(RESOURCE_CPUHP_STATE) + report_percpu() +
	      resources_report(RESOURCE_CACHE) + report_pools();
	if (machine_config.tracking)
		nr += (unsigned int)slab_for_each_leak_site(report_leak, NULL);
	else
		nr += (unsigned int)slab_for_each_live_count(report_count);
	if (nr)
		report_note("machine: %u leaks", nr);
	return nr;
}
