/*
 * test_bitmap.c: <linux/bitmap.h> and the walks of <linux/bitops.h>, against a model of one bool a bit.
 *
 * Broken if this fails: a driver's table of free slots gives one out twice, or never.
 */
#include <linux/bitmap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/random.h"

#define MOST 200
#define ROUNDS 2000

struct model {
	bool bit[MOST];
};

static uint32_t seed = 1;

static unsigned int dice(unsigned int below)
{
	return random_below(&seed, below);
}

/* As the bits, with noise behind them. */
static void fill(unsigned long *map, struct model *model, unsigned int nbits)
{
	unsigned int density = dice(4);

	for (unsigned int bit = 0; bit < BITS_TO_LONGS(MOST) * BITS_PER_LONG; bit++) {
		bool set = density == 0 ? dice(20) == 0 : density == 1 ? dice(20) != 0 : dice(2) != 0;

		if (bit < nbits)
			model->bit[bit] = set;
		__assign_bit(bit, map, set);
	}
}

#define check_bits(map, nbits, expression)         \
	for (unsigned int i = 0; i < (nbits); i++) \
	assert_int_equal(test_bit(i, map), (expression))

static void maps_are_sets(void **state)
{
	DECLARE_BITMAP(a, MOST);
	DECLARE_BITMAP(b, MOST);
	DECLARE_BITMAP(to, MOST);
	struct model x, y;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int nbits = 1 + dice(MOST), weight = 0, both = 0, only = 0, differ = 0;

		fill(a, &x, nbits);
		fill(b, &y, nbits);
		for (unsigned int i = 0; i < nbits; i++) {
			weight += x.bit[i];
			both += x.bit[i] && y.bit[i];
			only += x.bit[i] && !y.bit[i];
			differ += x.bit[i] != y.bit[i];
		}
		assert_int_equal(bitmap_weight(a, nbits), weight);
		assert_int_equal(bitmap_weight_and(a, b, nbits), both);
		assert_int_equal(bitmap_empty(a, nbits), weight == 0);
		assert_int_equal(bitmap_full(a, nbits), weight == nbits);
		assert_int_equal(bitmap_intersects(a, b, nbits), both != 0);
		assert_int_equal(bitmap_subset(a, b, nbits), only == 0);
		assert_int_equal(bitmap_equal(a, b, nbits), differ == 0);
		assert_int_equal(bitmap_and(to, a, b, nbits), both != 0);
		check_bits(to, nbits, x.bit[i] && y.bit[i]);
		assert_true(bitmap_subset(to, a, nbits) && bitmap_subset(to, b, nbits));
		assert_int_equal(bitmap_andnot(to, a, b, nbits), only != 0);
		check_bits(to, nbits, x.bit[i] && !y.bit[i]);
		bitmap_or(to, a, b, nbits);
		check_bits(to, nbits, x.bit[i] || y.bit[i]);
		bitmap_xor(to, a, b, nbits);
		check_bits(to, nbits, x.bit[i] != y.bit[i]);
		bitmap_complement(to, a, nbits);
		check_bits(to, nbits, !x.bit[i]);
		bitmap_replace(to, a, to, b, nbits);
		check_bits(to, nbits, x.bit[i] != y.bit[i]);
		bitmap_copy(to, a, nbits);
		assert_true(bitmap_equal(to, a, nbits));
	}
}

static void runs_of_bits_are_set_found_and_cleared(void **state)
{
	DECLARE_BITMAP(map, MOST);
	struct model x;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int nbits = 1 + dice(MOST), start = dice(nbits), nr = dice(nbits - start + 1);
		unsigned int want = 1 + dice(6), mask = (1u << dice(4)) - 1, offset = dice(8), first;
		bool value = dice(2);

		fill(map, &x, nbits);
		if (value)
			bitmap_set(map, start, nr);
		else
			bitmap_clear(map, start, nr);
		for (unsigned int i = start; i < start + nr; i++)
			x.bit[i] = value;
		check_bits(map, nbits, x.bit[i]);

		for (first = start; first + want <= nbits; first++) {
			unsigned int clear = 0;

			while (clear < want && !x.bit[first + clear])
				clear++;
			if (clear == want && !((first + offset) & mask))
				break;
		}
		if (first + want <= nbits)
			assert_int_equal(bitmap_find_next_zero_area_off(map, nbits, start, want, mask, offset), first);
		else
			assert_true(bitmap_find_next_zero_area_off(map, nbits, start, want, mask, offset) > nbits);
	}
}

static void maps_are_shifted(void **state)
{
	DECLARE_BITMAP(map, MOST);
	DECLARE_BITMAP(to, MOST);
	struct model x;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS / 10; round++) {
		unsigned int nbits = 1 + dice(MOST), shift = dice(nbits + 5);

		fill(map, &x, nbits);
		bitmap_shift_right(to, map, shift, nbits);
		check_bits(to, nbits, i + shift < nbits && x.bit[i + shift]);
		bitmap_shift_left(to, map, shift, nbits);
		check_bits(to, nbits, i >= shift && x.bit[i - shift]);
		bitmap_copy(to, map, nbits);
		bitmap_shift_left(to, to, shift, nbits);
		check_bits(to, nbits, i >= shift && x.bit[i - shift]);
	}
}

static void words_of_other_sizes_are_the_same_bits(void **state)
{
	DECLARE_BITMAP(map, MOST);
	DECLARE_BITMAP(back, MOST);
	uint32_t words[BITS_TO_U32(MOST)];
	struct model x;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS / 10; round++) {
		unsigned int nbits = 1 + dice(MOST);

		fill(map, &x, nbits);
		bitmap_to_arr32(words, map, nbits);
		for (unsigned int i = 0; i < BITS_TO_U32(nbits) * 32; i++)
			assert_int_equal(words[i / 32] >> i % 32 & 1, i < nbits && x.bit[i]);
		bitmap_from_arr32(back, words, nbits);
		assert_true(bitmap_equal(map, back, nbits));
	}
	bitmap_from_u64(map, 1ull << 40 | 1);
	assert_int_equal(bitmap_weight(map, 64), 2);
}

static void walks_see_each_bit_once(void **state)
{
	DECLARE_BITMAP(a, MOST);
	DECLARE_BITMAP(b, MOST);
	struct model x, y;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int nbits = 1 + dice(MOST), n = 0, first, behind, next = 0;
		unsigned long bit;

		fill(a, &x, nbits);
		fill(b, &y, nbits);
		for_each_set_bit(bit, a, nbits)
		{
			assert_int_equal(find_nth_bit(a, nbits, n++), bit);
			assert_true(x.bit[bit]);
		}
		assert_int_equal(n, bitmap_weight(a, nbits));
		assert_int_equal(find_nth_bit(a, nbits, n), nbits);
		for_each_clear_bit(bit, a, nbits) n++;
		assert_int_equal(n, nbits);
		bit = dice(nbits);
		n = (unsigned int)bit;
		for_each_set_bit_from(bit, a, nbits)
		{
			for (; n < bit; n++)
				assert_false(x.bit[n]);
			n++;
		}
		for_each_set_bitrange(first, behind, a, nbits)
		{
			for (; next < first; next++)
				assert_false(x.bit[next]);
			for (; next < behind; next++)
				assert_true(x.bit[next]);
			assert_true(behind == nbits || !x.bit[behind]);
		}
		next = 0;
		for_each_clear_bitrange(first, behind, a, nbits) next += behind - first;
		assert_int_equal(next, nbits - bitmap_weight(a, nbits));
		for (n = 0; n < nbits && !(x.bit[n] && y.bit[n]); n++)
			;
		assert_int_equal(find_first_and_bit(a, b, nbits), n);
		for (n = 0; n < nbits && !(x.bit[n] && !y.bit[n]); n++)
			;
		assert_int_equal(find_next_andnot_bit(a, b, nbits, 0), n);
	}
}

static void regions_are_given_and_taken_back(void **state)
{
	unsigned long *map = bitmap_zalloc(100, GFP_KERNEL);

	(void)state;
	assert_true(bitmap_empty(map, 100));
	assert_int_equal(bitmap_find_free_region(map, 100, 0), 0);
	assert_int_equal(bitmap_find_free_region(map, 100, 3), 8);
	assert_int_equal(bitmap_allocate_region(map, 8, 1), -EBUSY);
	assert_int_equal(bitmap_allocate_region(map, 16, 1), 0);
	assert_int_equal(bitmap_find_free_region(map, 100, 6), -ENOMEM); /* 64 to 127 is too much */
	bitmap_release_region(map, 8, 3);
	assert_int_equal(bitmap_find_free_region(map, 100, 3), 8);
	assert_int_equal(bitmap_weight(map, 100), 1 + 8 + 2);
	bitmap_free(map);
	assert_null(bitmap_alloc(UINT32_MAX, GFP_KERNEL)); /* more than kmalloc() has */
	bitmap_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_sets),
		cmocka_unit_test(runs_of_bits_are_set_found_and_cleared),
		cmocka_unit_test(maps_are_shifted),
		cmocka_unit_test(words_of_other_sizes_are_the_same_bits),
		cmocka_unit_test(walks_see_each_bit_once),
		cmocka_unit_test(regions_are_given_and_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
