// SPDX-License-Identifier: MIT
/*
 * ask_pages.c: orders, alignment, exact pages, reference counts and zones of whole pages.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/string.h>

/* The largest order, which older kernels name by the one above. */
#ifndef MAX_PAGE_ORDER
#define MAX_PAGE_ORDER (MAX_ORDER - 1)
#endif

static struct page *nth(struct page *page, unsigned long n)
{
	return pfn_to_page(page_to_pfn(page) + n);
}

static void ask_get_order(void)
{
	static const unsigned long sizes[] = {1, 2, 4095, 4096, 4097, 8192, 8193, 12288, 16384, 65536, 65537, 1 << 20,
		(1 << 20) + 1, 1 << 22, (1 << 22) + 1, 1 << 30};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		pr_info("get_order(%lu) %d\n", sizes[i], get_order(sizes[i]));
	pr_info("largest order %d, PAGE_SIZE %lu\n", MAX_PAGE_ORDER, PAGE_SIZE);
}

static void ask_orders(void)
{
	unsigned int order;

	for (order = 0; order <= MAX_PAGE_ORDER; order++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		if (!page) {
			pr_info("order %u: none\n", order);
			continue;
		}
		pr_info("order %u: aligned %d, references %d, tail has %d\n", order,
			IS_ALIGNED(page_to_pfn(page), 1UL << order), page_count(page),
			order ? page_count(nth(page, 1)) : -1);
		__free_pages(page, order);
	}
	pr_info("order %d with NOWARN is NULL: %d\n", MAX_PAGE_ORDER + 1,
		!alloc_pages(GFP_KERNEL | __GFP_NOWARN, MAX_PAGE_ORDER + 1));
	pr_info("__get_free_pages of order %d: %lu\n", MAX_PAGE_ORDER + 1,
		__get_free_pages(GFP_KERNEL | __GFP_NOWARN, MAX_PAGE_ORDER + 1));
	free_pages(0, 0);
	free_pages(0, 3);
}

static void ask_addresses(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char *address = page_address(page);

	pr_info("virt_to_page of its address %d, of the last byte %d\n", virt_to_page(address) == page,
		virt_to_page(address + PAGE_SIZE - 1) == page);
	pr_info("pfn_to_page(page_to_pfn) %d, pfn_valid %d\n", pfn_to_page(page_to_pfn(page)) == page,
		pfn_valid(page_to_pfn(page)));
	pr_info("__pa is the frame number times PAGE_SIZE: %d\n", __pa(address) == PFN_PHYS(page_to_pfn(page)));
	pr_info("__va(__pa) %d\n", __va(__pa(address)) == address);
	pr_info("virt_addr_valid: page %d, NULL %d\n", virt_addr_valid(address), virt_addr_valid(NULL));
	pr_info("PageHighMem %d, PageCompound %d\n", PageHighMem(page), PageCompound(page));
	__free_page(page);
}

static void ask_references(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	get_page(page);
	pr_info("after get_page: %d references\n", page_count(page));
	__free_page(page);
	pr_info("after __free_page of it: %d references\n", page_count(page));
	put_page(page);

	page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	pr_info("compound of order 2: PageCompound %d, PageHead %d, PageTail %d, compound_order %u\n",
		PageCompound(page), PageHead(page), PageTail(nth(page, 1)), compound_order(page));
	pr_info("compound_head of the tail is the head: %d, page_count of the tail %d\n",
		compound_head(nth(page, 3)) == page, page_count(nth(page, 3)));
	get_page(nth(page, 1));
	pr_info("after get_page of a tail, the head has %d\n", page_count(page));
	put_page(nth(page, 2));
	put_page(page);

	page = alloc_pages(GFP_KERNEL, 2);
	split_page(page, 2);
	pr_info("after split_page: %d %d %d %d references\n", page_count(page), page_count(nth(page, 1)),
		page_count(nth(page, 2)), page_count(nth(page, 3)));
	__free_page(nth(page, 2));
	__free_page(page);
	__free_page(nth(page, 3));
	__free_page(nth(page, 1));
}

static void ask_exact(void)
{
	static const size_t sizes[] = {1, 4096, 4097, 3 * 4096, 5 * 4096, 4096 * 17};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *exact = alloc_pages_exact(sizes[i], GFP_KERNEL | __GFP_ZERO);
		unsigned int last = (sizes[i] - 1) / PAGE_SIZE, order = get_order(sizes[i]);

		pr_info("alloc_pages_exact(%zu): aligned %d, first and last page have %d %d references, last byte %d\n",
			sizes[i], IS_ALIGNED((unsigned long)exact, PAGE_SIZE << order), page_count(virt_to_page(exact)),
			page_count(nth(virt_to_page(exact), last)), exact[sizes[i] - 1]);
		free_pages_exact(exact, sizes[i]);
	}
	pr_info("alloc_pages_exact of 16 MiB is NULL: %d\n", !alloc_pages_exact(16 << 20, GFP_KERNEL | __GFP_NOWARN));
}

/* Sums pages of an order up: what is cleared has a sum of 0. */
static void ask_zeroed(void)
{
	unsigned long address, sum = 0, i;
	unsigned int turn;

	for (turn = 0; turn < 20; turn++) {
		address = __get_free_pages(GFP_KERNEL | __GFP_ZERO, 1);
		for (i = 0; i < 2 * PAGE_SIZE; i++)
			sum += ((unsigned char *)address)[i];
		memset((void *)address, 0x5a, 2 * PAGE_SIZE);
		free_pages(address, 1);
		address = get_zeroed_page(GFP_KERNEL);
		for (i = 0; i < PAGE_SIZE; i++)
			sum += ((unsigned char *)address)[i];
		memset((void *)address, 0x5a, PAGE_SIZE);
		free_page(address);
	}
	pr_info("cleared pages sum up to %lu\n", sum);
}

static int __init ask_init(void)
{
	ask_get_order();
	ask_orders();
	ask_addresses();
	ask_references();
	ask_exact();
	ask_zeroed();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about orders, alignment and reference counts of pages");
