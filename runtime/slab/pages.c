/*
 * pages.c: the names of pages (address, number, physical address), references to them, and compound pages.
 *
 * Semantics are documented in include/linux/mm.h. Allocation and free are in gfp.c.
 */
#include <linux/mm.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- names ---- */

EXPORT void *page_address(const struct page *page)
{
	return page_is_highmem(page) ? NULL : page_to_addr(page);
}

EXPORT struct page *virt_to_page(const void *addr)
{
	unsigned long pfn = addr_to_pfn(addr);
	struct page *page = page_pfn_online(pfn) ? pfn_to_page_struct(pfn) : NULL;

	return page && !page_is_highmem(page) ? page : NULL;
}

/* In a machine, numbers are physical; hosted, those of the direct map. */
EXPORT unsigned long page_to_pfn(const struct page *page)
{
	return memory_is_machine() ? page_phys_pfn(page) : page_struct_to_pfn(page);
}

EXPORT struct page *pfn_to_page(unsigned long pfn)
{
	if (memory_is_machine())
		return page_of_phys_pfn(pfn);
	return page_pfn_online(pfn) ? pfn_to_page_struct(pfn) : NULL;
}

EXPORT bool pfn_valid(unsigned long pfn)
{
	return pfn_to_page(pfn);
}

EXPORT phys_addr_t page_to_phys(const struct page *page)
{
	return (phys_addr_t)page_to_pfn(page) << PAGE_SHIFT;
}

EXPORT phys_addr_t virt_to_phys(const volatile void *addr)
{
	struct page *page = virt_to_page((const void *)(uintptr_t)addr);

	if (!page) {
		report_bug("virt_to_phys of %p, which is not in the direct map", (const void *)(uintptr_t)addr);
		return ~0ull;
	}
	return page_to_phys(page) + offset_in_page(addr);
}

EXPORT void *phys_to_virt(phys_addr_t phys)
{
	struct page *page = pfn_to_page((unsigned long)(phys >> PAGE_SHIFT));
	char *address = page ? page_address(page) : NULL;

	return address ? address + offset_in_page(phys) : NULL;
}

EXPORT int page_to_nid(const struct page *page)
{
	return (int)page_node(page);
}

EXPORT bool PageHighMem(const struct page *page)
{
	return page_is_highmem(page);
}

/* ---- compound pages ---- */

static bool is_head(const struct page *page)
{
	return page_flags_get(page) & PAGE_COMPOUND;
}

void compound_make(struct page *head, unsigned int order)
{
	for (unsigned long i = 1; i < 1ul << order; i++) {
		head[i].private_data = head;
		page_flags_set(&head[i], PAGE_TAIL);
	}
	page_flags_set(head, page_flags_get(head) | PAGE_COMPOUND);
}

void compound_unmake(struct page *head)
{
	for (unsigned long i = 1; i < 1ul << head->order; i++) {
		head[i].private_data = NULL;
		page_flags_set(&head[i], 0);
	}
}

/* What looks like the structs of a slab's tail pages is bitmaps. */
EXPORT struct page *compound_head(const struct page *page)
{
	unsigned long pfn = page_struct_to_pfn(page);

	if (*class_byte(pfn))
		return slab_of(pfn_to_addr(pfn));
	return page_flags_get(page) & PAGE_TAIL ? page->private_data : (struct page *)page;
}

EXPORT struct page *virt_to_head_page(const void *addr)
{
	struct page *page = virt_to_page(addr);

	return page ? compound_head(page) : NULL;
}

EXPORT unsigned int compound_order(const struct page *page)
{
	return PageHead(page) ? page->order : 0;
}

EXPORT bool PageHead(const struct page *page)
{
	return compound_head(page) == page && page_flags_get(page) & (PAGE_COMPOUND | PAGE_SLAB);
}

EXPORT bool PageTail(const struct page *page)
{
	return compound_head(page) != page;
}

EXPORT bool PageCompound(const struct page *page)
{
	return PageHead(page) || PageTail(page);
}

/* ---- references ---- */

EXPORT int page_count(const struct page *page)
{
	return __atomic_load_n(&compound_head(page)->refcount, __ATOMIC_RELAXED);
}

EXPORT void get_page(struct page *page)
{
	struct page *head = compound_head(page);

	if (__atomic_fetch_add(&head->refcount, 1, __ATOMIC_RELAXED) <= 0)
		report_bug("get_page of %p, which is free", page_to_addr(page));
}

bool block_put(struct page *page)
{
	if (likely(block_put_only(page)))
		return true;
	/* Pairs with itself: who frees the page sees what the others wrote before they put theirs. */
	return __atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) == 0;
}

EXPORT void put_page(struct page *page)
{
	const void *caller = __builtin_return_address(0);
	struct page *head = compound_head(page);

	if (!(page_flags_get(head) & PAGE_ORDER)) {
		if (!freed_twice(page_to_addr(head), caller))
			report_bug("put_page of %p, which is %s", page_to_addr(head),
				address_is_free(page_to_addr(head)) ? "free already" : "not a block of pages");
		return;
	}
	if (block_put(head))
		block_release(head, head->order, caller);
}

EXPORT void split_page(struct page *page, unsigned int order)
{
	host_sigmask_t mask;
	uint32_t flags;

	if (!(page_flags_get(page) & PAGE_ORDER) || is_head(page) || page->order != order) {
		report_bug("split_page of %p, order %u, which is not a block of that order, or compound",
			page_to_addr(page), order);
		return;
	}
	mask = host_signals_block();
	flags = page_flags_get(page);
	for (unsigned long i = 0; i < 1ul << order; i++) {
		page[i].order = 0;
		__atomic_store_n(&page[i].refcount, 1, __ATOMIC_RELAXED);
		page_flags_set(&page[i], flags);
	}
	host_signals_restore(mask);
	if (slab_machine)
		slab_machine->split(page_to_addr(page), 1ul << order);
}
