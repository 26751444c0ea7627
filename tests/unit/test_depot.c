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
#define CAPACITY 5 /* of magazines here, unlike any that the cache would take itself */

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

/* A magazine filled from the slabs. */
static struct magazine *full_magazine(void)
{
	struct magazine *magazine = magazine_get(CAPACITY);
	unsigned int got = 0;

	assert_non_null(magazine);
	while (got < CAPACITY)
		got += slabs_alloc(cache, magazine_objects(magazine) + got, CAPACITY - got);
	return magazine;
}

static magazine_top top_of(struct magazine *magazine, unsigned int count)
{
	return magazine_top_at(magazine, (unsigned int)magazine->capacity, count);
}

static bool give_full(struct magazine *magazine)
{
	return depot_give(cache, top_of(magazine, (unsigned int)magazine->capacity));
}

static bool give_empty(struct magazine *magazine)
{
	return depot_give(cache, top_of(magazine, 0));
}

static void dispose_full(struct magazine *magazine)
{
	slabs_free(cache, magazine_objects(magazine), (unsigned int)magazine->capacity);
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
	assert_int_equal(magazine->capacity, 7);
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
	unsigned int nr = cache->max_depot / CAPACITY;

	(void)state;
	assert_true(nr >= 2);
	for (unsigned int i = 0; i < nr; i++)
		assert_true(give_full(full_magazine()));
	assert_int_equal(depot->nr_objects, nr * CAPACITY);
	list = full_magazine();
	assert_false(give_full(list));
	dispose_full(list);
	assert_int_equal(length(depot->full.top), nr);
	depot_check(cache);
	list = depot_take_all(cache, true);
	assert_int_equal(length(list), nr);
	assert_int_equal(depot->full.nr, 0);
	assert_int_equal(depot->nr_objects, 0);
	assert_null(depot->full.top);
	dispose_list(list, true);
}

static void empty_ones_are_taken_up_to_the_limit(void **state)
{
	struct depot *depot = &cache->depot;
	struct magazine *list;

	(void)state;
	for (unsigned int i = 0; i < MAX_EMPTY; i++)
		assert_true(give_empty(magazine_get(CAPACITY)));
	list = magazine_get(CAPACITY);
	assert_false(give_empty(list));
	magazine_put(list);
	assert_int_equal(depot->empty.nr, MAX_EMPTY);
	list = depot_take_all(cache, false);
	assert_int_equal(length(list), MAX_EMPTY);
	assert_int_equal(depot->empty.nr, 0);
	dispose_list(list, false);
}

/* Neither full nor empty: its objects would be lost on one list and handed out as more than they are on the other. */
static void a_partly_filled_one_is_refused(void **state)
{
	struct magazine *magazine = full_magazine();

	(void)state;
	assert_false(depot_give(cache, top_of(magazine, CAPACITY - 1)));
	assert_int_equal(cache->depot.full.nr, 0);
	assert_int_equal(cache->depot.empty.nr, 0);
	dispose_full(magazine);
}

/* What lay there all the time since the last interval began goes; what was needed in it stays. */
static void an_interval_ends_with_what_nobody_needed(void **state)
{
	struct magazine *list;

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		assert_true(give_full(full_magazine()));
	assert_null(depot_take_idle(cache, true)); /* they came in this interval */
	depot_check(cache);
	list = depot_take_all(cache, true);
	for (struct magazine *next; list; list = next) {
		next = list->next;
		if (length(list) > 2)
			assert_true(give_full(list));
		else
			dispose_full(list);
	}
	assert_int_equal(cache->depot.full.nr, 3);
	assert_null(depot_take_idle(cache, true)); /* all were out at one time */
	assert_true(give_full(full_magazine()));
	list = depot_take_idle(cache, true);
	assert_int_equal(length(list), 3);
	assert_int_equal(cache->depot.full.nr, 1);
	depot_check(cache);
	dispose_list(list, true);
	dispose_list(depot_take_idle(cache, true), true);
	assert_int_equal(cache->depot.full.nr, 0);
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
	assert_true(give_full(full));
	for (;;) {
		struct swap swap = {view_now(), 0, 0};

		assert_true(is_none(swap.view.pair));
		if (depot_swap_full(cache, &swap))
			break;
		assert_int_equal(cache->depot.full.nr, 1);
	}
	assert_int_equal(cache->depot.full.nr, 0);
	assert_int_equal(cache->depot.empty.nr, 0);
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), full);
	assert_int_equal(magazine_count(pair.top, CAPACITY), CAPACITY);
	assert_int_equal(pair.spare, 0);
	dispose_full(full);
}

static void swap_full_takes_the_surplus(void **state)
{
	struct magazine *full = full_magazine();
	struct magazine *kept = magazine_get(CAPACITY), *surplus = magazine_get(CAPACITY + 1);
	struct swap swap = {.keep = top_of(kept, 0), .surplus = top_of(surplus, 0)};
	struct magazine_pair pair;

	(void)state;
	assert_true(give_full(full));
	do
		swap.view = view_now();
	while (!depot_swap_full(cache, &swap));
	assert_int_equal(swap.surplus, 0);
	assert_int_equal(cache->depot.empty.nr, 1);
	assert_ptr_equal(cache->depot.empty.top, surplus);
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), full);
	assert_ptr_equal(magazine_of(pair.spare), kept);
	dispose_list(depot_take_all(cache, false), false);
	magazine_put(kept);
	dispose_full(full);
}

static void swap_full_leaves_a_surplus_that_is_not_empty(void **state)
{
	struct magazine *full = full_magazine(), *surplus = full_magazine();
	struct swap swap = {.surplus = top_of(surplus, 2)};

	(void)state;
	assert_true(give_full(full));
	do
		swap.view = view_now();
	while (!depot_swap_full(cache, &swap));
	assert_int_equal(swap.surplus, top_of(surplus, 2));
	assert_ptr_equal(magazine_of(take_back().top), full);
	dispose_full(surplus);
	dispose_full(full);
}

static void swap_empty_takes_the_full_surplus(void **state)
{
	struct magazine *full = full_magazine(), *empty = magazine_get(CAPACITY);
	struct swap swap = {.surplus = top_of(full, CAPACITY)};
	struct magazine_pair pair;

	(void)state;
	assert_true(give_empty(empty));
	do
		swap.view = view_now();
	while (!depot_swap_empty(cache, &swap, CAPACITY));
	assert_int_equal(cache->depot.full.nr, 1);
	assert_int_equal(cache->depot.empty.nr, 0);
	assert_ptr_equal(cache->depot.full.top, full);
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), empty);
	assert_int_equal(magazine_count(pair.top, CAPACITY), 0);
	magazine_put(empty);
	dispose_list(depot_take_all(cache, true), true);
}

/* Without that, a class that grows would get its old magazines for ever. */
static void an_empty_one_leaves_with_the_capacity_asked_for(void **state)
{
	struct magazine *empty = magazine_get(CAPACITY);
	struct swap swap = {.keep = 0};
	struct magazine_pair pair;

	(void)state;
	assert_true(give_empty(empty));
	do
		swap.view = view_now();
	while (!depot_swap_empty(cache, &swap, 3 * CAPACITY));
	pair = take_back();
	assert_ptr_equal(magazine_of(pair.top), empty);
	assert_int_equal(empty->capacity, 3 * CAPACITY);
	assert_true(magazine_is_empty(pair.top));
	assert_int_equal(pair.top, top_of(empty, 0));
	magazine_put(empty);
}

static void a_stale_view_changes_nothing(void **state)
{
	struct magazine *full = full_magazine(), *other = magazine_get(CAPACITY);
	struct swap swap = {view_now(), 0, top_of(other, 0)};

	(void)state;
	swap.view.pair.top = top_of(other, 0); /* which no CPU holds */
	assert_true(give_full(full));
	assert_false(depot_swap_full(cache, &swap));
	assert_int_equal(swap.surplus, top_of(other, 0));
	assert_int_equal(cache->depot.full.nr, 1);
	assert_int_equal(cache->depot.empty.nr, 0);
	assert_true(is_none(take_back()));
	magazine_put(other);
	dispose_list(depot_take_all(cache, true), true);
}

static void an_empty_depot_has_nothing_to_swap(void **state)
{
	struct swap swap = {view_now(), 0, 0};

	(void)state;
	assert_false(depot_swap_full(cache, &swap));
	assert_false(depot_swap_empty(cache, &swap, CAPACITY));
	assert_true(is_none(take_back()));
}

/* As a signal handler finds it that interrupted the holder. */
static void a_held_lock_is_not_waited_for(void **state)
{
	struct magazine *empty = magazine_get(CAPACITY);
	struct swap swap = {view_now(), 0, 0};
	void *objects[200];

	(void)state;
	assert_true(lock_try(&cache->depot.lock));
	assert_false(give_empty(empty));
	assert_false(depot_swap_full(cache, &swap));
	assert_false(depot_swap_empty(cache, &swap, CAPACITY));
	assert_null(depot_take_all(cache, true));
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
		cmocka_unit_test_setup_teardown(a_partly_filled_one_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interval_ends_with_what_nobody_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(swap_full_leaves_a_surplus_that_is_not_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_one_leaves_with_the_capacity_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_view_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_depot_has_nothing_to_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(a_held_lock_is_not_waited_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
