/*
 * gfp.c: the kernel's allocation and free of whole pages, on the page room.
 *
 * Semantics are documented in include/linux/gfp.h and mm.h. Names of pages and references to them are in pages.c.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"

#define EXPORT __attribute__((visibility("default")))
#define GROUPED_GFP (__GFP_MOVABLE | __GFP_RECLAIMABLE)
#define UNUSUAL_GFP (GFP_ZONES | __GFP_THISNODE | __GFP_COMP | GROUPED_GFP) /* what usual_pages does not look at */

const struct usual_pages *usual_pages;

static unsigned int page_flags_of(gfp_t gfp)
{
	return gfp & __GFP_ZERO ? PAGE_ALLOC_ZERO : 0;
}

static struct page *alloc_block(gfp_t gfp, unsigned int order)
{
	host_sigmask_t mask = host_signals_block();
	struct page *page = page_alloc(order, page_flags_of(gfp));

	if (page) {
		page_flags_set(page, PAGE_ORDER | (gfp & GROUPED_GFP ? PAGE_GROUPED : 0));
		if (order && gfp & __GFP_COMP)
			compound_make(page, order);
		__atomic_store_n(&page->refcount, 1, __ATOMIC_RELAXED);
	}
	host_signals_restore(mask);
	return page;
}

static struct page *alloc_exact(gfp_t gfp, size_t size)
{
	host_sigmask_t mask = host_signals_block();
	struct page *page = page_alloc_exact((size + PAGE_SIZE - 1) / PAGE_SIZE, page_flags_of(gfp));

	host_signals_restore(mask);
	return page;
}

/* NULL: another case, and nothing has happened. */
static inline struct page *alloc_usual(gfp_t gfp, unsigned int order)
{
	const struct usual_pages *usual = usual_pages;
	struct page *page;

	if (!usual || unlikely(gfp & UNUSUAL_GFP))
		return NULL;
	page = usual->alloc(order);
	if (unlikely(!page))
		return NULL;
	page_flags_set(page, PAGE_ORDER);
	__atomic_store_n(&page->refcount, 1, __ATOMIC_RELAXED);
	if (unlikely(gfp & __GFP_ZERO))
		memset(page_to_addr(page), 0, PAGE_SIZE << order);
	return page;
}

/* A block of the attempt's order, or, if exact, of its size. */
static struct page *pages_attempt(struct attempt *attempt, bool exact)
{
	struct page *page;

	attempt->kind = ATTEMPT_PAGES;
	if (!attempt_begin(attempt))
		return NULL;
	do
		page = exact ? alloc_exact(attempt->gfp, attempt->size) : alloc_block(attempt->gfp, attempt->order);
	while (unlikely(!page) && attempt_again(attempt));
	attempt_end(attempt, page ? page_to_addr(page) : NULL);
	return page;
}

static struct page *alloc_pages_from(gfp_t gfp, unsigned int order, int node, const void *caller)
{
	struct attempt attempt = {
		.gfp = gfp, .node = node, .order = order, .size = PAGE_SIZE << (order % 64), .caller = caller};

	if (likely(order <= MAX_ORDER))
		return pages_attempt(&attempt, false);
	report_too_large(gfp, order);
	return NULL;
}

EXPORT struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_usual(gfp, order);

	return likely(page) ? page : alloc_pages_from(gfp, order, ANY_NODE, __builtin_return_address(0));
}

EXPORT struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	return alloc_pages_from(gfp, order, nid, __builtin_return_address(0));
}

EXPORT struct page *__alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	return alloc_pages_from(gfp, order, nid, __builtin_return_address(0));
}

/* The first page by all means; the others only if they are there. */
static unsigned long bulk_from(gfp_t gfp, int nid, unsigned long nr_pages, struct page **pages, const void *caller)
{
	gfp_t easy = (gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL)) | __GFP_NOWARN | __GFP_NORETRY;
	unsigned long nr = 0;
	bool some = false, more = true;

	for (unsigned long i = 0; i < nr_pages; i++) {
		if (!pages[i] && more) {
			pages[i] = alloc_pages_from(some ? easy : gfp, 0, nid, caller);
			some = true;
			more = pages[i];
		}
		nr += pages[i] != NULL;
	}
	return nr;
}

EXPORT unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long nr_pages, struct page **pages)
{
	return bulk_from(gfp, ANY_NODE, nr_pages, pages, __builtin_return_address(0));
}

EXPORT unsigned long alloc_pages_bulk_node(gfp_t gfp, int nid, unsigned long nr_pages, struct page **pages)
{
	return bulk_from(gfp, nid, nr_pages, pages, __builtin_return_address(0));
}

static unsigned long free_pages_address(gfp_t gfp, unsigned int order, const void *caller)
{
	struct page *page = alloc_usual(gfp, order);

	if (unlikely(!page))
		page = alloc_pages_from(without_highmem("__get_free_pages", gfp), order, ANY_NODE, caller);
	return page ? (unsigned long)page_to_addr(page) : 0;
}

EXPORT unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	return free_pages_address(gfp, order, __builtin_return_address(0));
}

EXPORT unsigned long get_zeroed_page(gfp_t gfp)
{
	return free_pages_address(gfp | __GFP_ZERO, 0, __builtin_return_address(0));
}

/* ---- the way back ---- */

/* To the page room, the usual way if there is one for it: nobody else knows of the block. */
static inline void give_back(const struct usual_pages *usual, struct page *page, unsigned int order)
{
	host_sigmask_t mask;

	page_flags_set(page, 0);
	if (usual && likely(usual->free(page, order)))
		return;
	mask = host_signals_block();
	page_free(page, order);
	host_signals_restore(mask);
}

/* The last reference is gone. */
void block_release(struct page *page, unsigned int order, const void *caller)
{
	const struct usual_pages *usual = usual_pages;

	if (!usual && !attempt_free(page_to_addr(page), caller))
		return;
	if (unlikely(page_flags_get(page) & PAGE_COMPOUND))
		compound_unmake(page);
	give_back(page_flags_get(page) & PAGE_GROUPED ? NULL : usual, page, order);
}

/* Somebody still has a reference to the first page of a block, which is a block of its own now: the rest goes. */
static void free_rest(struct page *page, unsigned int order)
{
	host_sigmask_t mask = host_signals_block();

	while (order-- > 0)
		page_free(page + (1ul << order), order);
	host_signals_restore(mask);
}

static void free_block(struct page *page, unsigned int order, const void *caller)
{
	bool compound = page_flags_get(page) & PAGE_COMPOUND;

	/* Before the reference goes: whoever puts the last one then frees that much. */
	if (!compound)
		page->order = 0;
	if (block_put(page))
		block_release(page, order, caller);
	else if (!compound)
		free_rest(page, order);
}

/* A block as alloc_usual() makes it, to which nobody else has a reference. False: another case. */
static inline bool free_usual(struct page *page, unsigned int order)
{
	const struct usual_pages *usual = usual_pages;

	if (!usual || unlikely(!page || page_flags_get(page) != PAGE_ORDER || page->order != order))
		return false;
	if (unlikely(!block_put_only(page)))
		return false;
	give_back(usual, page, order);
	return true;
}

static void free_pages_from(struct page *page, unsigned int order, const void *caller)
{
	if (!page)
		report_bug(
			"__free_pages of NULL, order %u: where nothing is to be freed, that is free_pages(0)", order);
	else if ((page_flags_get(page) & PAGE_ORDER) && page->order == order)
		free_block(page, order, caller);
	else if (!freed_twice(page_to_addr(page), caller))
		report_bug("__free_pages of %p, order %u, which is %s", page_to_addr(page), order,
			address_is_free(page_to_addr(page)) ? "free already" : "not a block of that order");
}

EXPORT void __free_pages(struct page *page, unsigned int order)
{
	if (unlikely(!free_usual(page, order)))
		free_pages_from(page, order, __builtin_return_address(0));
}

EXPORT void free_pages(unsigned long addr, unsigned int order)
{
	struct page *page = addr ? virt_to_page((void *)addr) : NULL;

	if (unlikely(!page)) {
		if (addr)
			report_bug("free_pages of %p, which flagstone did not allocate", (void *)addr);
		return;
	}
	if (unlikely(!free_usual(page, order)))
		free_pages_from(page, order, __builtin_return_address(0));
}

/* ---- exact numbers of pages ---- */

static void *exact_from(size_t size, gfp_t gfp, int node, const void *caller)
{
	struct attempt attempt = {.node = node, .size = size, .caller = caller};
	struct page *page;

	if (size > PAGE_SIZE << MAX_ORDER)
		report_too_large(gfp, (unsigned int)get_order(size));
	if (!size || size > PAGE_SIZE << MAX_ORDER)
		return NULL;
	attempt.gfp = without_highmem("alloc_pages_exact", gfp);
	attempt.order = (unsigned int)get_order(size);
	page = pages_attempt(&attempt, true);
	return page ? page_to_addr(page) : NULL;
}

EXPORT void *alloc_pages_exact(size_t size, gfp_t gfp)
{
	return exact_from(size, gfp, ANY_NODE, __builtin_return_address(0));
}

EXPORT void *alloc_pages_exact_nid(int nid, size_t size, gfp_t gfp)
{
	return exact_from(size, gfp, nid, __builtin_return_address(0));
}

EXPORT void free_pages_exact(void *virt, size_t size)
{
	const void *caller = __builtin_return_address(0);
	struct page *page = virt_to_page(virt);
	host_sigmask_t mask;

	if (!virt)
		return;
	if (!page || !(page_flags_get(page) & PAGE_LARGE) || page->nr_pages != (size + PAGE_SIZE - 1) / PAGE_SIZE) {
		if (!freed_twice(virt, caller))
			report_bug("free_pages_exact of %p, %zu bytes, which is %s", virt, size,
				address_is_free(virt) ? "free already" : "not a block of that size");
		return;
	}
	if (!attempt_free(virt, caller))
		return;
	mask = host_signals_block();
	page_free_exact(page);
	host_signals_restore(mask);
}
