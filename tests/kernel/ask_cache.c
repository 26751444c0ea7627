// SPDX-License-Identifier: MIT
/*
 * ask_cache.c: slab caches: sizes, alignment, constructors, bulk allocation, destruction.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/cache.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

struct session {
	u64 id;
	char name[30];
};

static unsigned int constructed;

static void construct(void *object)
{
	constructed++;
	memset(object, 0x11, 40);
}

static unsigned int aligned(
	const char *name, unsigned int size, unsigned int align, slab_flags_t flags, unsigned int to)
{
	struct kmem_cache *cache = kmem_cache_create(name, size, align, flags, NULL);
	unsigned int i, count = 0;
	void *objects[20];

	for (i = 0; i < 20; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		count += IS_ALIGNED((unsigned long)objects[i], to);
	}
	for (i = 0; i < 20; i++)
		kmem_cache_free(cache, objects[i]);
	kmem_cache_destroy(cache);
	return count;
}

static void ask_alignment(void)
{
	pr_info("100 bytes, aligned to 64: %u of 20 are\n", aligned("ask_a", 100, 64, 0, 64));
	pr_info("100 bytes, aligned to 512: %u of 20 are\n", aligned("ask_b", 100, 512, 0, 512));
	pr_info("100 bytes, SLAB_HWCACHE_ALIGN: %u of 20 are aligned to a cache line\n",
		aligned("ask_c", 100, 0, SLAB_HWCACHE_ALIGN, cache_line_size()));
	pr_info("20 bytes, SLAB_HWCACHE_ALIGN: %u of 20 are aligned to 32\n",
		aligned("ask_d", 20, 0, SLAB_HWCACHE_ALIGN, 32));
	pr_info("20 bytes: %u of 20 are aligned to 8\n", aligned("ask_e", 20, 0, 0, 8));
}

static void ask_sizes(void)
{
	struct kmem_cache *cache = KMEM_CACHE(session, 0);
	void *object = kmem_cache_zalloc(cache, GFP_KERNEL);

	pr_info("KMEM_CACHE of %zu bytes: kmem_cache_size at least that %d\n", sizeof(struct session),
		kmem_cache_size(cache) >= sizeof(struct session));
	pr_info("ksize of its object at least that: %d\n", ksize(object) >= sizeof(struct session));
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	cache = kmem_cache_create("ask_size", 40, 0, 0, construct);
	pr_info("40 bytes with a constructor: kmem_cache_size %u\n", kmem_cache_size(cache));
	kmem_cache_destroy(cache);
	kmem_cache_destroy(NULL);
}

static void ask_constructor(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_constructor", 40, 0, 0, construct);
	void *keeper = kmem_cache_alloc(cache, GFP_KERNEL); /* without it, the slab may go between two allocations */
	unsigned int before, i, intact = 0;
	unsigned char *object;

	object = kmem_cache_alloc(cache, GFP_KERNEL);
	pr_info("after the first allocations, more than two objects are constructed: %d\n", constructed > 2);
	before = constructed;
	object[3] = 0x77;
	kmem_cache_free(cache, object);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	pr_info("free and allocate again: %u more constructed, what was written is %s\n", constructed - before,
		object[3] == 0x77 ? "still there" : "gone");
	kmem_cache_free(cache, object);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	for (i = 0; i < 40; i++)
		intact += object[i] == 0x11;
	pr_info("a third time: at least 39 of 40 bytes as constructed: %d\n", intact >= 39);
	kmem_cache_free(cache, object);
	kmem_cache_free(cache, keeper);
	kmem_cache_destroy(cache);
}

static void ask_bulk(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_bulk", 64, 0, SLAB_HWCACHE_ALIGN, NULL);
	unsigned int i, distinct = 0;
	void *objects[100] = {NULL};
	int got;

	got = kmem_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_ZERO, 100, objects);
	for (i = 0; i < 100; i++)
		distinct += objects[i] && !*(u64 *)objects[i] && (!i || objects[i] != objects[i - 1]);
	pr_info("kmem_cache_alloc_bulk(100): %d, %u are cleared and not the one before\n", got, distinct);
	kmem_cache_free_bulk(cache, 100, objects);
	kmem_cache_destroy(cache);
}

static int __init ask_init(void)
{
	ask_alignment();
	ask_sizes();
	ask_constructor();
	ask_bulk();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about slab caches");
