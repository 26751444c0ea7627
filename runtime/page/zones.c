/*
 * zones.c: a machine's zones: where they lie, how much of them is kept back from whom, and what views show of them.
 *
 * Calls buddy.c. Refuses to know requests and lists.
 */
#include "runtime/page/machine.h"

#include "runtime/lib/report.h"

#define KIB_A_PAGE (PAGE_SIZE / 1024)
#define LEAST_MIN_FREE 128 /* kilobytes */
#define MOST_MIN_FREE 262144
#define LEAST_HIGHMEM_MIN 32 /* pages */
#define MOST_HIGHMEM_MIN 128
#define LIST_SHARE 64 /* part of a zone that all CPUs' batches make up at most */

const char *const zone_type_names[NR_PAGE_ZONE_TYPES] = {"DMA", "DMA32", "Normal", "HighMem"};
static const uint32_t usual_ratio[NR_PAGE_ZONE_TYPES] = {256, 256, 32, PAGE_RATIO_OFF};

/* ---- where they lie ---- */

static size_t lower(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t higher(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* The physical address where a type begins; of NR_PAGE_ZONE_TYPES, where the last one ends. */
static size_t type_start(const struct page_machine *config, unsigned int type)
{
	switch (type) {
	case PAGE_ZONE_DMA:
		return 0;
	case PAGE_ZONE_DMA32:
		return config->dma_end;
	case PAGE_ZONE_NORMAL:
		return higher(config->dma_end, config->dma32_end);
	case PAGE_ZONE_HIGHMEM:
		return config->highmem_start ? config->highmem_start : SIZE_MAX;
	default:
		return SIZE_MAX;
	}
}

/* All pages of [start, end), physical addresses, come free. */
static void zone_add(unsigned int node, unsigned int type, size_t start, size_t end)
{
	unsigned int number = machine->shape.nr_zones++;
	struct machine_zone *zone = &machine->zone[number];
	unsigned long pfn = memory.first_pfn + (start >> PAGE_SHIFT);
	unsigned long end_pfn = memory.first_pfn + (end >> PAGE_SHIFT);

	zone->buddy = &zones[number];
	zone->number = (unsigned char)number;
	zone->node = (unsigned char)node;
	zone->type = (unsigned char)type;
	zone_init(zone->buddy, pfn, end_pfn);
	zone->buddy->nr_online = end_pfn - pfn;
	zone->buddy->pageblocks = machine->shape.pageblocks;
	zone->buddy->heads = machine->shape.heads;
	lock_acquire(&zone->buddy->lock);
	/* The lowest comes first. */
	for (unsigned long section = end_pfn; section > pfn; section -= SECTION_PAGES) {
		memory.sections[(section - 1) / SECTION_PAGES] = (unsigned char)number;
		__buddy_free(zone->buddy, section - SECTION_PAGES, MAX_ORDER, false);
	}
	lock_release(&zone->buddy->lock);
}

static void zones_lay_out(const struct page_machine *config)
{
	size_t node_start = 0;

	for (unsigned int node = 0; node < machine->shape.nr_nodes; node++) {
		size_t node_end = node_start + config->node_bytes[node];

		for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++) {
			size_t start = higher(node_start, type_start(config, type));
			size_t end = lower(node_end, type_start(config, type + 1));

			if (start < end)
				zone_add(node, type, start, end);
		}
		node_start = node_end;
	}
}

/* ---- how much is kept back ---- */

static size_t square_root(size_t number)
{
	size_t root = 0;

	for (size_t bit = 1ul << 31; bit; bit >>= 1) {
		if ((root + bit) * (root + bit) <= number)
			root += bit;
	}
	return root;
}

static size_t nr_lowmem_pages(void)
{
	size_t pages = 0;

	for (unsigned int i = 0; i < machine->shape.nr_zones; i++)
		pages += machine->zone[i].type == PAGE_ZONE_HIGHMEM ? 0 : machine->zone[i].buddy->nr_online;
	return pages;
}

static size_t min_free_pages(const struct page_machine *config, size_t lowmem)
{
	size_t kbytes = config->min_free_kbytes;

	if (!kbytes)
		kbytes = lower(higher(square_root(lowmem * KIB_A_PAGE * 16), LEAST_MIN_FREE), MOST_MIN_FREE);
	return kbytes / KIB_A_PAGE;
}

/* Low and high lie a quarter of min, or a thousandth of the zone, above each other. */
static void set_watermarks(struct machine_zone *zone, size_t min_free, size_t lowmem)
{
	size_t managed = zone->buddy->nr_online;
	size_t share = min_free * managed / lowmem;
	size_t distance = higher(share / 4, managed / 1000);

	zone->min = share;
	if (zone->type == PAGE_ZONE_HIGHMEM)
		zone->min = lower(higher(managed / 1024, LEAST_HIGHMEM_MIN), MOST_HIGHMEM_MIN);
	zone->low = zone->min + distance;
	zone->high = zone->low + distance;
}

/* What zone i keeps from requests of each type: the pages of the zones above it up to that type, on its node, by the
 * ratio. */
static void set_reserve(const struct page_machine *config, unsigned int i)
{
	struct machine_zone *zone = &machine->zone[i];
	uint32_t ratio = config->lowmem_ratio[zone->type] ? config->lowmem_ratio[zone->type] : usual_ratio[zone->type];
	size_t above = 0;

	for (unsigned int type = zone->type + 1u; type < NR_PAGE_ZONE_TYPES; type++) {
		const struct machine_zone *next = &machine->zone[i + 1];

		if (i + 1 < machine->shape.nr_zones && next->node == zone->node && next->type == type) {
			above += next->buddy->nr_online;
			i++;
		}
		zone->reserve[type] = ratio == PAGE_RATIO_OFF ? 0 : above / ratio;
	}
}

static void set_limits(struct machine_zone *zone)
{
	const size_t mark[PAGE_TO_NOTHING] = {
		[PAGE_TO_HIGH] = zone->high,
		[PAGE_TO_LOW] = zone->low,
		[PAGE_TO_MIN] = zone->min,
		[PAGE_TO_RESERVE] = zone->min - zone->min / 2,
		[PAGE_TO_ATOMIC] = zone->min - zone->min / 2 - (zone->min - zone->min / 2) / 4,
	};

	for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++) {
		for (unsigned int level = 0; level < PAGE_TO_NOTHING; level++)
			zone->limit[level][type] = (long)(mark[level] + zone->reserve[type]);
		zone->limit[PAGE_TO_NOTHING][type] = -1;
	}
}

static void set_list_batch(struct machine_zone *zone)
{
	size_t share = zone->buddy->nr_online / LIST_SHARE / machine->shape.nr_cpus;

	zone->list_batch = (unsigned int)lower(share, MOST_LIST_BATCH);
}

/* ---- in which order ---- */

/* Nodes are sorted by distance, of equally distant ones those with higher numbers come first, in a ring. */
static unsigned int node_rank(unsigned int from, unsigned int node)
{
	unsigned int nr = machine->shape.nr_nodes;

	return machine->distance[from][node] * PAGE_MAX_NODES + (node + nr - from) % nr;
}

/* The node of the lowest rank that is at least this; false if there is none. */
static bool next_node(unsigned int from, unsigned int *rank, unsigned int *node)
{
	unsigned int best = UINT32_MAX;

	for (unsigned int i = 0; i < machine->shape.nr_nodes; i++) {
		if (node_rank(from, i) >= *rank && node_rank(from, i) < best) {
			best = node_rank(from, i);
			*node = i;
		}
	}
	*rank = best;
	return best != UINT32_MAX;
}

static void set_zonelist(unsigned int from, unsigned int type)
{
	struct zonelist *list = &machine->zonelist[from][type];
	unsigned int node = 0;

	for (unsigned int rank = 0; next_node(from, &rank, &node); rank++) {
		for (unsigned int i = machine->shape.nr_zones; i-- > 0;) {
			if (machine->zone[i].node == node && machine->zone[i].type <= type)
				list->zone[list->nr++] = (unsigned char)i;
		}
	}
}

void zones_boot(const struct page_machine *config)
{
	size_t lowmem;

	zones_lay_out(config);
	lowmem = nr_lowmem_pages();
	for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
		set_watermarks(&machine->zone[i], min_free_pages(config, lowmem), lowmem);
		set_reserve(config, i);
		set_limits(&machine->zone[i]);
		set_list_batch(&machine->zone[i]);
	}
	for (unsigned int node = 0; node < machine->shape.nr_nodes; node++) {
		for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++)
			set_zonelist(node, type);
	}
}

struct page *__zone_take(struct machine_zone *zone, unsigned int order, long limit, enum page_migratetype type)
{
	return pages_suffice(zone->buddy->nr_free, order, limit) ? __pageblocks_take(zone->buddy, order, type) : NULL;
}

/* ---- views and check ---- */

unsigned int page_nr_zones(void)
{
	return machine ? machine->shape.nr_zones : 0;
}

static size_t read_count(const size_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

size_t page_zone_in_lists(unsigned int zone, unsigned int cpu)
{
	return lists_pages(&lists_of(&machine->shape, cpu)->zone[zone]);
}

static void add_lists(unsigned int number, struct page_zone_info *info)
{
	for (unsigned int cpu = 0; cpu < machine->shape.nr_cpus; cpu++) {
		const struct zone_lists *lists = &lists_of(&machine->shape, cpu)->zone[number];

		info->in_lists += lists_pages(lists);
		info->allocated += read_count(&lists->allocated);
		info->freed += read_count(&lists->freed);
	}
}

void page_zone_get(unsigned int number, struct page_zone_info *info)
{
	const struct machine_zone *zone = &machine->zone[number];

	*info = (struct page_zone_info){
		.name = zone_type_names[zone->type],
		.node = zone->node,
		.type = zone->type,
		.start_pfn = zone->buddy->start_pfn - memory.first_pfn,
		.spanned = zone->buddy->nr_online,
		.present = zone->buddy->nr_online,
		.managed = zone->buddy->nr_online,
		.free = read_count(&zone->buddy->nr_free),
		.min = zone->min,
		.low = zone->low,
		.high = zone->high,
		.allocated = read_count(&zone->allocated),
		.freed = read_count(&zone->freed),
		.list_batch = zone->list_batch,
		.list_high = LIST_BATCHES * zone->list_batch,
	};
	for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++)
		info->reserve[type] = zone->reserve[type];
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		info->nr_free[order] = read_count(&zone->buddy->area[order].nr_free);
	add_lists(number, info);
}

static bool has_block(const struct machine_zone *zone, unsigned int order)
{
	for (; order <= MAX_ORDER; order++) {
		if (read_count(&zone->buddy->area[order].nr_free))
			return true;
	}
	return false;
}

bool page_zone_suffices(unsigned int number, unsigned int order, enum page_zone_type type, enum page_level level)
{
	const struct machine_zone *zone = &machine->zone[number];

	return pages_suffice(read_count(&zone->buddy->nr_free), order, zone->limit[level][type]) &&
	       has_block(zone, order);
}

size_t page_nr_failed(void)
{
	return machine ? read_count(&machine->nr_failed) : 0;
}

static void zone_check(unsigned int number)
{
	struct zone *buddy = machine->zone[number].buddy;
	struct page_zone_info info;

	lock_acquire(&buddy->lock);
	__zone_check(buddy);
	page_zone_get(number, &info);
	if (info.free + info.in_lists + info.allocated - info.freed != info.managed)
		report_bug("page_check: zone %u of %zu pages has %zu free, %zu in lists, %zu allocated", number,
			info.managed, info.free, info.in_lists, info.allocated - info.freed);
	lock_release(&buddy->lock);
}

static void __check_all(void)
{
	__lists_check();
	for (unsigned int i = 0; i < machine->shape.nr_zones; i++)
		zone_check(i);
}

void zones_check(void)
{
	lists_stop_all(__check_all);
}
