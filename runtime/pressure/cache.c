/*
 * cache.c: the page cache's lists, and what reclaim takes from them.
 *
 * Calls disk.c to have pages written. Knows nothing of files but their slots.
 *
 * Each node has two lists. New pages begin on the inactive one; a page that is used again moves to the active one
 * when reclaim comes by it. Reclaim looks at the cold end of the inactive list, and refills that from the active one
 * as soon as it is the shorter.
 */
#include <linux/mm.h>
#include <string.h>

#include "runtime/pressure/cache.h"

struct lru {
	struct list_head active, inactive; /* hot end first. Synchronization: cache_lock */
	unsigned long nr_active, nr_inactive; /* == lengths. Synchronization: cache_lock; hints without */
};

struct lock cache_lock = {.rank = LOCK_PRESSURE};
unsigned long cache_nr_dirty, cache_nr_writeback;
static struct lru lrus[PAGE_MAX_NODES];
static struct list_head written_line = LIST_HEAD_INIT(written_line); /* who reclaims. Synchronization: cache_lock */
static struct list_head throttled = LIST_HEAD_INIT(throttled); /* writers. Synchronization: cache_lock */
static unsigned long nr_managed; /* pages of the machine. Synchronization: const after boot */

static void set(unsigned long *count, unsigned long value)
{
	__atomic_store_n(count, value, __ATOMIC_RELAXED);
}

static unsigned long get(const unsigned long *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

/* ---- lists; the lock is held ---- */

static void __lru_add(struct slot *slot, bool active)
{
	struct lru *lru = &lrus[page_node(slot->page)];

	slot->flags = active ? slot->flags | SLOT_ACTIVE : slot->flags & ~(uint32_t)SLOT_ACTIVE;
	list_add(&slot->lru, active ? &lru->active : &lru->inactive);
	if (active)
		set(&lru->nr_active, lru->nr_active + 1);
	else
		set(&lru->nr_inactive, lru->nr_inactive + 1);
}

static void __lru_del(struct slot *slot)
{
	struct lru *lru = &lrus[page_node(slot->page)];

	list_del(&slot->lru);
	if (slot->flags & SLOT_ACTIVE)
		set(&lru->nr_active, lru->nr_active - 1);
	else
		set(&lru->nr_inactive, lru->nr_inactive - 1);
}

static void __lru_move(struct slot *slot, bool active)
{
	__lru_del(slot);
	__lru_add(slot, active);
}

void __slot_insert(struct slot *slot, struct page *page)
{
	slot->page = page;
	__lru_add(slot, false);
}

struct page *__slot_remove(struct slot *slot)
{
	struct page *page = slot->page;

	__lru_del(slot);
	slot->page = NULL;
	slot->flags &= ~(uint32_t)(SLOT_REFERENCED | SLOT_ACTIVE);
	return page;
}

void __slot_touch(struct slot *slot)
{
	slot->flags |= SLOT_REFERENCED;
}

/* ---- reclaim ---- */

struct victims {
	struct page *page[RECLAIM_BATCH];
	unsigned int nr;
	unsigned long nr_unwritten; /* passed by since they are not on the disk */
};

static void __refill_inactive(struct lru *lru)
{
	for (unsigned int i = 0; i < RECLAIM_BATCH && lru->nr_active && lru->nr_inactive < lru->nr_active; i++) {
		struct slot *slot = list_entry(lru->active.prev, struct slot, lru);

		slot->flags &= ~(uint32_t)SLOT_REFERENCED;
		__lru_move(slot, false);
		vmstat_add(VMSTAT_pgdeactivate, 1);
	}
}

/* Looks at the coldest slot: takes its page, or moves it out of the way. */
static void __scan_coldest(struct lru *lru, struct victims *victims)
{
	struct slot *slot = list_entry(lru->inactive.prev, struct slot, lru);

	if (slot->flags & (SLOT_DIRTY | SLOT_WRITEBACK))
		victims->nr_unwritten++;
	if (slot->flags & SLOT_REFERENCED) {
		slot->flags &= ~(uint32_t)SLOT_REFERENCED;
		__lru_move(slot, true);
		vmstat_add(VMSTAT_pgactivate, 1);
	} else if (slot->pins || slot->flags & (SLOT_BUSY | SLOT_DIRTY | SLOT_WRITEBACK)) {
		__lru_move(slot, false);
		vmstat_add(VMSTAT_pgrotated, 1);
	} else {
		victims->page[victims->nr++] = __slot_remove(slot);
	}
}

/* Up to a batch of pages, looking at no more than *nr slots. */
static void collect(struct lru *lru, unsigned long *nr, struct victims *victims)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	victims->nr = 0;
	for (unsigned int i = 0; i<RECLAIM_BATCH && * nr> 0; i++, --*nr) {
		__refill_inactive(lru);
		if (!lru->nr_inactive)
			break;
		__scan_coldest(lru, victims);
	}
	if (victims->nr_unwritten)
		__disks_want(RECLAIM_BATCH);
	lock_release_masked(&cache_lock, mask);
}

/* Sleeps until some page has been written, if any is to be. Returns whether it slept. No deadline: who must not
 * wait for this says so in its flags. */
static bool wait_for_written(void)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);
	bool any = cache_nr_dirty + cache_nr_writeback;
	struct waiter waiter;

	if (any) {
		__disks_want(RECLAIM_BATCH);
		__waiter_enter(&written_line, &waiter);
		__waiter_sleep(&cache_lock, &mask, &waiter, MAX_SCHEDULE_TIMEOUT, true);
		__waiter_leave(&waiter);
	}
	lock_release_masked(&cache_lock, mask);
	return any;
}

static bool may_wait(const struct scan *scan)
{
	const gfp_t both = __GFP_IO | __GFP_FS;

	return !scan->kswapd && (scan->gfp & both) == both && scan->priority < DEF_PRIORITY - 2;
}

unsigned long cache_shrink(struct scan *scan, int node, unsigned long nr)
{
	struct victims victims = {.nr_unwritten = 0};
	unsigned long freed = 0, wanted = nr;

	while (nr > 0) {
		unsigned long before = nr;

		collect(&lrus[node], &nr, &victims);
		for (unsigned int i = 0; i < victims.nr; i++)
			__free_page(victims.page[i]);
		freed += victims.nr;
		if (nr == before || before - nr < RECLAIM_BATCH)
			break;
	}
	scan->scanned += wanted - nr;
	if (!freed && victims.nr_unwritten && may_wait(scan))
		scan->cleaned |= wait_for_written();
	return freed;
}

unsigned long cache_nr_pages(int node)
{
	return get(&lrus[node].nr_active) + get(&lrus[node].nr_inactive);
}

/* Once around each list: what cannot go stays. */
unsigned long cache_drop_clean(void)
{
	unsigned long freed = 0;

	for (int node = 0; node < PAGE_MAX_NODES; node++) {
		for (int round = 0; round < 3; round++) {
			struct scan scan = {.kswapd = true};

			freed += cache_shrink(&scan, node, 2 * cache_nr_pages(node));
		}
	}
	vmstat_add(VMSTAT_drop_pagecache, 1);
	return freed;
}

/* ---- writers ---- */

static unsigned long limit(unsigned int percent, unsigned int usual)
{
	unsigned long pages = nr_managed * (percent ? percent : usual) / 100;

	return pages ? pages : 1;
}

unsigned long cache_background_limit(void)
{
	return limit(pressure_config.dirty_background_ratio, 10);
}

static bool __too_dirty(void)
{
	return cache_nr_dirty + cache_nr_writeback > limit(pressure_config.dirty_ratio, 20);
}

void cache_throttle(void)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	while (__too_dirty() && !fatal_signal_pending(current)) {
		struct waiter waiter;

		__disks_want(RECLAIM_BATCH);
		__waiter_enter(&throttled, &waiter);
		__waiter_sleep(&cache_lock, &mask, &waiter, MAX_SCHEDULE_TIMEOUT, true);
		__waiter_leave(&waiter);
	}
	lock_release_masked(&cache_lock, mask);
}

void __cache_written(struct slot *slot)
{
	__slot_wake(slot);
	__waiters_wake_all(&written_line);
	if (!__too_dirty())
		__waiters_wake_all(&throttled);
}

void __cache_dropped(void)
{
	__waiters_wake_all(&written_line);
	__waiters_wake_all(&throttled);
}

/* ---- the whole ---- */

void cache_for_each_gauge(void (*visit)(const char *name, unsigned long value, void *arg), void *arg)
{
	unsigned long active = 0, inactive = 0;

	for (int node = 0; node < PAGE_MAX_NODES; node++) {
		active += get(&lrus[node].nr_active);
		inactive += get(&lrus[node].nr_inactive);
	}
	visit("nr_active_file", active, arg);
	visit("nr_inactive_file", inactive, arg);
	visit("nr_file_pages", active + inactive, arg);
	visit("nr_dirty", get(&cache_nr_dirty), arg);
	visit("nr_writeback", get(&cache_nr_writeback), arg);
}

int cache_boot(void)
{
	struct page_zone_info info;

	nr_managed = 0;
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		if (info.type != PAGE_ZONE_HIGHMEM)
			nr_managed += info.managed;
	}
	for (unsigned int node = 0; node < PAGE_MAX_NODES; node++) {
		list_init(&lrus[node].active);
		list_init(&lrus[node].inactive);
	}
	return 0;
}

unsigned int cache_shutdown(void)
{
	unsigned int nr_left = disks_reset();

	for (unsigned int node = 0; node < PAGE_MAX_NODES; node++)
		lrus[node] = (struct lru){.nr_active = 0};
	cache_nr_dirty = 0;
	cache_nr_writeback = 0;
	return nr_left;
}

void cache_forget(void)
{
	lock_reinit(&cache_lock);
	list_init(&written_line);
	list_init(&throttled);
	memset(lrus, 0, sizeof(lrus));
	cache_nr_dirty = 0;
	cache_nr_writeback = 0;
	disks_forget();
}
