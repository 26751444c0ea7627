/*
 * requests.c: what an allocation of a machine's pages may take, and from where.
 *
 * Each attempt tries the zones of the request's list in order, and takes none below the level that the request allows. It never
 * waits for memory: who may, tries again from above, with another request.
 *
 * Calls zone_lists.c, then buddy.c. Refuses to know gfp flags, sleeping and reclaim.
 */
#include <string.h>

#include "runtime/page/machine.h"

#include "runtime/host/host.h"

/* Synchronization: own thread; its interrupts leave it as they found it */
static __thread struct page_request this_request = {PAGE_ZONE_NORMAL, PAGE_NODE_HERE, PAGE_TO_MIN, false, false};

struct page_request page_request_set(struct page_request request)
{
	struct page_request old = this_request;

	this_request = request;
	return old;
}

struct page_request page_request_get(void)
{
	return this_request;
}

static unsigned int preferred_node(const struct page_request *request)
{
	int cpu;

	if (request->node >= 0)
		return (unsigned int)request->node % machine->shape.nr_nodes;
	if (machine->shape.nr_nodes == 1)
		return 0;
	cpu = percpu_this_cpu();
	return cpu < 0 ? 0 : topology_node((unsigned int)cpu);
}

/* ---- pressure ---- */

/* Calls the hook for each node of the list. */
static void press_all(const struct page_request *request, unsigned int order, const struct zonelist *list)
{
	void (*hook)(unsigned int, unsigned int, enum page_zone_type) =
		__atomic_load_n(&machine->pressure, __ATOMIC_RELAXED);
	unsigned int last = PAGE_MAX_NODES;

	for (unsigned int i = 0; hook && !request->no_pressure && i < list->nr; i++) {
		unsigned int node = machine->zone[list->zone[i]].node;

		if (request->this_node && node != preferred_node(request))
			break;
		if (node != last)
			hook(node, order, request->type);
		last = node;
	}
}

static void press(const struct page_request *request, unsigned int order, const struct machine_zone *zone)
{
	void (*hook)(unsigned int, unsigned int, enum page_zone_type) =
		__atomic_load_n(&machine->pressure, __ATOMIC_RELAXED);

	if (hook && !request->no_pressure)
		hook(zone->node, order, request->type);
}

/* ---- allocation ---- */

static size_t nr_free_of(const struct machine_zone *zone)
{
	return __atomic_load_n(&zone->buddy->nr_free, __ATOMIC_RELAXED);
}

static struct page *zone_alloc(struct machine_zone *zone, unsigned int order, long limit)
{
	struct page *page;

	if (lists_take(zone, order, limit, &page))
		return page;
	lock_acquire(&zone->buddy->lock);
	page = __zone_take(zone, order, limit);
	if (page)
		count_add(&zone->allocated, 1ul << order);
	lock_release(&zone->buddy->lock);
	return page;
}

/* The zone that a block came from is *from. */
static struct page *attempt(const struct page_request *request, unsigned int order, struct machine_zone **from)
{
	unsigned int node = preferred_node(request);
	const struct zonelist *list = &machine->zonelist[node][request->type];

	for (unsigned int i = 0; i < list->nr; i++) {
		struct machine_zone *zone = &machine->zone[list->zone[i]];
		long limit = zone->limit[request->level][request->type];
		struct page *page;

		if (request->this_node && zone->node != node)
			break;
		if (!pages_suffice(nr_free_of(zone), order, limit))
			continue;
		page = zone_alloc(zone, order, limit);
		if (page) {
			*from = zone;
			return page;
		}
	}
	return NULL;
}

/* What the caller gets reads as zero, where asked for, also where the direct map does not reach. */
static struct page *prepare(struct page *page, size_t nr_pages, unsigned int flags)
{
	unsigned long phys_pfn;

	if (!(flags & PAGE_ALLOC_ZERO))
		return page;
	phys_pfn = page_phys_pfn(page);
	if (page_is_highmem(page))
		host_clear_shared(machine->shape.ram_fd, phys_pfn << PAGE_SHIFT, nr_pages << PAGE_SHIFT);
	else
		memset(page_to_addr(page), 0, nr_pages << PAGE_SHIFT);
	return page;
}

/* A block of the order, as the request allows. */
static struct page *take(unsigned int order)
{
	const struct page_request request = this_request;
	struct machine_zone *zone;
	struct page *page = attempt(&request, order, &zone);

	if (unlikely(!page) && lists_empty_own())
		page = attempt(&request, order, &zone);
	if (unlikely(!page)) {
		__atomic_fetch_add(&machine->nr_failed, 1, __ATOMIC_RELAXED);
		press_all(&request, order, &machine->zonelist[preferred_node(&request)][request.type]);
	} else if (unlikely(!pages_suffice(nr_free_of(zone), 0, zone->limit[PAGE_TO_LOW][request.type]))) {
		press(&request, order, zone);
	}
	return page;
}

static struct page *request_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = take(order);

	return likely(page) ? prepare(page, 1ul << order, flags) : NULL;
}

/* ---- free ---- */

static void request_free(struct page *page, unsigned int order)
{
	unsigned long pfn = page_struct_to_pfn(page);
	struct machine_zone *zone = zone_of_pfn(pfn);

	if (likely(lists_put(zone, page, order)))
		return;
	lock_acquire(&zone->buddy->lock);
	__buddy_free(zone->buddy, pfn, order, false);
	count_add(&zone->freed, 1ul << order);
	lock_release(&zone->buddy->lock);
}

/* ---- runs of any number of pages, within one section ---- */

static void request_free_run(unsigned long pfn, unsigned long end)
{
	struct machine_zone *zone = zone_of_pfn(pfn);

	lock_acquire(&zone->buddy->lock);
	__buddy_free_range(zone->buddy, pfn, end, false);
	count_add(&zone->freed, end - pfn);
	lock_release(&zone->buddy->lock);
}

/* A block, all but its first nr_pages given back. */
static struct page *request_alloc_run(size_t nr_pages, unsigned int flags)
{
	unsigned int order = order_of(nr_pages);
	struct page *page = take(order);
	unsigned long pfn;

	if (!page)
		return NULL;
	pfn = page_struct_to_pfn(page);
	request_free_run(pfn + nr_pages, pfn + (1ul << order));
	return prepare(page, nr_pages, flags);
}

static bool request_grow_run(unsigned long pfn, unsigned long end)
{
	const struct page_request request = this_request;
	struct machine_zone *zone = zone_of_pfn(pfn);
	long limit = zone->limit[request.level][request.type];
	bool grown;

	lock_acquire(&zone->buddy->lock);
	grown = (long)zone->buddy->nr_free - (long)(end - pfn) >= limit && __run_is_free(pfn, end);
	if (grown) {
		__take_run(zone->buddy, pfn, end);
		count_add(&zone->allocated, end - pfn);
	}
	lock_release(&zone->buddy->lock);
	return grown;
}

void requests_boot(void)
{
	machine->alloc = request_alloc;
	machine->alloc_run = request_alloc_run;
	machine->free = request_free;
	machine->free_run = request_free_run;
	machine->grow_run = request_grow_run;
	machine->drain = lists_drain;
	machine->check = zones_check;
}
