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
	struct list_head
		list; /* free: buddy or per-CPU list; slab: a partial list, or an rcu_head (see the slab room's typesafe.c) */
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
 * Flags are read by neighbours: a merge looks at the head next door, under the zone lock, while its owner may be
 * setting flags of its own. Relaxed atomics: a merge only acts on PAGE_BUDDY, which changes under the zone lock alone.
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

/* Reserves the direct map, boots percpu on its anchor, sets up the zones. Once; 0 or -ENOMEM (nothing is left
 * behind). */
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

/* ---- the machine: RAM of a fixed size in zones, instead of memory that grows ---- */

#define PAGE_MAX_NODES 16
#define PAGE_MACHINE_ALIGN (PAGE_SIZE << MAX_ORDER) /* RAM of a node and zone borders are multiples of this: 4 MiB */
#define PAGE_MACHINE_MIN_RAM (8ul << 20)
#define PAGE_RATIO_OFF UINT32_MAX /* lowmem_ratio: keep nothing back */

enum page_zone_type { PAGE_ZONE_DMA, PAGE_ZONE_DMA32, PAGE_ZONE_NORMAL, PAGE_ZONE_HIGHMEM, NR_PAGE_ZONE_TYPES };

/*
 * A machine's memory. Physical addresses count from 0, the RAM of the nodes lies there one behind the other, without
 * holes. Borders: DMA is [0, dma_end), DMA32 [dma_end, dma32_end), NORMAL [the higher of both, highmem_start), HIGHMEM
 * the rest. 0: there is no such zone. A border at or beyond the end of RAM is taken as the end of RAM.
 */
struct page_machine {
	unsigned int nr_cpus; /* 1 .. CONFIG_NR_CPUS; CPUs are dealt to the nodes in order, in equal parts */
	unsigned int nr_nodes; /* 1 .. PAGE_MAX_NODES, 0: 1 */
	size_t node_bytes[PAGE_MAX_NODES];
	size_t dma_end, dma32_end, highmem_start;
	size_t min_free_kbytes; /* 0: sqrt(16 * kilobytes below highmem), 128 .. 262144 */
	/* What a zone keeps from requests that may use higher ones: their pages divided by this. 0: the kernel's
	 * 256, 256, 32 */
	uint32_t lowmem_ratio[NR_PAGE_ZONE_TYPES];
	unsigned char distance[PAGE_MAX_NODES][PAGE_MAX_NODES]; /* 0: 10 to itself, 20 to others */
	bool ungrouped; /* what can be had back and what cannot lie anywhere: all counts as PAGE_UNMOVABLE */
	bool poison; /* free pages are poisoned, and checked when they are allocated; but not highmem */
};

/* Instead of memory_boot(): 0, -EINVAL for a machine that cannot be (a note says why), -EBUSY after a boot, -ENOMEM;
 * nothing is left behind then. The calling thread has no CPU yet: percpu_set_cpu(). */
int memory_boot_machine(const struct page_machine *machine);
/* Undoes memory_boot_machine() with all that lies on it, whatever is still allocated. No other thread uses this room
 * or percpu, nor has a CPU. Then either boot works again. */
void memory_shutdown(void);
/* Looks at all pages that are free and poisoned: BUG reports. Nobody else allocates or frees. */
void page_check_poison(void);
/* What prints the stack and who had a page, in such a report; until the machine ends. */
void page_set_poison_history(void (*hook)(const void *page));
/* Whether memory_boot_machine() was the boot. Any context. */
bool memory_is_machine(void);

/* How deep into a zone's free pages a request may go: down to, but not below. Semantics: Linux' watermarks and
 * ALLOC_ flags. */
enum page_level {
	PAGE_TO_HIGH, /* the high watermark: where kswapd stops */
	PAGE_TO_LOW, /* the first attempt of every request */
	PAGE_TO_MIN, /* the attempts after kswapd was woken */
	PAGE_TO_RESERVE, /* __GFP_HIGH, and victims of the OOM killer: half of min */
	PAGE_TO_ATOMIC, /* __GFP_HIGH of who cannot sleep (GFP_ATOMIC): 3/8 of min */
	PAGE_TO_NOTHING, /* __GFP_MEMALLOC: no watermark, no lowmem_reserve */
	NR_PAGE_LEVELS,
};

/*
 * Whether a block can be had back from who has it: of a machine, blocks of one kind are kept in the same pageblocks, so that the others
 * can become free as a whole. Semantics: Linux, Documentation/mm/physical_memory.rst, migrate types.
 */
enum page_migratetype {
	PAGE_UNMOVABLE, /* nobody knows when, if ever */
	PAGE_MOVABLE, /* at any time: __GFP_MOVABLE */
	PAGE_RECLAIMABLE, /* by asking its owner: __GFP_RECLAIMABLE, SLAB_RECLAIM_ACCOUNT */
	NR_PAGE_MIGRATETYPES,
};

#define PAGE_NODE_HERE (-1) /* the node of this CPU */

/* What the machine's page_alloc() and its variants may take for this thread. The hosted ones do not look at it. */
struct page_request {
	uint8_t type; /* enum page_zone_type: the highest; lower ones are the fallback */
	int8_t node; /* preferred, or PAGE_NODE_HERE */
	uint8_t level; /* enum page_level */
	bool this_node; /* only that node's zones */
	bool no_pressure; /* the hook of page_set_pressure() is not called: without __GFP_KSWAPD_RECLAIM */
	uint8_t migratetype; /* enum page_migratetype */
} __attribute__((aligned(8)));
#define PAGE_REQUEST_INIT \
	((struct page_request){PAGE_ZONE_NORMAL, PAGE_NODE_HERE, PAGE_TO_MIN, false, false, PAGE_UNMOVABLE})
/* Sets this thread's request, returns the one before: an interrupt puts that back. A new thread has
 * PAGE_REQUEST_INIT. */
struct page_request page_request_set(struct page_request request);
struct page_request page_request_get(void);

/*
 * hook() is called when an attempt has left a zone of a node below its low watermark or has failed, so that kswapd of
 * that node may be woken: with the request's order and zone type, for each node once that the request could have used.
 * The caller of page_alloc() may hold locks of ranks below LOCK_LARGE, and has interrupts off. NULL: nobody is told,
 * as after memory_shutdown().
 */
void page_set_pressure(void (*hook)(unsigned int node, unsigned int order, enum page_zone_type type));

/* Whether what usual.h has works on this machine: not while free pages are poisoned. */
bool page_has_usual(void);

/*
 * For who sleeps until memory comes. While hook is set, freed pages go to the buddy at once, and then hook(node) is
 * called, in the context of page_free() and without locks of rank LOCK_LARGE or above. NULL: nobody sleeps. Once this
 * has returned, no free misses the hook; what was freed before is found by page_drain_lists() and another attempt,
 * which are to come before the sleep.
 */
void page_set_freed(void (*hook)(unsigned int node));

/* Moves one CPU's page lists to the buddy: for a CPU that goes offline, too. */
void page_drain_cpu(unsigned int cpu);

/* Physical page numbers, which count from 0 at the first frame of RAM; hosted, at the first of the direct map. Any
 * context. */
unsigned long page_phys_pfn(const struct page *page);
/* The struct of a physical page; NULL where there is no memory. */
struct page *page_of_phys_pfn(unsigned long phys_pfn);
/* Frames of RAM of the machine: physical page numbers are below. 0 hosted. */
unsigned long page_nr_phys(void);
/* The descriptor of the machine's RAM, to map frames of it elsewhere: frame n is at n << PAGE_SHIFT. -1 hosted. */
int page_ram_fd(void);
/* Whether the frame has no address in the direct map. Any context; false hosted. */
bool page_is_highmem(const struct page *page);
/* The node and the zone type of a frame; 0 and PAGE_ZONE_NORMAL hosted. Any context. */
unsigned int page_node(const struct page *page);
enum page_zone_type page_zone_type_of(const struct page *page);
unsigned int page_nr_nodes(void);
/* The node that a CPU of the machine belongs to. */
unsigned int page_node_of_cpu(unsigned int cpu);
unsigned int page_node_distance(unsigned int from, unsigned int to);

/* What views show of a zone, in pages; a snapshot without locks, as page_stats_get(). */
struct page_zone_info {
	const char *name; /* "DMA", "DMA32", "Normal", "HighMem" */
	unsigned int node;
	enum page_zone_type type;
	unsigned long start_pfn; /* physical */
	size_t spanned, present, managed;
	size_t free; /* in buddy lists: what watermarks are about */
	size_t in_lists; /* in per-CPU lists */
	size_t min, low, high;
	size_t reserve[NR_PAGE_ZONE_TYPES]; /* lowmem_reserve, kept from requests of that type */
	size_t nr_free[MAX_ORDER + 1]; /* blocks on each buddy list */
	size_t allocated, freed; /* pages, ever: free + in_lists + allocated - freed == managed */
	unsigned int list_high,
		list_batch; /* most pages on a CPU's list of order 0, and how many move at a time; 0: no lists */
};
/* Zones are numbered by address, so nodes in order and types in order within a node; empty ones do not exist. */
unsigned int page_nr_zones(void);
void page_zone_get(unsigned int zone, struct page_zone_info *info);
/* Pages of a zone on one CPU's lists. */
size_t page_zone_in_lists(unsigned int zone, unsigned int cpu);
/* Whether a request of that order, type and level could be met from the zone's buddy lists. Any context; a hint. */
bool page_zone_suffices(unsigned int zone, unsigned int order, enum page_zone_type type, enum page_level level);
/* What lies where in a zone, by enum page_migratetype. */
struct page_zone_types {
	bool grouped; /* else all is PAGE_UNMOVABLE */
	size_t nr_free[NR_PAGE_MIGRATETYPES][MAX_ORDER + 1]; /* blocks on each buddy list */
	size_t nr_blocks[NR_PAGE_MIGRATETYPES]; /* pageblocks */
};
/* As the kernel calls them. */
extern const char *const page_type_names[NR_PAGE_MIGRATETYPES] hidden;
#define PAGEBLOCK_ORDER MAX_ORDER
#define PAGEBLOCK_PAGES (1ul << PAGEBLOCK_ORDER)
/* Any context: it goes from pageblock to pageblock, and takes the zone's lock for one at a time, with signals blocked. So each
 * pageblock's numbers are right at some moment, their sum need not be. */
void page_zone_types_get(unsigned int zone, struct page_zone_types *types);
/* Attempts that failed, ever. */
size_t page_nr_failed(void);

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
	struct machine *const *machine;
};
extern const struct page_root page_root hidden;
/* As page_stats_get, of the process that the reader reads. False: it could not be read. */
bool page_stats_read(const struct reader *reader, const struct page_root *root, struct page_stats *stats);
/* A zone of that process's machine. */
struct page_zone_stats {
	const char *name;
	unsigned int node;
	size_t nr_free[MAX_ORDER + 1]; /* blocks on each buddy list */
	size_t pages, free, min, low, high; /* pages */
};
/* How many zones its machine has; hosted, 0, too where it cannot be read. */
unsigned int page_zones_read(const struct reader *reader, const struct page_root *root);
/* The zone of that number. False: it could not be read. */
bool page_zone_read(
	const struct reader *reader, const struct page_root *root, unsigned int number, struct page_zone_stats *stats);
/* Whether [addr, addr + size) is online memory of that process's direct map, within one section. Any address may be
 * asked. */
bool page_range_online_read(const struct reader *reader, const struct page_root *root, const void *addr, size_t size);
/* What a tool built from other sources would not agree on: sizes and offsets. */
#define PAGE_LAYOUT_WORDS 11
extern const uint32_t page_layout[PAGE_LAYOUT_WORDS] hidden;
/* BUG unless every zone's lists, counts and flags agree. Takes the zone locks. */
void page_check(void);

/* Fork: takes every lock of this room in rank order; releases; or, in the child, makes them new. */
void page_fork_prepare(void);
void page_fork_parent(void);
void page_fork_child(void);

#endif
