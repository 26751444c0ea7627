/*
 * fragmentation.c: how far free memory lies in pieces, from the numbers of free blocks alone.
 *
 * Both are the indexes of Mel Gorman's "Supporting the allocation of large contiguous regions of memory" (with
 * P. Healy, 2008), as the kernel shows them: with three decimals that are cut, not rounded.
 *
 * Calls nothing but text. Refuses to know where the numbers come from.
 */
#include "runtime/page/fragmentation.h"

#define WHOLE 1000 /* 1.000 */

static size_t blocks_of(const size_t nr_free[MAX_ORDER + 1])
{
	size_t blocks = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		blocks += nr_free[order];
	return blocks;
}

/* Pages in the blocks of orders below that one. */
static size_t pages_below(const size_t nr_free[MAX_ORDER + 1], unsigned int end)
{
	size_t pages = 0;

	for (unsigned int order = 0; order <= MAX_ORDER && order < end; order++)
		pages += nr_free[order] << order;
	return pages;
}

int fragmentation_index(const size_t nr_free[MAX_ORDER + 1], unsigned int order)
{
	size_t blocks = blocks_of(nr_free), pages = pages_below(nr_free, MAX_ORDER + 1), lacking;

	if (!blocks)
		return 0;
	if (pages_below(nr_free, order) < pages)
		return -WHOLE;
	lacking = (WHOLE + (pages * WHOLE >> order)) / blocks;
	/* A single small block: it is want of memory, and nothing else. */
	return lacking < WHOLE ? WHOLE - (int)lacking : 0;
}

int fragmentation_unusable(const size_t nr_free[MAX_ORDER + 1], unsigned int order)
{
	size_t pages = pages_below(nr_free, MAX_ORDER + 1);

	return pages ? (int)(pages_below(nr_free, order) * WHOLE / pages) : WHOLE;
}

void fragmentation_print_index(
	struct text *text, unsigned int node, const char *zone, const size_t nr_free[MAX_ORDER + 1])
{
	text_printf(text, "Node %u, zone %8s ", node, zone);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		int index = fragmentation_index(nr_free, order);

		text_printf(text, "%2d.%03d ", index / WHOLE, index % WHOLE);
	}
	text_printf(text, "\n");
}

void fragmentation_print_unusable(
	struct text *text, unsigned int node, const char *zone, const size_t nr_free[MAX_ORDER + 1])
{
	text_printf(text, "Node %u, zone %8s ", node, zone);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		int index = fragmentation_unusable(nr_free, order);

		text_printf(text, "%d.%03d ", index / WHOLE, index % WHOLE);
	}
	text_printf(text, "\n");
}
