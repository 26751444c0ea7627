/*
 * leaks.c: what is still there when the machine ends.
 *
 * Calls each room for what it knows. Refuses to free any of it: the rooms' own ends do.
 */
#include "percpu/vars.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/slab/slab.h"

static void report_leak(const struct slab_leak *leak, void *arg)
{
	(void)arg;
	slab_report_leak(leak);
}

static unsigned int report_percpu(void)
{
	struct vars_stats stats;

	vars_stats_read(&stats);
	if (stats.nr_allocations)
		report_note("leak: per-CPU memory: %zu objects, %zu bytes a CPU", stats.nr_allocations,
			stats.allocated_bytes);
	return (unsigned int)stats.nr_allocations;
}

unsigned int leaks_report(void)
{
	unsigned int nr = report_percpu();

	if (machine_config.tracking)
		nr += (unsigned int)slab_for_each_leak(report_leak, NULL);
	if (nr)
		report_note("machine: %u leaks", nr);
	return nr;
}
