/*
 * memory.h: the filters that the two attributes of memory have beside the kernel's common ones.
 */
#ifndef RUNTIME_FAULT_MEMORY_H
#define RUNTIME_FAULT_MEMORY_H

#include <stdbool.h>

/* Synchronization: as the attributes' knobs */
struct fault_filters {
	bool slab_ignore_wait, page_ignore_wait; /* allocations that may sleep do not fail */
	bool slab_cache_filter; /* only those of caches with SLAB_FAILSLAB fail */
	bool page_ignore_highmem; /* those that may be in highmem do not fail */
	unsigned int page_min_order; /* smaller ones do not fail */
};
extern struct fault_filters fault_filters;

#endif
