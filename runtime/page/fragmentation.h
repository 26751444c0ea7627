/*
 * fragmentation.h: how far free memory lies in pieces: the kernel's two indexes, from the numbers of free blocks by order.
 *
 * They need nothing but those numbers, so any context will do, and tools compute them of another process. Indexes are in thousandths.
 */
#ifndef RUNTIME_PAGE_FRAGMENTATION_H
#define RUNTIME_PAGE_FRAGMENTATION_H

#include "runtime/lib/text.h"
#include "runtime/page/page.h"

/*
 * The external fragmentation index: why an allocation of that order fails; towards 0 for want of memory, towards 1000
 * for fragmentation: 1 - (1 + free pages / 2^order) / free blocks, and not below 0. -1000: it would not fail. 0 where nothing is
 * free. Semantics: Linux, Documentation/admin-guide/sysctl/vm.rst, extfrag_threshold.
 */
int fragmentation_index(const size_t nr_free[MAX_ORDER + 1], unsigned int order);
/* The unusable free space index: the part of the free pages that lies in blocks too small for that order; 1000 where
 * nothing is free. Semantics: Linux, extfrag/unusable_index in debugfs. */
int fragmentation_unusable(const size_t nr_free[MAX_ORDER + 1], unsigned int order);

/* A zone's line in the kernel's files extfrag/extfrag_index and extfrag/unusable_index. */
void fragmentation_print_index(
	struct text *text, unsigned int node, const char *zone, const size_t nr_free[MAX_ORDER + 1]);
void fragmentation_print_unusable(
	struct text *text, unsigned int node, const char *zone, const size_t nr_free[MAX_ORDER + 1]);

#endif
