/*
 * zones_fixture.h: small machines for tests of the page room, requests, and the check that all of their memory is back.
 *
 * Calls the page room. After cmocka.h.
 */
#ifndef TESTS_UNIT_ZONES_FIXTURE_H
#define TESTS_UNIT_ZONES_FIXTURE_H

#include "runtime/page/machine.h"

#define MIB (1ul << 20)
#define MIB_PAGES (MIB / PAGE_SIZE)

static const struct page_machine small = {
	.nr_cpus = 4,
	.nr_nodes = 1,
	.node_bytes = {16 * MIB},
	.dma_end = 4 * MIB,
	.dma32_end = 8 * MIB,
	.highmem_start = 12 * MIB,
};

static const struct page_machine two_nodes = {
	.nr_cpus = 4,
	.nr_nodes = 2,
	.node_bytes = {32 * MIB, 32 * MIB},
	.dma_end = 8 * MIB,
	.highmem_start = 48 * MIB,
};

static inline void boot(const struct page_machine *config)
{
	assert_int_equal(memory_boot_machine(config), 0);
	assert_true(memory_is_machine());
	assert_int_equal(percpu_set_cpu(0), 0);
}

static inline struct page_request request_for(unsigned int type, int node, unsigned int level)
{
	struct page_request request = PAGE_REQUEST_INIT;

	request.type = (uint8_t)type;
	request.node = (int8_t)node;
	request.level = (uint8_t)level;
	return request;
}

/* Takes blocks until there are none, linked through page->private_data. Returns how many. */
static inline size_t take_all(unsigned int order, struct page **first)
{
	struct page *page;
	size_t nr = 0;

	while ((page = page_alloc(order, 0))) {
		page->private_data = *first;
		*first = page;
		nr++;
	}
	return nr;
}

static inline void free_all(unsigned int order, struct page *page)
{
	struct page *next;

	for (; page; page = next) {
		next = page->private_data;
		page_free(page, order);
	}
}

/* All pages are in the buddy, in the largest blocks that there can be. */
static inline void assert_all_free(void)
{
	page_drain_lists();
	page_check();
	for (unsigned int i = 0; i < page_nr_zones(); i++) {
		struct page_zone_info info;

		page_zone_get(i, &info);
		assert_int_equal(info.free, info.managed);
		assert_int_equal(info.in_lists, 0);
		assert_int_equal(info.allocated, info.freed);
		assert_int_equal(info.nr_free[MAX_ORDER] << MAX_ORDER, info.managed);
	}
}

static inline void shut_down(void)
{
	assert_all_free();
	memory_shutdown();
	assert_false(memory_is_machine());
}

/* So that a test that fails does not fail those behind it. */
static inline int tear_down(void **state)
{
	(void)state;
	memory_shutdown();
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

#endif
