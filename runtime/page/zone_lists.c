/*
 * zone_lists.c: a machine's page lists, for each CPU and zone.
 *
 * The thread on a CPU works on the CPU's lists without a lock and without an atomic instruction: it has interrupts off, and nobody
 * else is on the CPU. A drain from elsewhere stops the CPU's use of them first:
 *
 *	owner: busy = 1; read stopped		drain: stopped = 1; membarrier; wait until !busy
 *
 * After the barrier, an owner has either seen that it is stopped, and does without lists, or is visibly busy. Where there is no
 * membarrier, both sides use full barriers of their own.
 *
 * Calls buddy.c, under the zone's lock. Refuses to know why a block is taken.
 */
#include <errno.h>

#include "runtime/page/machine.h"

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

static struct lock drain_lock = {.rank = LOCK_PCP}; /* drains are one at a time */
static bool fenced; /* there is no membarrier. Synchronization: const after boot */

int lists_boot(void)
{
	struct machine_shape *shape = &machine->shape;

	fenced = host_membarrier_register() || host_membarrier();
	shape->list_stride =
		ALIGN_UP(sizeof(struct cpu_lists) + shape->nr_zones * sizeof(struct zone_lists), (size_t)64);
	shape->lists_size = ALIGN_UP(shape->nr_cpus * shape->list_stride, host_page_size());
	shape->lists = host_map(shape->lists_size);
	if (!shape->lists)
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++) {
		for (unsigned int i = 0; i < shape->nr_zones; i++) {
			for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
				list_init(&lists_of(shape, cpu)->zone[i].list[order]);
		}
	}
	return 0;
}

/* ---- the owner's side ---- */

static void announce(struct cpu_lists *lists)
{
	if (unlikely(fenced))
		__atomic_exchange_n(&lists->busy, 1, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&lists->busy, 1, __ATOMIC_RELAXED);
	/* Order against the load of stopped comes from the drain's membarrier; here only the compiler must keep it. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void lists_leave(struct cpu_lists *lists)
{
	/* Pairs with wait_until_idle(): the drain sees the lists as they are left. */
	__atomic_store_n(&lists->busy, 0, __ATOMIC_RELEASE);
}

/* This CPU's lists; NULL: not to be had just now, or this thread is on no CPU. */
static struct cpu_lists *lists_enter(void)
{
	int cpu = percpu_this_cpu();
	struct cpu_lists *lists;

	if (unlikely(cpu < 0))
		return NULL;
	lists = lists_of(&machine->shape, (unsigned int)cpu);
	if (unlikely(__atomic_load_n(&lists->busy, __ATOMIC_RELAXED))) {
		report_bug("CPU %d is at its page lists already: two threads on one CPU, or interrupts were on", cpu);
		return NULL;
	}
	announce(lists);
	/* Pairs with lists_go_on(): what the drain left is seen. */
	if (likely(!__atomic_load_n(&lists->stopped, __ATOMIC_SEQ_CST)))
		return lists;
	lists_leave(lists);
	return NULL;
}

static void nr_add(struct zone_lists *here, unsigned int order, int delta)
{
	__atomic_store_n(&here->nr[order], here->nr[order] + (unsigned int)delta, __ATOMIC_RELAXED);
}

static void mark_listed(struct page *page, unsigned int order)
{
	page->order = (uint8_t)order;
	page_flags_set(page, PAGE_PCP);
}

static void take_off(struct zone_lists *here, struct page *page, unsigned int order)
{
	list_del(&page->list);
	page_flags_set(page, 0);
	nr_add(here, order, -1);
}

/* Keeps the order of the buddy: its first block is the first to be given. */
static void refill(struct machine_zone *zone, struct zone_lists *here, unsigned int order, long limit)
{
	lock_acquire(&zone->buddy->lock);
	for (unsigned int nr = zone_batch(zone, order); nr; nr--) {
		struct page *page = __zone_take(zone, order, limit);

		if (!page)
			break;
		mark_listed(page, order);
		list_add_tail(&page->list, &here->list[order]);
		nr_add(here, order, 1);
	}
	lock_release(&zone->buddy->lock);
}

bool lists_take(struct machine_zone *zone, unsigned int order, long limit, struct page **page)
{
	struct cpu_lists *lists = zone_batch(zone, order) ? lists_enter() : NULL;
	struct zone_lists *here;

	if (unlikely(!lists))
		return false;
	here = &lists->zone[zone->number];
	*page = NULL;
	if (unlikely(list_empty(&here->list[order])))
		refill(zone, here, order, limit);
	if (likely(!list_empty(&here->list[order]))) {
		*page = list_first_entry(&here->list[order], struct page, list);
		take_off(here, *page, order);
		count_add(&here->allocated, 1ul << order);
	}
	lists_leave(lists);
	return true;
}

/* Gives at most nr blocks to the buddy, the coldest first. */
static void give(struct machine_zone *zone, struct zone_lists *here, unsigned int order, unsigned int nr)
{
	lock_acquire(&zone->buddy->lock);
	for (; nr && !list_empty(&here->list[order]); nr--) {
		struct page *page = list_entry(here->list[order].prev, struct page, list);

		take_off(here, page, order);
		__buddy_free(zone->buddy, page_struct_to_pfn(page), order, false);
	}
	lock_release(&zone->buddy->lock);
}

bool lists_put(struct machine_zone *zone, struct page *page, unsigned int order)
{
	unsigned int batch = zone_batch(zone, order);
	struct cpu_lists *lists = batch ? lists_enter() : NULL;
	struct zone_lists *here;

	if (unlikely(!lists))
		return false;
	here = &lists->zone[zone->number];
	if (unlikely(here->nr[order] >= LIST_BATCHES * batch))
		give(zone, here, order, batch);
	mark_listed(page, order);
	list_add(&page->list, &here->list[order]);
	nr_add(here, order, 1);
	count_add(&here->freed, 1ul << order);
	lists_leave(lists);
	return true;
}

/* Returns whether there was anything. */
static bool give_all(struct cpu_lists *lists)
{
	bool any = false;

	for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++) {
			if (!lists->zone[i].nr[order])
				continue;
			give(&machine->zone[i], &lists->zone[i], order, UINT32_MAX);
			any = true;
		}
	}
	return any;
}

bool lists_empty_own(void)
{
	struct cpu_lists *lists = lists_enter();
	bool any;

	if (!lists)
		return false;
	any = give_all(lists);
	lists_leave(lists);
	return any;
}

/* ---- the drain's side: drain_lock is held ---- */

static void __stop(struct cpu_lists *lists)
{
	/* With fenced, pairs with announce(): one of both sees the other. */
	__atomic_exchange_n(&lists->stopped, 1, __ATOMIC_SEQ_CST);
}

static void __go_on(struct cpu_lists *lists)
{
	/* Pairs with lists_enter(): the owner sees the lists as they were left. */
	__atomic_store_n(&lists->stopped, 0, __ATOMIC_RELEASE);
}

static void __wait_until_idle(struct cpu_lists *lists)
{
	/* Pairs with lists_leave(). The owner does nothing long while it is busy, but may not be running. */
	while (__atomic_load_n(&lists->busy, __ATOMIC_SEQ_CST))
		host_yield();
}

static bool has_any(const struct cpu_lists *lists)
{
	for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
		if (lists_pages(&lists->zone[i]))
			return true;
	}
	return false;
}

/* CPUs first to end - 1. */
static void drain_range(unsigned int first, unsigned int end)
{
	const struct machine_shape *shape = &machine->shape;
	bool any = false;

	lock_acquire(&drain_lock);
	/* Most lists of a large machine are empty, and whoever runs out of memory comes here often. */
	for (unsigned int cpu = first; cpu < end; cpu++) {
		if (has_any(lists_of(shape, cpu))) {
			__stop(lists_of(shape, cpu));
			any = true;
		}
	}
	/* It cannot fail, since it did not at boot; if it did, nothing would be safe to touch. */
	if (any && (fenced || !host_membarrier())) {
		for (unsigned int cpu = first; cpu < end; cpu++) {
			struct cpu_lists *lists = lists_of(shape, cpu);

			if (!__atomic_load_n(&lists->stopped, __ATOMIC_RELAXED))
				continue;
			__wait_until_idle(lists);
			give_all(lists);
		}
	}
	for (unsigned int cpu = first; cpu < end; cpu++)
		__go_on(lists_of(shape, cpu));
	lock_release(&drain_lock);
}

void lists_drain(void)
{
	drain_range(0, machine->shape.nr_cpus);
}

void page_drain_cpu(unsigned int cpu)
{
	if (machine && cpu < machine->shape.nr_cpus)
		drain_range(cpu, cpu + 1);
}

void lists_stop_all(void (*body)(void))
{
	const struct machine_shape *shape = &machine->shape;

	lock_acquire(&drain_lock);
	for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++)
		__stop(lists_of(shape, cpu));
	if (fenced || !host_membarrier()) {
		for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++)
			__wait_until_idle(lists_of(shape, cpu));
		body();
	}
	for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++)
		__go_on(lists_of(shape, cpu));
	lock_release(&drain_lock);
}

static void check_list(const struct zone_lists *here, unsigned int zone, unsigned int cpu, unsigned int order)
{
	const struct page *page;
	unsigned int nr = 0;

	list_for_each_entry(page, &here->list[order], list) {
		unsigned long pfn = page_struct_to_pfn(page);

		if (page_flags_get(page) != PAGE_PCP || page->order != order || zone_of_pfn(pfn)->number != zone)
			report_bug("page_check: block %#lx on a list of CPU %u has flags %#x, order %u", pfn, cpu,
				page_flags_get(page), page->order);
		nr++;
	}
	if (nr != here->nr[order])
		report_bug("page_check: %u blocks on the list of CPU %u, zone %u, order %u, counted as %u", nr, cpu,
			zone, order, here->nr[order]);
}

void __lists_check(void)
{
	for (unsigned int cpu = 0; cpu < machine->shape.nr_cpus; cpu++) {
		for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
			for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
				check_list(&lists_of(&machine->shape, cpu)->zone[i], i, cpu, order);
		}
	}
}
