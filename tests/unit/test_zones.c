/*
 * test_zones.c: a machine's memory: what boots and what is refused, and which zone a request gets pages from.
 *
 * Each test boots a machine of its own and shuts it down: all of them run in one process, one after the other.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"
#include "tests/unit/zones_fixture.h"

/* ---- boot ---- */

static void test_every_possible_machine_boots_and_again_after_shutdown(void **state)
{
	(void)state;
	for (unsigned int nodes = 1; nodes <= PAGE_MAX_NODES; nodes = 2 * nodes + 1) {
		for (unsigned int borders = 0; borders < 8; borders++) {
			struct page_machine config = {.nr_cpus = 1 + 7 * borders, .nr_nodes = nodes};
			size_t pages = 0;

			for (unsigned int i = 0; i < nodes; i++)
				config.node_bytes[i] = (8 + 4 * (i % 3)) * MIB;
			config.dma_end = borders & 1 ? 4 * MIB : 0;
			config.dma32_end = borders & 2 ? 8 * MIB : 0;
			config.highmem_start = borders & 4 ? 8 * MIB : 0;
			boot(&config);
			for (unsigned int i = 0; i < page_nr_zones(); i++) {
				struct page_zone_info info;

				page_zone_get(i, &info);
				assert_int_equal(info.start_pfn, pages);
				pages += info.managed;
			}
			assert_int_equal(pages, page_nr_phys());
			shut_down();
		}
	}
}

static void boot_in_vain(void *config)
{
	if (memory_boot_machine(config) != -EINVAL || memory_is_machine())
		child_end(3);
}

static void assert_refused(struct page_machine config, const char *why)
{
	char output[256];

	assert_int_equal(child_run(boot_in_vain, &config, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: machine refused: "));
	assert_non_null(strstr(output, why));
}

static void test_machines_that_cannot_be_are_refused_with_the_reason(void **state)
{
	struct page_machine config;

	(void)state;
#define REFUSED_WITH(field, value, why)      \
	do {                                 \
		config = small;              \
		config.field = value;        \
		assert_refused(config, why); \
	} while (0)
	REFUSED_WITH(nr_cpus, 0, "the number of CPUs");
	REFUSED_WITH(nr_cpus, CONFIG_NR_CPUS + 1, "the number of CPUs");
	REFUSED_WITH(nr_nodes, PAGE_MAX_NODES + 1, "more than 16 nodes");
	REFUSED_WITH(nr_nodes, 2, "a node without RAM");
	REFUSED_WITH(node_bytes[0], 0, "a node without RAM");
	REFUSED_WITH(node_bytes[0], 4 * MIB, "less than 8 MiB");
	REFUSED_WITH(node_bytes[0], 17 * MIB, "not a multiple of 4 MiB");
	REFUSED_WITH(node_bytes[0], SIZE_MAX & ~(4 * MIB - 1), "more than 1 TiB");
	REFUSED_WITH(dma_end, 12 * MIB, "DMA32 ends before zone DMA");
	REFUSED_WITH(dma_end, PAGE_SIZE, "border is not a multiple of 4 MiB");
	REFUSED_WITH(dma32_end, 16 * MIB, "HighMem begins before");
	REFUSED_WITH(highmem_start, 4 * MIB, "HighMem begins before");
	REFUSED_WITH(min_free_kbytes, 7 * 1024, "min_free_kbytes");
	REFUSED_WITH(distance[0][0], 20, "the distance of a node to itself");
	boot(&small);
	assert_int_equal(memory_boot_machine(&small), -EBUSY);
	shut_down();
}

/* Returns 0, or the step that went wrong. */
static int boot_under_limit(void)
{
	struct page_machine config = {.nr_cpus = 1, .node_bytes = {1024 * MIB}};
	struct rlimit limit;
	int fd = dup(0);

	close(fd);
	limit.rlim_cur = limit.rlim_max = 512 * MIB;
	if (setrlimit(RLIMIT_AS, &limit))
		return 1;
	for (unsigned int i = 0; i < 4; i++) {
		config.node_bytes[0] = 1024 * MIB;
		if (memory_boot_machine(&config) != -ENOMEM || memory_is_machine() || percpu_mode != PERCPU_BOOTING)
			return 2;
		/* More than once only if all of it goes again. */
		config.node_bytes[0] = 200 * MIB;
		if (memory_boot_machine(&config))
			return 3;
		memory_shutdown();
	}
	return dup(0) == fd ? 0 : 4;
}

static void test_without_address_space_nothing_is_left_behind(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (skip_sanitized(SANITIZERS_LIMITS) || skip_emulated("limits of address space"))
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(boot_under_limit());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_zones_are_named_and_bordered_as_told(void **state)
{
	static const char *const names[] = {"DMA", "DMA32", "Normal", "HighMem"};

	(void)state;
	boot(&small);
	assert_int_equal(page_nr_zones(), 4);
	for (unsigned int i = 0; i < 4; i++) {
		struct page_zone_info info;

		page_zone_get(i, &info);
		assert_string_equal(info.name, names[i]);
		assert_int_equal(info.type, i);
		assert_int_equal(info.node, 0);
		assert_int_equal(info.start_pfn, i * 4 * MIB_PAGES);
		assert_int_equal(info.managed, 4 * MIB_PAGES);
	}
	shut_down();
}

static void test_physical_pages_count_from_zero(void **state)
{
	struct page *page;
	char byte = 0;

	(void)state;
	boot(&small);
	page = page_of_phys_pfn(0);
	assert_non_null(page);
	assert_int_equal(page_phys_pfn(page), 0);
	assert_null(page_of_phys_pfn(page_nr_phys()));
	assert_null(page_of_phys_pfn(ULONG_MAX));
	assert_int_equal(page_zone_type_of(page), PAGE_ZONE_DMA);
	page = page_alloc(0, PAGE_ALLOC_ZERO);
	*(char *)page_to_addr(page) = 42;
	assert_int_equal(pread(page_ram_fd(), &byte, 1, (off_t)(page_phys_pfn(page) << PAGE_SHIFT)), 1);
	assert_int_equal(byte, 42);
	page_free(page, 0);
	shut_down();
}

/* ---- which zone ---- */

static void test_a_request_falls_down_and_never_up(void **state)
{
	(void)state;
	boot(&small);
	for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++) {
		struct page *first = NULL;
		unsigned int last = type;
		size_t nr;

		page_request_set(request_for(type, 0, PAGE_TO_NOTHING));
		nr = take_all(0, &first);
		assert_int_equal(nr, (type + 1) * 4 * MIB_PAGES);
		/* The last one taken is the first of the list. */
		for (struct page *page = first; page; page = page->private_data) {
			unsigned int from = page_zone_type_of(page);

			assert_true(from <= type);
			assert_true(page == first ? from == PAGE_ZONE_DMA : from >= last);
			assert_int_equal(page_is_highmem(page), from == PAGE_ZONE_HIGHMEM);
			last = from;
		}
		assert_int_equal(last, type);
		free_all(0, first);
		assert_all_free();
	}
	shut_down();
}

static void test_nodes_are_tried_by_distance(void **state)
{
	struct page_machine config = {.nr_cpus = 3, .nr_nodes = 3, .node_bytes = {8 * MIB, 8 * MIB, 8 * MIB}};
	static const unsigned int order_of_nodes[3][3] = {{0, 2, 1}, {1, 2, 0}, {2, 0, 1}};

	(void)state;
	config.distance[0][1] = 30;
	boot(&config);
	for (unsigned int node = 0; node < 3; node++) {
		struct page *first = NULL;

		assert_int_equal(percpu_set_cpu((int)node), 0);
		assert_int_equal(page_node_of_cpu(node), node);
		page_request_set(request_for(PAGE_ZONE_NORMAL, PAGE_NODE_HERE, PAGE_TO_NOTHING));
		for (unsigned int i = 0; i < 3; i++) {
			for (unsigned int nr = 0; nr < 8 * MIB_PAGES; nr++) {
				struct page *page = page_alloc(0, 0);

				assert_int_equal(page_node(page), order_of_nodes[node][i]);
				page->private_data = first;
				first = page;
			}
		}
		assert_null(page_alloc(0, 0));
		free_all(0, first);
		page_drain_lists();
	}
	assert_int_equal(page_node_distance(0, 1), 30);
	assert_int_equal(page_node_distance(1, 0), 20);
	shut_down();
}

static void test_this_node_means_no_other(void **state)
{
	struct page_request request = request_for(PAGE_ZONE_NORMAL, 1, PAGE_TO_NOTHING);
	struct page *first = NULL;

	(void)state;
	request.this_node = true;
	boot(&two_nodes);
	page_request_set(request);
	assert_int_equal(take_all(0, &first), 16 * MIB_PAGES);
	for (struct page *page = first; page; page = page->private_data)
		assert_int_equal(page_node(page), 1);
	/* DMA is on the other node. */
	request.type = PAGE_ZONE_DMA;
	page_request_set(request);
	assert_null(page_alloc(0, 0));
	free_all(0, first);
	shut_down();
}

static void test_highmem_is_cleared_without_an_address(void **state)
{
	struct page *first = NULL, *page;
	char bytes[PAGE_SIZE];

	(void)state;
	boot(&small);
	page_request_set(request_for(PAGE_ZONE_HIGHMEM, 0, PAGE_TO_MIN));
	page = page_alloc(1, 0);
	assert_true(page_is_highmem(page));
	memset(bytes, 7, sizeof(bytes));
	assert_int_equal(
		pwrite(page_ram_fd(), bytes, PAGE_SIZE, (off_t)(page_phys_pfn(page) << PAGE_SHIFT)), PAGE_SIZE);
	page_free(page, 1);
	assert_ptr_equal(page_alloc(1, PAGE_ALLOC_ZERO), page);
	assert_int_equal(pread(page_ram_fd(), bytes, PAGE_SIZE, (off_t)(page_phys_pfn(page) << PAGE_SHIFT)), PAGE_SIZE);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(bytes[i], 0);
	page_free(page, 1);
	free_all(0, first);
	shut_down();
}

static void touch(void *addr)
{
	*(volatile char *)addr = 1;
}

static void test_highmem_has_no_memory_in_the_direct_map(void **state)
{
	char output[256];
	struct page *page;
	int status;

	(void)state;
	boot(&small);
	page_request_set(request_for(PAGE_ZONE_HIGHMEM, 0, PAGE_TO_MIN));
	page = page_alloc(0, 0);
	status = child_run(touch, page_to_addr(page), output, sizeof(output));
	assert_true(status != 0);
	page_free(page, 0);
	shut_down();
}

static void test_statistics_cover_all_zones(void **state)
{
	struct page_stats stats;
	struct page *page;

	(void)state;
	boot(&small);
	page_stats_get(&stats);
	assert_int_equal(stats.online_bytes, 16 * MIB);
	assert_int_equal(stats.free_bytes, 16 * MIB);
	page = page_alloc(0, 0);
	page_free(page, 0);
	page_stats_get(&stats);
	assert_true(stats.pcp_bytes > 0);
	assert_int_equal(stats.free_bytes + stats.pcp_bytes, 16 * MIB);
	shut_down();
}

static void test_after_a_machine_memory_can_be_hosted(void **state)
{
	struct page_stats stats;
	struct page *page;

	(void)state;
	boot(&small);
	shut_down();
	assert_int_equal(memory_boot(), 0);
	page = page_alloc(0, PAGE_ALLOC_ZERO);
	assert_non_null(page);
	assert_int_equal(*(int *)page_to_addr(page), 0);
	assert_int_equal(page_ram_fd(), -1);
	page_free(page, 0);
	page_check();
	page_stats_get(&stats);
	assert_int_equal(stats.free_bytes + stats.pcp_bytes, stats.online_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_possible_machine_boots_and_again_after_shutdown),
		TEST(test_machines_that_cannot_be_are_refused_with_the_reason),
		TEST(test_without_address_space_nothing_is_left_behind),
		TEST(test_zones_are_named_and_bordered_as_told),
		TEST(test_physical_pages_count_from_zero),
		TEST(test_a_request_falls_down_and_never_up),
		TEST(test_nodes_are_tried_by_distance),
		TEST(test_this_node_means_no_other),
		TEST(test_highmem_is_cleared_without_an_address),
		TEST(test_highmem_has_no_memory_in_the_direct_map),
		TEST(test_statistics_cover_all_zones),
		TEST(test_after_a_machine_memory_can_be_hosted),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
