/*
 * memory.c: the two attributes of memory: which allocations they are asked about.
 *
 * Calls attr.c. Knows nothing of objects or pages but sizes and flags.
 */
#include <linux/gfp.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <string.h>

#include "runtime/fault/internal.h"
#include "runtime/fault/memory.h"

struct fault_attr fault_slab_attr = FLAGSTONE_FAULT_ATTR("failslab", 0);
struct fault_attr fault_page_attr = FLAGSTONE_FAULT_ATTR("fail_page_alloc", 1);

/* The kernel's defaults. */
#define FILTERS_INIT             \
	((struct fault_filters){ \
		.slab_ignore_wait = true, .page_ignore_wait = true, .page_ignore_highmem = true, .page_min_order = 1})
struct fault_filters fault_filters;

void fault_boot(uint64_t seed, const char *replay)
{
	fault_shutdown();
	attr_boot(seed, replay);
}

void fault_shutdown(void)
{
	fault_slab_attr = (struct fault_attr)FLAGSTONE_FAULT_ATTR("failslab", 0);
	fault_page_attr = (struct fault_attr)FLAGSTONE_FAULT_ATTR("fail_page_alloc", 1);
	fault_filters = FILTERS_INIT;
}

/* fail_nth counts every allocation that may fail, whatever the filters of the attributes are. */
static bool by_number(void)
{
	return in_task() && current && current->fail_nth;
}

static int flags_of(gfp_t gfp)
{
	return gfp & __GFP_NOWARN ? FAULT_NOWARN : 0;
}

static bool slab_filtered(gfp_t gfp, slab_flags_t cache_flags)
{
	return (fault_filters.slab_ignore_wait && (gfp & __GFP_DIRECT_RECLAIM)) ||
	       (fault_filters.slab_cache_filter && !(cache_flags & SLAB_FAILSLAB));
}

bool fault_slab(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller)
{
	if ((gfp & __GFP_NOFAIL) || (!by_number() && slab_filtered(gfp, cache_flags)))
		return false;
	return attr_should_fail(&fault_slab_attr, (ssize_t)size, flags_of(gfp), caller);
}

static bool pages_filtered(gfp_t gfp, unsigned int order)
{
	return order < fault_filters.page_min_order || (fault_filters.page_ignore_highmem && (gfp & __GFP_HIGHMEM)) ||
	       (fault_filters.page_ignore_wait && (gfp & __GFP_DIRECT_RECLAIM));
}

bool fault_pages(unsigned int gfp, unsigned int order, const void *caller)
{
	if ((gfp & __GFP_NOFAIL) || (!by_number() && pages_filtered(gfp, order)))
		return false;
	return attr_should_fail(&fault_page_attr, 1 << order, flags_of(gfp), caller);
}
