/*
 * test_gfp.c: each statement of include/linux/gfp.h. The semantics were compared with those of Linux 6.1.
 *
 * Uses the public headers only.
 */
#include <flagstone/stats.h>
#include <linux/gfp.h>
#include <linux/mm.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/child.h"

#define MIB (1ul << 20)

static const gfp_t contexts[] = {GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_NOIO, GFP_NOFS, GFP_USER, GFP_HIGHUSER,
	GFP_HIGHUSER_MOVABLE, GFP_KERNEL_ACCOUNT, GFP_KERNEL | GFP_DMA, GFP_KERNEL | GFP_DMA32, GFP_KERNEL | __GFP_COMP,
	GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_NORETRY | __GFP_MEMALLOC | __GFP_THISNODE};

#define NR_CONTEXTS (sizeof(contexts) / sizeof(contexts[0]))

static bool is_zero(const unsigned char *bytes, size_t size)
{
	size_t at = 0;

	while (at < size && !bytes[at])
		at++;
	return at == size;
}

static void flags_are_the_kernels(void **state)
{
	(void)state;
	assert_int_equal(GFP_KERNEL, __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_IO | __GFP_FS);
	assert_int_equal(GFP_ATOMIC, __GFP_HIGH | __GFP_KSWAPD_RECLAIM);
	assert_int_equal(GFP_NOIO & (__GFP_IO | __GFP_FS), 0);
	assert_int_equal(GFP_NOFS & (__GFP_IO | __GFP_FS), __GFP_IO);
	assert_int_equal(GFP_ATOMIC & __GFP_DIRECT_RECLAIM, 0);
	assert_int_equal(GFP_NOWAIT & (__GFP_DIRECT_RECLAIM | __GFP_HIGH), 0);
	assert_int_equal(__GFP_WAIT, __GFP_RECLAIM);
	assert_int_equal(__GFP_COLD, 0);
}

static void every_order_in_every_context(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_CONTEXTS; i++) {
		for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
			struct page *page = alloc_pages(contexts[i], order);
			char *address;

			assert_non_null(page);
			address = page_address(page);
			assert_int_equal((uintptr_t)address % (PAGE_SIZE << order), 0);
			address[0] = 1;
			address[(PAGE_SIZE << order) - 1] = 1;
			__free_pages(page, order);
		}
	}
}

static void blocks_do_not_overlap(void **state)
{
	unsigned char *blocks[100];

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		blocks[i] = (unsigned char *)__get_free_pages(GFP_KERNEL, i % 6);
		memset(blocks[i], (int)i, PAGE_SIZE << (i % 6));
	}
	for (unsigned int i = 0; i < 100; i++) {
		for (size_t at = 0; at < PAGE_SIZE << (i % 6); at += 512)
			assert_int_equal(blocks[i][at], i);
		free_pages((unsigned long)blocks[i], i % 6);
	}
}

static void zero_means_zero(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
			struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);

			assert_true(is_zero(page_address(page), PAGE_SIZE << order));
			memset(page_address(page), 0xab, PAGE_SIZE << order);
			__free_pages(page, order);
		}
	}
	for (int i = 0; i < 100; i++) {
		unsigned long page = get_zeroed_page(GFP_ATOMIC);

		assert_true(is_zero((void *)page, PAGE_SIZE));
		memset((void *)page, 0xab, PAGE_SIZE);
		free_page(page);
	}
}

static void nodes_and_bulk(void **state)
{
	struct page *pages[40] = {NULL};
	struct page *kept;

	(void)state;
	for (int node = NUMA_NO_NODE; node < 3; node++) {
		struct page *page = alloc_pages_node(node, GFP_KERNEL, 2);
		void *exact = alloc_pages_exact_nid(node, 9000, GFP_KERNEL);

		assert_int_equal(page_to_nid(page), 0);
		__free_pages(page, 2);
		free_pages_exact(exact, 9000);
	}
	pages[7] = kept = __alloc_pages_node(0, GFP_KERNEL, 0);
	assert_int_equal(alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, 40, pages), 40);
	assert_ptr_equal(pages[7], kept);
	for (int i = 0; i < 40; i++) {
		if (i != 7)
			assert_true(is_zero(page_address(pages[i]), PAGE_SIZE));
		memset(page_address(pages[i]), i, PAGE_SIZE);
	}
	for (int i = 0; i < 40; i++) {
		assert_int_equal(*(char *)page_address(pages[i]), i);
		__free_page(pages[i]);
		pages[i] = NULL;
	}
	assert_int_equal(alloc_pages_bulk_array(GFP_KERNEL, 3, pages), 3);
	assert_int_equal(alloc_pages_bulk_array_node(GFP_KERNEL, 0, 5, pages), 5);
	for (int i = 0; i < 5; i++)
		__free_page(pages[i]);
}

static void single_pages(void **state)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long address = __get_free_page(GFP_KERNEL | __GFP_HIGHMEM);

	(void)state;
	assert_non_null(page);
	assert_int_not_equal(address, 0);
	assert_int_equal(address % PAGE_SIZE, 0);
	__free_page(page);
	free_page(address);
}

static void too_large_an_order_is_null(void **state)
{
	(void)state;
	assert_null(alloc_pages(GFP_KERNEL, MAX_PAGE_ORDER + 1));
	assert_null(alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 64));
	assert_null(alloc_pages(GFP_KERNEL, ~0u));
	assert_int_equal(__get_free_pages(GFP_KERNEL, MAX_PAGE_ORDER + 1), 0);
}

static void nothing_is_freed(void **state)
{
	(void)state;
	free_pages(0, 0);
	free_pages(0, 5);
	free_pages_exact(NULL, 100);
}

static void exact_is_rounded_to_pages_only(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 4 * MIB; size += size / 2 + 1) {
		char *block = alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO);

		assert_non_null(block);
		assert_int_equal((uintptr_t)block % PAGE_SIZE, 0);
		assert_true(is_zero((unsigned char *)block, size));
		memset(block, 1, size);
		free_pages_exact(block, size);
	}
	assert_null(alloc_pages_exact(0, GFP_KERNEL));
	assert_null(alloc_pages_exact(4 * MIB + 1, GFP_KERNEL));
	assert_null(alloc_pages_exact(SIZE_MAX, GFP_KERNEL));
}

static uint64_t block_bytes(void)
{
	static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};

	assert_int_equal(flagstone_stats_get(&stats), 0);
	return stats.block_bytes;
}

static void exact_costs_no_more_than_its_pages(void **state)
{
	enum { NR = 64 };
	uint64_t before = block_bytes();
	char *blocks[NR];

	(void)state;
	for (size_t i = 0; i < NR; i++)
		blocks[i] = alloc_pages_exact((5 + i) * PAGE_SIZE, GFP_KERNEL);
	assert_int_equal(block_bytes() - before, (5 * NR + NR * (NR - 1) / 2) * PAGE_SIZE);
	for (size_t i = 0; i < NR; i++)
		free_pages_exact(blocks[i], (5 + i) * PAGE_SIZE);
	assert_int_equal(block_bytes(), before);
}

/* ---- faults: a report, and an abort ---- */

enum fault { WRONG_ORDER, DOUBLE_FREE, FOREIGN, EXACT_SIZE, EXACT_FOREIGN, TAIL, NR_FAULTS };

static void commit_fault(void *arg)
{
	static long foreign;
	struct page *page = alloc_pages(GFP_KERNEL, 3);
	void *exact = alloc_pages_exact(20000, GFP_KERNEL);

	switch ((enum fault)(uintptr_t)arg) {
	case WRONG_ORDER:
		__free_pages(page, 2);
		break;
	case DOUBLE_FREE:
		__free_pages(page, 3);
		__free_pages(page, 3);
		break;
	case FOREIGN:
		free_pages((unsigned long)&foreign, 0);
		break;
	case EXACT_SIZE:
		free_pages_exact(exact, 30000);
		break;
	case EXACT_FOREIGN:
		free_pages_exact(&foreign, 4096);
		break;
	default:
		free_pages((unsigned long)page_address(page) + PAGE_SIZE, 0);
		break;
	}
}

static void faults_are_reported(void **state)
{
	const char *const expected[NR_FAULTS] = {"__free_pages of", "__free_pages of", "free_pages of",
		"free_pages_exact of", "free_pages_exact of", "__free_pages of"};

	(void)state;
	for (uintptr_t fault = 0; fault < NR_FAULTS; fault++) {
		char output[4000];
		int status = child_run(commit_fault, (void *)fault, output, sizeof(output));

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_int_equal(strncmp(output, "flagstone: BUG: ", 16), 0);
		assert_int_equal(strncmp(output + 16, expected[fault], strlen(expected[fault])), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_the_kernels),
		cmocka_unit_test(every_order_in_every_context),
		cmocka_unit_test(blocks_do_not_overlap),
		cmocka_unit_test(zero_means_zero),
		cmocka_unit_test(nodes_and_bulk),
		cmocka_unit_test(single_pages),
		cmocka_unit_test(too_large_an_order_is_null),
		cmocka_unit_test(nothing_is_freed),
		cmocka_unit_test(exact_is_rounded_to_pages_only),
		cmocka_unit_test(exact_costs_no_more_than_its_pages),
		cmocka_unit_test(faults_are_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
