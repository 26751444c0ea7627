/*
 * linux/gfp.h: allocation flags, and whole pages.
 *
 * Semantics: Linux, Documentation/core-api/memory-allocation.rst and mm-api.rst. In a hosted program (no machine
 * booted) the process's own memory serves every request: zones, nodes, reserves and reclaim modifiers are accepted
 * and make no difference, __GFP_ZERO and __GFP_NOFAIL do what they say, and nothing sleeps except __GFP_NOFAIL
 * while memory is out.
 *
 * In a machine, flags with __GFP_DIRECT_RECLAIM may sleep: task context only; all others are for any context. A
 * request takes from the highest zone that its flags name (none: NORMAL) and falls down to lower ones. A failure
 * without __GFP_NOWARN is reported as the kernel does: "TASK: page allocation failure: order:N, mode:0x...(NAMES),
 * nodemask=(null)".
 *
 * __GFP_MOVABLE and __GFP_RECLAIMABLE (not both) say that a page can be had back: at any time, or by a shrinker. In a machine those lie
 * in pageblocks apart from each other and from all others, so that large blocks become free when they go; nothing
 * moves them. Hosted they make no difference.
 */
#ifndef FLAGSTONE_LINUX_GFP_H
#define FLAGSTONE_LINUX_GFP_H

#include <linux/numa.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define __GFP_DMA 0x01u
#define __GFP_HIGHMEM 0x02u
#define __GFP_DMA32 0x04u
#define __GFP_MOVABLE 0x08u
#define __GFP_RECLAIMABLE 0x10u
#define __GFP_HIGH 0x20u
#define __GFP_IO 0x40u
#define __GFP_FS 0x80u
#define __GFP_ZERO 0x100u
#define __GFP_DIRECT_RECLAIM 0x400u
#define __GFP_KSWAPD_RECLAIM 0x800u
#define __GFP_WRITE 0x1000u
#define __GFP_NOWARN 0x2000u
#define __GFP_RETRY_MAYFAIL 0x4000u
#define __GFP_NOFAIL 0x8000u
#define __GFP_NORETRY 0x10000u
#define __GFP_MEMALLOC 0x20000u
#define __GFP_COMP 0x40000u
#define __GFP_NOMEMALLOC 0x80000u
#define __GFP_HARDWALL 0x100000u
#define __GFP_THISNODE 0x200000u
#define __GFP_ACCOUNT 0x400000u
/* Bits that kernels without memory tags in hardware, and without lock checking of reclaim, do not have either. */
#define __GFP_SKIP_ZERO 0u
#define __GFP_NOLOCKDEP 0u
#define __GFP_RECLAIM (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)

/* Names of older kernels: */
#define __GFP_WAIT __GFP_RECLAIM
#define __GFP_REPEAT __GFP_RETRY_MAYFAIL
#define __GFP_COLD 0u
#define __GFP_NO_GROW 0u

#define GFP_ATOMIC (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT (__GFP_KSWAPD_RECLAIM)
#define GFP_NOIO (__GFP_RECLAIM)
#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER (__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL)
#define GFP_DMA __GFP_DMA
#define GFP_DMA32 __GFP_DMA32
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)

/* Whether an allocation with these flags may sleep. Any context. */
static inline bool gfpflags_allow_blocking(gfp_t gfp)
{
	return !!(gfp & __GFP_DIRECT_RECLAIM);
}

struct page;

/*
 * Allocates 2^order contiguous pages, aligned to their size, with a reference count of one. With __GFP_COMP they
 * are one compound page; with __GFP_HIGHMEM they may be without an address (page_address() is NULL). order: 0 to
 * MAX_PAGE_ORDER. Context: by the flags, signal handlers included. Returns NULL when memory is out or order too
 * large; the latter is a warning once a machine, unless with __GFP_NOWARN.
 */
struct page *alloc_pages(gfp_t gfp, unsigned int order);
#define alloc_page(gfp) alloc_pages(gfp, 0)
/* As alloc_pages, on that node first, or with __GFP_THISNODE on no other; NUMA_NO_NODE: the CPU's own. */
struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order);
/* The same; nid is a node. */
struct page *__alloc_pages_node(int nid, gfp_t gfp, unsigned int order);
#define alloc_page_node(nid, gfp) alloc_pages_node(nid, gfp, 0)

/*
 * Puts a single page into each of the nr_pages elements of page_array that are NULL, as far as they can be had
 * without effort, but at least one, as alloc_pages would. Returns how many elements are not NULL then. Context: by
 * the flags.
 */
unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long nr_pages, struct page **page_array);
/* As alloc_pages_bulk, on a node as alloc_pages_node. */
unsigned long alloc_pages_bulk_node(gfp_t gfp, int nid, unsigned long nr_pages, struct page **page_array);
/* Names of older kernels: */
#define alloc_pages_bulk_array(gfp, nr_pages, page_array) alloc_pages_bulk(gfp, nr_pages, page_array)
#define alloc_pages_bulk_array_node(gfp, nid, nr_pages, page_array) \
	alloc_pages_bulk_node(gfp, nid, nr_pages, page_array)

/* As alloc_pages, but returns the address; 0 on failure. __GFP_HIGHMEM is dropped, in a machine with a report. */
unsigned long __get_free_pages(gfp_t gfp, unsigned int order);
#define __get_free_page(gfp) __get_free_pages(gfp, 0)
#define __get_dma_pages(gfp, order) __get_free_pages((gfp) | GFP_DMA, order)
/* One page that reads as zero; 0 on failure. */
unsigned long get_zeroed_page(gfp_t gfp);

/*
 * Frees what alloc_pages or __get_free_pages returned, by page or by address (0: nothing; no page, NULL, is a BUG report:
 * the kernel oopses). order as allocated. If others hold references (get_page), the first page of a block, or all of a compound one, stays until
 * the last is put. Context: any.
 */
void __free_pages(struct page *page, unsigned int order);
void free_pages(unsigned long addr, unsigned int order);
#define __free_page(page) __free_pages(page, 0)
#define free_page(addr) free_pages(addr, 0)

/* size bytes (rounded up to pages) of contiguous memory, without rounding to a power of two; NULL on failure.
 * Context: by the flags. */
void *alloc_pages_exact(size_t size, gfp_t gfp);
/* As alloc_pages_exact, on a node as alloc_pages_node. */
void *alloc_pages_exact_nid(int nid, size_t size, gfp_t gfp);
/* Frees what alloc_pages_exact(size) returned. Context: any. */
void free_pages_exact(void *virt, size_t size);

#ifdef __cplusplus
}
#endif

#endif
