/*
 * scan.c: one round of reclaim, and the drain of what caches hold of free memory.
 *
 * Calls the page cache, the shrinkers and the slab room's trim. Refuses to decide how often.
 */
#include <linux/jiffies.h>

#include "runtime/pressure/internal.h"
#include "runtime/slab/slab.h"

static struct lock drain_lock = {.rank = LOCK_PRESSURE};
static bool draining; /* Synchronization: drain_lock */
static unsigned long nr_drains; /* that have begun. Synchronization: drain_lock */
static struct list_head drain_line = LIST_HEAD_INIT(drain_line); /* Synchronization: drain_lock */

unsigned long free_pages_now(void)
{
	struct page_zone_info info;
	unsigned long nr = 0;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		nr += info.free;
	}
	return nr;
}

/* Where each zone is: asking for it costs a walk over all CPUs. Synchronization: const after boot */
static struct {
	unsigned int node;
	enum page_zone_type type;
} zones[PAGE_MAX_NODES * NR_PAGE_ZONE_TYPES];

void zones_learn(void)
{
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		zones[zone].node = info.node;
		zones[zone].type = info.type;
	}
}

bool zones_suffice(int node, unsigned int order, enum page_zone_type type, enum page_level level)
{
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		if ((node < 0 || zones[zone].node == (unsigned int)node) && zones[zone].type <= type &&
			page_zone_suffices(zone, order, type, level))
			return true;
	}
	return false;
}

/* ---- the drain ---- */

/* False: another task's drain, which began after this call, serves as well. */
static bool drain_begin(void)
{
	host_sigmask_t mask = lock_acquire_masked(&drain_lock);
	unsigned long seen = nr_drains;
	bool begins;

	while (draining) {
		struct waiter waiter;

		__waiter_enter(&drain_line, &waiter);
		__waiter_sleep(&drain_lock, &mask, &waiter, MAX_SCHEDULE_TIMEOUT, false);
		__waiter_leave(&waiter);
	}
	begins = nr_drains == seen;
	if (begins) {
		draining = true;
		nr_drains++;
	}
	lock_release_masked(&drain_lock, mask);
	return begins;
}

static void drain_end(void)
{
	host_sigmask_t mask = lock_acquire_masked(&drain_lock);

	draining = false;
	__waiters_wake_all(&drain_line);
	lock_release_masked(&drain_lock, mask);
}

unsigned long scan_drain(void)
{
	unsigned long before = free_pages_now(), after;

	if (drain_begin()) {
		vmstat_add(VMSTAT_mem_drains, 1);
		slab_trim(0);
		drain_end();
	}
	after = free_pages_now();
	return after > before ? after - before : 0;
}

/* ---- rounds ---- */

static unsigned long part(unsigned long nr, unsigned int priority)
{
	unsigned long wanted = nr >> priority;

	return wanted > RECLAIM_BATCH ? wanted : RECLAIM_BATCH;
}

static void scan_node(struct scan *scan, int node)
{
	unsigned long cached = cache_nr_pages(node), freed = 0;

	if (cached)
		freed = cache_shrink(scan, node, part(cached, scan->priority));
	freed += shrink_slab(scan->gfp, node, scan->priority);
	scan->reclaimed += freed;
}

void scan_round(struct scan *scan)
{
	for (int node = 0; node < (int)page_nr_nodes(); node++)
		if (scan->node < 0 || scan->node == node)
			scan_node(scan, node);
}

void scan_forget(void)
{
	lock_reinit(&drain_lock);
	list_init(&drain_line);
	draining = false;
}
