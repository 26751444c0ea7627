/*
 * memory_views.c: /proc/buddyinfo, meminfo, pagetypeinfo, slabinfo, vmstat and zoneinfo of the machine, and the two files of
 * /sys/kernel/debug/extfrag.
 *
 * Calls the page and slab rooms for numbers. Fields and columns are the kernel's; what the machine has no number for is left out, but
 * where a column would be missing: there it is 0.
 */
#include <flagstone/stats.h>

#include "percpu/vars.h"
#include "runtime/host/host.h"
#include "runtime/machine/machine.h"
#include "runtime/machine/views.h"
#include "runtime/page/fragmentation.h"
#include "runtime/pressure/pressure.h"
#include "runtime/sched/sched.h"

static unsigned long kib_of_pages(size_t pages)
{
	return pages << (PAGE_SHIFT - 10);
}

/* ---- buddyinfo ---- */

void view_buddyinfo(struct text *text)
{
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		text_printf(text, "Node %u, zone %8s ", info.node, info.name);
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			text_printf(text, "%6lu ", (unsigned long)info.nr_free[order]);
		text_printf(text, "\n");
	}
}

/* ---- extfrag_index and unusable_index ---- */

void view_extfrag_index(struct text *text)
{
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		fragmentation_print_index(text, info.node, info.name, info.nr_free);
	}
}

void view_unusable_index(struct text *text)
{
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		fragmentation_print_unusable(text, info.node, info.name, info.nr_free);
	}
}

/* ---- pagetypeinfo ---- */

static void print_free_of_types(struct text *text, unsigned int zone)
{
	struct page_zone_types types;
	struct page_zone_info info;

	page_zone_get(zone, &info);
	page_zone_types_get(zone, &types);
	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++) {
		text_printf(text, "Node %4u, zone %8s, type %12s ", info.node, info.name, page_type_names[type]);
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			text_printf(text, "%6lu ", (unsigned long)types.nr_free[type][order]);
		text_printf(text, "\n");
	}
}

static void print_pageblocks(struct text *text, unsigned int zone)
{
	struct page_zone_types types;
	struct page_zone_info info;

	page_zone_get(zone, &info);
	page_zone_types_get(zone, &types);
	text_printf(text, "Node %u, zone %8s ", info.node, info.name);
	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++)
		text_printf(text, "%12lu ", (unsigned long)types.nr_blocks[type]);
	text_printf(text, "\n");
}

void view_pagetypeinfo(struct text *text)
{
	text_printf(text, "Page block order: %d\nPages per block:  %lu\n\n", PAGEBLOCK_ORDER, PAGEBLOCK_PAGES);
	text_printf(text, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		text_printf(text, "%6u ", order);
	text_printf(text, "\n");
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++)
		print_free_of_types(text, zone);
	text_printf(text, "\n%-23s", "Number of blocks type ");
	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++)
		text_printf(text, "%12s ", page_type_names[type]);
	text_printf(text, "\n");
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++)
		print_pageblocks(text, zone);
}

/* ---- zoneinfo ---- */

static void print_protection(struct text *text, const struct page_zone_info *info)
{
	text_printf(text, "        protection: (");
	for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++)
		text_printf(text, "%s%lu", type ? ", " : "", (unsigned long)info->reserve[type]);
	text_printf(text, ")");
}

static void print_pagesets(struct text *text, unsigned int zone, const struct page_zone_info *info)
{
	text_printf(text, "\n  pagesets");
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		text_printf(text,
			"\n    cpu: %u\n              count: %lu\n              high:  %u\n              batch: %u",
			cpu, (unsigned long)page_zone_in_lists(zone, cpu), info->list_high, info->list_batch);
}

static void print_zone(struct text *text, unsigned int zone)
{
	struct page_zone_info info;

	page_zone_get(zone, &info);
	text_printf(text, "Node %u, zone %8s\n  pages free     %lu", info.node, info.name, (unsigned long)info.free);
	text_printf(text, "\n        boost    0\n        min      %lu\n        low      %lu\n        high     %lu",
		(unsigned long)info.min, (unsigned long)info.low, (unsigned long)info.high);
	text_printf(text, "\n        spanned  %lu\n        present  %lu\n        managed  %lu\n        cma      0\n",
		(unsigned long)info.spanned, (unsigned long)info.present, (unsigned long)info.managed);
	print_protection(text, &info);
	text_printf(text, "\n      nr_free_pages %lu", (unsigned long)info.free);
	print_pagesets(text, zone, &info);
	text_printf(text, "\n  node_unreclaimable:  0\n  start_pfn:           %lu\n", info.start_pfn);
}

void view_zoneinfo(struct text *text)
{
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++)
		print_zone(text, zone);
}

/* ---- slabinfo ---- */

/* The statistics are large for a stack. NULL when memory is out. */
static struct flagstone_stats *stats_get(void)
{
	struct flagstone_stats *stats = sched_zalloc(sizeof(*stats));

	if (!stats)
		return NULL;
	stats->version = FLAGSTONE_STATS_VERSION;
	flagstone_stats_get(stats);
	return stats;
}

static void print_cache(struct text *text, const struct flagstone_cache_stats *cache)
{
	text_printf(text, "%-17s %6lu %6lu %6u %4u %4u", cache->name, (unsigned long)cache->live,
		(unsigned long)cache->objects, cache->size, cache->objects_per_slab, cache->pages_per_slab);
	text_printf(text, " : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n", 0u, 0u, 0u, (unsigned long)cache->slabs,
		(unsigned long)cache->slabs, 0u);
}

void view_slabinfo(struct text *text)
{
	struct flagstone_stats *stats = stats_get();

	text_printf(text, "slabinfo - version: 2.1\n"
			  "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
			  " : tunables <limit> <batchcount> <sharedfactor>"
			  " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (unsigned int i = 0; stats && i < stats->nr_caches; i++)
		print_cache(text, &stats->cache[i]);
	sched_free(stats);
}

/* ---- meminfo ---- */

/* Sums over zones, in pages. */
struct totals {
	size_t total, free, available, high_total, high_free;
};

static struct totals totals_get(void)
{
	struct totals totals = {0};
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		size_t free;

		page_zone_get(zone, &info);
		free = info.free + info.in_lists;
		totals.total += info.managed;
		totals.free += free;
		totals.available += free > info.low ? free - info.low : 0;
		if (info.type != PAGE_ZONE_HIGHMEM)
			continue;
		totals.high_total += info.managed;
		totals.high_free += free;
	}
	return totals;
}

static void print_kib(struct text *text, const char *name, unsigned long kib)
{
	text_printf(text, "%-15s %8lu kB\n", name, kib);
}

void view_meminfo(struct text *text)
{
	struct flagstone_stats *stats = stats_get();
	struct totals totals = totals_get();
	struct vars_stats vars;

	vars_stats_read(&vars);
	print_kib(text, "MemTotal:", kib_of_pages(totals.total));
	print_kib(text, "MemFree:", kib_of_pages(totals.free));
	print_kib(text, "MemAvailable:", kib_of_pages(totals.available));
	if (totals.high_total) {
		print_kib(text, "HighTotal:", kib_of_pages(totals.high_total));
		print_kib(text, "HighFree:", kib_of_pages(totals.high_free));
		print_kib(text, "LowTotal:", kib_of_pages(totals.total - totals.high_total));
		print_kib(text, "LowFree:", kib_of_pages(totals.free - totals.high_free));
	}
	print_kib(text, "Slab:", stats ? stats->slab_bytes >> 10 : 0);
	print_kib(text, "Percpu:", sched_nr_cpus * (vars.static_bytes + vars.populated_bytes) >> 10);
	sched_free(stats);
}

/* ---- vmstat ---- */

static void print_count(struct text *text, const char *name, unsigned long value)
{
	text_printf(text, "%s %lu\n", name, value);
}

static void print_event(const char *name, unsigned long value, void *text)
{
	print_count(text, name, value);
}

static void print_zone_counts(struct text *text, const char *prefix, bool allocated)
{
	static const char *const names[NR_PAGE_ZONE_TYPES] = {"dma", "dma32", "normal", "high"};
	unsigned long counts[NR_PAGE_ZONE_TYPES] = {0};
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		counts[info.type] += allocated ? info.allocated : info.freed;
	}
	for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++)
		text_printf(text, "%s_%s %lu\n", prefix, names[type], counts[type]);
}

static unsigned long pages_freed(void)
{
	unsigned long freed = 0;
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		freed += info.freed;
	}
	return freed;
}

void view_vmstat(struct text *text)
{
	struct totals totals = totals_get();

	print_count(text, "nr_free_pages", totals.free);
	print_zone_counts(text, "pgalloc", true);
	print_count(text, "pgfree", pages_freed());
	vmstat_for_each(print_event, text);
}
