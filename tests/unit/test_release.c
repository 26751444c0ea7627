/*
 * test_release.c: what page_age() gives back and what it leaves, when the reclaim thread is called for, the limit.
 *
 * Links with the page room and those below only: the tests play the reclaim thread. Blocks of order 4 and more never lie on
 * per-CPU lists, so that each step's numbers are exact.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"
#include "runtime/page/internal.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"

#define MIB_PAGES (1ul << (20 - PAGE_SHIFT))
#define RETAIN_PAGES (16 * MIB_PAGES)
#define SPLIT_TICKS 4 /* page_age() calls after which parts of huge pages go, too: one takes stock, three are quiet */
#define ENOUGH_TICKS 200

static unsigned int nr_wakes; /* Synchronization: atomic */
static bool wake_answer; /* Synchronization: const while threads run */

static bool wake(void)
{
	__atomic_fetch_add(&nr_wakes, 1, __ATOMIC_RELAXED);
	return wake_answer;
}

static size_t dirty_pages(void)
{
	struct page_stats stats;

	page_stats_get(&stats);
	return (stats.free_bytes - stats.free_zero_bytes) >> PAGE_SHIFT;
}

/* Nothing is dirty, and a new interval begins. */
static void begin(void)
{
	page_reclaim_active(true);
	page_release(0);
	page_age();
	assert_int_equal(dirty_pages(), 0);
}

static void alloc_blocks(struct page **pages, unsigned int nr, unsigned int order)
{
	for (unsigned int i = 0; i < nr; i++) {
		pages[i] = page_alloc(order, 0);
		assert_non_null(pages[i]);
	}
}

static void free_blocks(struct page **pages, unsigned int nr, unsigned int order)
{
	for (unsigned int i = 0; i < nr; i++)
		page_free(pages[i], order);
}

/* An interval in which nr blocks were used at the same time. */
static void need(unsigned int nr, unsigned int order)
{
	struct page *pages[64];

	alloc_blocks(pages, nr, order);
	free_blocks(pages, nr, order);
}

static size_t resident_pages(const struct page *page, size_t nr_pages)
{
	unsigned char in_core[1 << MAX_ORDER];
	size_t nr = 0;

	assert_int_equal(mincore(page_to_addr(page), nr_pages << PAGE_SHIFT, in_core), 0);
	for (size_t i = 0; i < nr_pages; i++)
		nr += in_core[i] & 1;
	return nr;
}

/* Blocks with frames and blocks without stay apart: all of them lose theirs first. */
static void everything_is_merged(void)
{
	struct page_stats stats;

	page_check();
	page_release(0);
	page_check();
	page_stats_get(&stats);
	assert_int_equal(stats.pcp_bytes, 0);
	assert_int_equal(stats.nr_free[MAX_ORDER] * (PAGE_SIZE << MAX_ORDER), stats.online_bytes);
}

/* ---- the call for the thread: these come first, in a process that has not grown ---- */

static void nobody_is_called_before_the_process_has_grown(void **state)
{
	(void)state;
	need(2, MAX_ORDER);
	page_reclaim_poke();
	assert_int_equal(nr_wakes, 0);
	need(3, MAX_ORDER);
	assert_true(nr_wakes > 0);
}

static void growth_calls_unless_somebody_is_active(void **state)
{
	struct page *pages[5];

	(void)state;
	alloc_blocks(pages, 5, MAX_ORDER);
	page_reclaim_active(true);
	nr_wakes = 0;
	need(1, 4);
	page_reclaim_poke();
	assert_int_equal(nr_wakes, 0);
	page_reclaim_active(false);
	page_reclaim_poke();
	assert_int_equal(nr_wakes, 1);
	need(1, 4);
	assert_int_equal(nr_wakes, 2);
	free_blocks(pages, 5, MAX_ORDER);
}

static void a_fork_child_does_not_call_until_it_grows_itself(void *arg)
{
	struct page *page;
	size_t online;

	(void)arg;
	nr_wakes = 0;
	need(2, 4);
	page_reclaim_poke();
	if (nr_wakes || release_is_active())
		_exit(1);
	online = zones[ZONE_HOSTED].nr_online;
	while (zones[ZONE_HOSTED].nr_online == online)
		page = page_alloc(MAX_ORDER, 0);
	page_free(page, MAX_ORDER);
	_exit(nr_wakes ? 0 : 2);
}

static void fork_children_count_anew(void **state)
{
	char output[200];

	(void)state;
	page_reclaim_active(true);
	assert_int_equal(child_run(a_fork_child_does_not_call_until_it_grows_itself, NULL, output, sizeof(output)), 0);
	page_reclaim_active(false);
}

/* ---- what goes, and what stays ---- */

static void only_what_the_interval_did_not_need_goes(void **state)
{
	(void)state;
	begin();
	need(4, MAX_ORDER);
	page_age();
	assert_int_equal(dirty_pages(), 4 << MAX_ORDER);
	need(1, MAX_ORDER);
	page_age();
	assert_int_equal(dirty_pages(), 1 << MAX_ORDER);
	for (int i = 0; i < 5; i++) {
		need(1, MAX_ORDER);
		assert_true(page_age());
		assert_int_equal(dirty_pages(), 1 << MAX_ORDER);
	}
	page_age();
	assert_int_equal(dirty_pages(), 0);
	assert_false(page_age());
}

/* A block that is split and merged again was needed in part. */
static void the_low_water_mark_is_exact(void **state)
{
	struct zone *zone = &zones[ZONE_HOSTED];
	struct page *run;

	(void)state;
	begin();
	need(2, MAX_ORDER);
	page_age();
	assert_int_equal(zone->dirty_low, 2048);
	need(1, 4);
	assert_int_equal(zone->dirty_low, 2048 - 16);
	run = page_alloc_exact(100, 0);
	assert_int_equal(zone->dirty_low, 2048 - 100);
	assert_true(page_resize_exact(run, 120));
	assert_int_equal(zone->dirty_low, 2048 - 120);
	page_free_exact(run);
	assert_int_equal(zone->dirty_low, 2048 - 120);
	page_age();
	assert_int_equal(dirty_pages(), 120);
	/* The rest is less than a block: what goes is never more than the surplus. */
	for (int i = 0; i < 10; i++) {
		need(1, 4);
		page_age();
		assert_int_equal(dirty_pages(), 16);
	}
	page_age();
	assert_int_equal(dirty_pages(), 0);
}

static void the_largest_blocks_go_first(void **state)
{
	struct page *small[16], *big;

	(void)state;
	begin();
	big = page_alloc(MAX_ORDER, 0);
	alloc_blocks(small, 16, 4);
	memset(page_to_addr(big), 1, PAGE_SIZE << MAX_ORDER);
	page_free(big, MAX_ORDER);
	for (unsigned int i = 0; i < 16; i += 2) {
		memset(page_to_addr(small[i]), 1, PAGE_SIZE << 4);
		page_free(small[i], 4);
	}
	page_age();
	need(8, 4);
	page_age();
	assert_int_equal(resident_pages(big, 1 << MAX_ORDER), 0);
	for (unsigned int i = 0; i < 16; i += 2)
		assert_int_equal(resident_pages(small[i], 1 << 4), 1 << 4);
	for (unsigned int i = 1; i < 16; i += 2)
		page_free(small[i], 4);
	everything_is_merged();
}

/* Far more scattered pages than go in one tick, or in as many as a quiet process is given for what does not go at all. */
static void an_idle_process_gives_back_the_last_page(void **state)
{
	enum { NR = SANITIZED ? 20000 : 100000, STEP = 2 };
	static struct page *pages[NR];
	struct page_stats stats;
	int ticks = 0;

	(void)state;
	begin();
	alloc_blocks(pages, NR, 0);
	for (int i = 0; i < NR; i += 100)
		*(uint64_t *)page_to_addr(pages[i + 1]) = (uint64_t)i;
	for (int i = 0; i < NR; i += STEP)
		page_free(pages[i], 0);
	while (page_age() && ticks < ENOUGH_TICKS)
		ticks++;
	assert_in_range(ticks, 1, ENOUGH_TICKS - 1);
	page_stats_get(&stats);
	assert_int_equal(stats.pcp_bytes, 0);
	assert_int_equal(stats.free_bytes, stats.free_zero_bytes);
	page_check();
	for (int i = 0; i < NR; i += 100)
		assert_int_equal(*(uint64_t *)page_to_addr(pages[i + 1]), i);
	for (int i = 1; i < NR; i += STEP)
		page_free(pages[i], 0);
	everything_is_merged();
}

/* Locked memory stays dirty; the thread must not go on for its sake. */
static void what_the_os_does_not_take_back_is_left_alone(void **state)
{
	struct page *page;
	int ticks = 0;

	(void)state;
	if (skip_sanitized("locked memory: the sanitizers keep mlock() from the kernel"))
		skip();
	begin();
	page = page_alloc(4, 0);
	if (mlock(page_to_addr(page), PAGE_SIZE << 4)) {
		page_free(page, 4);
		skip_part("locked memory: none may be had here");
		skip();
	}
	page_free(page, 4);
	while (page_age() && ticks < ENOUGH_TICKS)
		ticks++;
	assert_true(ticks < ENOUGH_TICKS);
	assert_true(dirty_pages() >= 16);
	munlock(page_to_addr(page), PAGE_SIZE << 4);
	page_release(0);
	everything_is_merged();
}

/* ---- huge pages ---- */

/* Takes small memory out of the way: nr blocks, so that what follows lies where huge pages are wanted. */
static unsigned int fill_small(struct page **pages, unsigned int most)
{
	unsigned int nr = 0;

	while (nr < most) {
		pages[nr] = page_alloc(MAX_ORDER, 0);
		assert_non_null(pages[nr]);
		if (huge_wanted(page_struct_to_pfn(pages[nr++])))
			return nr;
	}
	fail();
	return 0;
}

static void parts_of_huge_pages_stay_until_it_is_quiet(void **state)
{
	struct page *pages[512];
	unsigned int nr = fill_small(pages, ARRAY_SIZE(pages));
	struct page *huge = pages[nr - 1];

	(void)state;
	page_release(0);
	page_age();
	page_free(huge + 256, 8);
	for (int i = 1; i < SPLIT_TICKS; i++) {
		assert_true(page_age());
		assert_int_equal(dirty_pages(), 256);
	}
	need(1, 8); /* not quiet any more */
	page_age();
	for (int i = 1; i < SPLIT_TICKS; i++) {
		assert_int_equal(dirty_pages(), 256);
		page_age();
	}
	assert_int_equal(dirty_pages(), 0);
	/* A whole one goes at the first occasion. */
	page_free(huge + 512, 9);
	page_age();
	assert_int_equal(dirty_pages(), 512);
	page_age();
	assert_int_equal(dirty_pages(), 0);
	page_free(huge, 8);
	free_blocks(pages, nr - 1, MAX_ORDER);
	everything_is_merged();
}

/* ---- the limit ---- */

static void the_limit_depends_on_who_is_there(void **state)
{
	struct page *pages[24];

	(void)state;
	begin();
	wake_answer = false;
	alloc_blocks(pages, 24, MAX_ORDER);
	free_blocks(pages, 24, MAX_ORDER);
	assert_in_range(dirty_pages(), RETAIN_PAGES + 1, 4 * RETAIN_PAGES);
	page_reclaim_active(false);
	need(1, 4);
	assert_in_range(dirty_pages(), 0, RETAIN_PAGES);
	wake_answer = true; /* somebody will come */
	alloc_blocks(pages, 24, MAX_ORDER);
	free_blocks(pages, 24, MAX_ORDER);
	assert_true(dirty_pages() >= 24 * SECTION_PAGES - RETAIN_PAGES);
	wake_answer = false;
	everything_is_merged();
}

/* ---- threads and fork ---- */

#define NR_THREADS 4
static bool stop; /* Synchronization: atomic */

struct block {
	struct page *page;
	size_t nr_pages;
	uint64_t mark;
};

static uint64_t *last_word(const struct block *block)
{
	return (uint64_t *)page_to_addr(block->page + block->nr_pages) - 1;
}

static bool block_get(struct block *block, uint32_t *seed)
{
	unsigned int flags = random_next(seed) % 4 ? 0 : PAGE_ALLOC_ZERO;
	uint64_t *first;

	block->nr_pages = 1 + random_next(seed) % (random_next(seed) % 4 ? 8 : 400);
	block->page = page_alloc_exact(block->nr_pages, flags);
	if (!block->page)
		return false;
	first = page_to_addr(block->page);
	if (flags && (*first || *last_word(block)))
		return false;
	block->mark = random_next(seed);
	*first = *last_word(block) = block->mark;
	return true;
}

static bool block_put(struct block *block)
{
	bool good = *(uint64_t *)page_to_addr(block->page) == block->mark && *last_word(block) == block->mark;

	page_free_exact(block->page);
	block->page = NULL;
	return good;
}

static void *churn(void *arg)
{
	struct block blocks[60] = {0};
	uint32_t seed = 31 + (uint32_t)(uintptr_t)arg * 7919;
	bool good = true;

	for (int i = 0; i < (SANITIZED ? 6000 : 30000) && good; i++) {
		struct block *block = &blocks[random_next(&seed) % ARRAY_SIZE(blocks)];

		good = block->page ? block_put(block) : block_get(block, &seed);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		good = (!blocks[i].page || block_put(&blocks[i])) && good;
	return (void *)(uintptr_t)good;
}

static void *age(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		page_age();
	return arg;
}

static void churners_are_good(const pthread_t *threads)
{
	void *good;

	for (int i = 0; i < NR_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_non_null(good);
	}
}

static void child_ages(void *arg)
{
	struct block block;
	uint32_t seed = 5;

	(void)arg;
	page_check();
	for (int i = 0; i < 100; i++) {
		if (!block_get(&block, &seed) || !block_put(&block))
			child_end(1);
	}
	for (int i = 0; i < ENOUGH_TICKS && page_age(); i++)
		;
	page_check();
	child_end(dirty_pages() == 0 && !zones[ZONE_HOSTED].nr_in_flight ? 0 : 2);
}

/* Threads use every page that is given back under their hands, and forks fall into the middle of it. */
static void aging_takes_nothing_away_from_threads_and_children(void **state)
{
	pthread_t threads[NR_THREADS], ager;
	char output[2000];

	(void)state;
	begin();
	stop = false;
	assert_int_equal(pthread_create(&ager, NULL, age, NULL), 0);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; i < 30; i++)
		assert_int_equal(child_run(child_ages, NULL, output, sizeof(output)), 0);
	churners_are_good(threads);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(ager, NULL);
	everything_is_merged();
}

/* ---- */

static void fork_prepare(void)
{
	lock_fork_begin();
	page_fork_prepare();
}

static void fork_parent(void)
{
	page_fork_parent();
	lock_fork_end();
}

static void fork_child(void)
{
	page_fork_child();
	lock_fork_end();
}

static int boot(void **state)
{
	(void)state;
	page_set_reclaim(wake, NULL);
	tunable_thp_after = 32ul << 20;
	pthread_atfork(fork_prepare, fork_parent, fork_child);
	return memory_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_called_before_the_process_has_grown),
		cmocka_unit_test(growth_calls_unless_somebody_is_active),
		cmocka_unit_test(fork_children_count_anew),
		cmocka_unit_test(only_what_the_interval_did_not_need_goes),
		cmocka_unit_test(the_low_water_mark_is_exact),
		cmocka_unit_test(the_largest_blocks_go_first),
		cmocka_unit_test(an_idle_process_gives_back_the_last_page),
		cmocka_unit_test(what_the_os_does_not_take_back_is_left_alone),
		cmocka_unit_test(parts_of_huge_pages_stay_until_it_is_quiet),
		cmocka_unit_test(the_limit_depends_on_who_is_there),
		cmocka_unit_test(aging_takes_nothing_away_from_threads_and_children),
	};

	return test_status(cmocka_run_group_tests(tests, boot, NULL));
}
