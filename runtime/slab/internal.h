/*
 * internal.h: what the files of the slab room share and nobody else sees.
 */
#ifndef RUNTIME_SLAB_INTERNAL_H
#define RUNTIME_SLAB_INTERNAL_H

#include "runtime/slab/slab.h"

/* Magazines that a drain or a thread's end took out go back to slabs and pool. Signals blocked. */
void ladder_sink(unsigned int slot, struct magazine_pair pair);
/* Gives the magazines of a cache, those of all CPUs and of the depot, back to its slabs. Task context. */
void cache_drain(struct kmem_cache *cache);

#define WORD_BITS 64

/* A slab's bitmap: its free objects, in the structs of its tail pages. */
static inline unsigned long *slab_bitmap(struct page *slab)
{
	return (unsigned long *)(slab + 1);
}

/* Puts a slab that is on no list onto the one that it belongs on. The caller holds the lock. */
void __slab_list(struct slabs *slabs, struct page *slab);
/* slab_purge() of one cache (purge.c). */
bool slabs_purge(struct kmem_cache *cache);

/* Ever taken from the page room. Synchronization: pool.c's lock; statistics read it without */
extern size_t pool_nr_pages hidden;

/* Gives pages of which every magazine is free back to the page room. Signals blocked. */
void pool_shrink(void);
void pool_fork_prepare(void);
void pool_fork_done(bool child);

#endif
