/*
 * internal.h: what the files of the slab room share and nobody else sees.
 */
#ifndef RUNTIME_SLAB_INTERNAL_H
#define RUNTIME_SLAB_INTERNAL_H

#include <linux/types.h>

#include "runtime/slab/slab.h"

/* Magazines that a drain or a thread's end took out go back to slabs and pool. Signals blocked. */
void ladder_sink(unsigned int slot, struct magazine_pair pair);
/* Gives the objects of a magazine that no CPU has back to their slabs, and itself to the pool. Signals blocked. */
void ladder_empty_out(struct kmem_cache *cache, magazine_top top);
/* Gives the magazines of a cache, those of all CPUs and of the depot, back to its slabs. Task context. */
void cache_drain(struct kmem_cache *cache);

/* What is done to every object of a cache, at the price of magazines: none, since each allocation and free is
 * looked at. */
enum cache_debug {
	CACHE_SLOW = 1, /* nothing but that: the hooks see each call */
	CACHE_TRACK = 2, /* who allocated and who freed it is recorded (track.c) */
	CACHE_RED_ZONE = 4, /* the cache's own choices (checks.c) */
	CACHE_POISON = 8,
	CACHE_STORE_USER = 16,
	CACHE_SIZES = 32, /* the size asked for is kept behind each object: its red zone begins there */
	CACHE_SANE = 64, /* frees of what is free are told, at the least */
	CACHE_CHECKED = CACHE_RED_ZONE | CACHE_POISON | CACHE_STORE_USER | CACHE_SANE,
};
/* For all caches. Synchronization: const after boot */
extern unsigned int slab_debug hidden;

#define DEPOT_BYTES (512ul << 10)
/* What the depots of a cache may hold. Synchronization: as slab_debug */
extern size_t slab_depot_bytes hidden;

/* Boots in another way than slab_boot(): boot() does what that does, under the same lock. */
bool slab_boot_with(bool (*boot)(void *arg), void *arg);
/* The size classes' caches, and the table that fast paths read. */
void slab_boot_classes(void);
/* Forgets all caches and all that is cached: their memory is gone. Nobody else uses the room. */
void slab_reset(void);

/* Another of page.h's flags: with PAGE_ORDER, the head of a compound page. */
#define PAGE_COMPOUND 0x10000u
/* With PAGE_ORDER: not had as PAGE_UNMOVABLE, so not for usual_pages. */
#define PAGE_GROUPED 0x40000u
/* A page of one that is not the head, whose private_data is the head. */
#define PAGE_TAIL 0x20000u
/* Marks the pages of a block, and takes the marks off the tail (pages.c). */
void compound_make(struct page *head, unsigned int order);
void compound_unmake(struct page *head);
/*
 * Puts the reference to a block of pages, if it is the only one, without an atomic operation on it: who has the only one
 * is alone, since others get one only from who has one.
 */
static inline bool block_put_only(struct page *page)
{
	/* Pairs with block_put(): what the others wrote before they put theirs is seen. */
	if (__atomic_load_n(&page->refcount, __ATOMIC_ACQUIRE) != 1)
		return false;
	__atomic_store_n(&page->refcount, 0, __ATOMIC_RELAXED);
	return true;
}
/* Puts a reference to a block of pages; returns whether it was the last (pages.c). */
bool block_put(struct page *page);
/* Frees a block without references (gfp.c). */
void block_release(struct page *page, unsigned int order, const void *caller);

/* ---- checks.c: of caches with CACHE_CHECKED. They report what is wrong, and go on if reports do ---- */

/* Bytes behind each object. */
unsigned int checks_bytes(const struct kmem_cache *cache);
/* What slab_set_checks() wants of a cache of that name: enum cache_debug. */
unsigned char checks_wanted(const char *name);
/* As that, of one that kmalloc() takes from. */
unsigned char checks_wanted_of_sizes(const char *name);
/* The size asked for, of an object of a size class or of a run: size where that is not kept. */
size_t checks_asked(const void *object, size_t size);
/* Moves the beginning of an object's red zone to size; what the object grows by reads as 0. */
void checks_set_asked(void *object, size_t size);
/* A slab of free objects that goes back. */
void checks_slab(struct kmem_cache *cache, struct page *slab);
/* An object of a new slab. */
void checks_init(const struct kmem_cache *cache, void *object);
/* Notes on the object that an address lies in, where who allocated it is kept with it; else nothing. */
void checks_report_around(const void *p);
/* An object that has come from its slab. */
void checks_alloc(const struct kmem_cache *cache, void *object);
/* An object that is to go back; false: it must not, it is free. */
bool checks_free(struct kmem_cache *cache, void *object);

/* ---- slabs.c and typesafe.c ---- */

/* Gives a slab that is on no list back to the page room. Signals blocked. */
void slab_destroy(struct kmem_cache *cache, struct page *slab);
/* Of a typesafe cache: gives slabs back after a grace period, and empties the list; where there are no periods any more, nothing. The
 * caller holds the lock of the slabs that they were of: so a fork finds each in the count of those that wait, and there, or in neither. */
void typesafe_wait(struct kmem_cache *cache, struct list_head *list);
/* Whether there may be caches that are typesafe. Task context. */
bool typesafe_start(void);
/* Slabs of the cache that wait. */
size_t typesafe_nr_waiting(const struct kmem_cache *cache);
/* Those that wait are to hurry. Any context. */
void typesafe_hurry(void);
/* Waits for them, and for objects that are freed after a grace period. False: not here. Task context. */
bool typesafe_barrier(void);
/* Whether any object was to be freed after a grace period, ever. */
bool slab_defers(void);
/* Forgets all that wait: their memory is gone. */
void typesafe_reset(void);

#define WORD_BITS 64

/* A slab's bitmap: its free objects, in the structs of its tail pages. */
static inline unsigned long *slab_bitmap(struct page *slab)
{
	return (unsigned long *)(slab + 1);
}

/* Puts a slab that is on no list onto the one that it belongs on. The caller holds the lock. */
void __slab_list(struct slabs *slabs, struct page *slab);
/* Nodes that the cache has slabs of its own for, and those slabs. */
unsigned int slabs_nr_nodes(const struct kmem_cache *cache);
struct slabs *slabs_of(struct kmem_cache *cache, unsigned int node);
/* slab_purge() of one cache (purge.c). */
bool slabs_purge(struct kmem_cache *cache);
#define THREAD_SHARE 4 /* threads are more than CPUs: in thread mode magazines hold this part of what they hold else */

/* Of the shards beyond the first, an array by slot each. Synchronization: in depot.c */
extern struct depot *depot_shards[TOPOLOGY_SHARDS] hidden;
extern unsigned int nr_depot_shards hidden;

/* As depot_shards, of memory nodes. Synchronization: in slabs.c */
extern struct slabs *slabs_of_nodes[TOPOLOGY_NODES] hidden;
extern unsigned int nr_slab_nodes hidden;
/* Zeroed memory for size bytes a slot, never to be freed; NULL when memory is out. Signals blocked. */
void *slot_table_create(size_t size);

/* Ever taken from the page room. Synchronization: pool.c's lock; statistics read it without */
extern size_t pool_nr_pages hidden;

/* Gives pages of which every magazine is free back to the page room. Signals blocked. Returns whether there were any. */
bool pool_shrink(void);
/* Forgets all magazines: their memory is gone. */
void pool_reset(void);
void pool_fork_prepare(void);
void pool_fork_done(bool child);

/* ---- kmalloc.c ---- */

/* kmalloc() on behalf of a caller, who is named in reports. */
void *kmalloc_for(size_t size, gfp_t flags, const void *caller);

#endif
