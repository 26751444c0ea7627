// SPDX-License-Identifier: MIT
/*
 * ask_pools.c: gen_pool and page_frag: what they hand out, count, and take back.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/genalloc.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#if __has_include(<linux/page_frag_cache.h>)
#include <linux/page_frag_cache.h>
#endif

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static void ask_gen_pool(void)
{
	struct gen_pool *pool = gen_pool_create(6, -1);
	unsigned long a, b;

	ask(gen_pool_alloc(pool, 64));
	ask(gen_pool_add(pool, 0x10000, 1024, -1));
	ask(gen_pool_size(pool));
	ask(gen_pool_avail(pool));
	ask((a = gen_pool_alloc(pool, 1)) - 0x10000);
	ask((b = gen_pool_alloc(pool, 100)) - 0x10000);
	ask(gen_pool_avail(pool));
	ask(gen_pool_has_addr(pool, a, 64));
	ask(gen_pool_has_addr(pool, 0x10000 + 1000, 64));
	ask(gen_pool_alloc(pool, 1024));
	gen_pool_free(pool, a, 1);
	ask(gen_pool_avail(pool));
	ask(gen_pool_alloc(pool, 128) - 0x10000);
	ask(gen_pool_alloc(pool, 64) - 0x10000);
	gen_pool_free(pool, 0x10000 + 192, 128);
	gen_pool_free(pool, 0x10000, 64);
	gen_pool_free(pool, b, 100);
	ask(gen_pool_avail(pool));
	gen_pool_destroy(pool);
}

static void ask_best_fit(void)
{
	struct gen_pool *pool = gen_pool_create(4, -1);
	unsigned long hole;

	gen_pool_add_virt(pool, 0x20000, 0x900000, 512, -1);
	gen_pool_set_algo(pool, gen_pool_best_fit, NULL);
	ask(gen_pool_alloc(pool, 128) - 0x20000);
	ask((hole = gen_pool_alloc(pool, 32)) - 0x20000);
	ask(gen_pool_alloc(pool, 16) - 0x20000);
	gen_pool_free(pool, 0x20000, 128);
	gen_pool_free(pool, hole, 32);
	ask(gen_pool_alloc(pool, 16) - 0x20000);
	ask(gen_pool_virt_to_phys(pool, 0x20000 + 48));
	gen_pool_free(pool, 0x20000, 16);
	gen_pool_free(pool, 0x20000 + 160, 16);
	ask(gen_pool_avail(pool));
	gen_pool_destroy(pool);
}

static void ask_page_frag(void)
{
	static struct page_frag_cache cache;
	char *a, *b, *big;

	a = page_frag_alloc(&cache, 100, GFP_KERNEL);
	b = page_frag_alloc(&cache, 100, GFP_KERNEL);
	pr_info("two fragments of 100 bytes lie 100 bytes apart: %d\n", a - b == 100 || b - a == 100);
	pr_info("they are of one page: %d\n", virt_to_head_page(a) == virt_to_head_page(b));
	big = page_frag_alloc(&cache, 3000, GFP_ATOMIC);
	pr_info("one of 3000 bytes: %d\n", big != NULL);
	page_frag_free(a);
	page_frag_free(big);
	page_frag_free(b);
	a = page_frag_alloc_align(&cache, 10, GFP_KERNEL, 64);
	pr_info("aligned to 64: %d\n", IS_ALIGNED((unsigned long)a, 64));
	page_frag_free(a);
	__page_frag_cache_drain(virt_to_head_page(a), cache.pagecnt_bias);
}

static int __init ask_init(void)
{
	ask_gen_pool();
	ask_best_fit();
	ask_page_frag();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about gen_pool and page_frag");
