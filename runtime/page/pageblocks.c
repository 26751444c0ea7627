/*
 * pageblocks.c: keeps apart, in a machine, what can be had back and what cannot: grouping by migrate type.
 *
 * Each pageblock has a type, and its free blocks are on the lists of that type; an allocation takes from the lists of its own. So what
 * cannot be moved gathers in few pageblocks, and the others become free as a whole once what is in them is given up. When
 * a type has nothing left it takes from others. What is movable then takes the smallest block that fits, and leaves the pageblock what it is:
 * it will go again. What is not takes from the largest, and if half of that one's pageblock is free or more, the pageblock is
 * its own from then on, so that the next ones follow it there instead of going elsewhere. A pageblock that is
 * free as a whole becomes anybody's.
 *
 * A CPU's page lists are by type as well. It costs the usual way of a page nothing: that is for unmovable ones, whose lists come
 * first, and a page of it that lies in another type's pageblock goes to them when it is freed, and to its own when the buddy has it.
 *
 * Calls buddy.c. Refuses to know who asks. Semantics: Linux, Documentation/admin-guide/mm/concepts.rst, and proc(5), pagetypeinfo.
 */
#include <errno.h>

#include "runtime/page/machine.h"

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

#define NR_OTHERS (NR_PAGE_MIGRATETYPES - 1)

const char *const page_type_names[NR_PAGE_MIGRATETYPES] = {"Unmovable", "Movable", "Reclaimable"};

/* Whose blocks a type takes when it has none, the first choice first. */
static const enum page_migratetype others[NR_PAGE_MIGRATETYPES][NR_OTHERS] = {
	[PAGE_UNMOVABLE] = {PAGE_RECLAIMABLE, PAGE_MOVABLE},
	[PAGE_MOVABLE] = {PAGE_RECLAIMABLE, PAGE_UNMOVABLE},
	[PAGE_RECLAIMABLE] = {PAGE_UNMOVABLE, PAGE_MOVABLE},
};

int pageblocks_boot(void)
{
	struct machine_shape *shape = &machine->shape;
	size_t nr = memory.limit_pfn >> PAGEBLOCK_ORDER;

	shape->pageblocks_size = ALIGN_UP(nr * sizeof(*shape->pageblocks), host_page_size());
	shape->pageblocks = host_map(shape->pageblocks_size);
	shape->heads_size = ALIGN_UP(memory.limit_pfn / 8, host_page_size());
	shape->heads = host_map(shape->heads_size);
	if (!shape->pageblocks || !shape->heads)
		return -ENOMEM;
	for (size_t i = memory.first_pfn >> PAGEBLOCK_ORDER; i < nr; i++)
		shape->pageblocks[i].type = PAGE_MOVABLE;
	shape->type_mask = ~0u;
	return 0;
}

/* ---- the free blocks of one pageblock: the caller holds the zone lock ---- */

/* The first that begins at this page of it or behind that; NULL: there is none. */
static struct page *__free_from(const struct zone *zone, unsigned long pfn)
{
	unsigned long end = ALIGN_DOWN(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES;

	for (; pfn < end; pfn = ALIGN_DOWN(pfn, 64ul) + 64) {
		uint64_t rest = zone->heads[pfn / 64] >> pfn % 64;

		if (rest)
			return pfn_to_page_struct(pfn + (unsigned int)__builtin_ctzl(rest));
	}
	return NULL;
}

/* The one behind it. */
static struct page *__free_after(const struct zone *zone, const struct page *page)
{
	unsigned long pfn = page_struct_to_pfn(page) + 1;

	return pfn % PAGEBLOCK_PAGES ? __free_from(zone, pfn) : NULL;
}

/* ---- which block: the caller holds the zone lock ---- */

static struct page *__first_of(struct zone *zone, unsigned int order, enum page_migratetype type)
{
	struct list_head *list = &zone->area[order].list[type];

	return list_empty(list) ? NULL : list_first_entry(list, struct page, list);
}

static struct page *__first_of_others(struct zone *zone, unsigned int order, enum page_migratetype type)
{
	struct page *page = NULL;

	for (unsigned int i = 0; !page && i < NR_OTHERS; i++)
		page = __first_of(zone, order, others[type][i]);
	return page;
}

/* Gives the pageblock of a block to a type, and its free blocks with it, which are the next to be taken. */
static void __convert(struct zone *zone, const struct page *block, enum page_migratetype type)
{
	unsigned long start = ALIGN_DOWN(page_struct_to_pfn(block), PAGEBLOCK_PAGES);

	__atomic_store_n(&pageblock_of(zone, start)->type, type, __ATOMIC_RELAXED);
	for (struct page *page = __free_from(zone, start); page; page = __free_after(zone, page)) {
		list_del(&page->list);
		list_add(&page->list, &zone->area[page->order].list[type]);
	}
}

/* The largest block of another type. */
static struct page *__steal(struct zone *zone, unsigned int order, enum page_migratetype type)
{
	struct page *page = NULL;

	for (unsigned int i = MAX_ORDER + 1; !page && i-- > order;)
		page = __first_of_others(zone, i, type);
	if (page && pageblock_of(zone, page_struct_to_pfn(page))->nr_free >= PAGEBLOCK_PAGES / 2)
		__convert(zone, page, type);
	return page;
}

/* The smallest block of another type, unless a whole pageblock is free. */
static struct page *__borrow(struct zone *zone, unsigned int order)
{
	struct page *page = __first_of_others(zone, MAX_ORDER, PAGE_MOVABLE);

	if (page)
		__convert(zone, page, PAGE_MOVABLE);
	for (; !page && order < MAX_ORDER; order++)
		page = __first_of_others(zone, order, PAGE_MOVABLE);
	return page;
}

struct page *__pageblocks_take(struct zone *zone, unsigned int order, enum page_migratetype type)
{
	struct page *page = NULL;

	for (unsigned int i = order; i <= MAX_ORDER; i++) {
		page = __first_of(zone, i, type);
		if (page)
			return __buddy_cut(zone, page, order);
	}
	if (zone->pageblocks)
		page = type == PAGE_MOVABLE ? __borrow(zone, order) : __steal(zone, order, type);
	return page ? __buddy_cut(zone, page, order) : NULL;
}

/* ---- views and check ---- */

static void __count_pageblock(const struct zone *zone, unsigned long pfn, struct page_zone_types *types)
{
	enum page_migratetype type = pageblock_type(zone, pfn);

	types->nr_blocks[type]++;
	for (const struct page *page = __free_from(zone, pfn); page; page = __free_after(zone, page))
		types->nr_free[type][page->order]++;
}

void page_zone_types_get(unsigned int number, struct page_zone_types *types)
{
	struct zone *zone = machine->zone[number].buddy;

	*types = (struct page_zone_types){.grouped = zone->pageblocks};
	if (!zone->pageblocks) {
		types->nr_blocks[PAGE_UNMOVABLE] = (zone->end_pfn - zone->start_pfn) / PAGEBLOCK_PAGES;
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			types->nr_free[PAGE_UNMOVABLE][order] =
				__atomic_load_n(&zone->area[order].nr_free, __ATOMIC_RELAXED);
		return;
	}
	for (unsigned long pfn = zone->start_pfn; pfn < zone->end_pfn; pfn += PAGEBLOCK_PAGES) {
		host_sigmask_t mask = lock_acquire_masked(&zone->lock);

		__count_pageblock(zone, pfn, types);
		lock_release_masked(&zone->lock, mask);
	}
}

static const char *name_of(unsigned int type)
{
	return type < NR_PAGE_MIGRATETYPES ? page_type_names[type] : "no type";
}

void __pageblocks_check_listed(const struct zone *zone, unsigned long pfn, unsigned int order, unsigned int list)
{
	const struct pageblock *block = pageblock_of(zone, pfn);

	if (list != block->type)
		report_bug("page_check: free block %#lx of order %u is on the list of %s, its pageblock is %s", pfn,
			order, name_of(list), name_of(block->type));
	if (__free_from(zone, pfn) != pfn_to_page_struct(pfn))
		report_bug("page_check: free block %#lx of order %u is unknown to its pageblock", pfn, order);
}

static void __check_pageblock(const struct zone *zone, unsigned long pfn)
{
	const struct pageblock *block = pageblock_of(zone, pfn);
	unsigned int number = (unsigned int)(zone - zones);
	unsigned long nr_free = 0;

	for (const struct page *page = __free_from(zone, pfn); page; page = __free_after(zone, page)) {
		if (page_flags_get(page) & PAGE_BUDDY)
			nr_free += 1ul << page->order;
		else
			report_bug("page_check: pageblock %#lx of zone %u, %s, takes page %#lx for free", pfn, number,
				name_of(block->type), page_struct_to_pfn(page));
	}
	if (nr_free != block->nr_free)
		report_bug("page_check: pageblock %#lx of zone %u, %s, has %lu free pages, counted as %u", pfn, number,
			name_of(block->type), nr_free, block->nr_free);
}

void __pageblocks_check(const struct zone *zone)
{
	for (unsigned long pfn = zone->start_pfn; zone->pageblocks && pfn < zone->end_pfn; pfn += PAGEBLOCK_PAGES)
		__check_pageblock(zone, pfn);
}
