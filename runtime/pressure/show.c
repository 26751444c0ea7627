/*
 * show.c: memory in the kernel's words: the Mem-Info of reports.
 *
 * Calls the page room's and the slab room's counts. Takes no locks but that of the list of caches.
 */
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/pressure/internal.h"
#include "runtime/slab/slab.h"

#define KB_A_PAGE 4
#define LINE 600

struct gauges {
	unsigned long active, inactive, dirty, writeback;
};

static void gauge(const char *name, unsigned long value, void *arg)
{
	struct gauges *gauges = arg;

	if (!__builtin_strcmp(name, "nr_active_file"))
		gauges->active = value;
	else if (!__builtin_strcmp(name, "nr_inactive_file"))
		gauges->inactive = value;
	else if (!__builtin_strcmp(name, "nr_dirty"))
		gauges->dirty = value;
	else if (!__builtin_strcmp(name, "nr_writeback"))
		gauges->writeback = value;
}

static unsigned long slab_pages(void)
{
	host_sigmask_t mask = host_signals_block();
	struct kmem_cache *cache;
	unsigned long pages = 0;

	lock_acquire(&cache_list_lock);
	list_for_each_entry(cache, &cache_list, list) {
		size_t nr_slabs, nr_free;

		slabs_count(cache, &nr_slabs, &nr_free);
		pages += cache->run ? nr_slabs * (cache->size / PAGE_SIZE) : nr_slabs << cache->order;
	}
	lock_release(&cache_list_lock);
	host_signals_restore(mask);
	return pages;
}

struct totals {
	unsigned long free, in_lists, pages, high;
};

static struct totals totals_get(void)
{
	struct totals totals = {.free = 0};
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		totals.free += info.free;
		totals.in_lists += info.in_lists;
		totals.pages += info.present;
		totals.high += info.type == PAGE_ZONE_HIGHMEM ? info.present : 0;
	}
	return totals;
}

static void show_zone(unsigned int zone, const struct page_zone_info *info)
{
	unsigned int cpu = flagstone_this.cpu < 0 ? 0 : (unsigned int)flagstone_this.cpu;

	report_note(
		"Node %u %s free:%zukB boost:0kB min:%zukB low:%zukB high:%zukB reserved_highatomic:0KB "
		"active_anon:0kB "
		"inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB writepending:0kB present:%zukB "
		"managed:%zukB mlocked:0kB bounce:0kB free_pcp:%zukB local_pcp:%zukB free_cma:0kB",
		info->node, info->name, info->free * KB_A_PAGE, info->min * KB_A_PAGE, info->low * KB_A_PAGE,
		info->high * KB_A_PAGE, info->present * KB_A_PAGE, info->managed * KB_A_PAGE,
		info->in_lists * KB_A_PAGE, page_zone_in_lists(zone, cpu) * KB_A_PAGE);
	report_note("lowmem_reserve[]: %zu %zu %zu %zu", info->reserve[0], info->reserve[1], info->reserve[2],
		info->reserve[3]);
}

static void show_blocks(const struct page_zone_info *info)
{
	char line[LINE];
	struct text text = TEXT_INIT(line, sizeof(line), -1);
	size_t sum = 0;

	text_printf(&text, "Node %u %s:", info->node, info->name);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		sum += info->nr_free[order] << order;
		text_printf(&text, " %zu*%ukB", info->nr_free[order], KB_A_PAGE << order);
	}
	report_note("%s = %zukB", line, sum * KB_A_PAGE);
}

void show_mem(void)
{
	struct gauges gauges = {.active = 0};
	struct totals totals = totals_get();
	struct page_zone_info info;

	cache_for_each_gauge(gauge, &gauges);
	report_note("Mem-Info:");
	report_note(
		"active_anon:0 inactive_anon:0 isolated_anon:0\n active_file:%lu inactive_file:%lu isolated_file:0\n "
		"unevictable:0 dirty:%lu writeback:%lu\n slab_reclaimable:0 slab_unreclaimable:%lu\n free:%lu "
		"free_pcp:%lu free_cma:0",
		gauges.active, gauges.inactive, gauges.dirty, gauges.writeback, slab_pages(), totals.free,
		totals.in_lists);
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		show_zone(zone, &info);
	}
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		show_blocks(&info);
	}
	report_note("%lu total pagecache pages", gauges.active + gauges.inactive);
	report_note("%lu pages RAM", totals.pages);
	report_note("%lu pages HighMem/MovableOnly", totals.high);
}

/* A request that no zone may serve fails however much is free. */
static void show_missing_zone(unsigned int gfp)
{
	bool dma = gfp & __GFP_DMA;
	enum page_zone_type highest = dma ? PAGE_ZONE_DMA : PAGE_ZONE_DMA32;
	struct page_zone_info info;

	if (!(gfp & (__GFP_DMA | __GFP_DMA32)))
		return;
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		if (info.type <= highest)
			return;
	}
	report_note("this machine has no zone for %s: %s of its config makes one", dma ? "GFP_DMA" : "GFP_DMA32",
		dma ? "dma" : "dma32");
}

void pressure_report_zones(unsigned int gfp, unsigned int order)
{
	(void)order;
	show_missing_zone(gfp);
	show_mem();
}
