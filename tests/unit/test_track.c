/*
 * test_track.c: what a machine's slab room tells people: failures of allocations, leaks, and frees of what is not live.
 *
 * Broken if this fails: a report does not have the kernel's words, or a leak or a double free comes without who did it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/machine_slab.h"

static void on_who(struct alloc_who *who)
{
	memcpy(who->comm, "tester", 7);
	who->pid = 42;
}

static void on_zones(unsigned int gfp, unsigned int order)
{
	report_note("zones: 0x%x %u", gfp, order);
}

static bool no_retry(unsigned int gfp, unsigned int order, unsigned int attempt)
{
	(void)gfp;
	(void)order;
	(void)attempt;
	return false;
}

static const struct alloc_hooks hooks = {.retry = no_retry, .who = on_who, .report_zones = on_zones};

static int boot_tracked(void **state)
{
	slab_set_tracking(true);
	return boot_small(state);
}

/* ---- reports of failures ---- */

static void fail_often(void *arg)
{
	void *spare;

	(void)arg;
	boot(&small);
	eat_all(&spare);
	slab_set_hooks(&hooks);
	alloc_pages(GFP_KERNEL | __GFP_COMP, 10);
	alloc_pages(GFP_KERNEL | __GFP_NOWARN, 10);
	kmalloc(600, GFP_NOIO | __GFP_ZERO);
	for (int i = 0; i < 100; i++)
		alloc_pages(GFP_KERNEL, 10);
}

static unsigned int count(const char *text, const char *word)
{
	unsigned int nr = 0;

	for (; (text = strstr(text, word)); text++)
		nr++;
	return nr;
}

static void a_failure_is_reported_in_the_kernels_words(void **state)
{
	static const char begin[] = "flagstone: tester: page allocation failure: order:10, "
				    "mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)\n"
				    "flagstone: CPU: 0 PID: 42 Comm: tester\n";
	static char output[65536];

	(void)state;
	assert_int_equal(child_run(fail_often, NULL, output, sizeof(output)), 0);
	assert_int_equal(strncmp(output, begin, sizeof(begin) - 1), 0);
	assert_int_equal(strncmp(output + sizeof(begin) - 1, "  #0 ", 5), 0);
	assert_non_null(strstr(output, "flagstone: zones: 0x40cc0 10\n"));
	assert_non_null(strstr(output, "page allocation failure: order:3, mode:0xd00(GFP_NOIO|__GFP_ZERO), "));
	assert_non_null(strstr(output, "SLUB: Unable to allocate memory on node -1, gfp=0xd00(GFP_NOIO|__GFP_ZERO)\n"));
	assert_null(strstr(output, "__GFP_NOWARN"));
	/* Not a hundred of them. */
	assert_int_equal(count(output, "page allocation failure: order"), 10);
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

/* ---- what an address lies in ---- */

static void ask_of_addresses(void *arg)
{
	char *object, *pages;
	int local;

	(void)arg;
	slab_set_tracking(true);
	boot(&small);
	slab_set_hooks(&hooks);
	slab_report_history(&local);
	object = kmalloc(40, GFP_KERNEL);
	slab_report_history(object + 40); /* not what was asked for */
	slab_report_history(object - 1);
	slab_report_history(object + 39);
	kfree(object);
	slab_report_history(object);
	pages = (char *)__get_free_pages(GFP_KERNEL, 2);
	slab_report_history(pages + 3 * PAGE_SIZE + 5);
	free_pages((unsigned long)pages, 2);
	/* The last one there was, of those that lay there. */
	object = (char *)__get_free_pages(GFP_KERNEL, 0);
	slab_report_history(object + 7);
	free_page((unsigned long)object);
}

static void an_address_is_told_by_the_last_that_had_it(void **state)
{
	static const char *const said[] = {" lies at offset 39 of ", " 40 bytes of kmalloc-48, which are allocated\n",
		"flagstone: Allocated: ", " lies at offset 0 of ", " 40 bytes of kmalloc-48, which are free\n",
		"flagstone: Allocated: ", "flagstone: Freed: ", " lies at offset 12293 of ",
		" 16384 bytes of pages, which are allocated\n", "flagstone: Allocated: ", " lies at offset 7 of ",
		" 4096 bytes of pages, which are allocated\n", "flagstone: Allocated: "};
	char output[8000], *at = output;
	unsigned int nr = 0;

	(void)state;
	assert_int_equal(child_run(ask_of_addresses, NULL, output, sizeof(output)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		at = strstr(at, said[i]);
		if (!at)
			fail_msg("no '%s' in: %s", said[i], output);
		at += strlen(said[i]);
	}
	for (at = output; (at = strstr(at, "flagstone: ")); at++)
		nr++;
	assert_int_equal(nr, 4 + 4 + 1);
}

/* ---- memory of records ---- */

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
		cmocka_unit_test(a_failure_is_reported_in_the_kernels_words),
		TEST(leaks_are_listed_by_age, boot_tracked),
		cmocka_unit_test(a_double_free_names_both),
		cmocka_unit_test(a_cache_with_live_objects_tells_who_allocated_them),
		cmocka_unit_test(an_address_is_told_by_the_last_that_had_it),
		TEST(records_do_not_pile_up, boot_tracked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
