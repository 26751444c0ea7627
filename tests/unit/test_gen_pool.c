/*
 * test_gen_pool.c: pieces of ranges of addresses, and pieces of pages.
 *
 * Broken if this fails: two pieces overlap, a piece is not where its algorithm says, or a page goes while a piece of it is in use.
 */
#include <errno.h>
#include <linux/genalloc.h>
#include <linux/mm.h>
#include <linux/page_frag_cache.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/page/page.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"

#define BASE 0x100000ul
#define UNIT_ORDER 6
#define UNIT (1ul << UNIT_ORDER)
#define NR_UNITS 200ul
#define NR_PIECES 64

static struct gen_pool *pool;

static int set_up(void **state)
{
	(void)state;
	pool = gen_pool_create(UNIT_ORDER, -1);
	return pool && !gen_pool_add_virt(pool, BASE, 0xabc000, NR_UNITS * UNIT, -1) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (gen_pool_avail(pool) != gen_pool_size(pool))
		return -1;
	gen_pool_destroy(pool);
	return 0;
}

static void pieces_are_whole_units(void **state)
{
	unsigned long a, b;

	(void)state;
	assert_int_equal(gen_pool_size(pool), NR_UNITS * UNIT);
	a = gen_pool_alloc(pool, 1);
	b = gen_pool_alloc(pool, UNIT + 1);
	assert_int_equal(a, BASE);
	assert_int_equal(b, BASE + UNIT);
	assert_int_equal(gen_pool_avail(pool), (NR_UNITS - 3) * UNIT);
	assert_int_equal(gen_pool_virt_to_phys(pool, b + 5), 0xabc000 + UNIT + 5);
	assert_true(gen_pool_virt_to_phys(pool, BASE + NR_UNITS * UNIT) == (phys_addr_t)-1);
	assert_true(gen_pool_has_addr(pool, BASE, NR_UNITS * UNIT));
	assert_false(gen_pool_has_addr(pool, BASE, NR_UNITS * UNIT + 1));
	assert_int_equal(gen_pool_alloc(pool, (NR_UNITS - 2) * UNIT), 0);
	assert_int_equal(gen_pool_alloc(pool, 0), 0);
	assert_int_equal(gen_pool_alloc(pool, SIZE_MAX), 0);
	gen_pool_free(pool, a, 1);
	gen_pool_free(pool, b, UNIT + 1);
}

static void algorithms_choose_their_hole(void **state)
{
	struct genpool_data_align align = {.align = 1024};
	struct genpool_data_fixed fixed = {.offset = 10 * UNIT};
	unsigned long a, b, c, d;

	(void)state;
	a = gen_pool_alloc_algo(pool, UNIT, gen_pool_fixed_alloc, &fixed);
	assert_int_equal(a, BASE + 10 * UNIT);
	assert_int_equal(gen_pool_alloc_algo(pool, UNIT, gen_pool_fixed_alloc, &fixed), 0);
	/* Holes of 10, of 4, and the rest. */
	fixed.offset = 15 * UNIT;
	b = gen_pool_alloc_algo(pool, UNIT, gen_pool_fixed_alloc, &fixed);
	c = gen_pool_alloc_algo(pool, 3 * UNIT, gen_pool_best_fit, NULL);
	assert_int_equal(c, BASE + 11 * UNIT);
	d = gen_pool_alloc_algo(pool, 3 * UNIT, gen_pool_first_fit_order_align, NULL);
	assert_int_equal(d, BASE);
	gen_pool_free(pool, c, 3 * UNIT);
	c = gen_pool_alloc_algo(pool, 5 * UNIT, gen_pool_first_fit_align, &align);
	assert_int_equal(c, BASE + 1024);
	gen_pool_free(pool, a, UNIT);
	gen_pool_free(pool, b, UNIT);
	gen_pool_free(pool, c, 5 * UNIT);
	gen_pool_free(pool, d, 3 * UNIT);
	/* An address that is itself not aligned to what is asked for. */
	assert_int_equal(gen_pool_add(pool, 3 * UNIT + (1ul << 30), 100 * UNIT, -1), 0);
	c = gen_pool_alloc_algo(pool, UNIT, gen_pool_first_fit_align, &align);
	assert_int_equal(c % 1024, 0);
	gen_pool_free(pool, c, UNIT);
	gen_pool_set_algo(pool, gen_pool_best_fit, NULL);
	c = gen_pool_alloc(pool, 100 * UNIT);
	assert_int_equal(c, 3 * UNIT + (1ul << 30));
	gen_pool_free(pool, c, 100 * UNIT);
}

static void pieces_for_devices(void **state)
{
	int mine;
	void *owner;
	dma_addr_t dma;
	static unsigned char memory[1024] __attribute__((aligned(1024)));
	unsigned char *piece;

	(void)state;
	memset(memory, 1, sizeof(memory));
	assert_int_equal(gen_pool_add_owner(pool, (unsigned long)memory, 0x5000, sizeof(memory), -1, &mine), 0);
	gen_pool_set_algo(pool, NULL, NULL);
	piece = gen_pool_dma_zalloc(pool, 100, &dma);
	assert_ptr_equal(piece, memory);
	assert_int_equal(dma, 0x5000);
	assert_int_equal(piece[0] | piece[99], 0);
	assert_int_equal(piece[100], 1);
	gen_pool_free_owner(pool, (unsigned long)piece, 100, &owner);
	assert_ptr_equal(owner, &mine);
	piece = gen_pool_dma_alloc_align(pool, 100, &dma, 512);
	assert_int_equal(dma, 0x5000);
	gen_pool_free(pool, (unsigned long)piece, 100);
	piece = (void *)gen_pool_alloc_algo_owner(pool, 100, NULL, NULL, &owner);
	assert_ptr_equal(owner, &mine);
	gen_pool_free(pool, (unsigned long)piece, 100);
}

static void pieces_never_overlap(void **state)
{
	static const genpool_algo_t algorithms[] = {
		gen_pool_first_fit, gen_pool_best_fit, gen_pool_first_fit_order_align};
	unsigned char owner[NR_UNITS] = {0};
	unsigned long address[NR_PIECES] = {0}, units[NR_PIECES] = {0};
	uint32_t seed = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		unsigned int i = (unsigned int)(random_next(&seed) % NR_PIECES);

		if (address[i]) {
			gen_pool_free(pool, address[i], units[i] * UNIT);
			for (unsigned long u = 0; u < units[i]; u++)
				owner[(address[i] - BASE) / UNIT + u] = 0;
			address[i] = 0;
			continue;
		}
		units[i] = 1 + random_next(&seed) % 9;
		address[i] = gen_pool_alloc_algo(pool, units[i] * UNIT, algorithms[round % 3], NULL);
		for (unsigned long u = 0; address[i] && u < units[i]; u++)
			assert_int_equal(owner[(address[i] - BASE) / UNIT + u]++, 0);
	}
	for (int i = 0; i < NR_PIECES; i++)
		if (address[i])
			gen_pool_free(pool, address[i], units[i] * UNIT);
}

static void free_twice(void *arg)
{
	unsigned long a = gen_pool_alloc(pool, UNIT);

	(void)arg;
	gen_pool_free(pool, a, UNIT);
	gen_pool_free(pool, a, UNIT);
}

static void destroy_in_use(void *arg)
{
	(void)arg;
	gen_pool_alloc(pool, UNIT);
	gen_pool_destroy(pool);
}

static void mistakes_are_reported(void **state)
{
	char output[2000];

	(void)state;
	child_run(free_twice, NULL, output, sizeof(output));
	assert_non_null(strstr(output, "BUG: gen_pool_free of 0x100000, 64 bytes, which is not a piece of the pool"));
	child_run(destroy_in_use, NULL, output, sizeof(output));
	assert_non_null(strstr(output, "BUG: gen_pool_destroy: 0x100000 is in use"));
}

/* ---- pieces of pages ---- */

static void pieces_of_pages_live_as_long_as_they_are_used(void **state)
{
	struct page_frag_cache cache = {.va = NULL};
	unsigned char *pieces[200];
	unsigned int sizes[200];
	uint32_t seed = 7;

	(void)state;
	page_frag_cache_drain(&cache);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 200; i++) {
			unsigned int align = 1u << random_next(&seed) % 7;

			sizes[i] = 1 + (unsigned int)(random_next(&seed) % 1500);
			pieces[i] = page_frag_alloc_align(&cache, sizes[i], GFP_ATOMIC, align);
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % align, 0);
			memset(pieces[i], i, sizes[i]);
		}
		for (int n = 0; n < 200; n++) {
			int i = n * 77 % 200;

			for (unsigned int byte = 0; byte < sizes[i]; byte++)
				assert_int_equal(pieces[i][byte], i);
			page_frag_free(pieces[i]);
		}
	}
	page_frag_cache_drain(&cache);
	assert_null(page_frag_alloc(&cache, 100000, GFP_ATOMIC));
	page_frag_cache_drain(&cache);
}

static void an_unused_page_serves_again(void **state)
{
	struct page_frag_cache cache = {.va = NULL};
	char *first = page_frag_alloc(&cache, 1000, GFP_KERNEL);
	void *page = cache.va;

	(void)state;
	page_frag_free(first);
	for (int i = 0; i < 1000; i++) {
		page_frag_free(page_frag_alloc(&cache, 1000, GFP_KERNEL));
		assert_ptr_equal(cache.va, page);
	}
	/* Of one that is in use, another takes the place. */
	first = page_frag_alloc(&cache, 1000, GFP_KERNEL);
	while (cache.va == page)
		page_frag_free(page_frag_alloc(&cache, 1000, GFP_KERNEL));
	memset(first, 1, 1000);
	page_frag_free(first);
	page_frag_cache_drain(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pieces_are_whole_units, set_up, tear_down),
		cmocka_unit_test_setup_teardown(algorithms_choose_their_hole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pieces_for_devices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pieces_never_overlap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mistakes_are_reported, set_up, tear_down),
		cmocka_unit_test(pieces_of_pages_live_as_long_as_they_are_used),
		cmocka_unit_test(an_unused_page_serves_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
