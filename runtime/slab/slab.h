/*
 * slab.h: caches, slabs, depots and magazines: the interface of this room.
 *
 * Calls the page room and percpu. Knows nothing of errno, of C++ or of who its callers are.
 *
 * An allocation walks down, and stops at the first that has an object: this CPU's magazines (fast.h, ladder.c), the
 * depot (depot.c), partial slabs, a new slab (slabs.c), the page room.
 */
#ifndef RUNTIME_SLAB_SLAB_H
#define RUNTIME_SLAB_SLAB_H

#include "percpu/fast.h"
#include "runtime/page/page.h"
#include "runtime/slab/sizes.h"

#define SLOT_OTHER 127 /* class byte of slabs whose cache's slot does not fit a class byte, or that have none */
#define SLOT_FIRST_CACHE (NR_CLASSES + 1)
#define SLOT_DEFERRED (AREA_SLOTS - 1) /* no cache's: objects of any that are to be freed later */
#define OTHER_ORDER 3 /* every slab of SLOT_OTHER: its head is found by alignment */
#define NR_FULLNESS 4 /* partial lists */

/* Magazines on top of each other. */
struct depot_stack {
	struct magazine *top;
	unsigned int nr; /* == length(top) */
	unsigned int low_water; /* <= nr ever since the interval began: what nobody needed in it */
};

/*
 * Depot: the magazines of one cache that no CPU holds, on one last-level cache.
 *
 * Under lock: every magazine on full holds exactly its own capacity objects, those on empty none;
 * nr_objects == sum of the capacities of those on full.
 * The lock is only ever tried: a signal handler may have interrupted its holder, and whoever does not get it goes on to
 * the slabs.
 */
struct depot {
	struct lock lock; /* rank DEPOT */
	struct depot_stack full; /* Synchronization: lock; counts are read without it, to see whether it pays */
	struct depot_stack empty; /* Synchronization: as full */
	unsigned int nr_objects; /* Synchronization: lock; statistics read it without */
	bool fork_held; /* Synchronization: lock; set from fork's prepare to its end */
} cache_aligned;

/*
 * The slabs of one cache on one memory node. CPUs take from their own node's; objects go back to their slab's.
 *
 * Under lock: nr_slabs == those on partial[] + nr_empty + those on no list: without a free object, or PAGE_PURGING;
 * nr_free == sum of page->nr_free; a slab on partial[i] has 0 < nr_free < nr_objects, and more free objects the higher i.
 */
struct slabs {
	struct lock lock; /* rank SLABS */
	struct list_head partial[NR_FULLNESS]; /* Synchronization: lock */
	struct list_head empty; /* Synchronization: lock */
	/* Synchronization: atomic, written under lock: these three are read without it. */
	size_t nr_slabs; /* Run classes: live runs */
	size_t nr_empty;
	size_t nr_free;
	size_t free_low; /* least of nr_free since the last slabs_purge(). Synchronization: lock */
	unsigned int quiet_ticks; /* calls of it between which no object was taken. Synchronization: lock */
} cache_aligned;

/* Synchronization: everything above list is const after init. */
struct kmem_cache {
	const char *name;
	unsigned int slot; /* of every CPU's area; 0: no magazines */
	unsigned int object_size; /* as asked for */
	unsigned int size; /* distance of two objects */
	unsigned int usable; /* bytes of an object that its owner may use */
	unsigned int align;
	unsigned int order; /* pages of a slab */
	unsigned int nr_objects; /* of a slab */
	unsigned int max_capacity; /* objects that a magazine may have room for; 0: the cache works without */
	unsigned int max_depot; /* objects in all depots */
	unsigned char class_byte;
	bool run; /* objects are page runs (runs.c), there are no slabs */
	bool typesafe; /* SLAB_TYPESAFE_BY_RCU: what is in free objects stays, and slabs go back after a grace period */
	unsigned int flags;
	unsigned char debug; /* enum cache_debug */
	unsigned int zone; /* gfp zone flags that all its slabs are allocated with */
	unsigned int useroffset, usersize; /* the part that may be copied to and from user space */
	uint64_t reciprocal; /* ceil(2^40 / size): division by multiplication */
	void (*ctor)(void *object);
	struct list_head list; /* Synchronization: cache_list_lock */
	unsigned int
		capacity; /* of magazines taken from now on; 0: cold, none are. Synchronization: atomic; capacity.c */
	unsigned int cold_misses; /* Synchronization: atomic; since it is cold */
	bool missed; /* in this epoch. Synchronization: atomic */
	size_t nr_waiting; /* slabs, in no count or list of slabs, that go back after a grace period. Synchronization: atomic */
	struct depot depot; /* of shard 0 */
	struct slabs slabs; /* of node 0 */
};

/* Caches by slot; NULL where none. Entries 1 .. NR_CLASSES are the size classes. Synchronization: set under
 * cache_list_lock, read by who holds an object of the cache */
extern struct kmem_cache *cache_by_slot[AREA_SLOTS] hidden;
extern struct kmem_cache kmalloc_caches[NR_CLASSES + 1] hidden;

/* Whether it is one of those by size that malloc and kmalloc take from. */
static inline bool cache_is_class(const struct kmem_cache *cache)
{
	return cache >= kmalloc_caches && cache <= &kmalloc_caches[NR_CLASSES];
}

/* Boots this room and all below it, once, from whichever thread allocates first; any context. Returns false when out of
 * memory. */
bool slab_boot(void);
/* The library's constructor is not to boot: the first allocation will, and a program without one is spared it. For a face
 * that pthread_create() allocates from. Called by a constructor of priority 101. */
void slab_boot_later(void);

/*
 * The library is a machine's: nothing boots but slab_boot_machine(), and an allocation before that is a BUG report,
 * once, and NULL. Called by a constructor of priority 101.
 */
void slab_boot_by_machine(void);

/* ---- the ladder: any context, signal handlers too ---- */

/* An object of the cache that this CPU's magazine did not have; NULL when memory is out. */
void *cache_alloc_slow(struct kmem_cache *cache);
/* Takes back an object that this CPU's magazine had no room for. */
void cache_free_slow(struct kmem_cache *cache, void *object);

/* Memory of any size, aligned to align (a power of two): from a class, from pages, or from the OS. The slow half of every
 * kmalloc and malloc. NULL when memory is out, after everything cached was given back. */
enum alloc_flags {
	ALLOC_ZERO = 1,
	ALLOC_EXACT =
		2, /* usable bytes are those of the size's own class; else, while that is cold, up to half as many more */
};
void *object_alloc(size_t size, size_t align, unsigned int flags);
/* As object_alloc(), after boot, and without giving back what is cached: for who decides himself what to do without
 * memory. */
void *object_alloc_once(size_t size, size_t align, unsigned int flags);
/* Frees anything that object_alloc returned, and NULL; a BUG report on anything else. */
void object_free(void *object);
/* Usable bytes of an object; 0 if it is none of ours. */
size_t object_size(const void *object);
/* Whether an address lies in a free block of pages: what a report of a wrong free can say of it. A snapshot. */
bool address_is_free(const void *p);
/* Makes an object usable for size bytes where it is, or moves it; NULL when memory is out: the object stays as it was. */
void *object_resize(void *object, size_t size, size_t align);

/* Gives back everything that is cached: magazines, depots, empty slabs, page lists, and free pages beyond keep bytes.
 * Task context, no locks held. Returns the bytes that went back to the OS. */
size_t slab_trim(size_t keep);
/* The part of it that the page room does. */
size_t slab_trim_pages(size_t keep);

/* Gives pages back that hold none but free objects of slabs, as far as the time since the last call had no need of them.
 * Task context, no locks held. Returns whether a later call could give back more. */
bool slab_purge(void);
/* Gives the objects in magazines that no CPU used since the last call back to their slabs. Task context, no locks held.
 * Returns whether CPUs hold others. */
bool slab_drain_idle(void);

/*
 * Ends an epoch of all caches, a second or so in length: what depots did not need in it goes back to slabs, capacities of
 * caches without a miss halve, empty slabs beyond one (of caches without a miss: all) and unused magazines go back to the
 * page room. Touches no CPU's magazines, and disturbs nobody. Task context, no locks held.
 * Returns whether another call could give more back even if nothing happens until then.
 */
bool slab_age(void);

/* ---- the machine: its part of this room is a library of its own, which hosted programs do not have ---- */

/*
 * Boots this room and all below it as a machine's: 0 after that, or what memory_boot_machine() returned, or -EBUSY
 * if it is booted. What slab_set_tracking() and slab_set_slow() say must have been said. Task context.
 */
int slab_boot_machine(const struct page_machine *machine);
/* Undoes it, with all that is still allocated: caches, objects, pages, hooks, records. Nobody else uses this room
 * or those below, and no thread has a CPU. Then the room can boot again. */
void slab_shutdown(void);

/* Who allocates, for reports and records. */
struct alloc_who {
	char comm[16]; /* of the task; empty: unknown */
	int pid;
	int cpu;
};

/* Pages in few instructions, as page/usual.h has them, with interrupts put off. Any context, on a CPU or not. */
struct usual_pages {
	struct page *(*alloc)(unsigned int order);
	/* False: another case. */
	bool (*free)(struct page *page, unsigned int order);
};

/*
 * What the rooms above do on the slow paths of the kernel face. Each may be NULL. Called without locks, with
 * interrupts as the caller of the allocation has them; gfp is unsigned, as in the kernel. Their own allocations
 * nest.
 */
struct alloc_hooks {
	/* Once for each allocation that takes the slow path (of pages, all do, unless begin_refuses_only): false fails it, without a
	 * report of its failure. size in bytes; cache_flags those of the cache, 0 of sizes and pages; caller the return address in
	 * the caller of the public function. */
	bool (*begin)(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller);
	/* Begin does nothing but to refuse threads that are on no CPU: it need not be asked about others. */
	bool begin_refuses_only;
	/* As begin, of page allocations; NULL: begin sees them, too. */
	bool (*begin_pages)(unsigned int gfp, unsigned int order, const void *caller);
	/*
	 * After a first attempt above the low watermark and a second one as deep as gfp allows have failed: wakes,
	 * reclaims, sleeps. attempt counts from 1. Sets this thread's page_request for the next attempt, which is
	 * else as deep as the last. False: the allocation fails. NULL: what is cached goes back, once, or with
	 * __GFP_NOFAIL for ever.
	 */
	bool (*retry)(unsigned int gfp, unsigned int order, unsigned int attempt);
	/* Of a machine where frees take the slow path, too: before memory goes back. */
	void (*freeing)(const void *object, size_t size);
	/* Fills in comm and pid. */
	void (*who)(struct alloc_who *who);
	/* Prints the zones, at the end of the report of a failure. */
	void (*report_zones)(unsigned int gfp, unsigned int order);
	/* The usual case of pages; NULL: there is none. Used where no hook is to see each block. */
	const struct usual_pages *pages;
};
/* Synchronization: hooks stays; set while nobody else allocates, NULL: none. slab_shutdown() sets NULL. */
void slab_set_hooks(const struct alloc_hooks *hooks);

/* For the next machine that boots: every allocation and free takes the slow path, where hooks see it. */
void slab_set_slow(bool on);
/* As slab_set_slow(), and every live object and block of the kernel face is recorded, with who allocated it; frees
 * of what is not live name both who allocated and who freed it. */
void slab_set_tracking(bool on);

/*
 * For the next machine: which caches are checked for what. Blocks, separated by ';': letters of F (frees of what is free),
 * Z (red zones), P (poison) and U (who allocated and freed), no letter all of them, '-' none; then, each after a colon, the
 * caches' names, of which a last '*' stands for any rest; no name: all caches. The first block that names a cache, or all,
 * decides. "": nothing is checked but what caches ask for themselves. Objects of more than the largest slab class are runs
 * of pages, and are not checked. The text stays the caller's until the machine ends.
 * Semantics: Linux, Documentation/mm/slub.rst, slub_debug, where the separators are commas.
 */
void slab_set_checks(const char *text);
/* Where such a text ends to make sense; NULL: it does make sense. */
const char *slab_checks_bad(const char *text);
/* Looks at all free objects of the caches that are checked, and at free pages that are poisoned. Task context; nobody else allocates. */
void slab_check_free(void);

struct text;
/* The names of flags, as the kernel's reports print them: "GFP_KERNEL|__GFP_ZERO". */
void slab_print_gfp(struct text *text, unsigned int gfp);

#define LEAK_FRAMES 8

/* A live object or block of pages. */
struct slab_leak {
	const void *object;
	size_t size; /* bytes asked for */
	size_t nr,
		bytes; /* of slab_for_each_leak_site(): how many this one stands for, and their bytes; else 1, size */
	const char *type; /* the cache's name, "kmalloc-64", "pages" */
	struct alloc_who who;
	uint64_t time_ns; /* host_clock_ns() when it was allocated */
	unsigned int nr_frames;
	uintptr_t frame[LEAK_FRAMES]; /* return addresses, the allocation's caller first */
};
/* Calls visit for each, oldest first. Tracking is on; nobody else allocates. Returns how many. */
size_t slab_for_each_leak(void (*visit)(const struct slab_leak *leak, void *arg), void *arg);
/* As that, but once for all that were allocated with one stack, for the oldest of them. */
size_t slab_for_each_leak_site(void (*visit)(const struct slab_leak *leak, void *arg), void *arg);
/*
 * Without tracking: calls visit for each cache with live objects, by its name, and for "pages", with their number and the
 * bytes that they are usable for. What is cached goes back first. Nobody else allocates. Returns how many there are.
 */
size_t slab_for_each_live_count(void (*visit)(const char *what, size_t nr, size_t bytes));
/*
 * Notes on stderr: the object or block of pages that an address lies in, or lay in, who allocated it, and if that has
 * happened, who freed it; as tracking or slub_debug=U know. Nothing where they do not. Any context.
 */
void slab_report_history(const void *p);
/* Prints one on stderr, as notes: a first line and the stack. */
void slab_report_leak(const struct slab_leak *leak);

/* ---- slabs of a cache; signals blocked ---- */

/* Up to n objects into out[0..], lowest address first: from partial slabs of this CPU's node, or else from one new slab.
 * Returns how many; 0 only when memory is out. */
unsigned int slabs_alloc(struct kmem_cache *cache, void **out, unsigned int n);
void slabs_free(struct kmem_cache *cache, void **objects, unsigned int n);
/* One object of that node's slabs (negative: this CPU's node's), or where only is not set, of another's; NULL when
 * memory is out. */
void *slabs_alloc_on(struct kmem_cache *cache, int node, bool only);
/* Gives empty slabs beyond keep back to the page room. */
void slabs_shrink(struct kmem_cache *cache, size_t keep);
/* BUG unless lists and counts agree. Takes the locks. */
void slabs_check(struct kmem_cache *cache);
/* Slabs, and free objects in them, of all nodes. Without locks: exact only with nobody else at work. */
void slabs_count(struct kmem_cache *cache, size_t *nr_slabs, size_t *nr_free);
/* Visits the free objects of the slabs: nobody else uses the cache. */
void slabs_for_each_free(struct kmem_cache *cache, void (*visit)(void *object, void *arg), void *arg);
/* Whether any node has an empty slab: a hint. */
bool slabs_have_empty(struct kmem_cache *cache);
/* Sets up slabs for all memory nodes; until then there is one. Signals blocked, cache_list_lock held. */
void slabs_set_up_nodes(void);
/* As depot_reset_shards(). */
void slabs_reset_nodes(void);
void slabs_fork_prepare(struct kmem_cache *cache);
void slabs_fork_done(struct kmem_cache *cache, bool child);
/* Head of the slab of an object; NULL if p is not inside a slab. */
struct page *slab_of(const void *p);

/* The cache that the class byte of an object's page names; NULL if it is not in a slab or a run with a class. */
static inline struct kmem_cache *cache_of(const void *object, unsigned long pfn)
{
	unsigned int byte = *class_byte(pfn);

	if (byte == 2 * SLOT_OTHER)
		return slab_of(object)->cache;
	return cache_by_slot[byte / 2];
}

void slabs_init(struct kmem_cache *cache);
/* Calls visit for each live object: for reports, with nobody else using the cache. */
void slabs_for_each_live(struct kmem_cache *cache, void (*visit)(void *object, void *arg), void *arg);

/* ---- objects of the run classes; signals blocked ---- */

/* As slabs_alloc and slabs_free. */
unsigned int runs_alloc(struct kmem_cache *cache, void **out, unsigned int n);
void runs_free(struct kmem_cache *cache, void **objects, unsigned int n);
/* Resizes a run in place, with or without a class before and after. */
bool run_resize(void *object, size_t size);

/* ---- capacities ---- */

/*
 * Notes that a CPU's magazines could not serve, and lets the cache's grow for it. Returns the capacity that a magazine for
 * this CPU is to have; 0: the cache is cold, and does without. Any context.
 */
unsigned int capacity_miss(struct kmem_cache *cache);
/* One epoch has ended: a cache without a miss in it gets half its capacity. Returns whether it had misses. */
bool capacity_age(struct kmem_cache *cache);
/* The cache will not be used any more: its part of the budget is free. */
void capacity_release(struct kmem_cache *cache);
/* Nothing of the budget is used: there are no caches any more. */
void capacity_reset(void);
/* BUG unless the budget's use is what the caches' capacities add up to, with nobody else at work. */
void capacity_check(void);

/* ---- depot ---- */

/* An exchange of a CPU's pair: what the CPU was seen to have, what stays as its spare, and what leaves. */
struct swap {
	struct area_view view;
	magazine_top keep;
	magazine_top surplus; /* 0: none. Ours once the exchange is made, and to be given away: any fill is possible */
};
/* Installs {a full magazine, keep}. False: nothing done. Takes the surplus in, and sets it to 0, if it fits. */
bool depot_swap_full(struct kmem_cache *cache, struct swap *swap);
/* Installs {an empty magazine of that capacity, keep}; as depot_swap_full. */
bool depot_swap_empty(struct kmem_cache *cache, struct swap *swap, unsigned int capacity);
/* Takes in a magazine that no CPU has, full or empty; false: no room, or neither. */
bool depot_give(struct kmem_cache *cache, magazine_top top);
/* A list of all full (then, empty) magazines, taken out; waits for the lock, so: task context. */
struct magazine *depot_take_all(struct kmem_cache *cache, bool full);
/* Ends an interval: a list of the full (then, empty) magazines that nobody needed in it. */
struct magazine *depot_take_idle(struct kmem_cache *cache, bool full);
/* Whether any depot of the cache has a magazine: a hint. */
bool depot_in_use(const struct kmem_cache *cache);
/* Sets up depots for all last-level caches; until then there is one. Signals blocked, cache_list_lock held. */
void depot_set_up_shards(void);
/* Back to one depot a cache: the memory of the others is gone. */
void depot_reset_shards(void);
/* BUG unless lists and counts of every depot agree. Takes the locks. */
void depot_check(struct kmem_cache *cache);
void depot_fork_prepare(struct kmem_cache *cache);
void depot_fork_done(struct kmem_cache *cache, bool child);

/* ---- the pool of magazines; signals blocked ---- */

/* An empty magazine of that capacity; NULL when memory is out. */
struct magazine *magazine_get(unsigned int capacity);
void magazine_put(struct magazine *magazine);

/* Of objects that are to be freed later. */
struct slab_deferred {
	/* Takes in the magazines of SLOT_DEFERRED that a drain or a thread's end takes off CPUs. */
	void (*sink)(struct magazine_pair pair);
	/* Memory is out: frees what can be freed within a moment. Task context, may sleep. */
	void (*reclaim)(void);
};
/* Set before the first object is put there; the same each time. */
void slab_set_deferred(const struct slab_deferred *deferred);
/* An area_sink for their magazines. */
void slab_deferred_sink(unsigned int slot, struct magazine_pair pair);
/* Asks for that memory, if there may be any. */
void slab_deferred_reclaim(void);

/*
 * Grace periods, for caches with SLAB_TYPESAFE_BY_RCU: a room above has them. Where this is NULL, such a cache cannot be created; one
 * that there was before gives its slabs back at once.
 */
struct rcu_head;
struct slab_periods {
	/* Whether call() works from here on, in any context. Task context. */
	bool (*start)(void);
	/* func(head) after a period. Any context, a thread without libc (host_thread_start()) too; signals blocked. */
	void (*call)(struct rcu_head *head, void (*func)(struct rcu_head *head));
	/* Memory is out: those that wait are to wait no longer than they must. Context as call(). */
	void (*hurry)(void);
	/* Waits until what was passed to call() before is done, and all objects that were to be freed after a period are free. False: it
	 * cannot wait here, and has been reported. Task context. */
	bool (*barrier)(void);
};
/* Any context. */
void slab_set_periods(const struct slab_periods *periods);

/* ---- the list of caches ---- */

extern struct lock cache_list_lock hidden;
extern struct list_head cache_list hidden;
/* Fills in a cache and puts it on the list: size and align as asked for; slot 0 for none. */
void cache_setup(struct kmem_cache *cache, const char *name, unsigned int size, unsigned int align, unsigned int slot);

void slab_fork_prepare(void);
void slab_fork_parent(void);
void slab_fork_child(void);

#endif
