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
 * Whether it pays: `tools/flagstone bench --machine --fragmentation`, 20 seeds. After a load that keeps memory 95% full, and with 90%
 * of it free again, of the free memory
 *
 *	movable pages go	one by one	by up to 64	by up to 512
 *	grouped: order 10, 9	53%, 58%	38%, 48%	23%, 30%
 *	not			0%, 0%		0%, 0%		0%, 0%
 *
 * can be had in such blocks. What was tried and is not here, order 10 of 2 to 4 seeds: no types, but movable pages from the upper half
 * of the zone and all else from the lower (0%, 0%, 5%), or from the top and the bottom, by address (0%, 0%, 7%): a hole of 8
 * pages for a slab, where memory is full, is where it happens to be. Of the rules above: pageblocks of order 9 (49%, 31%, 15%);
 * movable pages from the largest block, too (4%, 2%, 2%); every pageblock that is stolen from converted (51%, 43%, 18%).
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
	if (!shape->pageblocks)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		shape->pageblocks[i].type = PAGE_MOVABLE;
	shape->type_mask = ~0u;
	return 0;
}

static struct pageblock *pageblock_of(const struct zone *zone, const struct page *page)
{
	return &zone->pageblocks[page_struct_to_pfn(page) >> PAGEBLOCK_ORDER];
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

/* Moves the free blocks of a pageblock to the lists of a type, which the pageblock has from now on. */
static void __convert(struct zone *zone, struct pageblock *block, enum page_migratetype type)
{
	enum page_migratetype old = block->type;
	size_t left = block->nr_free;

	__atomic_store_n(&block->type, type, __ATOMIC_RELAXED);
	for (unsigned int order = MAX_ORDER + 1; left && order-- > 0;) {
		struct page *page, *next;

		list_for_each_entry_safe(page, next, &zone->area[order].list[old], list) {
			if (pageblock_of(zone, page) != block)
				continue;
			list_del(&page->list);
			list_add(&page->list, &zone->area[order].list[type]);
			left -= 1ul << order;
			if (!left)
				break;
		}
	}
}

/* The largest block of another type. */
static struct page *__steal(struct zone *zone, unsigned int order, enum page_migratetype type)
{
	struct page *page = NULL;

	for (unsigned int i = MAX_ORDER + 1; !page && i-- > order;)
		page = __first_of_others(zone, i, type);
	if (page && pageblock_of(zone, page)->nr_free >= PAGEBLOCK_PAGES / 2)
		__convert(zone, pageblock_of(zone, page), type);
	return page;
}

/* The smallest block of another type, unless a whole pageblock is free. */
static struct page *__borrow(struct zone *zone, unsigned int order)
{
	struct page *page = __first_of_others(zone, MAX_ORDER, PAGE_MOVABLE);

	if (page)
		__convert(zone, pageblock_of(zone, page), PAGE_MOVABLE);
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

static size_t __length(const struct list_head *list)
{
	size_t nr = 0;

	for (const struct list_head *at = list->next; at != list; at = at->next)
		nr++;
	return nr;
}

void page_zone_types_get(unsigned int number, struct page_zone_types *types)
{
	struct zone *zone = machine->zone[number].buddy;

	*types = (struct page_zone_types){.grouped = zone->pageblocks};
	lock_acquire(&zone->lock);
	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++) {
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			types->nr_free[type][order] = __length(&zone->area[order].list[type]);
	}
	for (unsigned long pfn = zone->start_pfn; pfn < zone->end_pfn; pfn += PAGEBLOCK_PAGES)
		types->nr_blocks[pageblock_type(zone, pfn)]++;
	lock_release(&zone->lock);
}

void __pageblocks_check(const struct zone *zone)
{
	size_t nr_free = 0;

	if (!zone->pageblocks)
		return;
	for (unsigned long pfn = zone->start_pfn; pfn < zone->end_pfn; pfn += PAGEBLOCK_PAGES)
		nr_free += zone->pageblocks[pfn >> PAGEBLOCK_ORDER].nr_free;
	if (nr_free != zone->nr_free)
		report_bug("page_check: %zu pages are free, in pageblocks %zu", zone->nr_free, nr_free);
}
