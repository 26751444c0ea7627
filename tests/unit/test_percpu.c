/*
 * test_percpu.c: the contract of magazine.h's operations, in the mode that FLAGSTONE_CONF asks for.
 *
 * Links with the percpu room and those below only. Drains, thread ends and forks are in test_areas.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "percpu/thread.h"
#include "runtime/lib/tunables.h"
#include "tests/unit/percpu_fixture.h"

#define SLOT 7

/* With several fake CPUs a thread hops between areas: then these steps have no one area to be about. */
#define skip_if_hopping()             \
	do {                          \
		if (!fixture_stays()) \
			skip();       \
	} while (0)

static int setup(void **state)
{
	(void)state;
	return fixture_memory();
}

static void test_before_boot_every_operation_says_no(void **state)
{
	struct area_view view = {0};

	(void)state;
	assert_int_equal(percpu_mode, PERCPU_BOOTING);
	assert_null(area_pop(SLOT));
	assert_false(area_push(SLOT, token(0)));
	assert_false(area_snapshot(SLOT, &view));
	assert_false(area_install(SLOT, &view, view.pair));
	area_drain(0, AREA_SLOTS, remember);
	assert_int_equal(nr_deliveries, 0);
	assert_string_equal(percpu_mode_name(percpu_mode, &percpu_fast), "booting");
}

static void test_boot_chooses_the_mode_that_was_asked_for(void **state)
{
	const char *name;

	(void)state;
	fixture_boot();
	name = percpu_mode_name(percpu_mode, &percpu_fast);
	if (tunable_magazine == MAGAZINE_LOCKED)
		assert_string_equal(name, "locked");
	else if (tunable_magazine == MAGAZINE_THREAD || !CONFIG_RSEQ)
		assert_string_equal(name, "thread");
	else if (percpu_mode == PERCPU_RSEQ && tunable_cpu_number == CPU_NUMBER_CPU_ID)
		assert_string_equal(name, "rseq cpu_id");
	print_message("mode: %s\n", name);
}

static void test_fresh_area_is_empty_and_full(void **state)
{
	(void)state;
	for (unsigned int slot = 0; slot < AREA_SLOTS; slot++) {
		assert_null(area_pop(slot));
		assert_false(area_push(slot, token(0)));
		assert_pair_is(pair_of(slot), 0, 0);
	}
}

static void check_stack(unsigned int slot, unsigned int capacity)
{
	install(slot, filled(0, capacity, 0, 0), pair_of(slot).top ? filled(1, capacity, 0, 0) : 0);
	assert_null(area_pop(slot));
	for (unsigned int i = 0; i < capacity; i++) {
		assert_int_equal(magazine_count(pair_of(slot).top, capacity), i);
		assert_true(area_push(slot, token(i)));
	}
	assert_true(magazine_is_full(pair_of(slot).top));
	assert_false(area_push(slot, token(capacity)));
	for (unsigned int i = capacity; i-- > 0;) {
		assert_int_equal(magazine_count(pair_of(slot).top, capacity), i + 1);
		assert_ptr_equal(area_pop(slot), token(i));
	}
	assert_null(area_pop(slot));
	assert_int_equal(pair_of(slot).top, magazine_top_at(&magazines[0], capacity, 0));
}

static void test_magazine_of_every_capacity_is_a_stack(void **state)
{
	skip_if_hopping();
	for (unsigned int capacity = 4; capacity <= MAGAZINE_MAX_CAPACITY; capacity++) {
		fixture_clear(state);
		check_stack(capacity, capacity);
	}
}

static void test_pushes_stay_above_the_floor(void **state)
{
	void *below[MAGAZINE_WORDS];

	(void)state;
	skip_if_hopping();
	memset(magazines, 0x11, sizeof(*magazines));
	install(SLOT, filled(0, 4, 0, 0), 0);
	memcpy(below, magazines, sizeof(below));
	for (int round = 0; round < 3; round++) {
		while (area_push(SLOT, token(1)))
			;
		while (area_pop(SLOT))
			;
	}
	assert_memory_equal(below, magazines, (MAGAZINE_WORDS - 4) * sizeof(void *));
	assert_ptr_equal(magazines[1].word[0], NULL);
}

static void test_pop_and_push_leave_the_spare_and_other_slots(void **state)
{
	magazine_top spare = filled(2, 8, 3, 10);

	(void)state;
	skip_if_hopping();
	install(SLOT, filled(1, 8, 4, 20), spare);
	install(SLOT + 1, filled(3, 8, 2, 30), 0);
	assert_ptr_equal(area_pop(SLOT), token(23));
	assert_true(area_push(SLOT, token(24)));
	assert_pair_is(pair_of(SLOT), magazine_top_at(&magazines[1], 8, 4), spare);
	assert_pair_is(pair_of(SLOT + 1), magazine_top_at(&magazines[3], 8, 2), 0);
	assert_pair_is(pair_of(SLOT - 1), 0, 0);
}

static void test_spare_comes_into_use_by_changing_places(void **state)
{
	magazine_top empty = filled(1, 8, 0, 0), spare = filled(2, 8, 3, 10);

	(void)state;
	skip_if_hopping();
	install(SLOT, empty, spare);
	assert_null(area_pop(SLOT));
	install(SLOT, spare, empty);
	assert_ptr_equal(area_pop(SLOT), token(12));
}

static void test_install_refuses_a_view_that_is_not_true_any_more(void **state)
{
	struct magazine_pair other = {filled(4, 8, 1, 50), filled(5, 8, 1, 60)};
	magazine_top main = filled(1, 8, 4, 20), spare = filled(2, 8, 3, 10);
	struct area_view view;

	(void)state;
	skip_if_hopping();
	install(SLOT, main, spare);
	assert_true(area_snapshot(SLOT, &view));
	view.pair.top += 8;
	assert_false(area_install(SLOT, &view, other));
	view.pair.top = main;
	view.pair.spare -= 8;
	assert_false(area_install(SLOT, &view, other));
	view.pair.spare = spare ^ 1ull << 48;
	assert_false(area_install(SLOT, &view, other));
	view.pair.spare = spare;
	area_pop(SLOT);
	assert_false(area_install(SLOT, &view, other));
	area_push(SLOT, token(23));
	assert_pair_is(pair_of(SLOT), main, spare);
	assert_true(area_install(SLOT, &view, other));
	assert_pair_is(pair_of(SLOT), other.top, other.spare);
}

static void test_install_refuses_the_view_of_another_cpu(void **state)
{
	struct magazine_pair new_pair = {filled(1, 8, 1, 0), 0};
	struct area_view view;

	(void)state;
	if (percpu_mode != PERCPU_RSEQ)
		skip(); /* a locked area may be written from any CPU, a thread's has no number */
	assert_true(area_snapshot(SLOT, &view));
	view.cpu++;
	assert_false(area_install(SLOT, &view, new_pair));
	view.cpu -= 2; /* -1 is an area too, and must stay zero */
	assert_false(area_install(SLOT, &view, new_pair));
	assert_pair_is(pair_of(SLOT), 0, 0);
}

static void test_stopped_area_takes_no_magazine(void **state)
{
	struct magazine_pair new_pair = {filled(1, 8, 1, 0), 0};
	struct area_view view, again;
	struct area *area;

	(void)state;
	if (percpu_mode == PERCPU_LOCKED)
		skip(); /* its drains hold the lock instead */
	assert_true(area_snapshot(SLOT, &view));
	area = own_area();
	area->stopped = 1;
	assert_false(area_snapshot(SLOT, &again));
	assert_false(area_install(SLOT, &view, new_pair));
	area->stopped = 0;
	assert_pair_is(pair_of(SLOT), 0, 0);
	assert_true(area_install(SLOT, &view, new_pair));
}

/* What a signal handler meets that interrupted an operation of its thread. */
static void test_interrupted_operation_keeps_its_area(void **state)
{
	struct area_view view = {0};

	(void)state;
	if (percpu_mode != PERCPU_THREAD)
		skip();
	install(SLOT, filled(1, 8, 4, 20), 0);
	percpu_thread.area->busy = 1;
	assert_null(area_pop(SLOT));
	assert_false(area_push(SLOT, token(1)));
	assert_false(area_snapshot(SLOT, &view));
	assert_false(area_install(SLOT, &view, (struct magazine_pair){filled(2, 8, 0, 0), 0}));
	assert_int_equal(percpu_thread.area->busy, 1);
	percpu_thread.area->busy = 0;
	assert_ptr_equal(area_pop(SLOT), token(23));
}

static void check_area_slot_0(const struct area *area, int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	assert_pair_is(area->pair[0], 0, 0);
}

static void test_slot_0_and_areas_without_a_cpu_stay_zero(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		area_push(0, token(i));
		area_pop(0);
	}
	area_for_each(check_area_slot_0, NULL);
	for (long at = -PERCPU_BELOW; at < PERCPU_AREAS; at++)
		assert_int_equal(percpu_fast.anchor[at], 0);
}

static void test_cpu_hint_is_a_number_that_tables_have(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_in_range(percpu_cpu_hint(), 0, CONFIG_NR_CPUS - 1);
}

/* ---- fake CPUs ---- */

static void test_fake_cpus_are_all_visited_and_no_other(void **state)
{
	unsigned int visits[CONFIG_NR_CPUS] = {0}, seen = 0;
	struct area_view view;

	(void)state;
	if (percpu_mode != PERCPU_LOCKED)
		skip();
	assert_int_equal(count_areas(), tunable_fake_cpus);
	for (int i = 0; i < 200000; i++) {
		assert_true(area_snapshot(SLOT, &view));
		assert_in_range(view.cpu, 0, tunable_fake_cpus - 1);
		seen += !visits[view.cpu]++;
	}
	assert_int_equal(seen, tunable_fake_cpus);
}

static unsigned int give_every_cpu_a_magazine(void)
{
	unsigned int nr = 0;
	struct area_view view;

	for (int i = 0; i < 200000; i++) {
		assert_true(area_snapshot(SLOT, &view));
		if (view.pair.top)
			continue;
		assert_true(area_install(SLOT, &view, (struct magazine_pair){filled(nr, 4, 0, 0), 0}));
		nr++;
	}
	return nr;
}

static void test_tokens_pushed_on_many_cpus_come_back_once_each(void **state)
{
	unsigned int nr_magazines, n = 0;
	uint8_t seen[4 * CONFIG_NR_CPUS] = {0};

	(void)state;
	if (percpu_mode != PERCPU_LOCKED)
		skip();
	nr_magazines = give_every_cpu_a_magazine();
	assert_int_equal(nr_magazines, tunable_fake_cpus);
	for (int i = 0; i < 1000000 && n < 4 * nr_magazines; i++)
		n += area_push(SLOT, token(n));
	assert_int_equal(n, 4 * nr_magazines);
	for (int i = 0; i < 1000000 && n; i++) {
		void *object = area_pop(SLOT);

		if (!object)
			continue;
		assert_int_equal(seen[((uintptr_t)object - (uintptr_t)token(0)) / 16]++, 0);
		n--;
	}
	assert_int_equal(n, 0);
}

#define unit(test) cmocka_unit_test_setup(test, fixture_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_boot_every_operation_says_no),
		cmocka_unit_test(test_boot_chooses_the_mode_that_was_asked_for),
		unit(test_fresh_area_is_empty_and_full),
		unit(test_magazine_of_every_capacity_is_a_stack),
		unit(test_pushes_stay_above_the_floor),
		unit(test_pop_and_push_leave_the_spare_and_other_slots),
		unit(test_spare_comes_into_use_by_changing_places),
		unit(test_install_refuses_a_view_that_is_not_true_any_more),
		unit(test_install_refuses_the_view_of_another_cpu),
		unit(test_stopped_area_takes_no_magazine),
		unit(test_interrupted_operation_keeps_its_area),
		unit(test_slot_0_and_areas_without_a_cpu_stay_zero),
		unit(test_cpu_hint_is_a_number_that_tables_have),
		unit(test_fake_cpus_are_all_visited_and_no_other),
		unit(test_tokens_pushed_on_many_cpus_come_back_once_each),
	};

	return fixture_status(cmocka_run_group_tests(tests, setup, NULL));
}
