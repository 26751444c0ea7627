/*
 * test_magazine.c: positions in magazines (magazine.h), for every capacity and every fill.
 *
 * Sets the anchor itself and boots nothing: these are the pure functions below the operations of test_percpu.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "percpu/magazine.h"
#include "runtime/host/host.h"

#define NR_MAGAZINES 3

static struct magazine *magazines; /* neighbours: a position must not leak into the next one */

static int setup(void **state)
{
	char *memory = host_map_aligned(PERCPU_BELOW + PERCPU_BYTES, 4096);

	(void)state;
	magazines = host_map_aligned(4096, 4096);
	percpu_fast.anchor = memory + PERCPU_BELOW;
	return memory && magazines ? 0 : -1;
}

static void test_no_magazine_reads_as_empty_and_as_full(void **state)
{
	(void)state;
	assert_true(magazine_is_empty(0));
	assert_true(magazine_is_full(0));
	assert_int_equal(magazine_count(0, MAGAZINE_MAX_CAPACITY), 0);
}

static void test_position_names_its_magazine_and_its_fill(void **state)
{
	(void)state;
	for (int m = 0; m < NR_MAGAZINES; m++) {
		for (unsigned int capacity = 4; capacity <= MAGAZINE_MAX_CAPACITY; capacity++) {
			for (unsigned int count = 0; count <= capacity; count++) {
				magazine_top top = magazine_top_at(&magazines[m], capacity, count);

				assert_ptr_equal(magazine_of(top), &magazines[m]);
				assert_int_equal(magazine_count(top, capacity), count);
				assert_int_equal(magazine_is_full(top), count == capacity);
			}
		}
	}
}

static void test_floor_alone_makes_a_magazine_empty(void **state)
{
	(void)state;
	for (unsigned int capacity = 4; capacity <= MAGAZINE_MAX_CAPACITY; capacity++) {
		struct magazine *magazine = &magazines[1];

		for (unsigned int i = 0; i < MAGAZINE_WORDS; i++)
			magazine->word[i] = magazine;
		magazine->word[MAGAZINE_WORDS - 1 - capacity] = NULL;
		for (unsigned int count = 0; count <= capacity; count++)
			assert_int_equal(magazine_is_empty(magazine_top_at(magazine, capacity, count)), count == 0);
	}
}

static void test_link_and_stamp_lie_below_the_floor_of_every_capacity(void **state)
{
	unsigned int floor = MAGAZINE_WORDS - 1 - MAGAZINE_MAX_CAPACITY;

	(void)state;
	assert_true(offsetof(struct magazine, next) + sizeof(magazines->next) <= floor * sizeof(void *));
}

static void test_positions_below_the_anchor_work_too(void **state)
{
	char *anchor = percpu_fast.anchor;

	(void)state;
	percpu_fast.anchor = (char *)(magazines + 4) + 4096;
	for (unsigned int count = 0; count <= 124; count++) {
		magazine_top top = magazine_top_at(&magazines[2], 124, count);

		assert_ptr_equal(magazine_of(top), &magazines[2]);
		assert_int_equal(magazine_count(top, 124), count);
		assert_int_equal(magazine_is_full(top), count == 124);
	}
	percpu_fast.anchor = anchor;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_magazine_reads_as_empty_and_as_full),
		cmocka_unit_test(test_position_names_its_magazine_and_its_fill),
		cmocka_unit_test(test_floor_alone_makes_a_magazine_empty),
		cmocka_unit_test(test_link_and_stamp_lie_below_the_floor_of_every_capacity),
		cmocka_unit_test(test_positions_below_the_anchor_work_too),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
