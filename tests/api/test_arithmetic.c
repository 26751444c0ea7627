/*
 * test_arithmetic.c: <linux/overflow.h>, <linux/log2.h>, <linux/math.h>, <linux/minmax.h>, <linux/align.h>, <linux/stddef.h>.
 *
 * Broken if this fails: a size that does not fit is allocated smaller than asked for, or a driver's rounding is off by one. What a real
 * kernel says is in tests/kernel/ask_arithmetic.c; here are all numbers of a range, and uses that only have to compile.
 */
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct packet {
	u32 length;
	u16 words[];
};

static void sizes_that_do_not_fit_are_never_allocated(void **state)
{
	struct packet *packet = NULL;
	volatile size_t most = SIZE_MAX; /* the compiler would know it to be too much */

	(void)state;
	assert_int_equal(struct_size(packet, words, 3), 4 + 6);
	assert_int_equal(struct_size_t(struct packet, words, 3), 4 + 6);
	assert_int_equal(flex_array_size(packet, words, 3), 6);
	assert_int_equal(array_size(3, 4), 12);
	assert_int_equal(array3_size(3, 4, 5), 60);
	assert_true(struct_size(packet, words, SIZE_MAX / 2) == SIZE_MAX); /* the sum does not fit */
	assert_true(struct_size(packet, words, SIZE_MAX / 2 + 1) == SIZE_MAX); /* nor does the product */
	assert_true(struct_size(packet, words, -1) == SIZE_MAX);
	assert_true(array_size(1ul << 32, 1ul << 32) == SIZE_MAX);
	assert_true(array3_size(1ul << 32, 1ul << 31, 2) == SIZE_MAX);
	assert_true(size_add(SIZE_MAX, 1) == SIZE_MAX);
	assert_true(size_sub(SIZE_MAX, 1) == SIZE_MAX); /* what overflowed stays so */
	assert_true(size_sub(1, 2) == SIZE_MAX);
	assert_int_equal(size_sub(2, 1), 1);
	assert_null(kmalloc(struct_size(packet, words, most / 2), GFP_KERNEL | __GFP_NOWARN));
}

#define check_overflows(type, most, least)                                                \
	do {                                                                              \
		type sum, shifted;                                                        \
                                                                                          \
		assert_true(type_max(type) == (most));                                    \
		assert_true(type_min(type) == (least));                                   \
		assert_false(check_add_overflow((type)((most)-1), (type)1, &sum));        \
		assert_true(sum == (most));                                               \
		assert_true(check_add_overflow((type)(most), (type)1, &sum));             \
		assert_true(sum == (least));                                              \
		assert_true(check_sub_overflow((type)(least), (type)1, &sum));            \
		assert_true(sum == (most));                                               \
		assert_true(check_mul_overflow((type)((most) / 2 + 1), (type)2, &sum));   \
		assert_false(check_mul_overflow((type)((most) / 2), (type)2, &sum));      \
		for (int bits = 0; bits < 70; bits++) {                                   \
			bool fits = bits < 64 && (unsigned long long)(most) >> bits >= 1; \
                                                                                          \
			assert_int_equal(check_shl_overflow(1, bits, &shifted), !fits);   \
			if (fits)                                                         \
				assert_true(shifted == (type)1 << bits);                  \
		}                                                                         \
		assert_true(check_shl_overflow(-1, 1, &shifted));                         \
		assert_true(check_shl_overflow(1, -1, &shifted));                         \
	} while (0)

static void overflow_is_told_for_every_type(void **state)
{
	(void)state;
	check_overflows(u8, U8_MAX, 0);
	check_overflows(s8, S8_MAX, S8_MIN);
	check_overflows(u16, U16_MAX, 0);
	check_overflows(s16, S16_MAX, S16_MIN);
	check_overflows(u32, U32_MAX, 0);
	check_overflows(s32, S32_MAX, S32_MIN);
	check_overflows(u64, U64_MAX, 0);
	check_overflows(s64, S64_MAX, S64_MIN);
}

/* Constants: they size arrays. */
struct arrays {
	char seven[ilog2(255)], sixteen[roundup_pow_of_two(9)], eight[rounddown_pow_of_two(15)], four[order_base_2(9)];
	char three[bits_per(4)], one[roundup_pow_of_two(1)], aligned[ALIGN(13, 8)], up[DIV_ROUND_UP(9, 4)];
};

static void powers_of_two_are_found(void **state)
{
	unsigned long long power = 1;
	unsigned int log = 0;
	unsigned long n;

	(void)state;
	for (n = 1; n < 5000; n++) {
		if (n == 2 * power) {
			power *= 2;
			log++;
		}
		assert_int_equal(ilog2(n), log);
		assert_int_equal(rounddown_pow_of_two(n), power);
		assert_int_equal(is_power_of_2(n), n == power);
		assert_int_equal(roundup_pow_of_two(n), n == power ? power : 2 * power);
		assert_int_equal(order_base_2(n), n == power ? log : log + 1);
		assert_int_equal(bits_per(n), log + 1);
	}
	assert_false(is_power_of_2(0));
	assert_int_equal(ilog2(~0ull), 63);
	n = 7;
	assert_int_equal(ilog2(n++), 2); /* evaluated once */
	assert_int_equal(order_base_2(n++), 3);
	assert_int_equal(n, 9);
	assert_int_equal(sizeof_field(struct arrays, seven) + sizeof_field(struct arrays, sixteen) +
				 sizeof_field(struct arrays, eight) + sizeof_field(struct arrays, four),
		7 + 16 + 8 + 4);
	assert_int_equal(sizeof_field(struct arrays, three) + sizeof_field(struct arrays, one) +
				 sizeof_field(struct arrays, aligned) + sizeof_field(struct arrays, up),
		3 + 1 + 16 + 3);
}

static void rounding_goes_to_the_nearest_multiple(void **state)
{
	(void)state;
	for (int n = 0; n < 1000; n++)
		for (int d = 1; d < 40; d++) {
			assert_int_equal(roundup(n, d), (n + d - 1) / d * d);
			assert_int_equal(rounddown(n, d), n - n % d);
			assert_int_equal(DIV_ROUND_UP(n, d), n / d + (n % d != 0));
			assert_int_equal(DIV_ROUND_CLOSEST(n, d), n / d + (2 * (n % d) >= d));
			assert_int_equal(DIV_ROUND_CLOSEST(-n, d), -DIV_ROUND_CLOSEST(n, d));
			assert_int_equal(DIV_ROUND_CLOSEST(n, -d), -DIV_ROUND_CLOSEST(n, d));
			assert_int_equal(DIV_ROUND_CLOSEST(-n, -d), DIV_ROUND_CLOSEST(n, d));
			assert_int_equal(mult_frac(n, d, 7), n * d / 7);
		}
	assert_int_equal(DIV_ROUND_CLOSEST_ULL(1ull << 40, 3), 366503875925ull);
	assert_int_equal(mult_frac(1ull << 62, 6, 7), (1ull << 62) / 7 * 6 + (1ull << 62) % 7 * 6 / 7);
	assert_int_equal(round_up(4097ul, 4096), 8192);
	assert_int_equal(round_down(8191ul, 4096), 4096);
	assert_int_equal(ALIGN_DOWN(8191ul, 4096), 4096);
	assert_true(IS_ALIGNED(8192ul, 4096));
	assert_ptr_equal(PTR_ALIGN((char *)4097, 16), 4112);
	assert_ptr_equal(PTR_ALIGN_DOWN((char *)4097, 16), 4096);
	assert_int_equal(abs(-3ll), 3);
	assert_int_equal(upper_32_bits(0x123456789ull), 1);
}

static void the_smaller_and_the_larger_are_chosen(void **state)
{
	int a = 1, b = 2, evaluated = 0;

	(void)state;
	assert_int_equal(min3(3, 1, 2), 1);
	assert_int_equal(max3(2, 3, 1), 3);
	assert_int_equal(min_not_zero(0, 5), 5);
	assert_int_equal(min_not_zero(5, 0), 5);
	assert_int_equal(min_not_zero(5, 4), 4);
	assert_int_equal(min_not_zero(0, 0), 0);
	assert_int_equal(min(min(4, 3), min(5, 6)), 3);
	assert_int_equal(clamp(7, 1, 5), 5);
	assert_int_equal(clamp_val((u8)7, 8, 100), 8);
	assert_int_equal(max_t(unsigned int, -1, 1), -1u);
	assert_int_equal(min(evaluated++, 5), 0);
	assert_int_equal(evaluated, 1);
	swap(a, b);
	assert_int_equal(10 * a + b, 21);
}

struct layout {
	u8 first;
	u32 second;
	struct_group(both, u16 third; u16 fourth;);
};

static void members_are_where_they_are(void **state)
{
	struct layout layouts[3];
	u32 *second = &layouts[1].second;

	(void)state;
	assert_int_equal(offsetofend(struct layout, second), 8);
	assert_int_equal(sizeof_field(struct layout, both), 4);
	assert_int_equal(ARRAY_SIZE(layouts), 3);
	assert_ptr_equal(container_of(second, struct layout, second), &layouts[1]);
	assert_ptr_equal(&layouts[0].third, &layouts[0].both);
}

static void text_is_cut_and_its_length_told(void **state)
{
	char text[6] = "";

	(void)state;
	assert_int_equal(scnprintf(text, sizeof(text), "%d", 12), 2);
	assert_int_equal(scnprintf(text, sizeof(text), "%d", 1234567), 5);
	assert_string_equal(text, "12345");
	assert_int_equal(scnprintf(text, 0, "%d", 1), 0);
	assert_int_equal(scnprintf(text, 1, "%d", 1), 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_do_not_fit_are_never_allocated),
		cmocka_unit_test(overflow_is_told_for_every_type),
		cmocka_unit_test(powers_of_two_are_found),
		cmocka_unit_test(rounding_goes_to_the_nearest_multiple),
		cmocka_unit_test(the_smaller_and_the_larger_are_chosen),
		cmocka_unit_test(members_are_where_they_are),
		cmocka_unit_test(text_is_cut_and_its_length_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
