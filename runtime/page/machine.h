/*
 * machine.h: a machine's memory: RAM of a fixed size, cut into zones, instead of one zone that grows.
 *
 * machine.c boots it and shuts it down, zones.c makes the zones and shows them, requests.c takes blocks as a request
 * may, pageblocks.c chooses among free blocks, zone_lists.c keeps each CPU's lists of pages, and poison.c fills free pages, if it is
 * to. buddy.c does the rest, in every zone; all blocks there are dirty ones.
 * Lock order: LOCK_PCP, which is the drain's, then LOCK_ZONE.
 */
#ifndef RUNTIME_PAGE_MACHINE_H
#define RUNTIME_PAGE_MACHINE_H

#include "runtime/page/internal.h"

#define MOST_LIST_BATCH 16
#define LIST_BATCHES 2 /* batches that a list may hold */

/* The blocks of one zone on one CPU's lists. Synchronization: see struct cpu_lists; counts are read without, for
 * statistics. */
struct zone_lists {
	unsigned int nr[NR_PCP_ORDERS]; /* == the sum of length(list[type][order]) */
	unsigned int
		most[NR_PCP_ORDERS]; /* of nr; a block more and a batch leaves. Synchronization: const after boot */
	size_t allocated, freed; /* pages, ever, by this CPU */
	struct list_head list[NR_PAGE_MIGRATETYPES][NR_PCP_ORDERS]; /* the one freed last at the head */
} cache_aligned;
static_assert(!(sizeof(struct zone_lists) & (sizeof(struct zone_lists) - 1)),
	"an element of an array that the shortest way looks into");

/*
 * One CPU's lists. Synchronization: the thread that is on the CPU, with interrupts off and between lists_enter() and
 * lists_leave(); or a drain that has found the CPU stopped and not busy.
 */
struct cpu_lists {
	uint32_t busy; /* Synchronization: written by the CPU's thread; atomic */
	uint32_t stopped; /* Synchronization: written by drains; atomic */
	uint32_t node; /* the CPU's. Synchronization: const after boot */
	/* What PAGE_REQUEST_INIT tries first: its lists, its free pages, and how many stay above its high watermark for such a
	 * request. NULL: there is none. Synchronization: const after boot */
	struct zone_lists *usual;
	const size_t *usual_nr_free;
	long usual_limit;
	struct zone_lists zone[];
};

/* At any time: buddy->nr_free + pages in lists + allocated - freed == buddy->nr_online, the sums taken over CPUs,
 * too. */
struct machine_zone {
	struct zone *buddy; /* Synchronization: const after boot, as all below but the counts */
	unsigned char number, node, type;
	unsigned int
		list_batch; /* pages that come onto a CPU's list, or leave it, at a time; 0: the zone has no lists */
	long limit[NR_PAGE_LEVELS]
		  [NR_PAGE_ZONE_TYPES]; /* free pages are to stay above, for a request of that level and type */
	size_t min, low, high;
	size_t reserve[NR_PAGE_ZONE_TYPES];
	size_t allocated,
		freed; /* pages that went by the lists, ever. Synchronization: the zone's lock; read without */
} cache_aligned;

/* As the kernel calls them. */
extern const char *const zone_type_names[NR_PAGE_ZONE_TYPES] hidden;

/* The zones for a request, by number, in the order in which it tries them. */
struct zonelist {
	unsigned char nr;
	unsigned char zone[MAX_ZONES];
};

/* Synchronization: const after boot */
struct machine_shape {
	bool fenced; /* there is no membarrier: owners of lists announce themselves with a full barrier of their own */
	unsigned int nr_cpus, nr_nodes, nr_zones;
	int ram_fd;
	unsigned long highmem_pfn; /* the first frame that the direct map does not reach, or the end */
	size_t list_stride; /* from one CPU's lists to the next one's */
	size_t lists_size;
	char *lists;
	struct pageblock *pageblocks; /* as in struct zone; heads, too */
	uint64_t *heads;
	unsigned int type_mask; /* what of a request's migratetype counts: all of it, or nothing */
	size_t pageblocks_size, heads_size;
};

/* What the room's functions do instead. */
struct machine_functions {
	struct page *(*alloc)(unsigned int order, unsigned int flags);
	struct page *(*alloc_run)(size_t nr_pages, unsigned int flags);
	void (*free)(struct page *page, unsigned int order);
	void (*free_run)(unsigned long pfn, unsigned long end);
	bool (*grow_run)(unsigned long pfn, unsigned long end);
	void (*drain)(void);
	void (*check)(void);
};

struct machine {
	struct machine_shape shape;
	struct machine_functions does; /* Synchronization: const after boot */
	void (*pressure)(unsigned int node, unsigned int order, enum page_zone_type type); /* Synchronization: atomic */
	void (*freed)(unsigned int node); /* Synchronization: atomic */
	size_t nr_failed; /* Synchronization: atomic */
	struct machine_zone zone[MAX_ZONES];
	struct zonelist zonelist[PAGE_MAX_NODES][NR_PAGE_ZONE_TYPES]; /* by preferred node, highest type */
	unsigned char distance[PAGE_MAX_NODES][PAGE_MAX_NODES];
};

static inline struct cpu_lists *lists_of(const struct machine_shape *shape, unsigned int cpu)
{
	return (struct cpu_lists *)(shape->lists + cpu * shape->list_stride);
}

static inline size_t lists_pages(const struct zone_lists *lists)
{
	size_t pages = 0;

	for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
		pages += (size_t)__atomic_load_n(&lists->nr[order], __ATOMIC_RELAXED) << order;
	return pages;
}

/* The zone of a page of RAM. */
static inline struct machine_zone *zone_of_pfn(unsigned long pfn)
{
	return &machine->zone[memory.sections[pfn / SECTION_PAGES]];
}

/* Blocks that come and go at a time; 0: none of that order are on lists. */
static inline unsigned int zone_batch(const struct machine_zone *zone, unsigned int order)
{
	return order < NR_PCP_ORDERS ? zone->list_batch >> order : 0;
}

/* Whether so many free pages let a request of that order have a block that is above the limit. */
static inline bool pages_suffice(size_t nr_free, unsigned int order, long limit)
{
	return (long)nr_free - ((1l << order) - 1) > limit;
}

/* ---- zones.c ---- */

/* Makes the zones of a machine whose memory is mapped, with all of their pages free. */
void zones_boot(const struct page_machine *config);
/* A block of the order for that type from the buddy lists, if that leaves the zone above the limit. The caller holds the zone
 * lock. */
struct page *__zone_take(struct machine_zone *zone, unsigned int order, long limit, enum page_migratetype type);
/* The machine's page_check(). */
void zones_check(void);

/* ---- zone_lists.c ---- */

/*
 * The thread on a CPU works on the CPU's lists without a lock and without an atomic instruction: it has interrupts off,
 * and nobody else is on the CPU. A drain from elsewhere stops the CPU's use of them first:
 *
 *	owner: busy = 1; read stopped		drain: stopped = 1; membarrier; wait until !busy
 *
 * After the barrier, an owner has either seen that it is stopped, and does without lists, or is visibly busy. Where
 * there is no membarrier, both sides use full barriers of their own.
 */
static inline void lists_leave(struct cpu_lists *lists)
{
	/* Pairs with __wait_until_idle(): the drain sees the lists as they are left. */
	__atomic_store_n(&lists->busy, 0, __ATOMIC_RELEASE);
}

/* BUG: the lists of this CPU are in use already. */
void lists_intrude(int cpu) __attribute__((cold));

/* Begins the use of the lists of this thread's CPU. False: they are not to be had just now. */
static inline bool lists_enter(struct cpu_lists *lists)
{
	if (unlikely(__atomic_load_n(&lists->busy, __ATOMIC_RELAXED))) {
		lists_intrude(percpu_this_cpu());
		return false;
	}
	if (unlikely(machine->shape.fenced))
		__atomic_exchange_n(&lists->busy, 1, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&lists->busy, 1, __ATOMIC_RELAXED);
	/* Order against the load below comes from the drain's membarrier; here only the compiler must keep it. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* Pairs with __go_on(): what the drain left is seen. */
	if (likely(!__atomic_load_n(&lists->stopped, __ATOMIC_SEQ_CST)))
		return true;
	lists_leave(lists);
	return false;
}

/* Of this thread's CPU; NULL: it is on none. */
static inline struct cpu_lists *cpu_lists_here(void)
{
	int cpu = percpu_this_cpu();

	return likely(cpu >= 0) ? lists_of(&machine->shape, (unsigned int)cpu) : NULL;
}

static inline void lists_count(struct zone_lists *here, unsigned int order, int delta)
{
	__atomic_store_n(&here->nr[order], here->nr[order] + (unsigned int)delta, __ATOMIC_RELAXED);
}

/* Puts a block onto the list of a type, at its head. */
static inline void lists_push(
	struct zone_lists *here, struct page *page, unsigned int order, enum page_migratetype type)
{
	page->order = (uint8_t)order;
	page_flags_set(page, PAGE_PCP);
	list_add(&page->list, &here->list[type][order]);
	lists_count(here, order, 1);
}

/* Takes a block off its list. */
static inline void lists_remove(struct zone_lists *here, struct page *page, unsigned int order)
{
	list_del(&page->list);
	page_flags_set(page, 0);
	lists_count(here, order, -1);
}

/* The block that was freed last; NULL: there is none. */
static inline struct page *lists_pop(struct zone_lists *here, unsigned int order, enum page_migratetype type)
{
	struct list_head *head = &here->list[type][order], *first = head->next, *second = first->next;
	struct page *page = list_entry(first, struct page, list);

	if (unlikely(first == head))
		return NULL;
	/* As lists_remove(), of the head's neighbour. */
	second->prev = head;
	__atomic_store_n(&head->next, second, __ATOMIC_RELAXED);
	page_flags_set(page, 0);
	lists_count(here, order, -1);
	count_add(&here->allocated, 1ul << order);
	return page;
}

/* Makes the lists of all CPUs. 0 or -ENOMEM. */
int lists_boot(void);
/* Fills this CPU's list of an order and type from the zone's buddy lists, above the limit. Between lists_enter() and
 * lists_leave(), as the one below. */
void lists_refill(
	struct machine_zone *zone, struct zone_lists *here, unsigned int order, long limit, enum page_migratetype type);
/* Gives at most nr blocks of an order to the buddy, of one type before the others, the coldest first. */
void lists_give(struct machine_zone *zone, struct zone_lists *here, unsigned int order, enum page_migratetype first,
	unsigned int nr);
/* Moves what is on this CPU's lists to the buddy. Returns whether there was anything. */
bool lists_empty_own(void);
/* The machine's page_drain_lists(). */
void lists_drain(void);
/* Calls body() while no CPU is at its lists. */
void lists_stop_all(void (*body)(void));
/* BUG unless the lists agree with their counts and flags; for such a body(). */
void __lists_check(void);

/* ---- requests.c ---- */

/* Makes the room's functions the machine's. */
void requests_boot(void);
/* Zeroes pages, also where the direct map does not reach. Returns the first. */
struct page *requests_clear(struct page *page, size_t nr_pages);

/* ---- pageblocks.c ---- */

/* Tells pageblocks apart from here on; all are PAGE_MOVABLE yet. 0 or -ENOMEM. */
int pageblocks_boot(void);
/* The caller holds the zone lock. A block for that type, by preference from its own pageblocks; NULL if none is free. */
struct page *__pageblocks_take(struct zone *zone, unsigned int order, enum page_migratetype type);
/* The caller holds the zone lock. BUG unless each pageblock knows of free blocks only, and of as many pages as it counts. */
void __pageblocks_check(const struct zone *zone);
/* The same of a free block that is on the list of a type: BUG unless its pageblock has that type, and knows of it. */
void __pageblocks_check_listed(const struct zone *zone, unsigned long pfn, unsigned int order, unsigned int list);

/* What a page that is freed is good for; it may change at any moment. */
static inline enum page_migratetype pageblock_type(const struct zone *zone, unsigned long pfn)
{
	if (!zone->pageblocks)
		return PAGE_UNMOVABLE;
	return (enum page_migratetype)__atomic_load_n(&pageblock_of(zone, pfn)->type, __ATOMIC_RELAXED);
}

/* ---- poison.c ---- */

/* Free pages are poisoned from here on. 0 or -ENOMEM. */
int poison_boot(void);
void poison_shutdown(void);

#endif
