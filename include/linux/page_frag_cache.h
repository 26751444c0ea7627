/*
 * linux/page_frag_cache.h: small pieces of pages, counted by the page: for network buffers.
 *
 * Semantics: Linux, Documentation/mm/page_frags.rst. A cache belongs to one context (a CPU with interrupts off, a
 * socket's lock); nothing here locks it. Pieces may be freed anywhere.
 */
#ifndef FLAGSTONE_LINUX_PAGE_FRAG_CACHE_H
#define FLAGSTONE_LINUX_PAGE_FRAG_CACHE_H

#include <linux/gfp.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGE_FRAG_CACHE_MAX_SIZE 32768u
#define PAGE_FRAG_CACHE_MAX_ORDER 3

/* All zero: an empty cache. Pieces are taken from the end of va[0 .. size) towards its start: [offset, size) is
 * given out. The page's reference count is pagecnt_bias more than the pieces that are in use. */
struct page_frag_cache {
	void *va;
	unsigned int offset;
	unsigned int size;
	unsigned int pagecnt_bias;
	bool pfmemalloc;
};

/*
 * fragsz bytes (at most a page where larger pages are not to be had) from the cache, which gets new pages with
 * gfp_mask when it must; NULL when memory is out. _align: at a multiple of align, a power of two. Context: any that
 * gfp_mask allows; callers of one cache one at a time.
 */
void *page_frag_alloc_align(struct page_frag_cache *nc, unsigned int fragsz, gfp_t gfp_mask, unsigned int align);
static inline void *page_frag_alloc(struct page_frag_cache *nc, unsigned int fragsz, gfp_t gfp_mask)
{
	return page_frag_alloc_align(nc, fragsz, gfp_mask, 1);
}
/* Frees a piece; the page goes with the last one. Any context. */
void page_frag_free(void *addr);
/* Takes count references off a page of a cache, which is freed with the last one. Any context. */
void __page_frag_cache_drain(struct page *page, unsigned int count);
/* Empties a cache: its page goes as soon as no piece of it is in use. As page_frag_alloc. */
void page_frag_cache_drain(struct page_frag_cache *nc);

#ifdef __cplusplus
}
#endif

#endif
