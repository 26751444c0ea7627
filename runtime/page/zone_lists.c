/*
 * zone_lists.c: a machine's page lists, for each CPU and zone.
 *
 * The CPU's own thread reaches them without a lock (see machine.h); everybody else by a drain.
 *
 * Calls buddy.c, under the zone's lock. Refuses to know why a block is taken.
 */
#include <errno.h>

#include "runtime/page/machine.h"

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

static struct lock drain_lock = {.rank = LOCK_PCP}; /* drains are one at a time */

static void boot_lists(struct cpu_lists *lists, unsigned int node)
{
	const struct zonelist *usual = &machine->zonelist[node][PAGE_ZONE_NORMAL];

	lists->node = node;
	for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++) {
			lists->zone[i].most[order] = LIST_BATCHES * zone_batch(&machine->zone[i], order);
			for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++)
				list_init(&lists->zone[i].list[type][order]);
		}
	}
	if (usual->nr) {
		const struct machine_zone *zone = &machine->zone[usual->zone[0]];

		lists->usual = &lists->zone[zone->number];
		lists->usual_nr_free = &zone->buddy->nr_free;
		lists->usual_limit = zone->limit[PAGE_TO_HIGH][PAGE_ZONE_NORMAL];
	}
}

int lists_boot(void)
{
	struct machine_shape *shape = &machine->shape;

	/* In a fork child a task of the parent's may have had it. */
	lock_reinit(&drain_lock);
	shape->fenced = host_membarrier_register() || host_membarrier();
	shape->list_stride =
		ALIGN_UP(sizeof(struct cpu_lists) + shape->nr_zones * sizeof(struct zone_lists), (size_t)64);
	shape->lists_size = ALIGN_UP(shape->nr_cpus * shape->list_stride, host_page_size());
	shape->lists = host_map(shape->lists_size);
	if (!shape->lists)
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++)
		boot_lists(lists_of(shape, cpu), topology_node(cpu));
	return 0;
}

/* ---- the owner's side ---- */

void lists_intrude(int cpu)
{
	report_bug("CPU %d is at its page lists already: two threads on one CPU, or interrupts were on", cpu);
}

/* Keeps the order of the buddy: its first block is the first to be given. */
void lists_refill(
	struct machine_zone *zone, struct zone_lists *here, unsigned int order, long limit, enum page_migratetype type)
{
	struct page *pages[MOST_LIST_BATCH];
	unsigned int nr = 0;

	lock_acquire(&zone->buddy->lock);
	while (nr < zone_batch(zone, order) && (pages[nr] = __zone_take(zone, order, limit, type)))
		nr++;
	lock_release(&zone->buddy->lock);
	while (nr-- > 0)
		lists_push(here, pages[nr], order, type);
}

/* Under the zone's lock. Returns how many of nr are to be given still. */
static unsigned int __give(struct machine_zone *zone, struct zone_lists *here, unsigned int order,
	enum page_migratetype type, unsigned int nr)
{
	for (; nr && !list_empty(&here->list[type][order]); nr--) {
		struct page *page = list_entry(here->list[type][order].prev, struct page, list);

		lists_remove(here, page, order);
		__buddy_free(zone->buddy, page_struct_to_pfn(page), order, false);
	}
	return nr;
}

void lists_give(struct machine_zone *zone, struct zone_lists *here, unsigned int order, enum page_migratetype first,
	unsigned int nr)
{
	lock_acquire(&zone->buddy->lock);
	nr = __give(zone, here, order, first, nr);
	for (unsigned int type = 0; nr && type < NR_PAGE_MIGRATETYPES; type++)
		nr = __give(zone, here, order, type, nr);
	lock_release(&zone->buddy->lock);
}

/* Returns whether there was anything. */
static bool give_all(struct cpu_lists *lists)
{
	bool any = false;

	for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++) {
			if (!lists->zone[i].nr[order])
				continue;
			lists_give(&machine->zone[i], &lists->zone[i], order, PAGE_UNMOVABLE, UINT32_MAX);
			any = true;
		}
	}
	return any;
}

bool lists_empty_own(void)
{
	struct cpu_lists *lists = cpu_lists_here();
	bool any;

	if (!lists || !lists_enter(lists))
		return false;
	any = give_all(lists);
	lists_leave(lists);
	return any;
}

/* ---- the drain's side: drain_lock is held ---- */

static void __stop(struct cpu_lists *lists)
{
	/* Where there is no membarrier, pairs with lists_enter(): one of both sees the other. */
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

/*
 * Whether every owner has seen that it is stopped, or is visibly busy: from then on, a list is safe to touch once its owner is idle.
 * Otherwise none is: a thread may be at it that cannot be seen. membarrier worked at boot, but a filter of system calls
 * that came later may refuse it.
 */
static bool __stops_are_seen(void)
{
	int err = machine->shape.fenced ? 0 : host_membarrier();

	if (err)
		report_bug("page lists: membarrier() worked at boot and now fails with %d: pages stay on CPUs' lists",
			-err);
	return !err;
}

static bool has_any(const struct cpu_lists *lists)
{
	for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
		if (lists_pages(&lists->zone[i]))
			return true;
	}
	return false;
}

/* Of CPUs first to end - 1, those that have something: most lists of a large machine are empty, and whoever runs out of memory
 * comes here often. Returns whether there are any. */
static bool __stop_used(unsigned int first, unsigned int end)
{
	bool any = false;

	for (unsigned int cpu = first; cpu < end; cpu++) {
		struct cpu_lists *lists = lists_of(&machine->shape, cpu);

		if (has_any(lists)) {
			__stop(lists);
			any = true;
		}
	}
	return any;
}

static void __empty_stopped(unsigned int first, unsigned int end)
{
	bool safe = __stops_are_seen();

	for (unsigned int cpu = first; cpu < end; cpu++) {
		struct cpu_lists *lists = lists_of(&machine->shape, cpu);

		if (!__atomic_load_n(&lists->stopped, __ATOMIC_RELAXED))
			continue;
		if (safe) {
			__wait_until_idle(lists);
			give_all(lists);
		}
		__go_on(lists);
	}
}

static void drain_range(unsigned int first, unsigned int end)
{
	lock_acquire(&drain_lock);
	if (__stop_used(first, end))
		__empty_stopped(first, end);
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
	if (__stops_are_seen()) {
		for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++)
			__wait_until_idle(lists_of(shape, cpu));
		body();
	}
	for (unsigned int cpu = 0; cpu < shape->nr_cpus; cpu++)
		__go_on(lists_of(shape, cpu));
	lock_release(&drain_lock);
}

/* Returns how many blocks are on the list. */
static unsigned int check_list(const struct list_head *list, unsigned int zone, unsigned int cpu, unsigned int order)
{
	const struct page *page;
	unsigned int nr = 0;

	list_for_each_entry(page, list, list) {
		unsigned long pfn = page_struct_to_pfn(page);

		if (page_flags_get(page) != PAGE_PCP || page->order != order || zone_of_pfn(pfn)->number != zone)
			report_bug("page_check: block %#lx on a list of CPU %u has flags %#x, order %u", pfn, cpu,
				page_flags_get(page), page->order);
		nr++;
	}
	return nr;
}

static void check_lists(const struct zone_lists *here, unsigned int zone, unsigned int cpu, unsigned int order)
{
	unsigned int nr = 0;

	for (unsigned int type = 0; type < NR_PAGE_MIGRATETYPES; type++)
		nr += check_list(&here->list[type][order], zone, cpu, order);
	if (nr != here->nr[order])
		report_bug("page_check: %u blocks on the list of CPU %u, zone %u, order %u, counted as %u", nr, cpu,
			zone, order, here->nr[order]);
}

void __lists_check(void)
{
	for (unsigned int cpu = 0; cpu < machine->shape.nr_cpus; cpu++) {
		for (unsigned int i = 0; i < machine->shape.nr_zones; i++) {
			for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
				check_lists(&lists_of(&machine->shape, cpu)->zone[i], i, cpu, order);
		}
	}
}
