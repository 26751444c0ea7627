/*
 * page_frag.c: pieces of pages.
 *
 * Calls the kernel face for pages. Knows nothing of what lies in them.
 *
 * The cache takes many references to a page at once, and hands them out with the pieces without touching the page.
 * When the page is used up, those that are left are taken off in one step: if no piece is in use then, the page
 * serves again.
 */
#include <linux/mm.h>
#include <linux/page_frag_cache.h>

#include "runtime/page/page.h"

#define EXPORT __attribute__((visibility("default")))
#define MANY (PAGE_FRAG_CACHE_MAX_SIZE + 1) /* more than there are pieces */

/* The block that addr is in. One of the largest order covers all its aligned range, so its head says so. */
static struct page *head_of(const void *addr)
{
	uintptr_t block = (uintptr_t)addr & ~((uintptr_t)PAGE_FRAG_CACHE_MAX_SIZE - 1);
	struct page *head = pfn_to_page_struct(addr_to_pfn((void *)block));

	if ((page_flags_get(head) & PAGE_ORDER) && head->order == PAGE_FRAG_CACHE_MAX_ORDER)
		return head;
	return pfn_to_page_struct(addr_to_pfn(addr));
}

static int32_t count_sub(struct page *page, unsigned int count)
{
	/* Pairs with itself: what the users of all pieces did is over before the page is used again. */
	return __atomic_sub_fetch(&page->refcount, (int32_t)count, __ATOMIC_ACQ_REL);
}

static void count_set(struct page *page, unsigned int count)
{
	__atomic_store_n(&page->refcount, (int32_t)count, __ATOMIC_RELAXED);
}

EXPORT void __page_frag_cache_drain(struct page *page, unsigned int count)
{
	if (count_sub(page, count))
		return;
	count_set(page, 1);
	__free_pages(page, page->order);
}

EXPORT void page_frag_free(void *addr)
{
	__page_frag_cache_drain(head_of(addr), 1);
}

EXPORT void page_frag_cache_drain(struct page_frag_cache *nc)
{
	if (!nc->va)
		return;
	__page_frag_cache_drain(head_of(nc->va), nc->pagecnt_bias);
	nc->va = NULL;
}

static bool refill(struct page_frag_cache *nc, gfp_t gfp)
{
	gfp_t large = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC;
	struct page *page = alloc_pages(large, PAGE_FRAG_CACHE_MAX_ORDER);

	if (!page)
		page = alloc_pages(gfp, 0);
	if (!page)
		return false;
	nc->va = page_to_addr(page);
	nc->size = (unsigned int)PAGE_SIZE << page->order;
	nc->offset = nc->size;
	nc->pagecnt_bias = MANY;
	nc->pfmemalloc = false;
	count_set(page, MANY);
	return true;
}

/* The page is used up. Returns whether it may serve again, since nobody uses a piece. */
static bool reuse(struct page_frag_cache *nc)
{
	struct page *page = head_of(nc->va);

	if (count_sub(page, nc->pagecnt_bias)) {
		nc->va = NULL;
		return false;
	}
	count_set(page, MANY);
	nc->pagecnt_bias = MANY;
	nc->offset = nc->size;
	return true;
}

EXPORT void *page_frag_alloc_align(struct page_frag_cache *nc, unsigned int fragsz, gfp_t gfp_mask, unsigned int align)
{
	if (!nc->va && !refill(nc, gfp_mask))
		return NULL;
	if (nc->offset < fragsz && !reuse(nc) && !refill(nc, gfp_mask))
		return NULL;
	if (nc->offset < fragsz)
		return NULL;
	nc->offset = (nc->offset - fragsz) & ~(align - 1);
	nc->pagecnt_bias--;
	return (char *)nc->va + nc->offset;
}
