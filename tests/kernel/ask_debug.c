// SPDX-License-Identifier: MIT
/*
 * ask_debug.c: what do caches with red zones, poison and owners report?
 *
 * Keep: (BUG):?( ask_\w+)(?: \(.*?\))?(: Object already free|: \S+ Redzone overwritten|: Poison overwritten)
 * Keep: (BUG: double free of ).*(bytes of ask_double)
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/poison.h>
#include <linux/slab.h>

/* Where there is no such flag, the checks are always made. */
#ifndef SLAB_CONSISTENCY_CHECKS
#define SLAB_CONSISTENCY_CHECKS 0
#endif
#define DEBUG_FLAGS (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | SLAB_CONSISTENCY_CHECKS)

static void ask_double_free(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_double", 64, 0, DEBUG_FLAGS, NULL);
	void *object = kmem_cache_alloc(cache, GFP_KERNEL), *other = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object);
	pr_info("a second kmem_cache_free\n");
	kmem_cache_free(cache, object);
	pr_info("it goes on\n");
	kmem_cache_free(cache, other);
	kmem_cache_destroy(cache);
}

static void ask_overrun(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_overrun", 60, 0, DEBUG_FLAGS, NULL);
	u8 *object = kmem_cache_alloc(cache, GFP_KERNEL), *other;

	object[60] = 1;
	pr_info("kmem_cache_free after a write behind the end\n");
	kmem_cache_free(cache, object);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	other = kmem_cache_alloc(cache, GFP_KERNEL);
	if (other > object)
		swap(other, object);
	object[-1] = 1;
	pr_info("kmem_cache_free after a write before the beginning\n");
	kmem_cache_free(cache, object);
	kmem_cache_free(cache, other);
	kmem_cache_destroy(cache);
}

static void ask_use_after_free(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_stale", 64, 0, DEBUG_FLAGS, NULL);
	u8 *object = kmem_cache_alloc(cache, GFP_KERNEL);
	void *others[200];
	unsigned int i;

	pr_info("a new object is filled with POISON_FREE: %d\n", object[20] == POISON_FREE);
	kmem_cache_free(cache, object);
	pr_info("a free one with POISON_FREE: %d, and POISON_END: %d\n", object[20] == POISON_FREE,
		object[63] == POISON_END);
	object[20] = 1;
	pr_info("kmem_cache_alloc after a write to a free object\n");
	for (i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		kmem_cache_free(cache, others[i]);
	pr_info("it goes on\n");
	kmem_cache_destroy(cache);
}

static int __init ask_init(void)
{
	ask_double_free();
	ask_overrun();
	ask_use_after_free();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks for reports of slab debugging");
