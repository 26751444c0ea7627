/*
 * stats.c: the page room's numbers, of this process or of another one.
 *
 * Calls the reader only, and copies what it reads before it looks at it. Refuses to take locks: each number is right at
 * some moment, their sum need not be.
 */
#include "runtime/page/internal.h"
#include "runtime/page/machine.h"

#define LISTS_AT_ONCE 8 /* per-CPU lists copied by one read: a trade of stack for system calls */

const struct page_root page_root = {
	&percpu_fast, &memory, zones, page_lists, &nr_page_lists, &large_counts, &release_counts, &machine};

const uint32_t page_layout[PAGE_LAYOUT_WORDS] = {
	sizeof(struct memory),
	offsetof(struct memory, end_pfn),
	offsetof(struct memory, sections),
	sizeof(struct zone),
	offsetof(struct zone, nr_free),
	offsetof(struct zone, nr_released),
	sizeof(struct page_lists),
	MAX_ZONES << 16 | CONFIG_NR_CPUS,
	sizeof(struct large_counts),
	sizeof(struct machine) << 16 | sizeof(struct zone_lists),
	sizeof(struct machine_zone) << 16 | offsetof(struct machine_zone, min),
};

static bool read_zones(
	const struct reader *reader, const struct zone *remote, unsigned int nr, struct page_stats *stats)
{
	struct zone zone;

	for (unsigned int i = 0; i < nr; i++) {
		if (!reader_get(reader, &remote[i], &zone))
			return false;
		stats->online_bytes += zone.nr_online << PAGE_SHIFT;
		stats->free_bytes += zone.nr_free << PAGE_SHIFT;
		stats->free_zero_bytes += zone.nr_free_zero << PAGE_SHIFT;
		stats->released_bytes += zone.nr_released << PAGE_SHIFT;
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			stats->nr_free[order] += zone.area[order].nr_free;
	}
	return true;
}

static bool read_lists(const struct reader *reader, const struct page_root *root, struct page_stats *stats)
{
	struct page_lists lists[LISTS_AT_ONCE];
	unsigned int nr;

	if (!reader_get(reader, root->nr_lists, &nr) || nr > CONFIG_NR_CPUS)
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		unsigned int part = i % LISTS_AT_ONCE;
		unsigned int count = nr - i < LISTS_AT_ONCE ? nr - i : LISTS_AT_ONCE;

		if (!part && !reader_read(reader, &root->lists[i], lists, count * sizeof(lists[0])))
			return false;
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
			stats->pcp_bytes += (size_t)lists[part].nr[order] << order << PAGE_SHIFT;
	}
	return true;
}

/* A machine's zones and lists. */
static bool read_machine(
	const struct reader *reader, const struct page_root *root, struct machine *remote, struct page_stats *stats)
{
	struct machine_shape shape;

	if (!reader_get(reader, &remote->shape, &shape) || shape.nr_zones > MAX_ZONES || shape.nr_cpus > CONFIG_NR_CPUS)
		return false;
	for (unsigned int cpu = 0; cpu < shape.nr_cpus; cpu++) {
		struct zone_lists lists[MAX_ZONES];

		if (!reader_read(reader, lists_of(&shape, cpu)->zone, lists, shape.nr_zones * sizeof(lists[0])))
			return false;
		for (unsigned int i = 0; i < shape.nr_zones; i++)
			stats->pcp_bytes += lists_pages(&lists[i]) << PAGE_SHIFT;
	}
	return read_zones(reader, root->zones, shape.nr_zones, stats);
}

bool page_stats_read(const struct reader *reader, const struct page_root *root, struct page_stats *stats)
{
	struct release_counts release;
	struct large_counts large;
	struct machine *remote;
	struct memory copy;

	*stats = (struct page_stats){0};
	if (!reader_get(reader, root->memory, &copy) || !reader_get(reader, root->large, &large) ||
		!reader_get(reader, root->release, &release) || !reader_get(reader, root->machine, &remote))
		return false;
	stats->released_bytes = release.discarded << PAGE_SHIFT;
	stats->reclaim = release.active;
	stats->kept_bytes = large.kept_bytes;
	stats->reserved_bytes = copy.reserved;
	stats->nr_large = large.nr;
	stats->large_bytes = large.bytes;
	if (remote)
		return read_machine(reader, root, remote, stats);
	return read_zones(reader, root->zones, NR_HOSTED_ZONES, stats) && read_lists(reader, root, stats);
}

void page_stats_get(struct page_stats *stats)
{
	page_stats_read(&reader_local, &page_root, stats);
}

unsigned int page_zones_read(const struct reader *reader, const struct page_root *root)
{
	struct machine_shape shape;
	struct machine *remote;

	if (!reader_get(reader, root->machine, &remote) || !remote || !reader_get(reader, &remote->shape, &shape))
		return 0;
	return shape.nr_zones <= MAX_ZONES ? shape.nr_zones : 0;
}

bool page_zone_read(
	const struct reader *reader, const struct page_root *root, unsigned int number, struct page_zone_stats *stats)
{
	struct machine_zone zone;
	struct machine *remote;
	struct zone buddy;

	if (!reader_get(reader, root->machine, &remote) || !remote ||
		!reader_get(reader, &remote->zone[number], &zone) || zone.type >= NR_PAGE_ZONE_TYPES ||
		!reader_get(reader, &root->zones[number], &buddy))
		return false;
	stats->name = zone_type_names[zone.type];
	stats->node = zone.node;
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		stats->nr_free[order] = buddy.area[order].nr_free;
	stats->pages = buddy.nr_online;
	stats->free = buddy.nr_free;
	stats->min = zone.min;
	stats->low = zone.low;
	stats->high = zone.high;
	return true;
}

bool page_range_online_read(const struct reader *reader, const struct page_root *root, const void *addr, size_t size)
{
	struct percpu_fast fast;
	struct memory copy;
	unsigned long pfn, section;
	unsigned char state;

	if (!reader_get(reader, root->fast, &fast) || !reader_get(reader, root->memory, &copy))
		return false;
	pfn = ((uintptr_t)addr - (uintptr_t)fast.anchor) >> PAGE_SHIFT;
	section = pfn / SECTION_PAGES;
	if (pfn < copy.first_pfn || pfn >= copy.end_pfn ||
		((uintptr_t)addr & (SECTION_BYTES - 1)) + size > SECTION_BYTES)
		return false;
	if (!copy.limited)
		return true;
	return reader_get(reader, &copy.sections[section], &state) && state == SECTION_ONLINE;
}
