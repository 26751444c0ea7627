/*
 * test_requests.c: how deep a request may go into a machine's memory, who is told of it, and that every page is accounted for.
 *
 * Each test boots a machine of its own and shuts it down: all of them run in one process, one after the other.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/page/fragmentation.h"
#include "tests/emulated.h"
#include "tests/unit/child.h"
#include "tests/unit/deny.h"
#include "tests/unit/random.h"
#include "tests/unit/zones_fixture.h"

#define NR_THREADS 4
#define NR_HELD 64
#define NR_STEPS 20000
#define MOST_PAGES (64 * MIB_PAGES)

/* ---- how deep ---- */

static void test_lower_zones_keep_a_reserve_from_higher_requests(void **state)
{
	struct page_machine config = small;
	struct page_zone_info info;

	(void)state;
	config.lowmem_ratio[PAGE_ZONE_DMA] = 8;
	config.lowmem_ratio[PAGE_ZONE_DMA32] = PAGE_RATIO_OFF;
	boot(&config);
	page_zone_get(0, &info);
	assert_int_equal(info.reserve[PAGE_ZONE_DMA], 0);
	assert_int_equal(info.reserve[PAGE_ZONE_DMA32], 4 * MIB_PAGES / 8);
	assert_int_equal(info.reserve[PAGE_ZONE_NORMAL], 8 * MIB_PAGES / 8);
	assert_int_equal(info.reserve[PAGE_ZONE_HIGHMEM], 12 * MIB_PAGES / 8);
	page_zone_get(1, &info);
	assert_int_equal(info.reserve[PAGE_ZONE_HIGHMEM], 0);
	page_zone_get(2, &info);
	assert_int_equal(info.reserve[PAGE_ZONE_NORMAL], 0);
	assert_int_equal(info.reserve[PAGE_ZONE_HIGHMEM], 4 * MIB_PAGES / 32);
	for (unsigned int type = 0; type < NR_PAGE_ZONE_TYPES; type++) {
		struct page *first = NULL;
		size_t expected = 0;

		for (unsigned int i = 0; i <= type; i++) {
			page_zone_get(i, &info);
			expected += info.managed - info.min - info.reserve[type];
		}
		page_request_set(request_for(type, 0, PAGE_TO_MIN));
		assert_int_equal(take_all(0, &first), expected);
		free_all(0, first);
		assert_all_free();
	}
	shut_down();
}

static void test_watermarks_are_as_linux_computes_them(void **state)
{
	struct page_machine config = {.nr_cpus = 1, .node_bytes = {256 * MIB}, .highmem_start = 192 * MIB};
	struct page_zone_info info;

	(void)state;
	boot(&config);
	page_zone_get(0, &info);
	assert_int_equal(info.min, 1773 / 4); /* sqrt(16 * 196608) kilobytes */
	assert_int_equal(info.low, 443 + 110);
	assert_int_equal(info.high, 443 + 220);
	page_zone_get(1, &info);
	assert_int_equal(info.min, 32);
	shut_down();
	config.min_free_kbytes = 4000;
	boot(&config);
	page_zone_get(0, &info);
	assert_int_equal(info.min, 1000);
	shut_down();
}

static void test_each_level_goes_as_deep_as_it_may(void **state)
{
	struct page_machine config = {.nr_cpus = 2, .node_bytes = {16 * MIB}};
	static const unsigned int order[] = {0, 1, 3};
	struct page_zone_info info;

	(void)state;
	boot(&config);
	page_zone_get(0, &info);
	for (unsigned int i = 0; i < 3; i++) {
		const size_t marks[] = {info.high, info.low, info.min, info.min / 2, info.min / 2 - info.min / 8, 0};
		struct page *first = NULL;
		size_t taken = 0;

		for (unsigned int level = PAGE_TO_HIGH; level < NR_PAGE_LEVELS; level++) {
			size_t least = (info.managed - marks[level]) >> order[i];

			page_request_set(request_for(PAGE_ZONE_NORMAL, 0, level));
			assert_true(page_zone_suffices(0, order[i], PAGE_ZONE_NORMAL, level));
			taken += take_all(order[i], &first);
			assert_int_equal(taken, least);
			assert_false(page_zone_suffices(0, order[i], PAGE_ZONE_NORMAL, level));
		}
		assert_int_equal(page_nr_failed(), NR_PAGE_LEVELS * (i + 1));
		free_all(order[i], first);
		assert_all_free();
	}
	shut_down();
}

static unsigned int nr_pressed, pressed_nodes, pressed_order, pressed_type;

static void note_pressure(unsigned int node, unsigned int order, enum page_zone_type type)
{
	nr_pressed++;
	pressed_nodes |= 1u << node;
	pressed_order = order;
	pressed_type = type;
}

static void test_pressure_is_told_below_low_and_on_failure(void **state)
{
	struct page *first = NULL;
	struct page_request request = request_for(PAGE_ZONE_NORMAL, 0, PAGE_TO_HIGH);

	(void)state;
	boot(&two_nodes);
	page_set_pressure(note_pressure);
	page_request_set(request);
	for (unsigned int i = 0; i < 16 * MIB_PAGES; i++) {
		struct page *page = page_alloc(0, 0);

		page->private_data = first;
		first = page;
	}
	assert_int_equal(nr_pressed, 0);
	take_all(0, &first);
	assert_int_equal(nr_pressed, 2);
	assert_int_equal(pressed_nodes, 3);
	nr_pressed = 0;
	page_request_set(request_for(PAGE_ZONE_NORMAL, 1, PAGE_TO_MIN));
	take_all(0, &first);
	assert_true(nr_pressed > 2);
	request.no_pressure = true;
	nr_pressed = 0;
	page_request_set(request);
	assert_null(page_alloc(3, 0));
	assert_int_equal(nr_pressed, 0);
	request.no_pressure = false;
	request.this_node = true;
	request.node = 1;
	request.type = PAGE_ZONE_DMA32;
	pressed_nodes = 0;
	page_request_set(request);
	assert_null(page_alloc(3, 0));
	assert_int_equal(pressed_nodes, 0); /* that node has no such zones */
	request.node = 0;
	page_request_set(request);
	assert_null(page_alloc(3, 0));
	assert_int_equal(pressed_nodes, 1);
	assert_int_equal(pressed_order, 3);
	assert_int_equal(pressed_type, PAGE_ZONE_DMA32);
	page_set_pressure(NULL);
	free_all(0, first);
	shut_down();
}

static void test_pressure_is_told_when_a_run_grows_below_low(void **state)
{
	/* Of 2048 pages, min is 625, low 781. */
	struct page_machine config = {.nr_cpus = 1, .node_bytes = {8 * MIB}, .min_free_kbytes = 2500};
	struct page *page, *half;

	(void)state;
	boot(&config);
	percpu_set_cpu(PERCPU_NO_CPU);
	half = page_alloc(MAX_ORDER, 0);
	page = page_alloc_exact(1, 0);
	assert_non_null(half);
	assert_non_null(page);
	nr_pressed = 0;
	page_set_pressure(note_pressure);
	assert_true(page_resize_exact(page, 1024 - 781 - 1));
	assert_int_equal(nr_pressed, 0);
	assert_true(page_resize_exact(page, 1024 - 781));
	assert_int_equal(nr_pressed, 1);
	assert_false(page_resize_exact(page, 1024 - 624));
	page_set_pressure(NULL);
	page_free_exact(page);
	page_free(half, MAX_ORDER);
	shut_down();
}

static unsigned int nr_told, told_node;

static void note_freed(unsigned int node)
{
	nr_told++;
	told_node = node;
}

static void test_who_waits_for_pages_is_told_of_each_free(void **state)
{
	struct page_zone_info info;
	struct page *page[3], *run;

	(void)state;
	boot(&two_nodes);
	page_request_set(request_for(PAGE_ZONE_NORMAL, 1, PAGE_TO_MIN));
	for (unsigned int i = 0; i < 3; i++)
		page[i] = page_alloc(0, 0);
	run = page_alloc_exact(20, 0);
	page_free(page[0], 0);
	assert_int_equal(nr_told, 0);
	page_set_freed(note_freed);
	page_drain_lists();
	page_free(page[1], 0);
	assert_int_equal(nr_told, 1);
	assert_int_equal(told_node, 1);
	page_zone_get(2, &info);
	assert_int_equal(info.in_lists, 0);
	assert_int_equal(info.free, info.managed - 21);
	page_free_exact(run);
	assert_int_equal(nr_told, 2);
	page_set_freed(NULL);
	page_free(page[2], 0);
	assert_int_equal(nr_told, 2);
	page_zone_get(2, &info);
	assert_int_equal(info.in_lists, 1);
	shut_down();
}

/* Whichever comes first, a free or the sleep of who needs it: the page is found or the hook called. */
static uint32_t told; /* Synchronization: atomic */

static void wake_sleeper(unsigned int node)
{
	(void)node;
	__atomic_store_n(&told, 1, __ATOMIC_RELEASE);
}

static struct page *last_page;

static void *free_last(void *cpu)
{
	percpu_set_cpu((int)(intptr_t)cpu);
	page_free(last_page, 0);
	percpu_set_cpu(PERCPU_NO_CPU);
	return NULL;
}

static void test_a_free_is_not_missed_by_who_goes_to_sleep(void **state)
{
	struct page_machine config = {.nr_cpus = 2, .node_bytes = {8 * MIB}};
	struct page *first = NULL;
	pthread_t thread;

	(void)state;
	boot(&config);
	page_request_set(request_for(PAGE_ZONE_NORMAL, 0, PAGE_TO_NOTHING));
	take_all(0, &first);
	for (unsigned int i = 0; i < 300; i++) {
		uint64_t deadline = host_clock_ns() + 60000000000u;
		struct page *page;

		last_page = first;
		first = first->private_data;
		__atomic_store_n(&told, 0, __ATOMIC_RELAXED);
		/* On a CPU, and on none. */
		assert_int_equal(pthread_create(&thread, NULL, free_last, (void *)(intptr_t)(i & 1 ? 1 : -2)), 0);
		page_set_freed(wake_sleeper);
		page_drain_lists();
		page = page_alloc(0, 0);
		/* Pairs with wake_sleeper(): the page is in the buddy. */
		while (!page && !__atomic_load_n(&told, __ATOMIC_ACQUIRE) && host_clock_ns() < deadline)
			host_yield();
		page = page ? page : page_alloc(0, 0);
		assert_non_null(page);
		pthread_join(thread, NULL);
		page_set_freed(NULL);
		page->private_data = first;
		first = page;
	}
	free_all(0, first);
	shut_down();
}

static int index_now(unsigned int order)
{
	struct page_zone_info info;

	page_zone_get(0, &info);
	return fragmentation_index(info.nr_free, order);
}

static void test_scattered_pages_are_no_block_and_the_index_says_so(void **state)
{
	struct page_machine config = {.nr_cpus = 1, .node_bytes = {8 * MIB}};
	struct page *first = NULL, *odd = NULL, *next;

	(void)state;
	boot(&config);
	percpu_set_cpu(PERCPU_NO_CPU);
	assert_int_equal(index_now(MAX_ORDER), -1000);
	page_request_set(request_for(PAGE_ZONE_NORMAL, 0, PAGE_TO_NOTHING));
	take_all(0, &first);
	assert_int_equal(index_now(0), 0);
	for (; first; first = next) {
		next = first->private_data;
		if (page_phys_pfn(first) & 1) {
			page_free(first, 0);
		} else {
			first->private_data = odd;
			odd = first;
		}
	}
	assert_null(page_alloc(1, 0));
	/* 1024 free blocks of 1 page, for a request of 2: 1000 - (1000 + 1024 * 1000 / 2) / 1024 */
	assert_int_equal(index_now(1), 500);
	assert_int_equal(index_now(0), -1000);
	free_all(0, odd);
	shut_down();
}

/* ---- lists ---- */

static void test_pages_in_lists_are_counted_and_drained(void **state)
{
	struct page_zone_info info;
	struct page *page;

	(void)state;
	boot(&small);
	for (int cpu = 0; cpu < 4; cpu++) {
		percpu_set_cpu(cpu);
		page = page_alloc(0, 0);
		page_free(page, 0);
		assert_ptr_equal(page_alloc(0, 0), page);
		page_free(page, 0);
	}
	page_check();
	page_zone_get(2, &info);
	assert_int_equal(info.in_lists, 4 * info.list_batch);
	assert_int_equal(info.allocated, 8);
	assert_int_equal(page_zone_in_lists(2, 1), info.list_batch);
	page_drain_cpu(1);
	assert_int_equal(page_zone_in_lists(2, 1), 0);
	page_zone_get(2, &info);
	assert_int_equal(info.in_lists, 3 * info.list_batch);
	page_drain_lists();
	page_zone_get(2, &info);
	assert_int_equal(info.in_lists, 0);
	shut_down();
}

/* A page of CPU 0's lists is on its list; of others', some pages of memory may not be written. */
static void drain_beside_lists_that_cannot_be_written(void *arg)
{
	struct page_machine config = {.nr_cpus = 256, .node_bytes = {128 * MIB}};
	size_t page_size = host_page_size();

	(void)arg;
	boot(&config);
	page_free(page_alloc(0, 0), 0);
	if (!page_zone_in_lists(0, 0) || machine->shape.list_stride > page_size ||
		mprotect(machine->shape.lists + page_size, machine->shape.lists_size - page_size, PROT_READ))
		_exit(1);
	page_drain_lists();
	if (page_zone_in_lists(0, 0))
		_exit(2);
}

static void test_a_drain_writes_nothing_of_cpus_whose_lists_are_empty(void **state)
{
	char output[1000];

	(void)state;
	assert_int_equal(child_run(drain_beside_lists_that_cannot_be_written, NULL, output, sizeof(output)), 0);
}

/* Pages of another CPU's lists stay there; its owner may go on. */
static void drain_without_membarrier(void *arg)
{
	struct page *page;
	size_t nr;

	(void)arg;
	boot(&small);
	if (machine->shape.fenced || !deny_call(SYS_membarrier, EPERM))
		_exit(STATUS_SKIPPED);
	report_on_bug = REPORT_BUG_CONTINUE;
	page = page_alloc(0, 0);
	page_free(page, 0);
	nr = page_zone_in_lists(2, 0);
	page_drain_lists();
	page_drain_cpu(0);
	if (!nr || page_zone_in_lists(2, 0) != nr || page_alloc(0, 0) != page)
		_exit(1);
}

static void test_a_membarrier_that_comes_to_fail_is_reported(void **state)
{
	char output[4096];
	int status;

	(void)state;
	if (skip_emulated("a filter of system calls: qemu-user has none"))
		skip();
	status = child_run(drain_without_membarrier, NULL, output, sizeof(output));
	if (WEXITSTATUS(status) == STATUS_SKIPPED) {
		skip_part("a membarrier that fails: this kernel has none, or no filter of system calls");
		return;
	}
	assert_int_equal(status, 0);
	assert_non_null(strstr(output, "BUG: page lists: membarrier() worked at boot and now fails with 1: pages stay "
				       "on CPUs' lists\n"));
}

static void free_twice(void *page)
{
	page_free(page, 0);
}

static void use_lists_in_use(void *lists)
{
	((struct cpu_lists *)lists)->busy = 1;
	page_alloc(0, 0);
}

static void test_misuse_is_reported(void **state)
{
	char output[4096];
	struct page *page;

	(void)state;
	boot(&small);
	page = page_alloc(0, 0);
	page_free(page, 0);
	child_run(free_twice, page, output, sizeof(output));
	assert_non_null(strstr(output, "BUG: page_free: block at "));
	child_run(use_lists_in_use, lists_of(&machine->shape, 0), output, sizeof(output));
	assert_non_null(strstr(output, "BUG: CPU 0 is at its page lists already"));
	shut_down();
}

/* ---- runs ---- */

static void test_runs_of_any_size_take_no_more_than_they_are(void **state)
{
	struct page_zone_info info;
	struct page *page;

	(void)state;
	boot(&small);
	page = page_alloc_exact(5, 0);
	page_drain_lists();
	page_zone_get(2, &info);
	assert_int_equal(info.free, info.managed - 5);
	assert_true(page_resize_exact(page, 9));
	page_zone_get(2, &info);
	assert_int_equal(info.free, info.managed - 9);
	assert_false(page_resize_exact(page, 4 * MIB_PAGES)); /* that would leave nothing for min */
	assert_true(page_resize_exact(page, 2));
	page_check();
	page_free_exact(page);
	assert_null(page_alloc_sections(2048, 0));
	assert_null(large_alloc(8 * MIB, PAGE_SIZE, 0));
	assert_int_equal(page_release(0), 0);
	assert_false(page_age());
	shut_down();
}

/* ---- everything at random ---- */

struct held {
	struct page *page;
	unsigned int order;
};

/* Who holds a physical page: 0 nobody, else a thread's number. Synchronization: atomic */
static unsigned char owner[MOST_PAGES];

static void own(const struct held *held, unsigned char from, unsigned char to)
{
	unsigned long pfn = page_phys_pfn(held->page);

	for (unsigned long i = pfn; i < pfn + (1ul << held->order); i++)
		assert_int_equal(__atomic_exchange_n(&owner[i], to, __ATOMIC_RELAXED), from);
}

static void take_one(struct held *held, uint32_t *random, unsigned char me)
{
	struct page_request request = request_for(
		random_below(random, NR_PAGE_ZONE_TYPES), PAGE_NODE_HERE, random_below(random, NR_PAGE_LEVELS));

	request.this_node = random_below(random, 4) == 0;
	held->order = random_below(random, 8) ? random_below(random, 4) : random_below(random, MAX_ORDER + 1);
	page_request_set(request);
	held->page = page_alloc(held->order, 0);
	if (!held->page)
		return;
	assert_int_equal(page_phys_pfn(held->page) & ((1ul << held->order) - 1), 0);
	assert_true(page_zone_type_of(held->page) <= request.type);
	if (request.this_node)
		assert_int_equal(page_node(held->page), page_node_of_cpu((unsigned int)percpu_this_cpu()));
	own(held, 0, me);
}

static void work(unsigned int cpu)
{
	struct held held[NR_HELD] = {{0}};
	uint32_t random = cpu + 1;
	unsigned char me = (unsigned char)(cpu + 1);

	assert_int_equal(percpu_set_cpu((int)cpu), 0);
	for (unsigned int step = 0; step < NR_STEPS; step++) {
		struct held *one = &held[random_below(&random, NR_HELD)];

		if (one->page) {
			own(one, me, 0);
			page_free(one->page, one->order);
			one->page = NULL;
		} else {
			take_one(one, &random, me);
		}
		if (step % 1000 == 0)
			page_drain_lists();
	}
	for (unsigned int i = 0; i < NR_HELD; i++) {
		if (held[i].page) {
			own(&held[i], me, 0);
			page_free(held[i].page, held[i].order);
		}
	}
	percpu_set_cpu(PERCPU_NO_CPU);
}

static void test_no_page_is_given_twice_nor_from_a_wrong_zone(void **state)
{
	(void)state;
	boot(&two_nodes);
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		work(cpu);
		page_check();
	}
	shut_down();
}

static void *work_body(void *cpu)
{
	work((unsigned int)(uintptr_t)cpu);
	return NULL;
}

static bool stop_checking; /* Synchronization: atomic */

static void *check_body(void *unused)
{
	while (!__atomic_load_n(&stop_checking, __ATOMIC_RELAXED)) {
		page_check();
		page_drain_cpu(1);
	}
	return unused;
}

static void work_on_all_cpus(bool fenced)
{
	pthread_t thread[NR_THREADS], checker;

	boot(&two_nodes);
	machine->shape.fenced |= fenced;
	percpu_set_cpu(PERCPU_NO_CPU);
	__atomic_store_n(&stop_checking, false, __ATOMIC_RELAXED);
	assert_int_equal(pthread_create(&checker, NULL, check_body, NULL), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work_body, (void *)(uintptr_t)i), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	__atomic_store_n(&stop_checking, true, __ATOMIC_RELAXED);
	pthread_join(checker, NULL);
	shut_down();
}

static void test_threads_on_all_cpus_with_drains_and_checks_lose_no_page(void **state)
{
	(void)state;
	work_on_all_cpus(false);
}

static void test_the_same_without_membarrier(void **state)
{
	(void)state;
	work_on_all_cpus(true);
}

/* The last one: what is hosted is not shut down. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lower_zones_keep_a_reserve_from_higher_requests),
		TEST(test_watermarks_are_as_linux_computes_them),
		TEST(test_each_level_goes_as_deep_as_it_may),
		TEST(test_pressure_is_told_below_low_and_on_failure),
		TEST(test_pressure_is_told_when_a_run_grows_below_low),
		TEST(test_who_waits_for_pages_is_told_of_each_free),
		TEST(test_a_free_is_not_missed_by_who_goes_to_sleep),
		TEST(test_scattered_pages_are_no_block_and_the_index_says_so),
		TEST(test_pages_in_lists_are_counted_and_drained),
		TEST(test_a_drain_writes_nothing_of_cpus_whose_lists_are_empty),
		TEST(test_a_membarrier_that_comes_to_fail_is_reported),
		TEST(test_misuse_is_reported),
		TEST(test_runs_of_any_size_take_no_more_than_they_are),
		TEST(test_no_page_is_given_twice_nor_from_a_wrong_zone),
		TEST(test_threads_on_all_cpus_with_drains_and_checks_lose_no_page),
		TEST(test_the_same_without_membarrier),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
