/*
 * leaks.c: what is still there when the machine ends.
 *
 * Calls each room for what it knows. Refuses to free any of it: the rooms' own ends do.
 */
#include <string.h>

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

static void report_count(const char *what, size_t nr, size_t bytes)
{
	report_note("leak: %s: %zu, %zu bytes; tracking=1 tells who allocated them", what, nr, bytes);
}

static bool is_own(const struct kmem_cache *cache)
{
	return cache_is_class(cache) || !strncmp(cache->name, "dma-kmalloc-", 12) ||
	       !strncmp(cache->name, "dma32-kmalloc-", 14);
}

/* Those of kmem_cache_create() that nobody destroyed. */
static unsigned int report_caches(void)
{
	host_sigmask_t mask = host_signals_block();
	struct kmem_cache *cache;
	unsigned int nr = 0;

	lock_acquire(&cache_list_lock);
	list_for_each_entry(cache, &cache_list, list) {
		if (is_own(cache))
			continue;
		report_note("leak: cache %s, objects of %u bytes", cache->name, cache->object_size);
		nr++;
	}
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	return nr;
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

unsigned int leaks_report(unsigned int nr)
{
	nr += report_percpu() + report_caches();

	if (machine_config.tracking)
		nr += (unsigned int)slab_for_each_leak_site(report_leak, NULL);
	else
		nr += (unsigned int)slab_for_each_live_count(report_count);
	if (nr)
		report_note("machine: %u leaks", nr);
	return nr;
}
