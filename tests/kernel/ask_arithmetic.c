// SPDX-License-Identifier: MIT
/*
 * ask_arithmetic.c: what are sizes that overflow, logarithms, rounded numbers, and the copies of strings?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))
/* Of one that fills in a text, what that is then. */
#define ask_text(expression) pr_info("%s: %d, %s\n", #expression, (int)(expression), text)

struct packet {
	u32 length;
	u16 words[];
};

struct layout {
	u8 first;
	u32 second;
	u16 third;
};

static volatile unsigned long zero, one = 1, nine = 9, big = ~0UL; /* no constants */

static void ask_sizes(void)
{
	struct packet *packet = NULL;
	size_t bytes;
	u8 small;
	s8 sign;

	ask(array_size(nine, 3));
	ask(array_size(big, 2));
	ask(array3_size(nine, 3, 2));
	ask(array3_size(1UL << 32, 1UL << 31, one + 1));
	ask(struct_size(packet, words, nine));
	ask(struct_size(packet, words, big / 2));
	ask(struct_size(packet, words, big));
	ask(flex_array_size(packet, words, nine));
	ask(flex_array_size(packet, words, big));
	ask(size_add(nine, 1));
	ask(size_add(big, 1));
	ask(size_mul(big, big));
	ask(size_sub(nine, 1));
	ask(size_sub(one, 9));
	ask(size_sub(big, 1));
	ask(check_add_overflow(big, one, &bytes));
	ask(bytes);
	ask(check_add_overflow((u8)255, (u8)1, &small));
	ask(small);
	ask(check_sub_overflow((s8)-128, (s8)1, &sign));
	ask(sign);
	ask(check_mul_overflow((u8)16, (u8)16, &small));
	ask(check_mul_overflow((u8)15, (u8)17, &small));
	ask(small);
	ask(check_shl_overflow(1, 7, &small));
	ask(check_shl_overflow(1, 8, &small));
	ask(check_shl_overflow(1, 7, &sign));
	ask(check_shl_overflow(-1, 1, &sign));
	ask(check_shl_overflow(1, -1, &small));
	ask(type_max(s16));
	ask(type_min(s16));
	ask(kmalloc_array(big, 2, GFP_KERNEL) == NULL);
	ask(offsetofend(struct layout, second));
	ask(sizeof_field(struct layout, third));
}

static void ask_powers(void)
{
	ask(ilog2(one));
	ask(ilog2(nine));
	ask(ilog2(big));
	ask(ilog2(4096));
	ask(roundup_pow_of_two(one));
	ask(roundup_pow_of_two(nine));
	ask(roundup_pow_of_two(8));
	ask(rounddown_pow_of_two(nine));
	ask(order_base_2(zero));
	ask(order_base_2(one));
	ask(order_base_2(nine));
	ask(order_base_2(8));
	ask(bits_per(zero));
	ask(bits_per(nine));
	ask(is_power_of_2(zero));
	ask(is_power_of_2(nine));
	ask(is_power_of_2(8));
}

static void ask_rounding(void)
{
	int minus = -(int)nine, four = (int)one * 4;

	ask(DIV_ROUND_UP(nine, 4));
	ask(DIV_ROUND_CLOSEST(nine, 2));
	ask(DIV_ROUND_CLOSEST(minus, 2));
	ask(DIV_ROUND_CLOSEST(minus, four));
	ask(DIV_ROUND_CLOSEST(minus, -four));
	ask(DIV_ROUND_CLOSEST_ULL(nine, 2));
	ask(round_up(nine, 8));
	ask(round_down(nine, 8));
	ask(roundup(nine, 5));
	ask(rounddown(nine, 5));
	ask(ALIGN(nine, 8));
	ask(ALIGN_DOWN(nine, 8));
	ask(IS_ALIGNED(nine, 8));
	ask(mult_frac(big, 3UL, 5UL));
	ask(min_not_zero(zero, nine));
	ask(min3(9, 4, 5));
	ask(clamp(minus, 1, 5));
	ask(clamp_val((u8)7, 8, 100));
	ask(max_t(u8, four + 252, 1));
	ask(abs(minus));
	ask(upper_32_bits(0x123456789ULL));
	ask(lower_32_bits(0x123456789ULL));
	ask(GENMASK(11, 4));
	ask(BITS_TO_BYTES(9));
}

static void ask_strings(void)
{
	char text[8] = "", *copy;
	const char *kept;

	ask_text(scnprintf(text, 8, "%d", 12));
	ask_text(scnprintf(text, 8, "%d", 123456789));
	ask_text(snprintf(text, 8, "%lu", nine * 12345678));
	ask(scnprintf(text, 0, "%d", 1));
	ask_text(strscpy(text, "short", 8));
	ask_text(strscpy(text, "longer than that", 8));
	copy = kasprintf(GFP_KERNEL, "%s-%d", "node", 12);
	pr_info("kasprintf: %s\n", copy);
	kfree(copy);
	copy = kmemdup_nul("abcdef", 3, GFP_KERNEL);
	pr_info("kmemdup_nul: %s\n", copy);
	kfree(copy);
	copy = kstrndup("abcdef", 9, GFP_KERNEL);
	pr_info("kstrndup: %s\n", copy);
	kfree(copy);
	strscpy(text, "mine", 8);
	kept = kstrdup_const(text, GFP_KERNEL);
	pr_info("kstrdup_const: %s, copied %d\n", kept, kept != text);
	kfree_const(kept);
	ask(kstrdup(NULL, GFP_KERNEL) == NULL);
	ask(kstrdup_const(NULL, GFP_KERNEL) == NULL);
	ask(kmemdup_nul(NULL, 3, GFP_KERNEL) == NULL);
	kfree_const(NULL);
}

static int __init ask_init(void)
{
	ask_sizes();
	ask_powers();
	ask_rounding();
	ask_strings();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about sizes, rounding and strings");
