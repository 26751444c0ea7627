// SPDX-License-Identifier: MIT
/*
 * ask_sizes.c: how large is what kmalloc returns, what do its corner cases return?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

static void ask_size(size_t size)
{
	void *object = kmalloc(size, GFP_KERNEL);

	pr_info("kmalloc(%zu): ksize %zu, kmalloc_size_roundup %zu\n", size, ksize(object), kmalloc_size_roundup(size));
	kfree(object);
}

static void ask_sizes(void)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 95, 96, 97, 112,
		127, 128, 129, 160, 191, 192, 193, 255, 256, 257, 320, 511, 512, 513, 1000, 1024, 1025, 2047, 2048,
		2049, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 16384, 16385, 65536, 100000, 131072, 1000000, 1 << 20,
		(1 << 22) - 1, 1 << 22};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ask_size(sizes[i]);
}

static void ask_alignment(void)
{
	unsigned int shift, i, aligned;
	void *objects[16];

	for (shift = 0; shift <= 22; shift++) {
		unsigned int nr = shift > 16 ? 1 : 16;

		aligned = 0;
		for (i = 0; i < nr; i++) {
			objects[i] = kmalloc(1UL << shift, GFP_KERNEL);
			aligned += IS_ALIGNED((unsigned long)objects[i], max(1UL << shift, 8UL));
		}
		for (i = 0; i < nr; i++)
			kfree(objects[i]);
		pr_info("kmalloc(%lu): %u of %u are multiples of the size, or of 8\n", 1UL << shift, aligned, nr);
	}
	pr_info("ARCH_KMALLOC_MINALIGN is at least 8: %d\n", ARCH_KMALLOC_MINALIGN >= 8);
}

static void ask_nothing(void)
{
	void *nothing = kmalloc(0, GFP_KERNEL), *object;

	pr_info("kmalloc(0) is ZERO_SIZE_PTR: %d\n", nothing == ZERO_SIZE_PTR);
	pr_info("kzalloc(0) is ZERO_SIZE_PTR: %d\n", kzalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	pr_info("kcalloc(0, 8) is ZERO_SIZE_PTR: %d\n", kcalloc(0, 8, GFP_KERNEL) == ZERO_SIZE_PTR);
	pr_info("kmalloc_array(8, 0) is ZERO_SIZE_PTR: %d\n", kmalloc_array(8, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	pr_info("ZERO_OR_NULL_PTR: NULL %d, ZERO_SIZE_PTR %d\n", ZERO_OR_NULL_PTR(NULL),
		ZERO_OR_NULL_PTR(ZERO_SIZE_PTR));
	pr_info("ksize: NULL %zu, ZERO_SIZE_PTR %zu\n", ksize(NULL), ksize(nothing));
	kfree(nothing);
	kfree(NULL);
	object = krealloc(nothing, 16, GFP_KERNEL);
	pr_info("krealloc(ZERO_SIZE_PTR, 16): ksize %zu\n", ksize(object));
	object = krealloc(object, 0, GFP_KERNEL);
	pr_info("krealloc(object, 0) is ZERO_SIZE_PTR: %d\n", object == ZERO_SIZE_PTR);
	pr_info("krealloc(NULL, 0) is ZERO_SIZE_PTR: %d\n", krealloc(NULL, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	pr_info("kmemdup of 0 bytes is ZERO_SIZE_PTR: %d\n", kmemdup("", 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	pr_info("kstrdup(NULL) is NULL: %d\n", !kstrdup(NULL, GFP_KERNEL));
}

static void ask_krealloc(void)
{
	unsigned int i, kept = 0;
	char *object = kmalloc(40, GFP_KERNEL), *moved;

	memset(object, 7, 40);
	moved = krealloc(object, 64, GFP_KERNEL);
	pr_info("krealloc(40 to 64): the same address %d\n", moved == object);
	object = krealloc(moved, 5000, GFP_KERNEL);
	for (i = 0; i < 40; i++)
		kept += object[i] == 7;
	pr_info("krealloc(64 to 5000): ksize %zu, %u of 40 bytes kept\n", ksize(object), kept);
	moved = krealloc(object, 20, GFP_KERNEL);
	pr_info("krealloc(5000 to 20): the same address %d, ksize %zu\n", moved == object, ksize(moved));
	kfree(moved);
	object = krealloc(NULL, 100, GFP_KERNEL | __GFP_ZERO);
	for (i = kept = 0; i < 100; i++)
		kept += object[i] == 0;
	pr_info("krealloc(NULL, 100, __GFP_ZERO): %u of 100 bytes are 0\n", kept);
	kfree(object);
}

/* Not a constant, lest the compiler find fault with it. */
static volatile size_t half = (size_t)1 << 63;

static void ask_too_much(void)
{
	void *object;

	pr_info("KMALLOC_MAX_SIZE %lu\n", KMALLOC_MAX_SIZE);
	pr_info("kmalloc_array(2^63, 2) is NULL: %d\n", !kmalloc_array(half, 2, GFP_KERNEL));
	pr_info("kcalloc(2^63, 2) is NULL: %d\n", !kcalloc(half, 2, GFP_KERNEL));
	pr_info("krealloc_array(NULL, 2^63, 2) is NULL: %d\n", !krealloc_array(NULL, half, 2, GFP_KERNEL));
	object = kmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL | __GFP_NOWARN);
	pr_info("kmalloc(KMALLOC_MAX_SIZE + 1) is NULL: %d\n", !object);
	object = kmalloc(half, GFP_KERNEL | __GFP_NOWARN);
	pr_info("kmalloc(2^63) is NULL: %d\n", !object);
}

static int __init ask_init(void)
{
	ask_sizes();
	ask_alignment();
	ask_nothing();
	ask_krealloc();
	ask_too_much();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks how large and how aligned kmalloc's objects are");
