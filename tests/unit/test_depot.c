/*
 * test_depot.c: magazines change places with the depot whole, and never get lost or doubled.
 *
 * Broken if this fails: a full magazine is installed twice, limits are exceeded, or a held lock is waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <linux/slab.h>

#include "runtime/host/host.h"
#include "runtime/slab/slab.h"

#define MAX_EMPTY 8 /* depot.c keeps so many */

static struct kmem_cache *cache;
static host_sigmask_t mask;

static int setup(void **state)
{
	(void)state;
	cache = kmem_cache_create("depot", 3000, 0, 0, NULL);
	assert_non_null(cache);
	assert_true(cache->slot);
	mask = host_signals_block();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_signals_restore(mask);
	kmem_cache_destroy(cache);
	return 0;
}

static void **objects_of(struct magazine *magazine)
{
	return &magazine->word[MAGAZINE_WORDS - cache->capacity];
}

/* A magazine filled from the slabs. */
static struct magazine *full_magazine(void)
{
	struct magazine *magazine = magazine_get(cache->capacity);
	unsigned int got = 0;

	assert_non_null(magazine);
	while (got < cache->capacity)
		got += slabs_alloc(cache, objects_of(magazine) + got, cache->capacity - got);
	return magazine;
}

static void dispose_full(struct magazine *magazine)
{
	slabs_free(cache, objects_of(magazine), cache->capacity);
	magazine_put(magazine);
}

static unsigned int length(struct magazine *list)
{
	unsigned int nr = 0;

	for (; list; list = list->next)
		nr++;
	return nr;
}

static void dispose_list(struct magazine *list, bool full)
{
	for (struct magazine *next; list; list = next) {
		next = list->next;
		if (full)
			dispose_full(list);
		else
			magazine_put(list);
	}
}

static void magazines_are_aligned_and_floored(void **state)
{
	struct magazine *magazine = magazine_get(7);

	(void)state;
	assert_int_equal((uintptr_t)magazine % MAGAZINE_SIZE, 0);
	assert_null(magazine->word[MAGAZINE_WORDS - 8]);
	assert_true(magazine_is_empty(magazine_top_at(magazine, 7, 0)));
	assert_true(magazine_is_full(magazine_top_at(magazine, 7, 7)));
	for (unsigned int count = 0; count <= 7; count++) {
		magazine_top top = magazine_top_at(magazine, 7, count);

		assert_int_equal(magazine_count(top, 7), count);
		assert_ptr_equal(magazine_of(top), magazine);
	}
	magazine_put(magazine);
}

static void full_ones_are_taken_up_to_the_limit(void **state)
{
	struct depot *depot = &cache->depot;
	struct magazine *list;

	(void)state;
	assert_true(depot->max_full >= 2);
	for (unsigned int i = 0; i < depot->max_full; i++)
		assert_true(depot_give(depot, full_magazine(), true));
	assert_int_equal(depot->nr_full, depot->max_full);
	list = full_magazine();
	assert_false(depot_give(depot, list, true));
	dispose_full(list);
	assert_int_equal(length(depot->full), depot->nr_full);
	list = depot_take_all(depot, true);
	assert_int_equal(length(list), depot->max_full);
	assert_int_equal(depot->nr_full, 0);
	assert_null(depot->full);
	dispose_list(list, true);
}

static void empty_ones_are_taken_up_to_the_limit(void **state)
{
	struct depot *depot = &cache->depot;
	struct magazine *list;

	(void)state;
	for (unsigned int i = 0; i < MAX_EMPTY; i++)
		assert_true(depot_give(depot, magazine_get(cache->capacity), false));
	list = magazine_get(cache->capacity);
	assert_false(depot_give(depot, list, false));
	magazine_put(list);
	assert_int_equal(depot->nr_empty, MAX_EMPTY);
	list = depot_take_all(depot, false);
	assert_int_equal(length(list), MAX_EMPTY);
	assert_int_equal(depot->nr_empty, 0);
	dispose_list(list, false);
}

static struct area_view view_now(void)
{
	struct area_view view;

	while (!area_snapshot(cache->slot, &view))
		host_yield();
	return view;
}

static bool is_none(struct magazine_pair pair)
{
	return !pair.top && !pair.spare;
}

static struct magazine_pair drained;

static void keep_drained(unsigned int slot, struct magazine_pair pair)
{
	assert_int_equal(slot, cache->slot);
	assert_true(is_none(drained));
	drained = pair;
}

/* What is in some CPU's slot, taken out of it. */
static struct magazine_pair take_back(void)
{
	drained = (struct magazine_pair){0, 0};
	area_drain(cache->slot, cache->slot + 1, keep_drained);
	return drained;
}

/* A view may be out of date as soon as it is taken (migration): another one then. */
static void swap_full_installs_the_full_one(void **state)
{
	struct magazine *full = full_magazine();
	struct magazine_pair pair;

	(void)state;
	assert_true(depot_give(&cache->depot, full, true));
	for (;;) {
		struct area_view view = view_now();

		assert_true(is_none(view.pair));
		if (depot_swap_full(cache, &view, 0, 0))
			break;
		assert_int_equal(cache->depot.nr_full, 1);
	}
	assert_int_equal(cache->depot.nr_full, 0);
	assert_int_equal(cache->depot.nr_empty, 0);
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), full);
	assert_int_equal(magazine_count(pair.top, cache->capacity), cache->capacity);
	assert_int_equal(pair.spare, 0);
	dispose_full(full);
}

static void swap_full_takes_the_surplus(void **state)
{
	struct magazine *full = full_magazine();
	struct magazine *kept = magazine_get(cache->capacity), *surplus = magazine_get(cache->capacity);
	magazine_top keep = magazine_top_at(kept, cache->capacity, 0);
	magazine_top give = magazine_top_at(surplus, cache->capacity, 0);
	struct magazine_pair pair;
	struct area_view view;

	(void)state;
	assert_true(depot_give(&cache->depot, full, true));
	do
		view = view_now();
	while (!depot_swap_full(cache, &view, keep, give));
	assert_int_equal(cache->depot.nr_empty, 1);
	assert_ptr_equal(cache->depot.empty, surplus);
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), full);
	assert_ptr_equal(magazine_of(pair.spare), kept);
	dispose_list(depot_take_all(&cache->depot, false), false);
	magazine_put(kept);
	dispose_full(full);
}

static void swap_empty_takes_the_full_surplus(void **state)
{
	struct magazine *full = full_magazine(), *empty = magazine_get(cache->capacity);
	struct magazine_pair pair;
	struct area_view view;

	(void)state;
	assert_true(depot_give(&cache->depot, empty, false));
	do
		view = view_now();
	while (!depot_swap_empty(cache, &view, 0, magazine_top_at(full, cache->capacity, cache->capacity)));
	assert_int_equal(cache->depot.nr_full, 1);
	assert_int_equal(cache->depot.nr_empty, 0);
	assert_ptr_equal(cache->depot.full, full);
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), empty);
	assert_int_equal(magazine_count(pair.top, cache->capacity), 0);
	magazine_put(empty);
	dispose_list(depot_take_all(&cache->depot, true), true);
}

static void a_stale_view_changes_nothing(void **state)
{
	struct magazine *full = full_magazine(), *other = magazine_get(cache->capacity);
	struct area_view view = view_now();

	(void)state;
	view.pair.top = magazine_top_at(other, cache->capacity, 0); /* which no CPU holds */
	assert_true(depot_give(&cache->depot, full, true));
	assert_false(depot_swap_full(cache, &view, 0, magazine_top_at(other, cache->capacity, 0)));
	assert_int_equal(cache->depot.nr_full, 1);
	assert_int_equal(cache->depot.nr_empty, 0);
	assert_true(is_none(take_back()));
	magazine_put(other);
	dispose_list(depot_take_all(&cache->depot, true), true);
}

static void an_empty_depot_has_nothing_to_swap(void **state)
{
	struct area_view view = view_now();

	(void)state;
	assert_false(depot_swap_full(cache, &view, 0, 0));
	assert_false(depot_swap_empty(cache, &view, 0, 0));
	assert_true(is_none(take_back()));
}

/* As a signal handler finds it that interrupted the holder. */
static void a_held_lock_is_not_waited_for(void **state)
{
	struct magazine *empty = magazine_get(cache->capacity);
	struct area_view view = view_now();
	void *objects[200];

	(void)state;
	assert_true(lock_try(&cache->depot.lock));
	assert_false(depot_give(&cache->depot, empty, false));
	assert_false(depot_swap_full(cache, &view, 0, 0));
	assert_false(depot_swap_empty(cache, &view, 0, 0));
	assert_null(depot_take_all(&cache->depot, true));
	for (int i = 0; i < 200; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_ATOMIC);
		assert_non_null(objects[i]);
	}
	kmem_cache_free_bulk(cache, 200, objects);
	lock_release(&cache->depot.lock);
	magazine_put(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(magazines_are_aligned_and_floored, setup, teardown),
		cmocka_unit_test_setup_teardown(full_ones_are_taken_up_to_the_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_ones_are_taken_up_to_the_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(swap_full_installs_the_full_one, setup, teardown),
		cmocka_unit_test_setup_teardown(swap_full_takes_the_surplus, setup, teardown),
		cmocka_unit_test_setup_teardown(swap_empty_takes_the_full_surplus, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_view_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_depot_has_nothing_to_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(a_held_lock_is_not_waited_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
