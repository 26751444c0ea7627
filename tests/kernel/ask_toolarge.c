// SPDX-License-Identifier: MIT
/*
 * ask_toolarge.c: requests beyond the largest order and the largest kmalloc: what is returned, who is warned, and how often.
 *
 * Keep: (WARNING: CPU: )\d+( PID: )\d+( at mm/page_alloc.c)(?::\d+)?( __alloc_pages)
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

/* Says whether an expression is NULL, in its own words. */
#define ask(expression) pr_info("%s: %s\n", #expression, (expression) ? "there" : "NULL")

/* Not const: the compiler knows the limits of the kernel's kmalloc. */
static volatile unsigned int order = 11;
static volatile size_t size = (4ul << 20) + 1;

static int __init ask_init(void)
{
	ask(alloc_pages(GFP_KERNEL | __GFP_NOWARN, order));
	ask(kmalloc(size, GFP_KERNEL | __GFP_NOWARN));
	ask(alloc_pages_exact(size, GFP_KERNEL | __GFP_NOWARN));
	ask(kmalloc_array(size << 20, size << 20, GFP_KERNEL));
	ask(kmalloc(size, GFP_KERNEL));
	ask(kmalloc(size, GFP_KERNEL));
	ask(kzalloc(size, GFP_ATOMIC));
	ask(alloc_pages(GFP_KERNEL, order));
	ask((void *)__get_free_pages(GFP_KERNEL, order));
	ask(alloc_pages_exact(size, GFP_KERNEL));
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about requests that are too large");
