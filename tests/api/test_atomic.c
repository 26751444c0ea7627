/*
 * test_atomic.c: <linux/atomic.h>, <linux/bitops.h> and <asm/barrier.h>: what each operation returns and leaves, and that barriers order.
 *
 * Links with the sched room for barriers under ThreadSanitizer.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define check_type(prefix)                                          \
	do {                                                        \
		prefix##_t v = ATOMIC_INIT(5);                      \
		__typeof__(v.counter) old;                          \
                                                                    \
		prefix##_add(3, &v);                                \
		prefix##_sub(1, &v);                                \
		prefix##_inc(&v);                                   \
		prefix##_dec(&v);                                   \
		assert_int_equal(prefix##_read(&v), 7);             \
		assert_int_equal(prefix##_add_return(2, &v), 9);    \
		assert_int_equal(prefix##_sub_return(4, &v), 5);    \
		assert_int_equal(prefix##_fetch_add(2, &v), 5);     \
		assert_int_equal(prefix##_fetch_sub(2, &v), 7);     \
		assert_int_equal(prefix##_inc_return(&v), 6);       \
		assert_int_equal(prefix##_dec_return(&v), 5);       \
		assert_int_equal(prefix##_fetch_inc(&v), 5);        \
		assert_int_equal(prefix##_fetch_dec(&v), 6);        \
		assert_int_equal(prefix##_xchg(&v, 12), 5);         \
		assert_int_equal(prefix##_cmpxchg(&v, 11, 1), 12);  \
		assert_int_equal(prefix##_cmpxchg(&v, 12, 1), 12);  \
		old = 2;                                            \
		assert_false(prefix##_try_cmpxchg(&v, &old, 9));    \
		assert_int_equal(old, 1);                           \
		assert_true(prefix##_try_cmpxchg(&v, &old, 6));     \
		assert_int_equal(prefix##_fetch_and(3, &v), 6);     \
		assert_int_equal(prefix##_fetch_or(8, &v), 2);      \
		assert_int_equal(prefix##_fetch_xor(1, &v), 10);    \
		assert_int_equal(prefix##_fetch_andnot(3, &v), 11); \
		assert_int_equal(prefix##_read_acquire(&v), 8);     \
		prefix##_set_release(&v, 1);                        \
		assert_false(prefix##_add_unless(&v, 1, 1));        \
		assert_true(prefix##_add_unless(&v, 1, 3));         \
		assert_true(prefix##_inc_not_zero(&v));             \
		assert_false(prefix##_dec_and_test(&v));            \
		assert_true(prefix##_sub_and_test(2, &v));          \
		assert_false(prefix##_inc_not_zero(&v));            \
		assert_int_equal(prefix##_dec_if_positive(&v), -1); \
		assert_int_equal(prefix##_read(&v), 0);             \
		assert_true(prefix##_add_negative(-1, &v));         \
		assert_false(prefix##_inc_unless_negative(&v));     \
		assert_true(prefix##_dec_unless_positive(&v));      \
		prefix##_set(&v, -1);                               \
		assert_true(prefix##_inc_and_test(&v));             \
	} while (0)

static void numbers_change_as_they_say(void **state)
{
	atomic_t most = ATOMIC_INIT(0x7fffffff);
	unsigned long plain = 3;

	(void)state;
	check_type(atomic);
	check_type(atomic64);
	check_type(atomic_long);
	assert_int_equal(atomic_inc_return(&most), -0x7fffffff - 1);
	assert_int_equal(cmpxchg(&plain, 3ul, 4ul), 3);
	assert_int_equal(xchg(&plain, 9ul), 4);
	assert_int_equal(plain, 9);
}

/* Each order of an operation is an operation of its own. */
#define check_order(prefix, order)                                             \
	do {                                                                   \
		prefix##_t v = ATOMIC_INIT(5);                                 \
		__typeof__(v.counter) old = 9;                                 \
                                                                               \
		assert_int_equal(prefix##_inc_return##order(&v), 6);           \
		assert_int_equal(prefix##_dec_return##order(&v), 5);           \
		assert_int_equal(prefix##_fetch_inc##order(&v), 5);            \
		assert_int_equal(prefix##_fetch_dec##order(&v), 6);            \
		assert_int_equal(prefix##_fetch_andnot##order(1, &v), 5);      \
		assert_true(prefix##_add_negative##order(-5, &v));             \
		assert_int_equal(prefix##_fetch_sub##order(-10, &v), -1);      \
		assert_int_equal(prefix##_fetch_or##order(16, &v), 9);         \
		assert_int_equal(prefix##_xchg##order(&v, 8), 25);             \
		assert_int_equal(prefix##_cmpxchg##order(&v, 8, 7), 8);        \
		assert_false(prefix##_try_cmpxchg##order(&v, &old, 1));        \
		assert_int_equal(old, 7);                                      \
		assert_int_equal(prefix##_cond_read_acquire(&v, VAL == 7), 7); \
		assert_int_equal(prefix##_cond_read_relaxed(&v, VAL), 7);      \
	} while (0)
#define check_orders(prefix)                   \
	do {                                   \
		check_order(prefix, );         \
		check_order(prefix, _relaxed); \
		check_order(prefix, _acquire); \
		check_order(prefix, _release); \
	} while (0)

#define check_plain(order)                                                \
	do {                                                              \
		char *pointer = "one";                                    \
		u8 byte = 1;                                              \
		u16 half = 2, old = 3;                                    \
		u64 whole = 4;                                            \
                                                                          \
		assert_string_equal(xchg##order(&pointer, "two"), "one"); \
		assert_int_equal(xchg##order(&byte, 255), 1);             \
		assert_int_equal(cmpxchg##order(&byte, 1, 2), 255);       \
		assert_int_equal(byte, 255);                              \
		assert_false(try_cmpxchg##order(&half, &old, 5));         \
		assert_true(try_cmpxchg##order(&half, &old, 5));          \
		assert_int_equal(half, 5);                                \
		assert_int_equal(cmpxchg64##order(&whole, 4, 6), 4);      \
		assert_int_equal(whole, 6);                               \
	} while (0)

static void every_order_does_the_same(void **state)
{
	(void)state;
	check_orders(atomic);
	check_orders(atomic64);
	check_orders(atomic_long);
	check_plain();
	check_plain(_relaxed);
	check_plain(_acquire);
	check_plain(_release);
}

static void words_change_as_they_say(void **state)
{
	unsigned long map[2] = {6, 0};
	u32 word = 0xff;

	(void)state;
	assert_true(__test_and_change_bit(1, map));
	assert_false(__test_and_change_bit(65, map));
	__clear_bit_unlock(2, map);
	assert_int_equal(map[0], 0);
	assert_int_equal(map[1], 2);
	assert_int_equal(set_mask_bits(&word, 0xf0u, 0x30u), 0xff);
	assert_int_equal(word, 0x3f);
	assert_int_equal(sign_extend32(0x80, 7), -128);
	assert_int_equal(sign_extend32(0x17f, 7), 127);
	assert_int_equal(sign_extend64(1ull << 40, 40), -(1ll << 40));
	assert_int_equal(get_count_order(0), -1);
	assert_int_equal(get_count_order(1), 0);
	assert_int_equal(get_count_order(9), 4);
	assert_int_equal(__ffs64(1ull << 40), 40);
}

static void bits_change_as_they_say(void **state)
{
	unsigned long map[3] = {0}, bit, sum = 0;

	(void)state;
	set_bit(3, map);
	set_bit(64, map);
	__set_bit(191, map);
	assert_true(test_bit(64, map));
	assert_false(test_bit(65, map));
	assert_int_equal(map[1], 1);
	assert_true(test_and_set_bit(3, map));
	assert_false(test_and_set_bit(4, map));
	assert_true(test_and_clear_bit(4, map));
	assert_false(test_and_change_bit(70, map));
	assert_true(test_and_change_bit(70, map));
	for_each_set_bit(bit, map, 192) sum += bit;
	assert_int_equal(sum, 3 + 64 + 191);
	assert_int_equal(find_next_bit(map, 191, 65), 191);
	assert_int_equal(find_next_bit(map, 192, 65), 191);
	assert_int_equal(find_first_bit(map, 3), 3);
	assert_int_equal(find_first_zero_bit(map, 192), 0);
	assert_int_equal(find_next_zero_bit(map, 192, 3), 4);
	assert_int_equal(find_last_bit(map, 192), 191);
	assert_int_equal(find_last_bit(map, 191), 64);
	assign_bit(3, map, false);
	clear_bit_unlock(64, map);
	assert_int_equal(find_first_bit(map, 191), 191);
	assert_int_equal(__ffs(8), 3);
	assert_int_equal(ffz(7), 3);
	assert_int_equal(fls(8), 4);
	assert_int_equal(fls(0), 0);
	assert_int_equal(fls64(1ull << 63), 64);
	assert_int_equal(GENMASK(7, 4), 0xf0);
	assert_int_equal(hweight64(GENMASK_ULL(63, 0)), 64);
	assert_int_equal(rol32(0x80000001u, 1), 3);
	assert_int_equal(ror64(1, 1), 1ull << 63);
	assert_int_equal(BITS_TO_LONGS(65), 2);
}

/* ---- one writes a pair in order, the other never sees the second without the first ---- */

static unsigned long first, second; /* Synchronization: relaxed atomics and barriers */

static void *write_pairs(void *arg)
{
	for (unsigned long i = 1; i <= 20000; i++) {
		WRITE_ONCE(first, i);
		smp_wmb();
		WRITE_ONCE(second, i);
	}
	return arg;
}

static void barriers_order(void **state)
{
	pthread_t thread;
	unsigned long seen = 0;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_pairs, NULL), 0);
	while (seen < 20000) {
		seen = READ_ONCE(second);
		smp_rmb();
		assert_true(READ_ONCE(first) >= seen);
		smp_mb();
		smp_store_mb(seen, seen);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_change_as_they_say),
		cmocka_unit_test(every_order_does_the_same),
		cmocka_unit_test(words_change_as_they_say),
		cmocka_unit_test(bits_change_as_they_say),
		cmocka_unit_test(barriers_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
