// SPDX-License-Identifier: MIT
/*
 * ask_atomic.c: what do atomic and bit operations return?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/refcount.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static void ask_atomics(void)
{
	atomic_t a = ATOMIC_INIT(5);
	atomic64_t b = ATOMIC64_INIT(1LL << 40);
	atomic_long_t c = ATOMIC_LONG_INIT(0);

	ask(atomic_add_return(3, &a));
	ask(atomic_sub_return(3, &a));
	ask(atomic_inc_return(&a));
	ask(atomic_dec_return(&a));
	ask(atomic_fetch_add(2, &a));
	ask(atomic_read(&a));
	ask(atomic_sub_and_test(7, &a));
	ask(atomic_inc_and_test(&a));
	ask(atomic_dec_and_test(&a));
	ask(atomic_add_negative(-1, &a));
	ask(atomic_inc_and_test(&a));
	ask(atomic_xchg(&a, 9));
	ask(atomic_cmpxchg(&a, 9, 10));
	ask(atomic_cmpxchg(&a, 9, 11));
	ask(atomic_add_unless(&a, 1, 10));
	ask(atomic_inc_not_zero(&a));
	ask(atomic_dec_if_positive(&a));
	ask(atomic_fetch_or(0x100, &a));
	ask(atomic_fetch_and(0xff, &a));
	ask(atomic_fetch_xor(1, &a));
	ask(atomic_read(&a));
	ask(atomic64_add_return(1, &b));
	ask(atomic64_dec_and_test(&b));
	ask(atomic_long_dec_return(&c));
	ask(atomic_long_read(&c));
}

static void ask_bits(void)
{
	unsigned long bits[2] = {0, 0};

	ask(test_and_set_bit(3, bits));
	ask(test_and_set_bit(3, bits));
	ask(test_bit(3, bits));
	ask(test_and_clear_bit(3, bits));
	ask(test_and_change_bit(70, bits));
	ask(bits[1]);
	set_bit(64, bits);
	clear_bit(70, bits);
	__set_bit(2, bits);
	ask(find_first_bit(bits, 128));
	ask(find_next_bit(bits, 128, 3));
	ask(find_first_zero_bit(bits, 128));
	ask(find_next_bit(bits, 128, 65));
	ask(hweight32(0xf0f1));
	ask(hweight64(~0ULL));
	ask(fls(0));
	ask(fls(0x80));
	ask(ffs(0x80));
	ask(__ffs(0x80));
	ask(__fls(0x80));
	ask(fls64(1ULL << 40));
	ask(BIT(5));
	ask(BITS_TO_LONGS(65));
}

static void ask_refcounts(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	refcount_inc(&count);
	ask(refcount_read(&count));
	ask(refcount_dec_and_test(&count));
	ask(refcount_inc_not_zero(&count));
	ask(refcount_dec_and_test(&count));
	ask(refcount_dec_and_test(&count));
	ask(refcount_inc_not_zero(&count));
}

static int __init ask_init(void)
{
	ask_atomics();
	ask_bits();
	ask_refcounts();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks what atomic operations return");
