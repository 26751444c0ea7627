/*
 * page.h: physical memory: the direct map, struct page, zones, per-CPU page lists, direct OS mappings.
 *
 * Calls percpu, lib and host. Knows nothing of objects; the class bytes are storage that it keeps for the slab room.
 *
 * Context of every function here unless it says otherwise: the caller has blocked its signals (host_signals_block) and
 * holds no lock of rank LOCK_LARGE or above. Nothing sleeps except on a lock.
 */
#ifndef RUNTIME_PAGE_PAGE_H
#define RUNTIME_PAGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "percpu/percpu.h"
#include "runtime/lib/list.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/reader.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define MAX_ORDER 10 /* the largest block: 2^10 pages, 4 MiB */
#define NR_PCP_ORDERS 4 /* orders 0..3 have per-CPU lists */

/* Anchor-relative start of the class bytes: one byte a pfn, (address - anchor) >> PAGE_SHIFT. 0: not a slab's page. */
#define CLASS_BYTES PERCPU_BYTES

enum page_flags {
	PAGE_BUDDY = 1, /* head of a free block on a buddy list; order valid */
	PAGE_PCP = 2, /* head of a free block on a per-CPU list */
	PAGE_SLAB = 4, /* head of a slab; slab room's fields valid */
	PAGE_LARGE = 8, /* head of a block of nr_pages from page_alloc_exact */
	PAGE_ZERO = 16, /* free: the whole block is known to read as zero and to hold no frames */
	PAGE_ORDER = 32, /* head of a block from page_alloc handed to the user (alloc_pages) */
	PAGE_PURGING = 64, /* with PAGE_SLAB: in work, on no list (see the slab room's purge.c) */
};

/*
 * One a frame of the direct map. Only the head of a block is meaningful; a slab uses the structs of its tail pages
 * as bitmap words (see slab.h), and clears them before it frees the pages.
 */
struct page {
	uint32_t flags; /* Synchronization: zone lock while free, pcp lock while on its list, else the block's owner */
	uint8_t order;
	uint8_t zone;
	uint16_t nr_free; /* slab: free objects. Synchronization: the cache's slabs lock */
	struct list_head list; /* free: buddy or per-CPU list; slab: a partial list */
	union {
		struct kmem_cache *cache; /* slab head */
		size_t nr_pages; /* large head */
	};
	int32_t refcount; /* users of a block from alloc_pages */
	uint16_t nr_objects; /* slab */
	uint16_t node; /* slab: whose lists it is on */
	void *private_data;
	union {
		void *mapping;
		uint64_t
			to_purge; /* slab: bit i is page i. Synchronization: the cache's slabs lock, or who set PAGE_PURGING */
	};
	uint64_t purged; /* slab: pages that hold no frames, unless objects were taken since. As nr_free */
};
static_assert(sizeof(struct page) == 64, "one cache line a page");

/* Address of the struct of pfn 0; entries below memory.first_pfn do not exist. Synchronization: const after boot */
extern struct page *page_array hidden;

static inline unsigned long addr_to_pfn(const void *addr)
{
	return ((uintptr_t)addr - (uintptr_t)percpu_fast.anchor) >> PAGE_SHIFT;
}

static inline void *pfn_to_addr(unsigned long pfn)
{
	return percpu_fast.anchor + (pfn << PAGE_SHIFT);
}

static inline struct page *pfn_to_page_struct(unsigned long pfn)
{
	return &page_array[pfn];
}

static inline unsigned long page_struct_to_pfn(const struct page *page)
{
	return (unsigned long)(page - page_array);
}

static inline void *page_to_addr(const struct page *page)
{
	return pfn_to_addr(page_struct_to_pfn(page));
}

/*
 * Flags are read by neighbours: a merge looks at the head next door, under the zone lock, while its owner may be setting
 * flags of its own. Relaxed atomics: a merge only acts on PAGE_BUDDY, which changes under the zone lock alone.
 */
static inline uint32_t page_flags_get(const struct page *page)
{
	return __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
}

static inline void page_flags_set(struct page *page, uint32_t flags)
{
	__atomic_store_n(&page->flags, flags, __ATOMIC_RELAXED);
}

static inline unsigned char *class_byte(unsigned long pfn)
{
	return (unsigned char *)percpu_fast.anchor + CLASS_BYTES + pfn;
}

/* Whether pfn is online memory of the direct map. Any number may be asked; any context. */
bool page_pfn_online(unsigned long pfn);

/* Reserves the direct map, boots percpu on its anchor, sets up the zones. Once; 0 or -ENOMEM (nothing is left behind). */
int memory_boot(void);

enum page_alloc_flags {
	PAGE_ALLOC_ZERO = 1, /* the block reads as zero; free where frames are fresh from the OS */
	PAGE_ALLOC_LOOSE = 2, /* page_alloc_exact: may begin at any page, where that spares new frames */
};

/* 2^order pages, aligned to their size. NULL when memory is out. The head's flags are 0, its order is set. */
struct page *page_alloc(unsigned int order, unsigned int flags);
/* Frees a block of page_alloc, or any naturally aligned part of one. */
void page_free(struct page *page, unsigned int order);
/* nr_pages contiguous pages (1 .. 2^MAX_ORDER), aligned to the next power of two of their size unless loose; the tail beyond
 * nr_pages stays free. The head is marked PAGE_LARGE with nr_pages. */
struct page *page_alloc_exact(size_t nr_pages, unsigned int flags);
/* As page_alloc_exact(), of any number of pages, from whole sections: for when the OS has no more mappings to give. */
struct page *page_alloc_sections(size_t nr_pages, unsigned int flags);
void page_free_exact(struct page *page);
/* Resizes a PAGE_LARGE block in place: shrinking always works, growing if the pages behind it are free. */
bool page_resize_exact(struct page *page, size_t nr_pages);

/* Moves every CPU's page lists to the buddy. */
void page_drain_lists(void);
/* Gives free dirty memory back to the OS until at most keep bytes of it are left. Returns the bytes given back. */
size_t page_release(size_t keep);

/* Gives the frames of pages back that the caller owns; they read as zero then. False: not done, since the OS refused, or
 * since the pages are part of huge ones and split is not set. */
bool page_discard(void *addr, size_t size, bool split);

/* ---- for the reclaim room ---- */

/* Gives back what the time since the last call had no need of: free pages, the largest blocks first, and mappings. Returns
 * whether anything is left that a later call could give back. For one thread. */
bool page_age(void);
/* The one call upward: wake() is called, without locks of rank LOCK_LARGE or above, when a process that has grown frees memory while no reclaim thread is
 * active, and returns whether one will see to it; forget() is called in a fork child, which has no such thread. Set once,
 * before there are threads; NULL: never. */
void page_set_reclaim(bool (*wake)(void), void (*forget)(void));
/* Whether somebody calls page_age() from now on: then freeing threads leave memory to it. Any context. */
void page_reclaim_active(bool active);
/* Calls wake() if the process has grown and no thread is active: for the slow paths of rooms above, which hold free memory that
 * is not on free lists. Any context. */
void page_reclaim_poke(void);

/* Free bytes that may hold frames and that page_release(0) would give back. Any context; a hint. */
size_t page_releasable(void);

/* ---- direct OS mappings, for blocks above MAX_ORDER, and for some that grow ---- */

/* Maps size bytes (rounded up to pages) at a multiple of align. NULL when the OS refuses. Takes enum page_alloc_flags. */
void *large_alloc(size_t size, size_t align, unsigned int flags);
/* Frees; false if addr is not the start of a mapping of large_alloc. */
bool large_free(void *addr);
/* Size of the mapping that starts at addr in bytes; 0 if there is none. */
size_t large_size(const void *addr);
/* Resizes with mremap, moving if it must. NULL: not resized, the old mapping stays. */
void *large_resize(void *addr, size_t size);

/* ---- statistics and checks ---- */

struct page_stats {
	size_t reserved_bytes; /* address space of the direct map window */
	size_t online_bytes; /* sections brought online */
	size_t free_bytes; /* in buddy lists */
	size_t free_zero_bytes; /* of those: hold no frames */
	size_t pcp_bytes; /* in per-CPU lists */
	size_t released_bytes; /* ever given back to the OS */
	size_t large_bytes; /* direct OS mappings */
	size_t nr_large;
	size_t kept_bytes; /* freed ones that are kept for a while */
	bool reclaim; /* a reclaim thread is at work */
	size_t nr_free[MAX_ORDER + 1]; /* blocks on each buddy list */
};
/* A snapshot, without locks: any context; each number is right at some moment, their sum need not be. */
void page_stats_get(struct page_stats *stats);

/* Where this room's state lies, for readers of another process too. */
struct page_root {
	const struct percpu_fast *fast;
	const struct memory *memory;
	const struct zone *zones;
	const struct page_lists *lists;
	const unsigned int *nr_lists;
	const struct large_counts *large;
	const struct release_counts *release;
};
extern const struct page_root page_root hidden;
/* As page_stats_get, of the process that the reader reads. False: it could not be read. */
bool page_stats_read(const struct reader *reader, const struct page_root *root, struct page_stats *stats);
/* Whether [addr, addr + size) is online memory of that process's direct map, within one section. Any address may be asked. */
bool page_range_online_read(const struct reader *reader, const struct page_root *root, const void *addr, size_t size);
/* What a tool built from other sources would not agree on: sizes and offsets. */
#define PAGE_LAYOUT_WORDS 8
extern const uint32_t page_layout[PAGE_LAYOUT_WORDS] hidden;
/* BUG unless every zone's lists, counts and flags agree. Takes the zone locks. */
void page_check(void);

/* Fork: takes every lock of this room in rank order; releases; or, in the child, makes them new. */
void page_fork_prepare(void);
void page_fork_parent(void);
void page_fork_child(void);

#endif
