/*
 * test_lists.c: per-CPU page lists: last in first out, bounded, drained completely, no block is free twice.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/page/internal.h"

#define MOST_PER_CPU (512ul << 10)
#define NR 512

static cpu_set_t all_cpus;

static void the_last_block_freed_is_the_next_one_given(void **state)
{
	(void)state;
	for (unsigned int order = 0; order < NR_PCP_ORDERS; order++) {
		struct page *first = page_alloc(order, 0);
		struct page *second = page_alloc(order, 0);

		page_free(first, order);
		page_free(second, order);
		assert_ptr_equal(page_alloc(order, 0), second);
		assert_ptr_equal(page_alloc(order, 0), first);
		page_free(first, order);
		page_free(second, order);
	}
}

static void a_list_never_holds_more_than_its_share(void **state)
{
	static struct page *pages[NR];
	struct page_stats stats;

	(void)state;
	page_drain_lists();
	for (unsigned int order = 0; order < NR_PCP_ORDERS; order++) {
		for (int i = 0; i < NR; i++) {
			pages[i] = page_alloc(order, 0);
			assert_non_null(pages[i]);
			memset(page_to_addr(pages[i]), i, PAGE_SIZE << order);
		}
		for (int i = 0; i < NR; i++) {
			assert_int_equal(*(unsigned char *)page_to_addr(pages[i]), i % 256);
			page_free(pages[i], order);
			page_stats_get(&stats);
			assert_true(stats.pcp_bytes <= MOST_PER_CPU);
		}
		assert_true(stats.pcp_bytes > 0);
		page_check();
	}
}

static void draining_leaves_nothing_behind(void **state)
{
	struct page_stats stats;

	(void)state;
	page_drain_lists();
	page_stats_get(&stats);
	assert_int_equal(stats.pcp_bytes, 0);
	assert_int_equal(stats.free_bytes, stats.online_bytes);
	page_release(0);
	page_stats_get(&stats);
	assert_int_equal(stats.nr_free[MAX_ORDER] * (PAGE_SIZE << MAX_ORDER), stats.online_bytes);
	page_check();
}

static void small_exact_blocks_go_through_the_lists(void **state)
{
	struct page *page = page_alloc_exact(4, 0);

	(void)state;
	assert_int_equal(page_flags_get(page), PAGE_LARGE);
	page_free_exact(page);
	assert_int_equal(page_flags_get(page), PAGE_PCP);
	assert_ptr_equal(page_alloc(2, PAGE_ALLOC_ZERO), page);
	assert_int_equal(page_flags_get(page), 0);
	page_free(page, 2);
}

/* The report goes to stderr; the block stays free once. */
static void a_double_free_changes_nothing(void **state)
{
	unsigned long on_bug = report_on_bug;
	struct page_stats before, after;
	struct page *small = page_alloc(0, 0);
	struct page *big = page_alloc(6, 0);
	struct page *exact = page_alloc_exact(77, 0);

	(void)state;
	report_on_bug = REPORT_BUG_CONTINUE;
	page_free(small, 0);
	page_free(big, 6);
	page_free_exact(exact);
	page_stats_get(&before);
	page_free(small, 0);
	page_free(big, 6);
	page_free_exact(exact);
	assert_false(page_resize_exact(exact, 3));
	page_stats_get(&after);
	report_on_bug = on_bug;
	assert_int_equal(after.free_bytes, before.free_bytes);
	assert_int_equal(after.pcp_bytes, before.pcp_bytes);
	page_check();
}

/* One thread's blocks are freed by the next: every block passes from hand to hand, and its contents with it. */
#define NR_THREADS 8
static struct page *slots[NR];

static void *pass_on(void *arg)
{
	uint64_t seed = 77 + (uintptr_t)arg;

	sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
	for (int i = 0; i < 40000; i++) {
		struct page *page = page_alloc(i % NR_PCP_ORDERS, 0);
		uint64_t *words;

		if (!page)
			return NULL;
		words = page_to_addr(page);
		words[0] = (uint64_t)(i % NR_PCP_ORDERS);
		words[1] = (uintptr_t)page;
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		page = __atomic_exchange_n(&slots[seed >> 40 & (NR - 1)], page, __ATOMIC_ACQ_REL);
		if (!page)
			continue;
		words = page_to_addr(page);
		if (words[1] != (uintptr_t)page)
			return NULL;
		page_free(page, (unsigned int)words[0]);
	}
	return arg;
}

static void pass_between_threads(void)
{
	pthread_t threads[NR_THREADS];
	void *good;

	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pass_on, (void *)(i + 1)), 0);
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], &good);
		assert_non_null(good);
	}
	for (int i = 0; i < NR; i++) {
		if (slots[i])
			page_free(slots[i], (unsigned int)*(uint64_t *)page_to_addr(slots[i]));
	}
}

static void blocks_survive_passing_between_threads(void **state)
{
	pass_between_threads();
	draining_leaves_nothing_behind(state);
}

/* ---- age ---- */

static size_t on_lists(void)
{
	struct page_stats stats;

	page_stats_get(&stats);
	return stats.pcp_bytes >> PAGE_SHIFT;
}

/* Uses nr blocks of an order at the same time. */
static void need(unsigned int nr, unsigned int order)
{
	struct page *pages[8];

	for (unsigned int i = 0; i < nr; i++)
		pages[i] = page_alloc(order, 0);
	while (nr)
		page_free(pages[--nr], order);
}

static void lists_give_what_they_did_not_need(void **state)
{
	(void)state;
	page_drain_lists();
	while (lists_age())
		;
	assert_int_equal(on_lists(), 0);
	/* A refill brings a batch of 16; 8 of an order 1. */
	need(5, 0);
	need(3, 1);
	assert_int_equal(on_lists(), 16 + 8 * 2);
	assert_true(lists_age());
	assert_int_equal(on_lists(), 16 + 8 * 2);
	need(5, 0);
	need(3, 1);
	assert_true(lists_age());
	assert_int_equal(on_lists(), 5 + 3 * 2);
	need(2, 0);
	assert_true(lists_age());
	assert_int_equal(on_lists(), 2);
	lists_age();
	assert_int_equal(on_lists(), 0);
	assert_false(lists_age());
	draining_leaves_nothing_behind(state);
}

static void *age_lists(void *arg)
{
	sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
	while (!__atomic_load_n((bool *)arg, __ATOMIC_RELAXED))
		lists_age();
	return NULL;
}

static void blocks_survive_aging_under_their_hands(void **state)
{
	pthread_t ager;
	bool stop = false;

	assert_int_equal(pthread_create(&ager, NULL, age_lists, &stop), 0);
	memset(slots, 0, sizeof(slots));
	pass_between_threads();
	/* Not before the drain: what it takes off a list is nowhere until it reaches the zone. */
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(ager, NULL);
	draining_leaves_nothing_behind(state);
}

/* The tests' own thread stays on one CPU: what it frees it finds again. */
static int boot(void **state)
{
	cpu_set_t one;

	(void)state;
	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	return memory_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_block_freed_is_the_next_one_given),
		cmocka_unit_test(a_list_never_holds_more_than_its_share),
		cmocka_unit_test(draining_leaves_nothing_behind),
		cmocka_unit_test(small_exact_blocks_go_through_the_lists),
		cmocka_unit_test(a_double_free_changes_nothing),
		cmocka_unit_test(blocks_survive_passing_between_threads),
		cmocka_unit_test(lists_give_what_they_did_not_need),
		cmocka_unit_test(blocks_survive_aging_under_their_hands),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
