/*
 * linux/mm.h: pages by address, by number, and by struct page.
 *
 * Semantics: Linux, Documentation/mm/physical_memory.rst. Only memory of the direct map (kmalloc, slab caches, pages) has
 * struct pages; larger blocks of the malloc face, and some that realloc has grown, have none.
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

/* The smallest order whose block holds size bytes (size > 0). Context: any. */
static inline int get_order(unsigned long size)
{
	return size <= PAGE_SIZE ? 0 : (int)(8 * sizeof(long)) - __builtin_clzl((size - 1) >> PAGE_SHIFT);
}

/* Address of a page. Context: any. */
void *page_address(const struct page *page);
/* The struct page of an address of the direct map; NULL for any other. Context: any. */
struct page *virt_to_page(const void *addr);
/* Page frame numbers count the pages of the direct map. Context: any. */
unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_page(unsigned long pfn);
/* Whether a frame of that number is online. Context: any. */
bool pfn_valid(unsigned long pfn);

#ifdef __cplusplus
}
#endif

#endif
