/*
 * test_alloc_hooks.c: what the rooms above the slab room are asked at an allocation, and that they are believed.
 *
 * Broken if this fails: a hook is not asked or not believed, the reserves are for everybody, pages that no hook is to see
 * take the long way, or an interrupt in the middle of a slow path changes the request of what it interrupted.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <linux/mm.h>
#include <linux/slab.h>

#include "runtime/page/usual.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"
#include "tests/unit/machine_slab.h"

/* ---- hooks ---- */

struct seen {
	unsigned int nr_begin, nr_begin_pages, nr_retry;
	unsigned int gfp, order, attempt;
	size_t size;
	const void *caller;
	unsigned int cache_flags;
	struct page_request request;
};
static struct seen seen;
static bool allow = true;
static unsigned int nr_retries; /* that the hook grants */
static void *to_free; /* by the hook */

static bool on_begin(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller)
{
	seen.cache_flags = cache_flags;
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

static const struct alloc_hooks hooks = {.begin = on_begin, .begin_pages = on_begin_pages, .retry = on_retry};
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
	struct kmem_cache *cache = kmem_cache_create("seen", 48, 0, SLAB_FAILSLAB, NULL);
	void *object;

	(void)state;
	hook(&hooks);
	for (unsigned int i = 1; i <= 100; i++) {
		kfree(kmalloc(24, GFP_NOIO));
		assert_int_equal(seen.nr_begin, 2 * i - 1);
		assert_int_equal(seen.gfp, GFP_NOIO);
		assert_int_equal(seen.size + seen.cache_flags, 24);
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_ATOMIC));
		assert_int_equal(seen.nr_begin, 2 * i);
		assert_int_equal(seen.gfp, GFP_ATOMIC);
		assert_int_equal(seen.size, 48);
		assert_int_equal(seen.cache_flags, SLAB_FAILSLAB);
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

static unsigned int nr_freeing, nr_short;

static void on_freeing(const void *object, size_t size)
{
	(void)object;
	(void)size;
	nr_freeing++;
}

static struct page *pages_alloc(unsigned int order)
{
	host_sigmask_t mask = host_signals_block();
	struct page *page = page_usual_take(order);

	host_signals_restore(mask);
	nr_short += page != NULL;
	return page;
}

static bool pages_free(struct page *page, unsigned int order)
{
	host_sigmask_t mask = host_signals_block();
	bool done = page_usual_put(page, order);

	host_signals_restore(mask);
	nr_short += done;
	return done;
}

static const struct usual_pages pages = {.alloc = pages_alloc, .free = pages_free};

/* The short way of pages: only where nobody has to see them. */
static void begin_that_only_refuses_is_not_asked_for_pages_at_hand(void **state)
{
	static const struct alloc_hooks refusing = {.begin = on_begin, .begin_refuses_only = true, .pages = &pages},
					seen_free = {.begin = on_begin,
						.begin_refuses_only = true,
						.freeing = on_freeing,
						.pages = &pages};
	unsigned char *zeroed;
	struct page *page;

	(void)state;
	hook(&refusing);
	page = alloc_pages(GFP_KERNEL, 0); /* fills this CPU's list */
	memset(page_address(page), 1, PAGE_SIZE);
	__free_pages(page, 0);
	allow = false;
	seen.nr_begin = 0;
	nr_short = 0;
	zeroed = (unsigned char *)get_zeroed_page(GFP_KERNEL);
	assert_non_null(zeroed);
	assert_int_equal(zeroed[0] | zeroed[PAGE_SIZE - 1], 0);
	page = virt_to_page(zeroed);
	get_page(page);
	__free_pages(page, 0);
	put_page(page);
	assert_int_equal(seen.nr_begin, 0);
	assert_int_equal(nr_short, 2);
	assert_null(alloc_pages(GFP_KERNEL | __GFP_DMA, 0));
	assert_null(alloc_pages(GFP_KERNEL, NR_PCP_ORDERS));
	assert_int_equal(seen.nr_begin, 2);
	assert_int_equal(percpu_set_cpu(PERCPU_NO_CPU), 0);
	page = alloc_pages(GFP_KERNEL, 0);
	assert_int_equal(percpu_set_cpu(0), 0);
	assert_null(page);
	assert_int_equal(seen.nr_begin, 3);
	hook(&seen_free);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	assert_int_equal(seen.nr_begin, 1);
	assert_int_equal(nr_freeing, 1);
	hook(NULL);
	page_check();
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

static bool interrupting_begin(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller)
{
	(void)cache_flags;
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
	void *object, **eaten;

	(void)state;
	signal(SIGUSR1, on_interrupt);
	nr_nested = 0;
	slab_set_hooks(&interrupting);
	for (unsigned int i = 0; i < 100; i++) {
		object = kmalloc(100, GFP_KERNEL);
		assert_int_equal(zone_of(object), PAGE_ZONE_NORMAL);
		kfree(object);
	}
	assert_int_equal(nr_nested, 100);
	slab_set_hooks(NULL);
	eaten = eat(GFP_KERNEL, NULL);
	slab_set_hooks(&interrupting);
	assert_null(alloc_pages(GFP_KERNEL | __GFP_NOWARN, 10));
	assert_int_equal(nr_nested, 104);
	slab_set_hooks(NULL);
	vomit(eaten);
	signal(SIGUSR1, SIG_DFL);
}
#define TEST(name, up) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(begin_sees_each_allocation, boot_slow),
		TEST(begin_that_only_refuses_is_not_asked_for_pages_at_hand, boot_small),
		TEST(retry_is_asked_and_believed, boot_small),
		TEST(reserves_are_for_who_may, boot_small),
		TEST(what_is_cached_goes_back, boot_small),
		TEST(an_interrupt_allocates_in_between, boot_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
