/*
 * test_machine_slab.c: the room in a machine: boot and shutdown, requests by gfp flags, zones and nodes, many CPUs.
 *
 * Broken if this fails: a second machine finds what the first one left, memory comes from another zone than asked
 * for, or it is not all back at the end.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/mm.h>
#include <linux/slab.h>

#include "runtime/lib/report.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"
#include "tests/unit/child.h"
#include "tests/unit/cpus.h"
#include "tests/unit/machine_slab.h"
#include "tests/unit/random.h"

#define NR_MANY 3000

/* ---- boot ---- */

static void too_early(void *arg)
{
	(void)arg;
	report_on_bug = REPORT_BUG_CONTINUE;
	if (kmalloc(100, GFP_KERNEL) || alloc_pages(GFP_KERNEL, 0) || kmem_cache_create("early", 8, 0, 0, NULL))
		_exit(1);
	kfree(NULL);
}

static void before_boot_nothing_is_allocated_and_once_reported(void **state)
{
	char output[4000], *report;

	(void)state;
	assert_int_equal(child_run(too_early, NULL, output, sizeof(output)), 0);
	report = strstr(output, "flagstone: BUG: kmalloc: no machine is booted\n");
	assert_non_null(report);
	assert_null(strstr(report + 20, "BUG"));
}

/* A bit of everything, left as it is. */
static void litter(void)
{
	struct kmem_cache *cache = kmem_cache_create("litter", 200, 0, 0, NULL);

	for (unsigned int i = 0; i < NR_MANY; i++) {
		void *object = kmalloc(1 + i, GFP_KERNEL);

		assert_non_null(object);
		assert_non_null(kmem_cache_alloc(cache, GFP_KERNEL));
		if (i % 2)
			kfree(object);
	}
	assert_non_null(alloc_pages(GFP_KERNEL, 3));
	assert_non_null(kmalloc(1000, GFP_KERNEL | GFP_DMA));
}

static void machines_boot_one_after_the_other(void **state)
{
	size_t first = 0;

	(void)state;
	for (unsigned int round = 0; round < 4; round++) {
		boot(round % 2 ? &two_nodes : &small);
		assert_int_equal(slab_boot_machine(&small), -EBUSY);
		if (!round)
			first = free_pages_now();
		if (round == 2)
			assert_int_equal(free_pages_now(), first);
		litter();
		shut_down();
		assert_true(list_empty(&cache_list));
		assert_null(cache_by_slot[1]);
	}
}

static void a_machine_that_cannot_be_leaves_nothing(void **state)
{
	struct page_machine none = {.nr_cpus = 0};

	(void)state;
	assert_int_equal(slab_boot_machine(&none), -EINVAL);
	assert_null(slab_machine);
	boot(&small);
	shut_down();
}

/* ---- counts ---- */

static void everything_comes_back(void **state)
{
	static void *objects[NR_MANY];
	struct kmem_cache *cache;
	size_t before;

	(void)state;
	slab_trim(0);
	before = free_pages_now();
	cache = kmem_cache_create("counted", 300, 0, 0, NULL);
	for (unsigned int i = 0; i < NR_MANY; i++) {
		objects[i] = i % 3 ? kmalloc(1 + i, GFP_KERNEL) : kmem_cache_alloc(cache, GFP_KERNEL);
		assert_non_null(objects[i]);
		memset(objects[i], 0xaa, i % 3 ? 1 + i : 300);
	}
	for (unsigned int i = 0; i < NR_MANY; i++) {
		if (i % 3)
			kfree(objects[i]);
		else
			kmem_cache_free(cache, objects[i]);
	}
	for (unsigned int order = 0; order <= 8; order++)
		__free_pages(alloc_pages(GFP_HIGHUSER, order), order);
	for (size_t size = 1; size < 2 * MIB; size *= 3) {
		kfree(kmalloc(size, GFP_KERNEL));
		kfree(kmalloc(size, GFP_KERNEL | GFP_DMA));
		free_pages_exact(alloc_pages_exact(size, GFP_KERNEL), size);
	}
	kmem_cache_destroy(cache);
	slab_trim(0);
	assert_int_equal(free_pages_now(), before);
	page_check();
}

/* ---- zones ---- */

static void kmalloc_is_of_the_zone_asked_for(void **state)
{
	(void)state;
	for (size_t size = 1; size <= MIB; size = 2 * size + size / 3 + 1) {
		char *dma = kmalloc(size, GFP_KERNEL | GFP_DMA), *dma32 = kzalloc(size, GFP_ATOMIC | GFP_DMA32);
		char *normal = kmalloc(size, GFP_KERNEL);

		assert_int_equal(zone_of(dma), PAGE_ZONE_DMA);
		assert_true(virt_to_phys(dma) + size <= small.dma_end);
		assert_true(zone_of(dma32) <= PAGE_ZONE_DMA32);
		assert_int_equal(zone_of(normal), PAGE_ZONE_NORMAL);
		assert_true(ksize(dma) >= size);
		for (size_t i = 0; i < ksize(dma32); i++)
			assert_int_equal(dma32[i], 0);
		memset(dma, 1, size);
		memset(dma32, 2, size);
		kfree(dma);
		kfree(dma32);
		kfree(normal);
	}
}

/* The fast path has an object of the size, but of any zone. */
static void magazines_do_not_serve_zones(void **state)
{
	void *objects[64], *dma;

	(void)state;
	for (int i = 0; i < 64; i++)
		objects[i] = kmalloc(64, GFP_KERNEL);
	for (int i = 0; i < 64; i++)
		kfree(objects[i]);
	for (int i = 0; i < 64; i++) {
		dma = kmalloc(64, GFP_KERNEL | GFP_DMA);
		assert_int_equal(zone_of(dma), PAGE_ZONE_DMA);
		kfree(dma);
	}
	for (int i = 0; i < 64; i++) {
		objects[i] = kmalloc(64, GFP_KERNEL);
		assert_int_equal(zone_of(objects[i]), PAGE_ZONE_NORMAL);
	}
	for (int i = 0; i < 64; i++)
		kfree(objects[i]);
}

static void a_cache_may_be_of_a_zone(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("dma", 100, 0, SLAB_CACHE_DMA, NULL);
	struct kmem_cache *cache32 = kmem_cache_create("dma32", 100, 0, SLAB_CACHE_DMA32, NULL);
	void *objects[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		objects[i] = kmem_cache_alloc(i % 2 ? cache : cache32, GFP_KERNEL);
		assert_int_equal(zone_of(objects[i]), i % 2 ? PAGE_ZONE_DMA : PAGE_ZONE_DMA32);
	}
	for (int i = 0; i < 100; i++)
		kmem_cache_free(i % 2 ? cache : cache32, objects[i]);
	kmem_cache_destroy(cache);
	kmem_cache_destroy(cache32);
}

static void pages_of_highmem_have_no_address(void **state)
{
	struct page *page = alloc_pages(GFP_HIGHUSER | __GFP_ZERO, 0);
	unsigned long address = __get_free_page(GFP_HIGHUSER);

	(void)state;
	assert_int_equal(page_zone_type_of(page), PAGE_ZONE_HIGHMEM);
	assert_true(PageHighMem(page));
	assert_null(page_address(page));
	assert_true(page_to_phys(page) >= small.highmem_start);
	assert_int_not_equal(address, 0);
	assert_true(virt_to_phys((void *)address) < small.highmem_start);
	free_page(address);
	__free_page(page);
}

static void wrong_flags_told(void *arg)
{
	(void)arg;
	boot(&small);
	for (int i = 0; i < 3; i++) {
		kfree(kmalloc(3000, GFP_KERNEL | __GFP_HIGHMEM));
		free_page(__get_free_page(GFP_ATOMIC | __GFP_HIGHMEM));
	}
}

static void highmem_for_kmalloc_is_told_once(void **state)
{
	char output[4000], *report;

	(void)state;
	assert_int_equal(child_run(wrong_flags_told, NULL, output, sizeof(output)), 0);
	report = strstr(output, "flagstone: kmalloc: Unexpected gfp: 0x2 (__GFP_HIGHMEM). Fixing up to gfp: 0xcc0 "
				"(GFP_KERNEL). Fix your "
				"code!\n");
	assert_non_null(report);
	assert_null(strstr(report + 20, "kmalloc: Unexpected"));
	assert_non_null(strstr(output, "__get_free_pages: Unexpected gfp: 0x2 (__GFP_HIGHMEM). Fixing up to gfp: "
				       "0x820 (GFP_ATOMIC)."));
}

static void physical_addresses_are_ram(void **state)
{
	char *object = kmalloc(100, GFP_KERNEL);

	(void)state;
	assert_true(__pa(object) < 32 * MIB);
	assert_ptr_equal(__va(__pa(object)), object);
	assert_int_equal(page_to_phys(virt_to_page(object)) + offset_in_page(object), virt_to_phys(object));
	assert_true(pfn_valid(0));
	assert_false(pfn_valid(32 * MIB / PAGE_SIZE));
	assert_null(pfn_to_page(32 * MIB / PAGE_SIZE));
	assert_null(phys_to_virt(32 * MIB));
	kfree(object);
}

/* ---- nodes ---- */

static void memory_is_of_the_node_asked_for(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("of_nodes", 120, 0, 0, NULL);

	(void)state;
	for (int i = 0; i < 200; i++) {
		int node = i % 2;
		void *object = kmalloc_node(100 + 50 * (size_t)i, GFP_KERNEL | __GFP_THISNODE, node);
		void *cached = kmem_cache_alloc_node(cache, GFP_KERNEL, node);
		struct page *page = alloc_pages_node(node, GFP_KERNEL, 2);

		assert_int_equal(page_to_nid(virt_to_page(object)), node);
		assert_int_equal(page_to_nid(virt_to_page(cached)), node);
		assert_int_equal(page_to_nid(page), node);
		__free_pages(page, 2);
		kfree(object);
		kmem_cache_free(cache, cached);
	}
	kmem_cache_destroy(cache);
}

static void a_cpu_is_served_by_its_node(void **state)
{
	static void *objects[4][300];

	(void)state;
	for (int cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(percpu_set_cpu(PERCPU_NO_CPU), 0);
		assert_int_equal(percpu_set_cpu(cpu), 0);
		for (int i = 0; i < 300; i++) {
			objects[cpu][i] = kmalloc(96, GFP_KERNEL);
			assert_int_equal(page_to_nid(virt_to_page(objects[cpu][i])), cpu / 2);
			assert_int_equal(slab_of(objects[cpu][i])->node, cpu / 2);
		}
	}
	for (int i = 0; i < 1200; i++)
		kfree(objects[i % 4][i / 4]);
}

/* When a node is full, others help, and what they give counts as theirs. */
static void other_nodes_help_but_not_with_thisnode(void **state)
{
	static struct page *pages[8192];
	unsigned int nr = 0;
	void *object;

	(void)state;
	do
		pages[nr] = alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0);
	while (pages[nr++]);
	nr--;
	assert_null(kmalloc_node(8000, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 1));
	object = kmalloc_node(8000, GFP_KERNEL, 1);
	assert_int_equal(page_to_nid(virt_to_page(object)), 0);
	assert_int_equal(slab_of(object)->node, 0);
	kfree(object);
	while (nr--)
		__free_page(pages[nr]);
}

/* ---- many CPUs ---- */

#define NR_SHARED 64
#define NR_STEPS 80000 /* of all CPUs */

static void *exchange[NR_SHARED]; /* Synchronization: atomic */
static struct kmem_cache *common;

static unsigned int side_by_side; /* Synchronization: const after boot */

static int boot_side_by_side(void **state)
{
	struct page_machine config = two_nodes;

	(void)state;
	side_by_side = test_cpus(two_nodes.nr_cpus);
	config.nr_cpus = side_by_side;
	boot(&config);
	return 0;
}

static int boot_side_by_side_tracked(void **state)
{
	slab_set_tracking(true);
	return boot_side_by_side(state);
}

/* Objects by size, of the cache and of zones, that any CPU frees. */
static void *allocate(uint32_t *seed)
{
	switch (random_below(seed, 8)) {
	case 0:
		return kmalloc(1 + random_below(seed, 9000), GFP_ATOMIC | GFP_DMA | __GFP_NOWARN);
	case 1:
		return kmalloc_node(1 + random_below(seed, 500), GFP_KERNEL | __GFP_NOWARN, (int)random_below(seed, 2));
	case 2:
		return kzalloc(1 + random_below(seed, 60000), GFP_KERNEL | __GFP_NOWARN);
	case 3:
		return kmem_cache_alloc(common, GFP_KERNEL | __GFP_NOWARN);
	default:
		return kmalloc(1 + random_below(seed, 300), GFP_ATOMIC | __GFP_NOWARN);
	}
}

static void *run_cpu(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg + 17;

	if (percpu_set_cpu((int)(uintptr_t)arg))
		abort();
	for (unsigned int step = 0; step < NR_STEPS / side_by_side; step++) {
		unsigned int at = random_below(&seed, NR_SHARED);
		struct page *page;

		kfree(__atomic_exchange_n(&exchange[at], allocate(&seed), __ATOMIC_ACQ_REL));
		if (step % 64 == 0) {
			page = alloc_pages(GFP_HIGHUSER | __GFP_NOWARN, random_below(&seed, 5));
			if (page)
				put_page(page);
		}
		if (step % 5000 == 0)
			slab_trim(0);
	}
	if (percpu_set_cpu(PERCPU_NO_CPU))
		abort();
	return NULL;
}

static void nothing_leaks(const struct slab_leak *leak, void *arg)
{
	(void)arg;
	slab_report_leak(leak);
}

static void cpus_work_side_by_side(void **state)
{
	pthread_t threads[TEST_CPUS_MOST];
	size_t before;

	(void)state;
	slab_trim(0);
	before = free_pages_now();
	common = kmem_cache_create("common", 72, 0, 0, NULL);
	assert_int_equal(percpu_set_cpu(PERCPU_NO_CPU), 0);
	for (uintptr_t cpu = 0; cpu < side_by_side; cpu++)
		assert_int_equal(pthread_create(&threads[cpu], NULL, run_cpu, (void *)cpu), 0);
	for (unsigned int cpu = 0; cpu < side_by_side; cpu++)
		pthread_join(threads[cpu], NULL);
	for (int i = 0; i < NR_SHARED; i++)
		kfree(__atomic_exchange_n(&exchange[i], NULL, __ATOMIC_ACQ_REL));
	assert_int_equal(slab_for_each_leak(nothing_leaks, NULL), 0);
	kmem_cache_destroy(common);
	slab_trim(0);
	assert_int_equal(free_pages_now(), before);
	page_check();
	capacity_check();
}

#define TEST(name, up) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_boot_nothing_is_allocated_and_once_reported),
		cmocka_unit_test(machines_boot_one_after_the_other),
		cmocka_unit_test(a_machine_that_cannot_be_leaves_nothing),
		TEST(everything_comes_back, boot_small),
		TEST(kmalloc_is_of_the_zone_asked_for, boot_small),
		TEST(magazines_do_not_serve_zones, boot_small),
		TEST(a_cache_may_be_of_a_zone, boot_small),
		TEST(pages_of_highmem_have_no_address, boot_small),
		cmocka_unit_test(highmem_for_kmalloc_is_told_once),
		TEST(physical_addresses_are_ram, boot_small),
		TEST(memory_is_of_the_node_asked_for, boot_two_nodes),
		TEST(a_cpu_is_served_by_its_node, boot_two_nodes),
		TEST(other_nodes_help_but_not_with_thisnode, boot_two_nodes),
		TEST(cpus_work_side_by_side, boot_side_by_side),
		TEST(cpus_work_side_by_side, boot_side_by_side_tracked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
