/*
 * buddy.c: zones and their free blocks of 2^order pages; blocks of other sizes.
 *
 * A block's buddy is at pfn ^ (1 << order); two free buddies of one kind are always one block of the next order. Only heads of free
 * blocks have PAGE_BUDDY set, and a buddy is always the head of some block or a tail page whose flags its owner leaves
 * alone: a slab writes over the struct pages of its tail, but a slab that holds a page's buddy holds the page too.
 * Sections are whole blocks of MAX_ORDER, so neither merging nor growing in place ever leaves online memory.
 *
 * A free block is of one of two kinds: PAGE_ZERO, which reads as zero and holds no frames, or dirty. Buddies of different
 * kinds stay apart, so that what counts as dirty does hold frames; they merge when nothing else has a block that is asked for.
 *
 * Which block an allocation takes: one that need not be zero takes dirty blocks of any order before PAGE_ZERO ones,
 * since a dirty block has its frames (a page fault costs more than ten times what clearing a warm page does) and the
 * resident size does not grow; within a kind, the smallest that fits. One that must be zero takes PAGE_ZERO first.
 *
 * Calls memory.c to grow, huge.c before frameless memory is used, release.c after dirty memory is freed. Refuses to know
 * about CPUs and about what pages are used for.
 */
#include <string.h>

#include "runtime/page/internal.h"
#include "runtime/page/machine.h"

#include "runtime/lib/report.h"

#define LOOSE_TRIES 16 /* blocks to look at for a run's old place */

struct zone zones[MAX_ZONES];

void zone_init(struct zone *zone, unsigned long start_pfn, unsigned long end_pfn)
{
	lock_init(&zone->lock, LOCK_ZONE);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (unsigned int list = 0; list < NR_PAGE_MIGRATETYPES; list++)
			list_init(&zone->area[order].list[list]);
	}
	zone->start_pfn = start_pfn;
	zone->end_pfn = end_pfn;
}

void buddy_boot(void)
{
	zone_init(&zones[ZONE_HOSTED], memory.first_pfn, memory.limit_pfn);
}

/* ---- lists: the caller holds the zone lock ---- */

/* Which of the lists of an order a block belongs on: the same for all blocks that are made of it, or that it is merged to. */
static unsigned int __list_of(const struct zone *zone, unsigned long pfn, bool zero)
{
	return zone->pageblocks ? pageblock_of(zone, pfn)->type : zero;
}

/* A free block begins there from now on, or no longer. */
static void __mark_head(struct zone *zone, unsigned long pfn)
{
	if (zone->heads)
		zone->heads[pfn / 64] ^= 1ul << pfn % 64;
}

static void __insert(struct zone *zone, unsigned long pfn, unsigned int order, bool zero, unsigned int list)
{
	struct free_area *area = &zone->area[order];
	struct page *page = pfn_to_page_struct(pfn);

	page->order = (uint8_t)order;
	page->zone = (uint8_t)(zone - zones);
	page_flags_set(page, PAGE_BUDDY | (zero ? PAGE_ZERO : 0));
	list_add(&page->list, &area->list[list]);
	__mark_head(zone, pfn);
	if (zero)
		count_add(&zone->nr_free_zero, 1ul << order);
	count_add(&area->nr_free, 1);
	count_add(&zone->nr_free, 1ul << order);
}

void __buddy_insert(struct zone *zone, unsigned long pfn, unsigned int order, bool zero)
{
	__insert(zone, pfn, order, zero, __list_of(zone, pfn, zero));
}

/* Leaves order, clears flags. */
bool __buddy_remove(struct zone *zone, struct page *page)
{
	bool zero = page_flags_get(page) & PAGE_ZERO;

	list_del(&page->list);
	page_flags_set(page, 0);
	__mark_head(zone, page_struct_to_pfn(page));
	count_add(&zone->area[page->order].nr_free, -1ul);
	count_add(&zone->nr_free, -(1ul << page->order));
	if (zero)
		count_add(&zone->nr_free_zero, -(1ul << page->order));
	return zero;
}

static bool __is_free_block(const struct zone *zone, const struct page *page, unsigned int order)
{
	return (page_flags_get(page) & PAGE_BUDDY) && page->order == order && page->zone == zone - zones;
}

static bool __is_free_of_kind(const struct zone *zone, const struct page *page, unsigned int order, bool zero)
{
	return __is_free_block(zone, page, order) && !(page_flags_get(page) & PAGE_ZERO) == !zero;
}

void __buddy_free(struct zone *zone, unsigned long pfn, unsigned int order, bool zero)
{
	unsigned int list = __list_of(zone, pfn, zero);

	pageblock_count(zone, pfn, 1ul << order);
	for (; order < MAX_ORDER; order++) {
		struct page *buddy = pfn_to_page_struct(pfn ^ (1ul << order));

		if (!__is_free_of_kind(zone, buddy, order, zero))
			break;
		__buddy_remove(zone, buddy);
		pfn &= ~(1ul << order);
	}
	__insert(zone, pfn, order, zero, list);
}

void __buddy_free_range(struct zone *zone, unsigned long pfn, unsigned long end, bool zero)
{
	while (pfn < end) {
		unsigned int order = MAX_ORDER;

		while ((pfn & ((1ul << order) - 1)) || pfn + (1ul << order) > end)
			order--;
		__buddy_free(zone, pfn, order, zero);
		pfn += 1ul << order;
	}
}

/* Merges buddies of different kinds, too. Returns whether there were any. */
static bool __merge_mixed(struct zone *zone)
{
	bool any = false;

	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		struct page *page, *next;

		list_for_each_entry_safe(page, next, &zone->area[order].dirty, list) {
			unsigned long pfn = page_struct_to_pfn(page);
			struct page *buddy = pfn_to_page_struct(pfn ^ (1ul << order));

			if (!__is_free_of_kind(zone, buddy, order, true))
				continue;
			__buddy_remove(zone, buddy);
			__buddy_remove(zone, page);
			__buddy_free(zone, pfn & ~(1ul << order), order + 1, false);
			any = true;
		}
	}
	return any;
}

static struct page *__block_find(struct zone *zone, unsigned int order, bool zero)
{
	for (; order <= MAX_ORDER; order++) {
		struct list_head *list = zero ? &zone->area[order].zero : &zone->area[order].dirty;

		if (!list_empty(list))
			return list_first_entry(list, struct page, list);
	}
	return NULL;
}

static bool __zone_grow(struct zone *zone)
{
	unsigned long pfn;
	unsigned long nr_pages = memory_online(&pfn);

	count_add(&zone->nr_online, nr_pages);
	/* The lowest comes first. */
	for (unsigned long i = nr_pages; i; i -= SECTION_PAGES)
		__buddy_insert(zone, pfn + i - SECTION_PAGES, MAX_ORDER, true);
	return nr_pages > 0;
}

/* Takes a block off the lists: flags are 0, or PAGE_ZERO where that is known. What is left of a huge page that it begins counts
 * as dirty: its frames come with the first touch of any of them. */
static struct page *__buddy_take(struct zone *zone, unsigned int order, bool want_zero)
{
	struct page *page = __block_find(zone, order, want_zero);
	unsigned int have;
	bool zero, huge;

	if (!page)
		page = __block_find(zone, order, !want_zero);
	if (!page && __merge_mixed(zone))
		page = __block_find(zone, order, false);
	if (!page && __zone_grow(zone))
		page = __block_find(zone, order, true);
	if (!page)
		return NULL;
	have = page->order;
	zero = __buddy_remove(zone, page);
	huge = zero && have >= HUGE_ORDER && huge_claim(page_struct_to_pfn(page), order);
	while (have-- > order)
		__buddy_insert(
			zone, page_struct_to_pfn(page) + (1ul << have), have, zero && !(huge && have < HUGE_ORDER));
	page->order = (uint8_t)order;
	page_flags_set(page, zero ? PAGE_ZERO : 0);
	if (zero)
		count_add(&zone->fresh, 1ul << order);
	return page;
}

struct page *__buddy_cut(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned long pfn = page_struct_to_pfn(page);
	unsigned int have = page->order, list = __list_of(zone, pfn, false);

	__buddy_remove(zone, page);
	pageblock_count(zone, pfn, -(1ul << order));
	while (have-- > order)
		__insert(zone, pfn + (1ul << have), have, false, list);
	page->order = (uint8_t)order;
	return page;
}

/* ---- taking sections away ---- */

/* Dirty ones go first: they hold frames. */
static size_t __offline_free(struct zone *zone, size_t size)
{
	struct free_area *area = &zone->area[MAX_ORDER];
	size_t gone = 0;

	__merge_mixed(zone);
	while (gone < size && area->nr_free) {
		struct list_head *list = list_empty(&area->dirty) ? &area->zero : &area->dirty;
		struct page *page = list_first_entry(list, struct page, list);

		__buddy_remove(zone, page);
		count_add(&zone->nr_online, -SECTION_PAGES);
		memory_offline(page_struct_to_pfn(page));
		gone += SECTION_BYTES;
	}
	return gone;
}

size_t buddy_offline_free(size_t size)
{
	size_t gone = 0;

	for (unsigned int i = 0; i < NR_HOSTED_ZONES && gone < size; i++) {
		lock_acquire(&zones[i].lock);
		gone += __offline_free(&zones[i], size - gone);
		__dirty_taken(&zones[i]);
		lock_release(&zones[i].lock);
	}
	return gone;
}

/* ---- blocks ---- */

struct page *buddy_prepare(struct page *page, size_t nr_pages, unsigned int flags)
{
	if ((flags & PAGE_ALLOC_ZERO) && !(page_flags_get(page) & PAGE_ZERO))
		memset(page_to_addr(page), 0, nr_pages << PAGE_SHIFT);
	page_flags_set(page, 0);
	return page;
}

struct page *buddy_alloc(unsigned int order, unsigned int flags)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	struct page *page;

	lock_acquire(&zone->lock);
	page = __buddy_take(zone, order, flags & PAGE_ALLOC_ZERO);
	__dirty_taken(zone);
	lock_release(&zone->lock);
	release_growth(zone);
	return page;
}

unsigned int buddy_alloc_batch(unsigned int order, struct page **pages, unsigned int nr)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	unsigned int got = 0;

	lock_acquire(&zone->lock);
	while (got < nr && (pages[got] = __buddy_take(zone, order, false)))
		got++;
	__dirty_taken(zone);
	lock_release(&zone->lock);
	return got;
}

void buddy_free_batch(unsigned int order, struct page **pages, unsigned int nr)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	unsigned int need;

	if (!nr)
		return;
	lock_acquire(&zone->lock);
	for (unsigned int i = 0; i < nr; i++) {
		unsigned long pfn = page_struct_to_pfn(pages[i]);

		/* On a huge page, a neighbour's first touch may have brought frames to what was zero. */
		__buddy_free(zone, pfn, order, (page_flags_get(pages[i]) & PAGE_ZERO) && !huge_wanted(pfn));
	}
	need = __release_need(zone);
	lock_release(&zone->lock);
	release_follow(zone, need);
}

/* ---- runs of any number of pages ---- */

unsigned int order_of(size_t nr_pages)
{
	unsigned int order = 0;

	while ((1ul << order) < nr_pages)
		order++;
	return order;
}

static void free_run(unsigned long pfn, unsigned long end)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	unsigned int need;
	bool zero;

	if (unlikely(machine)) {
		machine->does.free_run(pfn, end);
		return;
	}
	zero = release_first(zone, pfn, end);
	lock_acquire(&zone->lock);
	__buddy_free_range(zone, pfn, end, zero);
	need = __release_need(zone);
	lock_release(&zone->lock);
	release_follow(zone, need);
}

bool __run_is_free(unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		const struct page *page = pfn_to_page_struct(pfn);

		if (!(page_flags_get(page) & PAGE_BUDDY))
			return false;
		pfn += 1ul << page->order;
	}
	return true;
}

void __take_run(struct zone *zone, unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		struct page *page = pfn_to_page_struct(pfn);
		bool zero = __buddy_remove(zone, page);

		pageblock_count(zone, pfn, -(1ul << page->order));
		pfn += 1ul << page->order;
		if (pfn > end)
			__buddy_free_range(zone, end, pfn, zero && !huge_wanted(end));
	}
}

/*
 * A free dirty block of half the order that would hold the run, and free pages behind it: what a run of this size was before.
 * Else it would need a block of twice that size, which a program that goes on freeing and allocating such runs may not have
 * again, while most of its free memory lies dirty.
 */
static struct page *__take_loose(struct zone *zone, size_t nr_pages, unsigned int order)
{
	unsigned int tries = LOOSE_TRIES;
	struct page *page;

	list_for_each_entry(page, &zone->area[order].dirty, list) {
		unsigned long pfn = page_struct_to_pfn(page);

		if ((pfn & (SECTION_PAGES - 1)) + nr_pages <= SECTION_PAGES &&
			__run_is_free(pfn + (1ul << order), pfn + nr_pages)) {
			__take_run(zone, pfn, pfn + nr_pages);
			return page;
		}
		if (!--tries)
			break;
	}
	return NULL;
}

/* A block of the order, all but its first nr_pages given back. */
static struct page *__take_aligned(struct zone *zone, size_t nr_pages, unsigned int order, bool zero)
{
	struct page *page = __buddy_take(zone, order, zero);
	unsigned long pfn;

	if (!page)
		return NULL;
	pfn = page_struct_to_pfn(page);
	__buddy_free_range(
		zone, pfn + nr_pages, pfn + (1ul << order), (page_flags_get(page) & PAGE_ZERO) && !huge_wanted(pfn));
	return page;
}

static struct page *alloc_run(size_t nr_pages, unsigned int order, unsigned int flags)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	struct page *page = NULL;

	if (unlikely(machine))
		return machine->does.alloc_run(nr_pages, flags);
	lock_acquire(&zone->lock);
	if (flags == PAGE_ALLOC_LOOSE && nr_pages < 1ul << order)
		page = __take_loose(zone, nr_pages, order - 1);
	if (!page)
		page = __take_aligned(zone, nr_pages, order, flags & PAGE_ALLOC_ZERO);
	__dirty_taken(zone);
	lock_release(&zone->lock);
	release_growth(zone);
	return page ? buddy_prepare(page, nr_pages, flags) : NULL;
}

struct page *page_alloc_exact(size_t nr_pages, unsigned int flags)
{
	unsigned int order;
	struct page *page;

	if (!nr_pages || nr_pages > SECTION_PAGES)
		return NULL;
	order = order_of(nr_pages);
	if (nr_pages == 1ul << order && order < NR_PCP_ORDERS)
		page = page_alloc(order, flags);
	else
		page = alloc_run(nr_pages, order, flags);
	if (!page && !machine) {
		buddy_settle();
		page = alloc_run(nr_pages, order, flags);
	}
	if (!page)
		return NULL;
	page->nr_pages = nr_pages;
	page_flags_set(page, PAGE_LARGE);
	return page;
}

/* The first of nr whole sections in a row that are free; 0 if there are none. */
static unsigned long __sections_find(const struct zone *zone, unsigned long nr)
{
	unsigned long end = __atomic_load_n(&memory.end_pfn, __ATOMIC_RELAXED), found = 0;

	for (unsigned long pfn = memory.first_pfn; pfn < end && found < nr; pfn += SECTION_PAGES) {
		bool is_free = page_pfn_online(pfn) && __is_free_block(zone, pfn_to_page_struct(pfn), MAX_ORDER);

		found = is_free ? found + 1 : 0;
		if (found == nr)
			return pfn - (nr - 1) * SECTION_PAGES;
	}
	return 0;
}

struct page *page_alloc_sections(size_t nr_pages, unsigned int flags)
{
	unsigned long nr = (nr_pages + SECTION_PAGES - 1) / SECTION_PAGES, pfn;
	struct zone *zone = &zones[ZONE_HOSTED];
	struct page *page;

	if (machine)
		return NULL;
	lock_acquire(&zone->lock);
	__merge_mixed(zone);
	do
		pfn = __sections_find(zone, nr);
	while (!pfn && __zone_grow(zone));
	if (pfn) {
		__take_run(zone, pfn, pfn + nr * SECTION_PAGES);
		__buddy_free_range(zone, pfn + nr_pages, pfn + nr * SECTION_PAGES, false);
		__dirty_taken(zone);
	}
	lock_release(&zone->lock);
	if (!pfn)
		return NULL;
	page = pfn_to_page_struct(pfn);
	page->nr_pages = nr_pages;
	page_flags_set(page, PAGE_LARGE);
	if (flags & PAGE_ALLOC_ZERO)
		memset(page_to_addr(page), 0, nr_pages << PAGE_SHIFT);
	return page;
}

static bool is_large_head(const struct page *page, const char *function)
{
	if (page_flags_get(page) & PAGE_LARGE)
		return true;
	report_bug("%s: no block of pages starts at %p", function, page_to_addr(page));
	return false;
}

void page_free_exact(struct page *page)
{
	unsigned long pfn = page_struct_to_pfn(page);
	size_t nr_pages = page->nr_pages;
	unsigned int order;

	if (!is_large_head(page, "page_free_exact"))
		return;
	page_flags_set(page, 0);
	order = order_of(nr_pages);
	if (nr_pages == 1ul << order && order < NR_PCP_ORDERS && !(pfn & (nr_pages - 1)))
		page_free(page, order);
	else
		free_run(pfn, pfn + nr_pages);
}

static bool grow_run(unsigned long pfn, unsigned long end)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	bool grown;

	if (unlikely(machine))
		return machine->does.grow_run(pfn, end);
	lock_acquire(&zone->lock);
	grown = __run_is_free(pfn, end);
	if (grown)
		__take_run(zone, pfn, end);
	__dirty_taken(zone);
	lock_release(&zone->lock);
	return grown;
}

bool page_resize_exact(struct page *page, size_t nr_pages)
{
	unsigned long pfn = page_struct_to_pfn(page);
	size_t old = page->nr_pages;

	if (!is_large_head(page, "page_resize_exact") || !nr_pages)
		return false;
	if (nr_pages > old &&
		(nr_pages > SECTION_PAGES - (pfn & (SECTION_PAGES - 1)) || !grow_run(pfn + old, pfn + nr_pages)))
		return false;
	page->nr_pages = nr_pages;
	if (nr_pages < old)
		free_run(pfn + nr_pages, pfn + old);
	return true;
}

/* ---- check ---- */

/* A free block that contains this one would have its head at one of the lower aligned page numbers. */
static void __check_overlap(const struct zone *zone, unsigned long pfn, unsigned int order)
{
	for (unsigned int above = order; above < MAX_ORDER; above++) {
		unsigned long head = pfn & ~((2ul << above) - 1);

		if (head != pfn && (page_flags_get(pfn_to_page_struct(head)) & PAGE_BUDDY) &&
			pfn_to_page_struct(head)->order > above)
			report_bug("page_check: free block %#lx lies within free block %#lx", pfn, head);
	}
	if (order < MAX_ORDER && __is_free_of_kind(zone, pfn_to_page_struct(pfn ^ (1ul << order)), order,
					 page_flags_get(pfn_to_page_struct(pfn)) & PAGE_ZERO))
		report_bug("page_check: free block %#lx of order %u is not merged with its buddy", pfn, order);
}

static void __check_block(const struct zone *zone, const struct page *page, unsigned int order)
{
	unsigned long pfn = page_struct_to_pfn(page);

	if (!page_pfn_online(pfn) || (pfn & ((1ul << order) - 1)))
		report_bug("page_check: free block %#lx of order %u cannot be", pfn, order);
	else if (!__is_free_block(zone, page, order))
		report_bug("page_check: free block %#lx has flags %#x, order %u on the list of order %u", pfn,
			page_flags_get(page), page->order, order);
	else
		__check_overlap(zone, pfn, order);
}

/* Returns how many blocks are on the list, and adds those that are PAGE_ZERO to *nr_zero. */
static size_t __check_list(struct zone *zone, unsigned int list, unsigned int order, size_t *nr_zero)
{
	struct page *page;
	size_t nr = 0;

	list_for_each_entry(page, &zone->area[order].list[list], list) {
		bool zero = page_flags_get(page) & PAGE_ZERO;
		unsigned long pfn = page_struct_to_pfn(page);

		__check_block(zone, page, order);
		if (zone->pageblocks)
			__pageblocks_check_listed(zone, pfn, order, list);
		else if (list != __list_of(zone, pfn, zero))
			report_bug("page_check: %s block %#lx on another list of order %u", zero ? "zero" : "dirty",
				pfn, order);
		nr++;
		*nr_zero += zero;
	}
	return nr;
}

/* Returns the pages on all lists, and adds those that are PAGE_ZERO to *zero_pages. */
static size_t __check_area(struct zone *zone, unsigned int order, size_t *zero_pages)
{
	struct free_area *area = &zone->area[order];
	size_t nr = 0, nr_zero = 0;

	for (unsigned int list = 0; list < NR_PAGE_MIGRATETYPES; list++)
		nr += __check_list(zone, list, order, &nr_zero);
	*zero_pages += nr_zero << order;
	if (nr != area->nr_free)
		report_bug("page_check: %zu blocks of order %u, counted as %zu", nr, order, area->nr_free);
	return nr << order;
}

void __zone_check(struct zone *zone)
{
	size_t pages = 0, zero_pages = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		pages += __check_area(zone, order, &zero_pages);
	if (pages != zone->nr_free || zero_pages != zone->nr_free_zero || pages > zone->nr_online)
		report_bug("page_check: zone %u has %zu free pages, %zu zero; counted as %zu and %zu",
			(unsigned int)(zone - zones), pages, zero_pages, zone->nr_free, zone->nr_free_zero);
	__pageblocks_check(zone);
}

void page_check(void)
{
	struct zone *zone = &zones[ZONE_HOSTED];

	if (machine) {
		machine->does.check();
		return;
	}
	lock_acquire(&zone->lock);
	__zone_check(zone);
	lock_release(&zone->lock);
}
