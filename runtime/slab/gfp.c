/*
 * gfp.c: the kernel's page functions, on the page room.
 *
 * Semantics are documented in include/linux/gfp.h and mm.h.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/retry.h"

#define EXPORT __attribute__((visibility("default")))

static struct page *alloc_pages_once(gfp_t gfp, unsigned int order)
{
	host_sigmask_t mask = host_signals_block();
	struct page *page = page_alloc(order, gfp & __GFP_ZERO ? PAGE_ALLOC_ZERO : 0);

	if (page) {
		page_flags_set(page, PAGE_ORDER);
		page->refcount = 1;
	}
	host_signals_restore(mask);
	return page;
}

EXPORT struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;
	unsigned int tries = 0;

	if (order > MAX_ORDER || !slab_boot())
		return NULL;
	do {
		page = alloc_pages_once(gfp, order);
	} while (unlikely(!page) && alloc_again(gfp, &tries));
	return page;
}

EXPORT unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp & ~__GFP_HIGHMEM, order);

	return page ? (unsigned long)page_to_addr(page) : 0;
}

EXPORT unsigned long get_zeroed_page(gfp_t gfp)
{
	return __get_free_pages(gfp | __GFP_ZERO, 0);
}

EXPORT void __free_pages(struct page *page, unsigned int order)
{
	host_sigmask_t mask;

	if (!page)
		return;
	if (!(page_flags_get(page) & PAGE_ORDER) || page->order != order) {
		report_bug(
			"__free_pages of %p, order %u, which is not a block of that order", page_to_addr(page), order);
		return;
	}
	mask = host_signals_block();
	page->refcount = 0;
	page_flags_set(page, 0);
	page_free(page, order);
	host_signals_restore(mask);
}

EXPORT void free_pages(unsigned long addr, unsigned int order)
{
	struct page *page = addr ? virt_to_page((void *)addr) : NULL;

	if (addr && !page)
		report_bug("free_pages of %p, which flagstone did not allocate", (void *)addr);
	__free_pages(page, order);
}

static struct page *alloc_exact_once(gfp_t gfp, size_t size)
{
	host_sigmask_t mask = host_signals_block();
	struct page *page =
		page_alloc_exact((size + PAGE_SIZE - 1) / PAGE_SIZE, gfp & __GFP_ZERO ? PAGE_ALLOC_ZERO : 0);

	host_signals_restore(mask);
	return page;
}

EXPORT void *alloc_pages_exact(size_t size, gfp_t gfp)
{
	struct page *page;
	unsigned int tries = 0;

	if (!size || size > PAGE_SIZE << MAX_ORDER || !slab_boot())
		return NULL;
	do {
		page = alloc_exact_once(gfp, size);
	} while (unlikely(!page) && alloc_again(gfp, &tries));
	return page ? page_to_addr(page) : NULL;
}

EXPORT void free_pages_exact(void *virt, size_t size)
{
	struct page *page = virt_to_page(virt);
	host_sigmask_t mask;

	if (!virt)
		return;
	if (!page || !(page_flags_get(page) & PAGE_LARGE) || page->nr_pages != (size + PAGE_SIZE - 1) / PAGE_SIZE) {
		report_bug("free_pages_exact of %p, %zu bytes, which is not a block of that size", virt, size);
		return;
	}
	mask = host_signals_block();
	page_free_exact(page);
	host_signals_restore(mask);
}

EXPORT void *page_address(const struct page *page)
{
	return page_to_addr(page);
}

EXPORT struct page *virt_to_page(const void *addr)
{
	unsigned long pfn = addr_to_pfn(addr);

	return page_pfn_online(pfn) ? pfn_to_page_struct(pfn) : NULL;
}

EXPORT unsigned long page_to_pfn(const struct page *page)
{
	return page_struct_to_pfn(page);
}

EXPORT struct page *pfn_to_page(unsigned long pfn)
{
	return page_pfn_online(pfn) ? pfn_to_page_struct(pfn) : NULL;
}

EXPORT bool pfn_valid(unsigned long pfn)
{
	return page_pfn_online(pfn);
}
