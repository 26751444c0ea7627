/*
 * test_buddy.c: blocks of the buddy: no two overlap, zero means zero, everything merges again, frames go back.
 *
 * An oracle keeps the pages that are handed out; every block is filled with a pattern of its own.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"
#include "runtime/page/page.h"

#define MIB (1ul << 20)

/* ---- oracle ---- */

struct block {
	struct page *page;
	size_t nr_pages;
	unsigned int order;
	bool exact;
	uint64_t mark;
};

#define ORACLE_PAGES (1ul << 20)
static unsigned char owned[ORACLE_PAGES]; /* by page number from the first page ever seen, down or up from the middle */
static unsigned long origin;

static unsigned char *owner_byte(unsigned long pfn)
{
	unsigned long index;

	if (!origin)
		origin = pfn - ORACLE_PAGES / 2;
	index = pfn - origin;
	assert_true(index < ORACLE_PAGES);
	return &owned[index];
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void owned_set(unsigned long pfn, size_t nr_pages, unsigned char value)
{
	for (size_t i = 0; i < nr_pages; i++) {
		assert_int_equal(*owner_byte(pfn + i), !value);
		assert_true(page_pfn_online(pfn + i));
		*owner_byte(pfn + i) = value;
	}
}

static uint64_t *page_words(const struct block *block, size_t i)
{
	return (uint64_t *)((char *)page_to_addr(block->page) + i * PAGE_SIZE);
}

static void mark(const struct block *block, size_t from)
{
	for (size_t i = from; i < block->nr_pages; i++) {
		page_words(block, i)[0] = block->mark + i;
		page_words(block, i)[511] = ~(block->mark + i);
	}
}

static bool mark_holds(const struct block *block, size_t nr_pages)
{
	for (size_t i = 0; i < nr_pages; i++) {
		if (page_words(block, i)[0] != block->mark + i || page_words(block, i)[511] != ~(block->mark + i))
			return false;
	}
	return true;
}

static bool is_zero(const void *addr, size_t size)
{
	const uint64_t *words = addr;

	for (size_t i = 0; i < size / 8; i++) {
		if (words[i])
			return false;
	}
	return true;
}

static size_t power_of_two(size_t nr_pages)
{
	size_t power = 1;

	while (power < nr_pages)
		power *= 2;
	return power;
}

static bool block_get(struct block *block, uint64_t *seed)
{
	unsigned int flags = random_next(seed) % 4 ? 0 : PAGE_ALLOC_ZERO;

	block->exact = random_next(seed) % 2;
	block->order = (unsigned int)(random_next(seed) % (random_next(seed) % 8 ? 6 : MAX_ORDER + 1));
	block->nr_pages = 1ul << block->order;
	if (block->exact)
		block->nr_pages = 1 + random_next(seed) % block->nr_pages;
	block->page = block->exact ? page_alloc_exact(block->nr_pages, flags) : page_alloc(block->order, flags);
	if (!block->page)
		return false;
	block->mark = random_next(seed);
	if (flags && !is_zero(page_to_addr(block->page), block->nr_pages * PAGE_SIZE))
		return false;
	mark(block, 0);
	return !(addr_to_pfn(page_to_addr(block->page)) & (power_of_two(block->nr_pages) - 1)) &&
	       page_flags_get(block->page) == (block->exact ? PAGE_LARGE : 0);
}

static void block_put(struct block *block)
{
	if (block->exact)
		page_free_exact(block->page);
	else
		page_free(block->page, block->order);
	block->page = NULL;
}

/* Blocks with frames and blocks without stay apart: all of them lose theirs first. */
static void everything_is_merged(void)
{
	struct page_stats stats;

	page_check();
	page_release(0);
	page_check();
	page_stats_get(&stats);
	assert_int_equal(stats.pcp_bytes, 0);
	assert_int_equal(stats.free_bytes, stats.online_bytes);
	assert_int_equal(stats.nr_free[MAX_ORDER] * (PAGE_SIZE << MAX_ORDER), stats.online_bytes);
}

/* ---- tests ---- */

#define NR_BLOCKS 600

static void blocks_of_every_size_never_overlap(void **state)
{
	static struct block blocks[NR_BLOCKS];
	uint64_t seed = 88172645463325252ull;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		struct block *block = &blocks[random_next(&seed) % NR_BLOCKS];

		if (block->page) {
			assert_true(mark_holds(block, block->nr_pages));
			owned_set(page_struct_to_pfn(block->page), block->nr_pages, 0);
			block_put(block);
		} else {
			assert_true(block_get(block, &seed));
			owned_set(page_struct_to_pfn(block->page), block->nr_pages, 1);
		}
		if (i % 5000 == 0)
			page_check();
	}
	for (int i = 0; i < NR_BLOCKS; i++) {
		if (blocks[i].page) {
			assert_true(mark_holds(&blocks[i], blocks[i].nr_pages));
			owned_set(page_struct_to_pfn(blocks[i].page), blocks[i].nr_pages, 0);
			block_put(&blocks[i]);
		}
	}
	everything_is_merged();
}

static void resize_one(struct block *block, uint64_t *seed, int *nr_grown)
{
	unsigned long pfn = page_struct_to_pfn(block->page);
	size_t old = block->nr_pages;
	size_t size = 1 + random_next(seed) % (2 * old < 1024 ? 2 * old : 1024);

	if (!page_resize_exact(block->page, size)) {
		assert_true(size > old);
		assert_int_equal(block->page->nr_pages, old);
		return;
	}
	assert_int_equal(block->page->nr_pages, size);
	assert_true(mark_holds(block, size < old ? size : old));
	if (size > old)
		owned_set(pfn + old, size - old, 1);
	else
		owned_set(pfn + size, old - size, 0);
	*nr_grown += size > old;
	block->nr_pages = size;
	mark(block, 0);
}

static void resized_blocks_keep_their_contents_and_their_neighbours(void **state)
{
	static struct block blocks[100];
	uint64_t seed = 1234567;
	int nr_grown = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct block *block = &blocks[random_next(&seed) % ARRAY_SIZE(blocks)];

		if (!block->page) {
			block->exact = true;
			block->mark = random_next(&seed);
			block->nr_pages = 1 + random_next(&seed) % 64;
			block->page = page_alloc_exact(block->nr_pages, 0);
			assert_non_null(block->page);
			owned_set(page_struct_to_pfn(block->page), block->nr_pages, 1);
			mark(block, 0);
		} else if (random_next(&seed) % 4) {
			resize_one(block, &seed, &nr_grown);
		} else {
			assert_true(mark_holds(block, block->nr_pages));
			owned_set(page_struct_to_pfn(block->page), block->nr_pages, 0);
			block_put(block);
		}
	}
	assert_true(nr_grown > 500);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		if (blocks[i].page) {
			owned_set(page_struct_to_pfn(blocks[i].page), blocks[i].nr_pages, 0);
			block_put(&blocks[i]);
		}
	}
	everything_is_merged();
}

static void impossible_sizes_are_refused(void **state)
{
	struct page *page = page_alloc_exact(5, 0);

	(void)state;
	assert_null(page_alloc(MAX_ORDER + 1, 0));
	assert_null(page_alloc(64, 0));
	assert_null(page_alloc((unsigned int)-1, 0));
	assert_null(page_alloc_exact(0, 0));
	assert_null(page_alloc_exact((1ul << MAX_ORDER) + 1, 0));
	assert_null(page_alloc_exact(SIZE_MAX, 0));
	assert_false(page_resize_exact(page, 0));
	assert_false(page_resize_exact(page, SIZE_MAX));
	assert_false(page_resize_exact(page, (1ul << MAX_ORDER) + 1));
	page_free_exact(page);
	assert_false(page_pfn_online(0));
	assert_false(page_pfn_online(addr_to_pfn(&page)));
	assert_false(page_pfn_online(~0ul));
	everything_is_merged();
}

/* Splits a block of page_alloc in the caller's hands: its parts are freed one by one. */
static void parts_of_a_block_are_freed_alone(void **state)
{
	struct page *page = page_alloc(MAX_ORDER, 0);

	(void)state;
	memset(page_to_addr(page), 1, PAGE_SIZE << MAX_ORDER);
	for (unsigned int i = 0; i < 1u << MAX_ORDER; i += 16)
		page_free(page + i, 4);
	everything_is_merged();
}

static void free_neighbours_make_room_to_grow(void **state)
{
	struct page *page = page_alloc_exact(600, 0);
	uint64_t *last;

	(void)state;
	assert_true(page_resize_exact(page, 1024));
	last = (uint64_t *)((char *)page_to_addr(page) + 1023 * PAGE_SIZE);
	*last = 1;
	assert_false(page_resize_exact(page, 1025));
	assert_true(page_resize_exact(page, 1));
	page_check();
	page_free_exact(page);
	everything_is_merged();
}

/* Bytes of the blocks that have frames. */
static size_t resident(struct page **pages, int nr)
{
	static unsigned char in_core[1 << MAX_ORDER];
	size_t bytes = 0;

	for (int i = 0; i < nr; i++) {
		assert_int_equal(mincore(page_to_addr(pages[i]), PAGE_SIZE << MAX_ORDER, in_core), 0);
		for (size_t page = 0; page < ARRAY_SIZE(in_core); page++)
			bytes += (in_core[page] & 1) * PAGE_SIZE;
	}
	return bytes;
}

static void free_memory_goes_back_by_itself(void **state)
{
	enum { NR = 64 };
	struct page *pages[NR];
	struct page_stats stats;

	(void)state;
	page_release(0);
	for (int i = 0; i < NR; i++) {
		pages[i] = page_alloc(MAX_ORDER, 0);
		memset(page_to_addr(pages[i]), 0xaa, PAGE_SIZE << MAX_ORDER);
	}
	assert_int_equal(resident(pages, NR), NR * 4 * MIB);
	for (int i = 0; i < NR; i++)
		page_free(pages[i], MAX_ORDER);
	page_stats_get(&stats);
	assert_true(stats.free_bytes - stats.free_zero_bytes <= tunable_retain);
	assert_true(resident(pages, NR) <= tunable_retain);
	page_release(0);
	page_stats_get(&stats);
	assert_int_equal(stats.free_bytes, stats.free_zero_bytes);
	assert_int_equal(resident(pages, NR), 0);
	everything_is_merged();
}

static void less_than_the_limit_stays(void **state)
{
	struct page *pages[4];
	struct page_stats stats;
	size_t released;

	(void)state;
	page_release(0);
	page_stats_get(&stats);
	released = stats.released_bytes;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 3; i++) {
			pages[i] = page_alloc(MAX_ORDER, 0);
			memset(page_to_addr(pages[i]), 1, PAGE_SIZE << MAX_ORDER);
		}
		for (int i = 0; i < 3; i++)
			page_free(pages[i], MAX_ORDER);
	}
	page_stats_get(&stats);
	assert_int_equal(stats.released_bytes, released);
	assert_int_equal(stats.free_bytes - stats.free_zero_bytes, 12 * MIB);
	assert_int_equal(page_release(8 * MIB), 4 * MIB);
	assert_int_equal(page_release(0), 8 * MIB);
	assert_int_equal(page_release(0), 0);
}

static void released_memory_reads_as_zero(void **state)
{
	struct page *page = page_alloc(9, 0);
	void *addr = page_to_addr(page);

	(void)state;
	memset(addr, 0xff, PAGE_SIZE << 9);
	page_free(page, 9);
	page_release(0);
	assert_true(is_zero(addr, PAGE_SIZE << 9));
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		page = page_alloc(order, 0);
		memset(page_to_addr(page), 0xff, PAGE_SIZE << order);
		page_free(page, order);
		page = page_alloc(order, PAGE_ALLOC_ZERO);
		assert_true(is_zero(page_to_addr(page), PAGE_SIZE << order));
		memset(page_to_addr(page), 0xff, PAGE_SIZE << order);
		page_free(page, order);
	}
	everything_is_merged();
}

#define NR_THREADS 8

static void *churn(void *arg)
{
	struct block blocks[40] = {0};
	uint64_t seed = 999 + (uintptr_t)arg * 7919;
	bool good = true;

	for (int i = 0; i < 6000 && good; i++) {
		struct block *block = &blocks[random_next(&seed) % ARRAY_SIZE(blocks)];

		if (block->page) {
			good = mark_holds(block, block->nr_pages);
			block_put(block);
		} else {
			good = block_get(block, &seed);
		}
		if (i % 1000 == 0)
			page_release(1 * MIB);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		if (blocks[i].page) {
			good = good && mark_holds(&blocks[i], blocks[i].nr_pages);
			block_put(&blocks[i]);
		}
	}
	return (void *)(uintptr_t)good;
}

static void threads_never_share_a_page(void **state)
{
	pthread_t threads[NR_THREADS];
	void *good;

	(void)state;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; i < 20; i++)
		page_check();
	for (int i = 0; i < NR_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_non_null(good);
	}
	everything_is_merged();
}

static int boot(void **state)
{
	(void)state;
	return memory_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(blocks_of_every_size_never_overlap),
		cmocka_unit_test(resized_blocks_keep_their_contents_and_their_neighbours),
		cmocka_unit_test(parts_of_a_block_are_freed_alone),
		cmocka_unit_test(free_neighbours_make_room_to_grow),
		cmocka_unit_test(free_memory_goes_back_by_itself),
		cmocka_unit_test(less_than_the_limit_stays),
		cmocka_unit_test(released_memory_reads_as_zero),
		cmocka_unit_test(threads_never_share_a_page),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
