/*
 * linux/mm.h: pages by address, by number, and by struct page.
 *
 * Semantics: Linux, Documentation/mm/physical_memory.rst and core-api/mm-api.rst. Only memory of the direct map
 * (kmalloc, slab caches, pages) has struct pages; larger blocks of the malloc face, and some that realloc has
 * grown, have none.
 */
#ifndef FLAGSTONE_LINUX_MM_H
#define FLAGSTONE_LINUX_MM_H

#include <linux/gfp.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#endif
#ifndef PAGE_MASK
#define PAGE_MASK (~(PAGE_SIZE - 1))
#endif
#define PAGE_ALIGN(addr) (((addr) + PAGE_SIZE - 1) & PAGE_MASK)
#define MAX_PAGE_ORDER 10
#define offset_in_page(addr) ((unsigned long)(addr) & ~PAGE_MASK)

/* The smallest order whose block holds size bytes (size > 0). Context: any. */
static inline int get_order(unsigned long size)
{
	return size <= PAGE_SIZE ? 0 : (int)(8 * sizeof(long)) - __builtin_clzl((size - 1) >> PAGE_SHIFT);
}

/* Address of a page; NULL for one of highmem, which has none. Context: any. */
void *page_address(const struct page *page);
/* The struct page of an address of the direct map; NULL for any other. Context: any. */
struct page *virt_to_page(const void *addr);
/* The struct page of the first page of the slab, or of the compound page, that an address lies in. Context: any. */
struct page *virt_to_head_page(const void *addr);
/*
 * Page frame numbers: hosted, they count the pages of the direct map; in a machine the frames of its RAM, from 0.
 * pfn_to_page is NULL where there is no memory. Context: any.
 */
unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_page(unsigned long pfn);
/* Whether a frame of that number is online. Context: any. */
bool pfn_valid(unsigned long pfn);

/* Physical addresses: pfn << PAGE_SHIFT and the offset within the page. The address must be of the direct map.
 * Context: any. */
phys_addr_t page_to_phys(const struct page *page);
phys_addr_t virt_to_phys(const volatile void *addr);
/* NULL where there is no memory, and for highmem. */
void *phys_to_virt(phys_addr_t phys);
#define __pa(addr) virt_to_phys((const volatile void *)(uintptr_t)(addr))
#define __va(phys) phys_to_virt(phys)
#define virt_to_pfn(addr) page_to_pfn(virt_to_page((const void *)(addr)))
#define pfn_to_virt(pfn) phys_to_virt((phys_addr_t)(pfn) << PAGE_SHIFT)
#define page_to_virt(page) page_address(page)
#define virt_addr_valid(addr) (virt_to_page((const void *)(addr)) != NULL)

/* The node of a page; hosted, 0. Context: any. */
int page_to_nid(const struct page *page);
/* Whether the page has no address of its own. Context: any. */
bool PageHighMem(const struct page *page);

/* ---- references: a block of alloc_pages begins with one ---- */

/* How many there are, of a compound page's whole; 0: free. Context: any. */
int page_count(const struct page *page);
#define page_ref_count(page) page_count(page)
/* Takes one more, of a page that the caller has one of. Context: any. */
void get_page(struct page *page);
/* Gives one back, and frees the page, or all of a compound one, with the last. Context: any. */
void put_page(struct page *page);
/* Makes 2^order single pages, each with a reference, of a block of alloc_pages that is not compound. Context: any. */
void split_page(struct page *page, unsigned int order);

/* ---- compound pages: blocks of alloc_pages with __GFP_COMP, order above 0 ---- */

/* Whether it is the first page of one; another; any. Context: any. */
bool PageHead(const struct page *page);
bool PageTail(const struct page *page);
bool PageCompound(const struct page *page);
/* The first page of the compound page that a page belongs to; another page itself. Context: any. */
struct page *compound_head(const struct page *page);
/* By the head: order, number of pages and bytes; of another page 0, 1 and PAGE_SIZE. Context: any. */
unsigned int compound_order(const struct page *page);
#define compound_nr(page) (1UL << compound_order(page))
#define page_size(page) (PAGE_SIZE << compound_order(page))

#ifdef __cplusplus
}
#endif

#endif
