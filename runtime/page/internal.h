/*
 * internal.h: what the files of the page room share.
 *
 * memory.c owns the address space, buddy.c the free blocks, release.c what goes back to the OS, huge.c what is to lie
 * on huge pages, lists.c the per-CPU lists, large.c the direct OS mappings. In a machine, machine.h's files instead of
 * the last four.
 * Lock order: LOCK_LARGE, LOCK_PCP, LOCK_ZONE, LOCK_MEMORY.
 */
#ifndef RUNTIME_PAGE_INTERNAL_H
#define RUNTIME_PAGE_INTERNAL_H

#include "runtime/config.h"
#include "runtime/page/page.h"

#define SECTION_PAGES (1ul << MAX_ORDER) /* a section is one block of MAX_ORDER: what goes on and off line */
#define SECTION_BYTES (SECTION_PAGES << PAGE_SHIFT)
#define SECTION_STEP 4 /* sections that come online together where address space is reserved */

enum section_state {
	SECTION_NEW, /* never online */
	SECTION_ONLINE,
	SECTION_OFFLINE, /* was online, struct pages are there, memory is unmapped */
	SECTION_HOLE, /* something else is mapped there: never used */
};

/*
 * The direct map. At any time: first_pfn <= end_pfn <= limit_pfn, all multiples of SECTION_PAGES.
 * Reserved: pages first_pfn .. end_pfn are online. Limited: those of them whose section is SECTION_ONLINE.
 */
struct memory {
	struct lock lock; /* rank MEMORY */
	bool limited; /* no reservation: sections are mapped one at a time. Synchronization: const after boot */
	unsigned long first_pfn; /* Synchronization: const after boot */
	unsigned long limit_pfn; /* one past the window. Synchronization: const after boot */
	char *start; /* a machine's: of all that is reserved. Synchronization: const after boot */
	size_t reserved; /* bytes of address space taken at boot. Synchronization: const after boot */
	unsigned long end_pfn; /* one past what ever was online. Synchronization: lock; read anywhere, only grows */
	char *class_end; /* class bytes are mapped up to here. Synchronization: lock */
	char *structs_end; /* struct pages are mapped up to here, but for holes. Synchronization: lock */
	/* Limited: enum section_state of each. Synchronization: lock; read anywhere. A machine: their zones; const
	 * after boot */
	unsigned char *sections;
	unsigned long nr_offline; /* sections SECTION_OFFLINE. Synchronization: lock */
};
extern struct memory memory;

/* Hosted there is one zone. In a machine, zones are pieces of RAM between borders of nodes and of types. */
enum zone_number { ZONE_HOSTED, NR_HOSTED_ZONES, MAX_ZONES = PAGE_MAX_NODES + NR_PAGE_ZONE_TYPES - 1 };

struct free_area {
	union {
		struct { /* hosted */
			struct list_head dirty; /* blocks that may hold frames, warmest at the head */
			struct list_head zero; /* PAGE_ZERO ones */
		};
		struct list_head list[NR_PAGE_MIGRATETYPES]; /* of a machine: by the pageblock's type */
	};
	size_t nr_free; /* == the sum of the lists' lengths */
};

/* Of a machine. Synchronization: the zone's lock; type is read without, for the choice of a CPU's list. */
struct pageblock {
	uint16_t nr_free; /* pages of it on the buddy lists */
	uint8_t type; /* enum page_migratetype */
};
static_assert(PAGEBLOCK_ORDER == MAX_ORDER, "a free block lies in one pageblock, and one that is free is one block");
static_assert(PAGEBLOCK_PAGES <= UINT16_MAX, "struct pageblock, nr_free");

#define RELEASE_BATCH 32

/*
 * Under lock:  nr_free == sum(area[order].nr_free << order); nr_free_zero == the part of it in PAGE_ZERO blocks;
 *              no block and its buddy are both free with the same order and of the same kind;
 *              of a machine, each free block is on the list of its pageblock's type.
 * Synchronization: lock; counts are also read without it, for statistics.
 */
struct zone {
	struct lock lock; /* rank ZONE */
	struct free_area area[MAX_ORDER + 1];
	/* By pfn >> PAGEBLOCK_ORDER. NULL: hosted, or types are not told apart. Synchronization: const after boot */
	struct pageblock *pageblocks;
	/* With them, bit pfn: a free block begins there. Its struct page says so, too, but one cannot go through a pageblock's
	 * struct pages to find it: those of a slab's tail hold anything (see slab.h). Synchronization: lock */
	uint64_t *heads;
	unsigned long start_pfn, end_pfn; /* span, multiples of SECTION_PAGES. Synchronization: const after boot */
	size_t nr_free; /* pages */
	size_t nr_free_zero;
	size_t nr_online;
	size_t nr_released; /* ever given back */
	size_t dirty_low; /* the fewest dirty free pages since the last page_age(): what nobody needed; __dirty_taken() */
	size_t fresh; /* pages without frames that were taken since release_growth() last looked */
	unsigned int quiet_ticks; /* page_age() calls in a row between which hardly a dirty page was taken */
	/* What there was at boot or fork: growth beyond it calls for the reclaim thread. */
	size_t base_online, base_dirty;

	uint32_t releasing; /* 1: a thread owns in_flight. Synchronization: atomic */
	/* Off the lists while their frames are given back; order valid. Synchronization: changed by the owner of releasing,
	 * and under the lock only: a fork child, in which there is no owner, takes them as they are. */
	unsigned int nr_in_flight;
	struct page *in_flight[RELEASE_BATCH];
} cache_aligned;
extern struct zone zones[MAX_ZONES];

static inline struct pageblock *pageblock_of(const struct zone *zone, unsigned long pfn)
{
	return &zone->pageblocks[pfn >> PAGEBLOCK_ORDER];
}

/* Pages of a pageblock came to the buddy lists, or left them. The caller holds the zone lock. */
static inline void pageblock_count(struct zone *zone, unsigned long pfn, size_t delta)
{
	struct pageblock *block;

	if (!zone->pageblocks)
		return;
	block = pageblock_of(zone, pfn);
	block->nr_free = (uint16_t)(block->nr_free + delta);
}

/* The machine; NULL: hosted. See machine.h. Synchronization: const after boot */
extern struct machine *machine;

/* Statistics are written under a lock and read without. */
static inline void count_add(size_t *counter, size_t delta)
{
	__atomic_store_n(counter, *counter + delta, __ATOMIC_RELAXED);
}

/* ---- memory.c ---- */

/* memory_boot() with the facts of the host given: an address space limit (SIZE_MAX: none) and bytes of RAM. */
int memory_boot_with(size_t limit, size_t ram);
/* Reserves the direct map for ram_bytes of RAM, the first mapped_bytes of which the descriptor backs. Sets up memory
 * and page_array, not percpu. Returns the anchor; NULL: no memory, and nothing is left behind. */
char *memory_map_machine(size_t ram_bytes, size_t mapped_bytes, int fd);
/* All of its struct pages are set up: pages are online from now on. */
void memory_publish(void);
/* Undoes memory_map_machine(). */
void memory_unmap(void);
/* Brings the next memory online. Returns the number of pages from *pfn, 0 when the OS or the window has no more.
 * The caller holds a zone lock. */
unsigned long memory_online(unsigned long *pfn);
/* Unmaps one section that nobody uses. Limited mode only; the caller holds a zone lock. */
void memory_offline(unsigned long pfn);
/* After the OS refused a mapping of size bytes: unmaps free sections. Whether trying again makes sense. */
bool memory_make_room(size_t size);

/* ---- buddy.c ---- */

void buddy_boot(void);
/* A zone without free blocks. */
void zone_init(struct zone *zone, unsigned long start_pfn, unsigned long end_pfn);
/* Pages of the smallest block that holds nr_pages, as an order. */
unsigned int order_of(size_t nr_pages);
/* A block from the buddy lists, growing memory if need be; its flags are 0 or PAGE_ZERO. */
struct page *buddy_alloc(unsigned int order, unsigned int flags);
/* Fills pages with up to nr blocks, all taken under one lock. Returns how many. */
unsigned int buddy_alloc_batch(unsigned int order, struct page **pages, unsigned int nr);
/* Frees nr blocks of one order, and follows the release policy. */
void buddy_free_batch(unsigned int order, struct page **pages, unsigned int nr);
/* Clears what is asked for and not known to be zero, and hands the block over: flags 0. */
struct page *buddy_prepare(struct page *page, size_t nr_pages, unsigned int flags);
/* Unmaps free sections until size bytes went. Limited mode only. Returns the bytes that went. */
size_t buddy_offline_free(size_t size);
/* Brings what is free but elsewhere onto the buddy lists: per-CPU lists, and blocks whose frames another thread is just
 * giving back. For callers that would otherwise report that memory is out. */
void buddy_settle(void);
/* The caller holds the zone lock. Takes a free block off its list, as above; returns whether it was PAGE_ZERO. */
bool __buddy_remove(struct zone *zone, struct page *page);
/* The caller holds the zone lock. Puts a free block onto its list as it is; a pageblock's count is the caller's. */
void __buddy_insert(struct zone *zone, unsigned long pfn, unsigned int order, bool zero);
/* The caller holds the zone lock. Frees a block, merging it with its buddies. */
void __buddy_free(struct zone *zone, unsigned long pfn, unsigned int order, bool zero);
/* The caller holds the zone lock. Frees any run of pages within one section, as the largest blocks that it is made
 * of. */
void __buddy_free_range(struct zone *zone, unsigned long pfn, unsigned long end, bool zero);
/* The caller holds the zone lock. Whether the pages from pfn to end are all free: each free block begins where the
 * one before it ends. */
bool __run_is_free(unsigned long pfn, unsigned long end);
/* The caller holds the zone lock. Takes such pages. */
void __take_run(struct zone *zone, unsigned long pfn, unsigned long end);
/* The caller holds the zone lock. BUG unless its lists, counts and flags agree. */
void __zone_check(struct zone *zone);
/* The caller holds the zone lock. Takes a block off its list, and puts what is beyond the order back. */
struct page *__buddy_cut(struct zone *zone, struct page *page, unsigned int order);

/* ---- release.c ---- */

/* Pages that are free and may hold frames. */
static inline size_t __dirty_pages(const struct zone *zone)
{
	return zone->nr_free - zone->nr_free_zero;
}

/* Dirty pages were taken, and what is left of their blocks is on the lists again. The caller holds the zone lock. */
static inline void __dirty_taken(struct zone *zone)
{
	if (__dirty_pages(zone) < zone->dirty_low)
		zone->dirty_low = __dirty_pages(zone);
}

enum release_need {
	RELEASE_NOTHING,
	RELEASE_WAKE = 1, /* the reclaim thread should look */
	RELEASE_NOW = 2, /* too much is dirty to wait for it */
};
/* What the growth of free dirty memory calls for. The caller holds the zone lock. */
unsigned int __release_need(const struct zone *zone);
/* Does it; the caller holds no lock of this room. */
void release_follow(struct zone *zone, unsigned int need);
/* After allocations, without locks of this room: if they took memory that is to get new frames while much free memory holds some, as much of
 * that goes back. */
void release_growth(struct zone *zone);
/* The same for a mapping of size bytes. */
void release_growth_by(size_t size);
/* Gives [pfn, end), which the caller owns, back at once if those who should lag far behind. Returns whether it did. */
bool release_first(struct zone *zone, unsigned long pfn, unsigned long end);
/* Synchronization: atomic; statistics read it */
extern struct release_counts {
	size_t discarded; /* pages, by page_discard() */
	bool active; /* a reclaim thread is at work; a hint */
} release_counts;
/* Whether freed memory may be left to a reclaim thread. */
bool release_is_active(void);
/* After a mapping of size bytes was freed while live bytes of them remain. */
void release_large_freed(size_t size, size_t live);
void release_boot(void);
void release_fork_child(void);

/* ---- huge.c ---- */

#define HUGE_ORDER 9 /* pages of a huge page; on kernels with larger ones the advice does nothing */

void huge_boot(void);
/* Asks the kernel what it is set to: once, when the process has outgrown the first sections; memory.lock is held. */
void huge_look(void);
/* Whether this page's frames come by whole huge pages when its block is claimed. */
bool huge_wanted(unsigned long pfn);
/* Before frameless memory of at least HUGE_ORDER is used: asks for huge pages. False: frames will come one by one. */
bool huge_claim(unsigned long pfn, unsigned int order);
/* Before a part of huge pages goes back: keeps the kernel from collecting them again. */
void huge_disclaim(unsigned long pfn, unsigned long end);
void huge_advise_mapping(void *addr, size_t size);

/* ---- lists.c ---- */

/* BUG, and true, if the block is free already. */
bool page_is_free_twice(const struct page *page, const char *function);
/* One CPU. Under lock: nr[order] == length(list[order]). */
struct page_lists {
	struct lock lock; /* rank PCP */
	unsigned int nr[NR_PCP_ORDERS]; /* Synchronization: lock; read without, for statistics */
	unsigned int low[NR_PCP_ORDERS]; /* least of nr since the last lists_age(). Synchronization: lock */
	struct list_head list[NR_PCP_ORDERS]; /* Synchronization: lock */
} cache_aligned;
extern struct page_lists page_lists[CONFIG_NR_CPUS];
/* Lists below this number have been set up. Synchronization: memory.lock to write, atomic to read; only grows */
extern unsigned int nr_page_lists;
/* Takes every list's lock; returns how many. A list that comes into use later has a number at least that high. */
unsigned int lists_lock_all(void);
/* Whether lists_lock_all() would still take nr locks; memory.lock is held. */
bool lists_all_locked(unsigned int nr);
void lists_unlock_all(unsigned int nr);
void lists_reinit_all(void);
/* Gives what no list needed since the last call to the buddy. Returns whether any list holds something. */
bool lists_age(void);

/* ---- large.c ---- */

/* Synchronization: LOCK_LARGE; read without, for statistics. */
struct large_counts {
	size_t nr; /* direct OS mappings */
	size_t bytes;
	size_t kept_bytes; /* of freed ones that are kept for a while */
};
extern struct large_counts large_counts;
/* Unmaps the freed mappings that nobody took for some ticks, or all. Returns the bytes unmapped. */
size_t large_age(bool all);
/* Unmaps the oldest of them until at most keep bytes are left. Returns the bytes unmapped. */
size_t large_shrink(size_t keep);
/* Bytes of freed mappings that are kept; a hint. */
size_t large_kept_bytes(void);
void large_lock(void);
void large_unlock(void);
void large_reinit(void);

#endif
