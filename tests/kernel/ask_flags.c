// SPDX-License-Identifier: MIT
/*
 * ask_flags.c: what do allocation flags do? Zones, clearing, flags that contexts allow; not their values.
 *
 * Keep: Unexpected gfp: 0x[0-9a-f]+ (\(__GFP_HIGHMEM\)). Fixing up to gfp: 0x[0-9a-f]+ (\(GFP_KERNEL\))
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static bool below(const void *object, unsigned int bits)
{
	return object && __pa(object) < 1ULL << bits;
}

static void ask_zone(const char *flags, gfp_t gfp)
{
	struct page *page = alloc_page(gfp);
	void *object;

	if (!page) {
		pr_info("alloc_page(%s): none\n", flags);
		return;
	}
	pr_info("alloc_page(%s): below 16 MiB %d, below 4 GiB %d\n", flags, PFN_PHYS(page_to_pfn(page)) < 1ULL << 24,
		PFN_PHYS(page_to_pfn(page)) < 1ULL << 32);
	__free_page(page);
	if (gfp & (__GFP_DMA32 | __GFP_HIGHMEM))
		return;
	object = kmalloc(100, gfp);
	pr_info("kmalloc(100, %s): below 16 MiB %d\n", flags, below(object, 24));
	kfree(object);
}

static void ask_zones(void)
{
	ask_zone("GFP_KERNEL | GFP_DMA", GFP_KERNEL | GFP_DMA);
	ask_zone("GFP_ATOMIC | GFP_DMA", GFP_ATOMIC | GFP_DMA);
	ask_zone("GFP_DMA", GFP_DMA);
	ask_zone("GFP_KERNEL | GFP_DMA32", GFP_KERNEL | GFP_DMA32);
	ask_zone("GFP_ATOMIC | GFP_DMA32", GFP_ATOMIC | GFP_DMA32);
}

static void construct(void *object)
{
	memset(object, 0, 200);
}

/* A new cache, not merged with another because of its constructor, has to ask the page allocator, which sees the flag. */
static void ask_highmem(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_highmem", 200, 0, 0, construct);
	void *object = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_HIGHMEM);
	unsigned long address;

	pr_info("kmem_cache_alloc(GFP_KERNEL | __GFP_HIGHMEM): an object %d\n", object != NULL);
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	address = __get_free_page(GFP_KERNEL | __GFP_HIGHMEM);
	pr_info("__get_free_page(GFP_KERNEL | __GFP_HIGHMEM): a page %d\n", address != 0);
	free_page(address);
}

static unsigned int nonzero(const char *object, size_t size)
{
	unsigned int count = 0;

	while (size--)
		count += object[size] != 0;
	return count;
}

static void ask_clearing(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_clearing", 72, 0, 0, NULL);
	unsigned int turn, dirty[4] = {0};

	for (turn = 0; turn < 50; turn++) {
		char *objects[4] = {kzalloc(100, GFP_KERNEL), kmalloc(100, GFP_KERNEL | __GFP_ZERO),
			kcalloc(10, 10, GFP_ATOMIC), kmem_cache_zalloc(cache, GFP_KERNEL)};
		unsigned int i;

		for (i = 0; i < 3; i++) {
			dirty[i] += nonzero(objects[i], 100);
			memset(objects[i], 0x5a, 100);
			kfree(objects[i]);
		}
		dirty[3] += nonzero(objects[3], 72);
		memset(objects[3], 0x5a, 72);
		kmem_cache_free(cache, objects[3]);
	}
	pr_info("bytes that are not 0: kzalloc %u, __GFP_ZERO %u, kcalloc %u, kmem_cache_zalloc %u\n", dirty[0],
		dirty[1], dirty[2], dirty[3]);
	kmem_cache_destroy(cache);
}

/* What may not sleep succeeds while memory is plenty, also where sleeping is forbidden. */
static void ask_atomic(void)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;
	void *objects[3];
	struct page *page;

	spin_lock_irqsave(&lock, flags);
	objects[0] = kmalloc(200, GFP_ATOMIC);
	objects[1] = kmalloc(200, GFP_NOWAIT);
	objects[2] = kmalloc(8192, GFP_ATOMIC | __GFP_NOWARN);
	page = alloc_pages(GFP_ATOMIC, 2);
	spin_unlock_irqrestore(&lock, flags);
	pr_info("under a lock, interrupts off: ATOMIC %d, NOWAIT %d, two pages %d, order 2 %d\n", objects[0] != NULL,
		objects[1] != NULL, objects[2] != NULL, page != NULL);
	kfree(objects[0]);
	kfree(objects[1]);
	kfree(objects[2]);
	__free_pages(page, 2);
}

static void ask_predicates(void)
{
	pr_info("gfpflags_allow_blocking: KERNEL %d, NOIO %d, NOFS %d, USER %d, ATOMIC %d, NOWAIT %d\n",
		gfpflags_allow_blocking(GFP_KERNEL), gfpflags_allow_blocking(GFP_NOIO),
		gfpflags_allow_blocking(GFP_NOFS), gfpflags_allow_blocking(GFP_USER),
		gfpflags_allow_blocking(GFP_ATOMIC), gfpflags_allow_blocking(GFP_NOWAIT));
	pr_info("GFP_KERNEL is RECLAIM | IO | FS: %d\n", GFP_KERNEL == (__GFP_RECLAIM | __GFP_IO | __GFP_FS));
	pr_info("SKIP_ZERO and NOLOCKDEP change GFP_KERNEL: %d\n",
		GFP_KERNEL != (GFP_KERNEL | __GFP_SKIP_ZERO | __GFP_NOLOCKDEP));
	pr_info("GFP_ATOMIC has HIGH %d, KSWAPD_RECLAIM %d, DIRECT_RECLAIM %d\n", !!(GFP_ATOMIC & __GFP_HIGH),
		!!(GFP_ATOMIC & __GFP_KSWAPD_RECLAIM), !!(GFP_ATOMIC & __GFP_DIRECT_RECLAIM));
	pr_info("GFP_HIGHUSER has HIGHMEM %d, GFP_DMA is __GFP_DMA %d\n", !!(GFP_HIGHUSER & __GFP_HIGHMEM),
		GFP_DMA == __GFP_DMA);
}

static void ask_scopes(void)
{
	unsigned int outer, inner;

	pr_info("current_gfp_context(KERNEL) is KERNEL: %d\n", current_gfp_context(GFP_KERNEL) == GFP_KERNEL);
	outer = memalloc_noio_save();
	pr_info("in noio: KERNEL becomes NOIO %d\n", current_gfp_context(GFP_KERNEL) == GFP_NOIO);
	inner = memalloc_nofs_save();
	memalloc_nofs_restore(inner);
	pr_info("in noio, after an inner nofs: KERNEL becomes NOIO %d\n", current_gfp_context(GFP_KERNEL) == GFP_NOIO);
	inner = memalloc_noio_save();
	memalloc_noio_restore(inner);
	pr_info("in noio, after an inner noio: KERNEL becomes NOIO %d\n", current_gfp_context(GFP_KERNEL) == GFP_NOIO);
	memalloc_noio_restore(outer);
	outer = memalloc_nofs_save();
	pr_info("in nofs: KERNEL becomes NOFS %d\n", current_gfp_context(GFP_KERNEL) == GFP_NOFS);
	memalloc_nofs_restore(outer);
	pr_info("outside: KERNEL is KERNEL %d\n", current_gfp_context(GFP_KERNEL) == GFP_KERNEL);
}

static int __init ask_init(void)
{
	ask_zones();
	ask_highmem();
	ask_clearing();
	ask_atomic();
	ask_predicates();
	ask_scopes();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks what allocation flags do");
