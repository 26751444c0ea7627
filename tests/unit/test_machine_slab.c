/*
 * test_machine_slab.c: the room in a machine: boot and shutdown, requests by gfp flags, hooks, zones and nodes, records.
 *
 * Broken if this fails: a second machine finds what the first one left, memory comes from another zone than asked for, a hook
 * is not asked or not believed, or a leak has no name.
 */
#include <errno.h>
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

#define MIB (1ul << 20)
#define NR_MANY 3000

static const struct page_machine small = {.nr_cpus = 2,
	.nr_nodes = 1,
	.node_bytes = {32 * MIB},
	.dma_end = 8 * MIB,
	.dma32_end = 16 * MIB,
	.highmem_start = 24 * MIB};
static const struct page_machine two_nodes = {
	.nr_cpus = 4, .nr_nodes = 2, .node_bytes = {16 * MIB, 16 * MIB}, .dma_end = 8 * MIB};

/* Before the room's own constructor: nothing boots by itself here. */
static __attribute__((constructor(101))) void boot_by_machine(void)
{
	slab_boot_by_machine();
}

/* Pages that are free, on buddy and CPU lists, of all zones. */
static size_t free_pages_now(void)
{
	struct page_zone_info info;
	size_t pages = 0;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		pages += info.free + info.in_lists;
	}
	return pages;
}

static void boot(const struct page_machine *machine)
{
	assert_int_equal(slab_boot_machine(machine), 0);
	assert_int_equal(percpu_set_cpu(0), 0);
}

static void shut_down(void)
{
	assert_int_equal(percpu_set_cpu(PERCPU_NO_CPU), 0);
	slab_shutdown();
}

static int boot_small(void **state)
{
	(void)state;
	boot(&small);
	return 0;
}

static int boot_two_nodes(void **state)
{
	(void)state;
	boot(&two_nodes);
	return 0;
}

static int boot_tracked(void **state)
{
	slab_set_tracking(true);
	return boot_small(state);
}

static int down(void **state)
{
	(void)state;
	slab_set_tracking(false);
	slab_set_slow(false);
	shut_down();
	return 0;
}

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
	assert_null(strstr(report + 1, "BUG"));
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

static enum page_zone_type zone_of(const void *object)
{
	return page_zone_type_of(virt_to_page(object));
}

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
	assert_null(strstr(report + 1, "kmalloc: Unexpected"));
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
	(void)state;
	for (int cpu = 0; cpu < 4; cpu++) {
		void *objects[300];

		assert_int_equal(percpu_set_cpu(PERCPU_NO_CPU), 0);
		assert_int_equal(percpu_set_cpu(cpu), 0);
		for (int i = 0; i < 300; i++) {
			objects[i] = kmalloc(96, GFP_KERNEL);
			assert_int_equal(page_to_nid(virt_to_page(objects[i])), cpu / 2);
			assert_int_equal(slab_of(objects[i])->node, cpu / 2);
		}
		for (int i = 0; i < 300; i++)
			kfree(objects[i]);
	}
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

/* ---- hooks ---- */

struct seen {
	unsigned int nr_begin, nr_begin_pages, nr_retry;
	unsigned int gfp, order, attempt;
	size_t size;
	const void *caller;
	struct page_request request;
};
static struct seen seen;
static bool allow = true;
static unsigned int nr_retries; /* that the hook grants */
static void *to_free; /* by the hook */

static bool on_begin(unsigned int gfp, size_t size, const void *caller)
{
	seen.nr_begin++;
	seen.gfp = gfp;
	seen.size = size;
	seen.caller = caller;
	return allow;
}

static bool on_begin_pages(unsigned int gfp, unsigned int order, const void *caller)
{
	seen.nr_begin_pages++;
	seen.gfp = gfp;
	seen.order = order;
	seen.caller = caller;
	return allow;
}

static bool on_retry(unsigned int gfp, unsigned int order, unsigned int attempt)
{
	seen.nr_retry++;
	seen.gfp = gfp;
	seen.order = order;
	seen.attempt = attempt;
	seen.request = page_request_get();
	if (to_free && seen.nr_retry == nr_retries) {
		kfree(to_free);
		to_free = NULL;
	}
	return seen.nr_retry <= nr_retries;
}

static void on_who(struct alloc_who *who)
{
	memcpy(who->comm, "tester", 7);
	who->pid = 42;
}

static void on_zones(unsigned int gfp, unsigned int order)
{
	report_note("zones: 0x%x %u", gfp, order);
}

static const struct alloc_hooks hooks = {on_begin, on_begin_pages, on_retry, on_who, on_zones};
static const struct alloc_hooks one_begin = {.begin = on_begin};

static void hook(const struct alloc_hooks *which)
{
	slab_set_hooks(which);
	memset(&seen, 0, sizeof(seen));
	allow = true;
	nr_retries = 0;
}

static int boot_slow(void **state)
{
	slab_set_slow(true);
	return boot_small(state);
}

static void begin_sees_each_allocation(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("seen", 48, 0, 0, NULL);
	void *object;

	(void)state;
	hook(&hooks);
	for (unsigned int i = 1; i <= 100; i++) {
		kfree(kmalloc(24, GFP_NOIO));
		assert_int_equal(seen.nr_begin, 2 * i - 1);
		assert_int_equal(seen.gfp, GFP_NOIO);
		assert_int_equal(seen.size, 24);
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_ATOMIC));
		assert_int_equal(seen.nr_begin, 2 * i);
		assert_int_equal(seen.gfp, GFP_ATOMIC);
		assert_int_equal(seen.size, 48);
		/* The public function was called from here. */
		assert_true((uintptr_t)seen.caller - (uintptr_t)begin_sees_each_allocation < 4096);
		__free_pages(alloc_pages(GFP_KERNEL, 1), 1);
		assert_int_equal(seen.nr_begin_pages, i);
		assert_int_equal(seen.order, 1);
	}
	hook(&one_begin);
	free_page(__get_free_page(GFP_KERNEL));
	assert_int_equal(seen.nr_begin, 1);
	assert_int_equal(seen.size, PAGE_SIZE);
	allow = false;
	assert_null(kmalloc(24, GFP_KERNEL));
	assert_null(kmem_cache_alloc(cache, GFP_KERNEL));
	assert_null(alloc_pages(GFP_KERNEL, 0));
	assert_null(kmalloc(100000, GFP_KERNEL));
	assert_null(kmem_cache_create("fails", 48, 0, 0, NULL));
	allow = true;
	object = krealloc(NULL, 100, GFP_KERNEL);
	assert_non_null(object);
	kfree(object);
	kmem_cache_destroy(cache);
}

/* All that GFP_KERNEL may have, linked through its first word, but for one block. */
static void **eat_all(void **spare)
{
	void **list = NULL;

	*spare = kmalloc(64 << 10, GFP_KERNEL);
	for (unsigned int order = MAX_PAGE_ORDER + 1; order-- > 0;) {
		for (;;) {
			void **block = (void **)__get_free_pages(GFP_KERNEL | __GFP_NOWARN, order);

			if (!block)
				break;
			block[0] = list;
			block[1] = (void *)(uintptr_t)order;
			list = block;
		}
	}
	return list;
}

static void vomit(void **list)
{
	for (void **next; list; list = next) {
		next = list[0];
		free_pages((unsigned long)list, (unsigned int)(uintptr_t)list[1]);
	}
}

static void retry_is_asked_and_believed(void **state)
{
	void **eaten = eat_all(&to_free), *object;

	(void)state;
	hook(&hooks);
	assert_null(alloc_pages(GFP_KERNEL | __GFP_NOWARN, 3));
	assert_int_equal(seen.nr_retry, 1);
	assert_int_equal(seen.attempt, 1);
	assert_int_equal(seen.order, 3);
	assert_int_equal(seen.request.level, PAGE_TO_MIN);
	assert_int_equal(seen.request.type, PAGE_ZONE_NORMAL);
	assert_null(alloc_pages(GFP_NOWAIT | GFP_DMA | __GFP_NOWARN | __GFP_THISNODE, 3));
	assert_int_equal(seen.request.type, PAGE_ZONE_DMA);
	assert_true(seen.request.this_node);
	/* Nothing of it is left for the next one. */
	assert_int_equal(page_request_get().level, PAGE_TO_MIN);
	assert_int_equal(page_request_get().type, PAGE_ZONE_NORMAL);
	assert_false(page_request_get().this_node);
	/* The fifth time the hook frees something. */
	hook(&hooks);
	nr_retries = 5;
	object = kmalloc(40000, GFP_KERNEL | __GFP_NOWARN);
	assert_non_null(object);
	assert_int_equal(seen.nr_retry, 5);
	assert_int_equal(seen.attempt, 5);
	to_free = object;
	/* No fail: as often as the hook says. */
	hook(&hooks);
	nr_retries = 50;
	object = kmalloc(60000, GFP_KERNEL | __GFP_NOFAIL);
	assert_non_null(object);
	assert_int_equal(seen.nr_retry, 50);
	kfree(object);
	vomit(eaten);
}

static void reserves_are_for_who_may(void **state)
{
	void **eaten = eat_all(&to_free), *list = NULL;
	unsigned int nr_atomic = 0, nr_memalloc = 0;
	const gfp_t memalloc = GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOWARN;

	(void)state;
	assert_int_equal(__get_free_page(GFP_KERNEL | __GFP_NOWARN), 0);
	assert_int_equal(__get_free_page(GFP_NOWAIT | __GFP_NOWARN), 0);
	assert_int_equal(__get_free_page(memalloc | __GFP_NOMEMALLOC), 0);
	for (void **page; (page = (void **)__get_free_page(GFP_ATOMIC | __GFP_NOWARN)); nr_atomic++) {
		page[0] = list;
		page[1] = NULL;
		list = page;
	}
	for (void **page; (page = (void **)__get_free_page(memalloc)); nr_memalloc++) {
		page[0] = list;
		page[1] = NULL;
		list = page;
	}
	assert_true(nr_atomic > 0);
	assert_true(nr_memalloc > 0);
	vomit(list);
	vomit(eaten);
	kfree(to_free);
	to_free = NULL;
}

/* Without hooks, what is cached goes back and makes an allocation succeed. */
static void what_is_cached_goes_back(void **state)
{
	static void *objects[16384];
	void **eaten;
	unsigned int nr = 0;

	(void)state;
	for (; nr < 2000; nr++)
		objects[nr] = kmalloc(2048, GFP_KERNEL);
	eaten = eat_all(&to_free);
	while (nr--)
		kfree(objects[nr]);
	for (nr = 0; nr < 400; nr++) {
		objects[nr] = (void *)__get_free_page(GFP_KERNEL);
		assert_non_null(objects[nr]);
	}
	while (nr--)
		free_page((unsigned long)objects[nr]);
	vomit(eaten);
	kfree(to_free);
	to_free = NULL;
}

/* ---- interrupts: a signal in the middle of a slow path ---- */

static unsigned int nr_nested;

static void on_interrupt(int signal)
{
	void *object = kmalloc(3000, GFP_ATOMIC | GFP_DMA);

	(void)signal;
	if (object && zone_of(object) == PAGE_ZONE_DMA)
		nr_nested++;
	kfree(object);
}

static bool interrupting_begin(unsigned int gfp, size_t size, const void *caller)
{
	(void)size;
	(void)caller;
	if (!(gfp & __GFP_DMA))
		raise(SIGUSR1);
	return true;
}

static bool interrupting_retry(unsigned int gfp, unsigned int order, unsigned int attempt)
{
	struct page_request before = page_request_get(), after;

	(void)gfp;
	(void)order;
	raise(SIGUSR1);
	after = page_request_get();
	assert_memory_equal(&before, &after, sizeof(before));
	return attempt < 3;
}

static void an_interrupt_allocates_in_between(void **state)
{
	static const struct alloc_hooks interrupting = {.begin = interrupting_begin, .retry = interrupting_retry};
	void *object;

	(void)state;
	signal(SIGUSR1, on_interrupt);
	slab_set_hooks(&interrupting);
	nr_nested = 0;
	for (unsigned int i = 0; i < 100; i++) {
		object = kmalloc(100, GFP_KERNEL);
		assert_int_equal(zone_of(object), PAGE_ZONE_NORMAL);
		kfree(object);
	}
	assert_int_equal(nr_nested, 100);
	assert_null(alloc_pages(GFP_KERNEL | __GFP_NOWARN, 10));
	assert_int_equal(nr_nested, 104);
	signal(SIGUSR1, SIG_DFL);
}

/* ---- reports of failures ---- */

static void fail_once(void *arg)
{
	(void)arg;
	boot(&small);
	slab_set_hooks(&hooks);
	alloc_pages(GFP_KERNEL | __GFP_COMP, 10);
	alloc_pages(GFP_KERNEL | __GFP_NOWARN, 10);
	eat_all(&to_free);
	kmalloc(600, GFP_NOIO | __GFP_ZERO);
	for (int i = 0; i < 100; i++)
		alloc_pages(GFP_KERNEL, 10);
}

static void a_failure_is_reported_in_the_kernels_words(void **state)
{
	char output[65536];

	(void)state;
	assert_int_equal(child_run(fail_once, NULL, output, sizeof(output)), 0);
	assert_int_equal(strncmp(output,
				 "flagstone: tester: page allocation failure: order:10, "
				 "mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)\n"
				 "flagstone: CPU: 0 PID: 42 Comm: tester\n"
				 "  #0 ",
				 150),
		0);
	assert_non_null(strstr(output, "flagstone: zones: 0x40cc0 10\n"));
	assert_non_null(strstr(output, "page allocation failure: order:3, mode:0xd00(GFP_NOIO|__GFP_ZERO), "));
	assert_non_null(strstr(output, "SLUB: Unable to allocate memory on node -1, gfp=0xd00(GFP_NOIO|__GFP_ZERO)\n"));
	assert_null(strstr(output, "__GFP_NOWARN"));
	/* Not a hundred of them. */
	{
		unsigned int nr = 0;

		for (char *at = output; (at = strstr(at, "page allocation failure")); at++)
			nr++;
		assert_int_equal(nr, 10);
	}
}

/* ---- tracking ---- */

static struct slab_leak leaks[16];

static void keep_leak(const struct slab_leak *leak, void *arg)
{
	unsigned int *nr = arg;

	if (*nr < ARRAY_SIZE(leaks))
		leaks[(*nr)++] = *leak;
}

static void leaks_are_listed_by_age(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("leaky", 48, 0, 0, NULL);
	unsigned int nr = 0;
	void *expected[5];

	(void)state;
	slab_set_hooks(&hooks);
	for (unsigned int i = 0; i < 1000; i++)
		kfree(kmalloc(i, GFP_KERNEL));
	expected[0] = kmalloc(40, GFP_KERNEL);
	expected[1] = kmem_cache_alloc(cache, GFP_KERNEL);
	expected[2] = page_address(alloc_pages(GFP_KERNEL, 2));
	expected[3] = kmalloc(100000, GFP_KERNEL);
	expected[4] = kzalloc(10, GFP_KERNEL | GFP_DMA);
	assert_int_equal(slab_for_each_leak(keep_leak, &nr), 5);
	assert_int_equal(nr, 5);
	for (unsigned int i = 0; i < 5; i++) {
		assert_ptr_equal(leaks[i].object, expected[i]);
		assert_true(leaks[i].nr_frames > 0);
		assert_true(leaks[i].frame[0] - (uintptr_t)leaks_are_listed_by_age < 4096);
		assert_string_equal(leaks[i].who.comm, "tester");
		assert_int_equal(leaks[i].who.pid, 42);
		assert_int_equal(leaks[i].who.cpu, 0);
	}
	assert_string_equal(leaks[0].type, "kmalloc-48");
	assert_int_equal(leaks[0].size, 40);
	assert_string_equal(leaks[1].type, "leaky");
	assert_string_equal(leaks[2].type, "pages");
	assert_int_equal(leaks[2].size, 4 * PAGE_SIZE);
	assert_int_equal(leaks[3].size, 100000);
	assert_ptr_equal(krealloc(expected[0], 44, GFP_KERNEL), expected[0]);
	kmem_cache_free(cache, expected[1]);
	split_page(virt_to_page(expected[2]), 2);
	kfree(expected[3]);
	kfree(expected[4]);
	nr = 0;
	assert_int_equal(slab_for_each_leak(keep_leak, &nr), 5);
	assert_int_equal(leaks[0].size, 44);
	for (unsigned int i = 1; i < 5; i++) {
		assert_int_equal(leaks[i].size, PAGE_SIZE);
		free_page((unsigned long)leaks[i].object);
	}
	kfree(expected[0]);
	assert_int_equal(slab_for_each_leak(keep_leak, &nr), 0);
	kmem_cache_destroy(cache);
}

static void free_twice(void *arg)
{
	struct kmem_cache *cache;
	void *object;

	slab_set_tracking(true);
	boot(&small);
	slab_set_hooks(&hooks);
	cache = kmem_cache_create("twice", 48, 0, 0, NULL);
	switch ((uintptr_t)arg) {
	case 0:
		object = kmalloc(40, GFP_KERNEL);
		kfree(object);
		kfree(object);
		break;
	case 1:
		object = kmem_cache_alloc(cache, GFP_KERNEL);
		kmem_cache_free(cache, object);
		kmem_cache_free(cache, object);
		break;
	case 2:
		object = (void *)__get_free_pages(GFP_KERNEL, 2);
		free_pages((unsigned long)object, 2);
		free_pages((unsigned long)object, 2);
		break;
	default:
		object = kmem_cache_alloc(cache, GFP_KERNEL);
		kmem_cache_destroy(cache);
		break;
	}
}

static void a_double_free_names_both(void **state)
{
	const char *const types[] = {"40 bytes of kmalloc-48", "48 bytes of twice", "16384 bytes of pages"};

	(void)state;
	for (uintptr_t i = 0; i < 3; i++) {
		char output[8000], *allocated, *freed;
		int status = child_run(free_twice, (void *)i, output, sizeof(output));

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_int_equal(strncmp(output, "flagstone: BUG: double free of 0x", 33), 0);
		assert_non_null(strstr(output, types[i]));
		allocated = strstr(output, "flagstone: Allocated: age=");
		freed = strstr(output, "flagstone: Freed: age=");
		assert_non_null(allocated);
		assert_non_null(freed);
		assert_true(freed > allocated);
		assert_non_null(strstr(allocated, "cpu=0 pid=42 comm=tester\n  #0 "));
	}
}

static void a_cache_with_live_objects_tells_who_allocated_them(void **state)
{
	char output[8000];

	(void)state;
	assert_int_equal(child_run(free_twice, (void *)3, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "kmem_cache_destroy: cache twice still has 1 objects"));
	assert_non_null(strstr(output, "  Allocated: age="));
	assert_non_null(strstr(output, "comm=tester\n  #0 "));
}

/* More than records of freed objects are kept; and every object is still found. */
static void records_do_not_pile_up(void **state)
{
	static void *objects[20000];
	size_t before = host_resident_bytes(), after;

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 20000; i++)
			objects[i] = kmalloc(64, GFP_KERNEL);
		assert_int_equal(slab_for_each_leak(keep_leak, &(unsigned int){16}), 20000);
		for (unsigned int i = 0; i < 20000; i++)
			kfree(objects[i]);
		assert_int_equal(slab_for_each_leak(keep_leak, &(unsigned int){0}), 0);
	}
	after = host_resident_bytes();
	assert_true(after < before + 64 * MIB);
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
		TEST(begin_sees_each_allocation, boot_slow),
		TEST(retry_is_asked_and_believed, boot_small),
		TEST(reserves_are_for_who_may, boot_small),
		TEST(what_is_cached_goes_back, boot_small),
		TEST(an_interrupt_allocates_in_between, boot_slow),
		cmocka_unit_test(a_failure_is_reported_in_the_kernels_words),
		TEST(leaks_are_listed_by_age, boot_tracked),
		cmocka_unit_test(a_double_free_names_both),
		cmocka_unit_test(a_cache_with_live_objects_tells_who_allocated_them),
		TEST(records_do_not_pile_up, boot_tracked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
