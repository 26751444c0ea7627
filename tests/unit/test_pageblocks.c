/*
 * test_pageblocks.c: pages of one migrate type lie in pageblocks of their own, as far as there are any.
 *
 * Broken if this fails: kernel objects lie everywhere, and large blocks are not free when what can be had back is; or a
 * pageblock's free blocks are on lists of another type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/child.h"
#include "tests/unit/random.h"
#include "tests/unit/zones_fixture.h"

#define NR_BLOCKS 4
#define NR_PAGES (NR_BLOCKS * PAGEBLOCK_PAGES)
#define MANY 200

static const struct page_machine plain = {.nr_cpus = 1, .node_bytes = {NR_PAGES * PAGE_SIZE}};

/* From here on, pages are had for this type, without limits and, but for tests of them, without CPU's lists. */
static void ask_for(enum page_migratetype type)
{
	struct page_request request = request_for(PAGE_ZONE_NORMAL, 0, PAGE_TO_NOTHING);

	request.migratetype = (uint8_t)type;
	page_request_set(request);
}

static void boot_without_lists(const struct page_machine *config)
{
	boot(config);
	percpu_set_cpu(PERCPU_NO_CPU);
}

static struct page *page_for(enum page_migratetype type, unsigned int order)
{
	struct page *page;

	ask_for(type);
	page = page_alloc(order, 0);
	assert_non_null(page);
	return page;
}

static unsigned int block_of(const struct page *page)
{
	return (unsigned int)(page_phys_pfn(page) / PAGEBLOCK_PAGES);
}

static size_t nr_blocks(enum page_migratetype type)
{
	struct page_zone_types types;

	page_zone_types_get(0, &types);
	return types.nr_blocks[type];
}

static size_t free_pages_of(enum page_migratetype type)
{
	struct page_zone_types types;
	size_t pages = 0;

	page_zone_types_get(0, &types);
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		pages += types.nr_free[type][order] << order;
	return pages;
}

static void test_types_do_not_share_a_pageblock_before_they_must(void **state)
{
	static struct page *pages[MANY][NR_PAGE_MIGRATETYPES];
	unsigned int blocks[NR_PAGE_MIGRATETYPES] = {0};

	(void)state;
	boot_without_lists(&plain);
	assert_int_equal(nr_blocks(PAGE_MOVABLE), NR_BLOCKS);
	for (unsigned int i = 0; i < MANY; i++) {
		for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++) {
			pages[i][type] = page_for(type, i % 3);
			blocks[type] |= 1u << block_of(pages[i][type]);
		}
	}
	page_check();
	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++)
		assert_int_equal(__builtin_popcount(blocks[type]), 1);
	assert_int_equal(__builtin_popcount(blocks[0] | blocks[1] | blocks[2]), 3);
	assert_int_equal(nr_blocks(PAGE_UNMOVABLE), 1);
	assert_int_equal(nr_blocks(PAGE_RECLAIMABLE), 1);
	for (unsigned int i = 0; i < MANY; i++) {
		for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++)
			page_free(pages[i][type], i % 3);
	}
	shut_down();
}

static void test_movable_pages_leave_a_pageblock_what_it_is(void **state)
{
	struct page *unmovable, *first = NULL;

	(void)state;
	boot_without_lists(&plain);
	unmovable = page_for(PAGE_UNMOVABLE, 0);
	ask_for(PAGE_MOVABLE);
	assert_int_equal(take_all(0, &first), NR_PAGES - 1);
	assert_int_equal(nr_blocks(PAGE_UNMOVABLE), 1);
	assert_int_equal(nr_blocks(PAGE_MOVABLE), NR_BLOCKS - 1);
	free_all(0, first);
	page_check();
	assert_int_equal(free_pages_of(PAGE_UNMOVABLE), PAGEBLOCK_PAGES - 1);
	page_free(unmovable, 0);
	shut_down();
}

/* Frees pages first .. end - 1 of the zone, which are blocks of one page. */
static void free_range(unsigned long first, unsigned long end)
{
	for (; first < end; first++)
		page_free(page_of_phys_pfn(first), 0);
}

static void test_a_pageblock_that_is_half_free_is_converted(void **state)
{
	const unsigned long half = PAGEBLOCK_PAGES / 2;
	struct page *page, *first = NULL;

	(void)state;
	boot_without_lists(&plain);
	ask_for(PAGE_MOVABLE);
	assert_int_equal(take_all(0, &first), NR_PAGES);
	free_range(0, half - 1);
	page = page_for(PAGE_UNMOVABLE, 0);
	assert_int_equal(block_of(page), 0);
	assert_int_equal(nr_blocks(PAGE_UNMOVABLE), 0);
	assert_int_equal(free_pages_of(PAGE_UNMOVABLE), 0);
	page_free(page, 0);
	free_range(half - 1, half);
	page = page_for(PAGE_UNMOVABLE, 0);
	assert_int_equal(block_of(page), 0);
	assert_int_equal(nr_blocks(PAGE_UNMOVABLE), 1);
	assert_int_equal(free_pages_of(PAGE_UNMOVABLE), half - 1);
	assert_int_equal(free_pages_of(PAGE_MOVABLE), 0);
	page_check();
	page_free(page, 0);
	free_range(half, NR_PAGES);
	shut_down();
}

static void test_what_is_not_movable_takes_from_the_largest_block(void **state)
{
	struct page *page, *first = NULL;

	(void)state;
	boot_without_lists(&plain);
	ask_for(PAGE_MOVABLE);
	assert_int_equal(take_all(0, &first), NR_PAGES);
	/* A single page in pageblock 0, and 16 in a block in pageblock 2. */
	free_range(0, 1);
	free_range(2 * PAGEBLOCK_PAGES, 2 * PAGEBLOCK_PAGES + 16);
	page = page_for(PAGE_UNMOVABLE, 0);
	assert_int_equal(block_of(page), 2);
	page_free(page, 0);
	free_range(1, 2 * PAGEBLOCK_PAGES);
	free_range(2 * PAGEBLOCK_PAGES + 16, NR_PAGES);
	shut_down();
}

static void test_what_is_movable_takes_the_smallest_block(void **state)
{
	struct page *first = NULL, *page;
	unsigned long block;

	(void)state;
	boot_without_lists(&plain);
	block = block_of(page_for(PAGE_UNMOVABLE, 0)) * PAGEBLOCK_PAGES;
	for (unsigned int i = 1; i < PAGEBLOCK_PAGES; i++)
		page_for(PAGE_UNMOVABLE, 0);
	ask_for(PAGE_MOVABLE);
	assert_int_equal(take_all(0, &first), NR_PAGES - PAGEBLOCK_PAGES);
	/* Of the other type's: 16 pages in a block, and a single one that was freed before them. */
	free_range(block + 64, block + 65);
	free_range(block, block + 16);
	assert_int_equal(page_phys_pfn(page_for(PAGE_MOVABLE, 0)), block + 64);
	page = page_for(PAGE_MOVABLE, 0);
	assert_in_range(page_phys_pfn(page), block, block + 15);
	assert_int_equal(nr_blocks(PAGE_UNMOVABLE), 1);
	page_check();
	page_free(page, 0);
	free_all(0, first);
	free_range(block + 16, block + PAGEBLOCK_PAGES);
	shut_down();
}

static void test_a_pageblock_that_is_free_is_anybodys(void **state)
{
	struct page *first = NULL;

	(void)state;
	boot_without_lists(&plain);
	page_free(page_for(PAGE_UNMOVABLE, 0), 0);
	page_free(page_for(PAGE_RECLAIMABLE, 0), 0);
	assert_true(nr_blocks(PAGE_MOVABLE) < NR_BLOCKS);
	ask_for(PAGE_MOVABLE);
	assert_int_equal(take_all(3, &first), NR_PAGES / 8);
	assert_int_equal(nr_blocks(PAGE_MOVABLE), NR_BLOCKS);
	free_all(3, first);
	shut_down();
}

static void test_lists_of_a_cpu_are_by_type(void **state)
{
	struct page *movable, *unmovable;
	unsigned int block;

	(void)state;
	boot(&plain);
	movable = page_for(PAGE_MOVABLE, 0);
	block = block_of(movable);
	page_free(movable, 0);
	unmovable = page_for(PAGE_UNMOVABLE, 0);
	assert_int_not_equal(block_of(unmovable), block);
	assert_ptr_equal(page_for(PAGE_MOVABLE, 0), movable);
	page_free(unmovable, 0);
	assert_ptr_equal(page_for(PAGE_UNMOVABLE, 0), unmovable);
	page_check();
	page_free(movable, 0);
	page_free(unmovable, 0);
	shut_down();
}

static void test_without_grouping_all_is_one_type(void **state)
{
	struct page_machine config = plain;
	struct page_zone_types types;
	struct page *page;

	(void)state;
	config.ungrouped = true;
	boot(&config);
	page = page_for(PAGE_MOVABLE, 0);
	page_free(page, 0);
	assert_ptr_equal(page_for(PAGE_UNMOVABLE, 0), page);
	page_zone_types_get(0, &types);
	assert_false(types.grouped);
	assert_int_equal(types.nr_blocks[PAGE_UNMOVABLE], NR_BLOCKS);
	assert_int_equal(free_pages_of(PAGE_MOVABLE) + free_pages_of(PAGE_RECLAIMABLE), 0);
	page_free(page, 0);
	shut_down();
}

/* ---- how long the zone's lock is held ---- */

/* Every second page of a pageblock comes free, so that none of its free blocks merge. */
static void free_odd_pages_of(unsigned int block)
{
	for (unsigned long pfn = block * PAGEBLOCK_PAGES + 1; pfn < (block + 1) * PAGEBLOCK_PAGES; pfn += 2)
		page_free(page_of_phys_pfn(pfn), 0);
}

static const struct page_machine two_blocks = {.nr_cpus = 1, .node_bytes = {2 * PAGEBLOCK_PAGES * PAGE_SIZE}};

/* Whoever goes through the zone's lists does not survive: one ends at an address that is none. Pageblock 1 is at their head. */
static void fill_with_a_broken_list(void)
{
	struct page *first = NULL;

	boot_without_lists(&two_blocks);
	ask_for(PAGE_MOVABLE);
	assert_int_equal(take_all(0, &first), 2 * PAGEBLOCK_PAGES);
	free_odd_pages_of(0);
	free_odd_pages_of(1);
	page_of_phys_pfn(PAGEBLOCK_PAGES + 33)->list.next = (void *)64;
}

/* The first half of what is free in pageblock 0 becomes one block: the largest. */
static void convert_beside_a_broken_list(void *unused)
{
	struct page *page;

	(void)unused;
	fill_with_a_broken_list();
	for (unsigned long pfn = 0; pfn < 64; pfn += 2)
		page_free(page_of_phys_pfn(pfn), 0);
	page = page_for(PAGE_UNMOVABLE, 0);
	if (block_of(page) || pageblock_type(&zones[0], page_struct_to_pfn(page)) != PAGE_UNMOVABLE)
		_exit(1);
}

static void test_a_conversion_goes_through_its_own_pageblock_alone(void **state)
{
	char output[1000];

	(void)state;
	assert_int_equal(child_run(convert_beside_a_broken_list, NULL, output, sizeof(output)), 0);
}

static void count_beside_a_broken_list(void *unused)
{
	(void)unused;
	fill_with_a_broken_list();
	if (free_pages_of(PAGE_MOVABLE) != PAGEBLOCK_PAGES || nr_blocks(PAGE_MOVABLE) != 2)
		_exit(1);
}

static void test_types_are_counted_without_going_through_lists(void **state)
{
	char output[1000];

	(void)state;
	assert_int_equal(child_run(count_beside_a_broken_list, NULL, output, sizeof(output)), 0);
}

static void test_types_are_counted_by_order(void **state)
{
	struct page *unmovable, *movable, *first = NULL;
	struct page_zone_types types;

	(void)state;
	boot_without_lists(&plain);
	unmovable = page_for(PAGE_UNMOVABLE, 3);
	movable = page_for(PAGE_MOVABLE, 1);
	page_zone_types_get(0, &types);
	assert_true(types.grouped);
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		assert_int_equal(types.nr_free[PAGE_UNMOVABLE][order], order >= 3);
		assert_int_equal(types.nr_free[PAGE_MOVABLE][order], order >= 1);
		assert_int_equal(types.nr_free[PAGE_RECLAIMABLE][order], 0);
	}
	assert_int_equal(types.nr_free[PAGE_MOVABLE][MAX_ORDER], NR_BLOCKS - 2);
	ask_for(PAGE_MOVABLE);
	take_all(0, &first);
	page_zone_types_get(0, &types);
	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++) {
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			assert_int_equal(types.nr_free[type][order], 0);
	}
	free_all(0, first);
	page_free(unmovable, 3);
	page_free(movable, 1);
	shut_down();
}

/* ---- the check ---- */

static void check_with_counts_exchanged(void *unused)
{
	(void)unused;
	boot_without_lists(&plain);
	page_for(PAGE_UNMOVABLE, 0);
	/* The zone's sum stays what it was. */
	pageblock_of(&zones[0], zones[0].start_pfn)->nr_free -= 2;
	pageblock_of(&zones[0], zones[0].start_pfn + PAGEBLOCK_PAGES)->nr_free += 2;
	page_check();
}

static void check_with_a_type_changed(void *unused)
{
	(void)unused;
	boot_without_lists(&plain);
	pageblock_of(&zones[0], zones[0].start_pfn)->type = PAGE_RECLAIMABLE;
	page_check();
}

static void check_with_a_block_unknown(void *unused)
{
	(void)unused;
	boot_without_lists(&plain);
	zones[0].heads[zones[0].start_pfn / 64] ^= 1;
	page_check();
}

static void check_with_a_block_too_many(void *unused)
{
	(void)unused;
	boot_without_lists(&plain);
	zones[0].heads[zones[0].start_pfn / 64] ^= 2;
	page_check();
}

static void test_the_check_tells_which_pageblock_is_wrong(void **state)
{
	char output[4000], expected[200];
	unsigned long pfn;

	(void)state;
	/* Where it lies is the same in each of the children. */
	boot(&plain);
	pfn = zones[0].start_pfn;
	shut_down();
	child_run(check_with_counts_exchanged, NULL, output, sizeof(output));
	snprintf(expected, sizeof(expected),
		"BUG: page_check: pageblock %#lx of zone 0, Unmovable, has 1023 free pages, counted as 1021\n", pfn);
	assert_non_null(strstr(output, expected));
	child_run(check_with_a_type_changed, NULL, output, sizeof(output));
	snprintf(expected, sizeof(expected),
		"BUG: page_check: free block %#lx of order 10 is on the list of Movable, its pageblock is "
		"Reclaimable\n",
		pfn);
	assert_non_null(strstr(output, expected));
	child_run(check_with_a_block_unknown, NULL, output, sizeof(output));
	snprintf(expected, sizeof(expected),
		"BUG: page_check: free block %#lx of order 10 is unknown to its pageblock\n", pfn);
	assert_non_null(strstr(output, expected));
	child_run(check_with_a_block_too_many, NULL, output, sizeof(output));
	snprintf(expected, sizeof(expected),
		"BUG: page_check: pageblock %#lx of zone 0, Movable, takes page %#lx for free\n", pfn, pfn + 1);
	assert_non_null(strstr(output, expected));
}

/* Blocks and runs of all types and sizes, in memory that is nearly full. */
static void test_lists_and_counts_agree_whatever_comes(void **state)
{
	static struct {
		struct page *page;
		unsigned int order; /* MAX_ORDER + 1: a run */
	} held[1000];
	uint32_t dice = 7;

	(void)state;
	boot(&plain);
	for (unsigned int i = 0; i < 40000; i++) {
		unsigned int slot = random_below(&dice, 1000), order = random_below(&dice, 6);

		if (!(i % 4000)) {
			page_drain_lists();
			page_check();
		}
		percpu_set_cpu(random_below(&dice, 8) ? 0 : PERCPU_NO_CPU);
		if (held[slot].page && held[slot].order > MAX_ORDER)
			page_free_exact(held[slot].page);
		else if (held[slot].page)
			page_free(held[slot].page, held[slot].order);
		ask_for(random_below(&dice, NR_PAGE_MIGRATETYPES));
		held[slot].order = order == 5 ? MAX_ORDER + 1 : order;
		held[slot].page = order == 5 ? page_alloc_exact(1 + random_below(&dice, 90), 0) : page_alloc(order, 0);
	}
	for (unsigned int slot = 0; slot < 1000; slot++) {
		if (held[slot].page && held[slot].order > MAX_ORDER)
			page_free_exact(held[slot].page);
		else if (held[slot].page)
			page_free(held[slot].page, held[slot].order);
	}
	percpu_set_cpu(0);
	shut_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_types_do_not_share_a_pageblock_before_they_must),
		TEST(test_movable_pages_leave_a_pageblock_what_it_is),
		TEST(test_a_pageblock_that_is_half_free_is_converted),
		TEST(test_what_is_not_movable_takes_from_the_largest_block),
		TEST(test_what_is_movable_takes_the_smallest_block),
		TEST(test_a_pageblock_that_is_free_is_anybodys),
		TEST(test_lists_of_a_cpu_are_by_type),
		TEST(test_without_grouping_all_is_one_type),
		TEST(test_a_conversion_goes_through_its_own_pageblock_alone),
		TEST(test_types_are_counted_without_going_through_lists),
		TEST(test_types_are_counted_by_order),
		TEST(test_the_check_tells_which_pageblock_is_wrong),
		TEST(test_lists_and_counts_agree_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
