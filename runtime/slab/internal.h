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

/* Ever taken from the page room. Synchronization: pool.c's lock; statistics read it without */
extern size_t pool_nr_pages hidden;

/* Gives pages of which every magazine is free back to the page room. Signals blocked. */
void pool_shrink(void);
void pool_fork_prepare(void);
void pool_fork_done(bool child);

#endif
