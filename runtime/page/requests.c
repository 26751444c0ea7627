/*
 * requests.c: what an allocation of a machine's pages may take, and from where.
 *
 * Each attempt tries the zones of the request's list in order, and takes none below the level that the request allows.
 * It never waits for memory: who may, tries again from above, with another request.
 *
 * Calls zone_lists.c, then buddy.c. Refuses to know gfp flags, sleeping and reclaim.
 */
#include <string.h>

#include "runtime/page/machine.h"
#include "runtime/page/usual.h"

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

/* This thread's request lies in percpu_thread.page_request, as what differs from the one that threads begin with. */
union request_bits {
	struct page_request request;
	uint64_t bits;
};
static const union request_bits first_request = {
	{PAGE_ZONE_NORMAL, PAGE_NODE_HERE, PAGE_TO_MIN, false, false, PAGE_UNMOVABLE}};
static_assert(sizeof(struct page_request) == sizeof(uint64_t), "one word of thread-local storage");

/* An impossible node or level would be found as an index that is out of range, much later. */
static void make_possible(struct page_request *request)
{
	unsigned int nr_nodes = machine ? machine->shape.nr_nodes : 1;

	if (request->node < (int)nr_nodes && request->type < NR_PAGE_ZONE_TYPES && request->level < NR_PAGE_LEVELS &&
		request->migratetype < NR_PAGE_MIGRATETYPES)
		return;
	report_bug("page_request_set: node %d, zone type %u, level %u, migrate type %u", request->node, request->type,
		request->level, request->migratetype);
	*request = PAGE_REQUEST_INIT;
}

struct page_request page_request_get(void)
{
	union request_bits now = {.bits = percpu_thread.page_request ^ first_request.bits};

	return now.request;
}

struct page_request page_request_set(struct page_request request)
{
	struct page_request old = page_request_get();
	union request_bits new_bits = {.bits = 0};

	make_possible(&request);
	new_bits.request = request;
	percpu_thread.page_request = new_bits.bits ^ first_request.bits;
	return old;
}

static enum page_migratetype type_of(const struct page_request *request)
{
	return (enum page_migratetype)(request->migratetype & machine->shape.type_mask);
}

static unsigned int preferred_node(const struct page_request *request)
{
	const struct cpu_lists *lists;

	if (request->node >= 0)
		return (unsigned int)request->node;
	lists = cpu_lists_here();
	return lists ? lists->node : 0;
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

static size_t nr_free_of(const struct machine_zone *zone)
{
	return __atomic_load_n(&zone->buddy->nr_free, __ATOMIC_RELAXED);
}

/* After pages of the zone were taken: calls the hook if that has left it below its low watermark. */
static void press_if_low(const struct page_request *request, unsigned int order, const struct machine_zone *zone)
{
	void (*hook)(unsigned int, unsigned int, enum page_zone_type) =
		__atomic_load_n(&machine->pressure, __ATOMIC_RELAXED);

	if (likely(pages_suffice(nr_free_of(zone), 0, zone->limit[PAGE_TO_LOW][request->type])))
		return;
	if (hook && !request->no_pressure)
		hook(zone->node, order, request->type);
}

/* ---- allocation ---- */

/* From this CPU's list. NULL: there is none. *tried: whether the zone has been asked for one, too. */
static struct page *list_alloc(
	struct machine_zone *zone, unsigned int order, long limit, enum page_migratetype type, bool *tried)
{
	struct cpu_lists *lists = zone_batch(zone, order) ? cpu_lists_here() : NULL;
	struct zone_lists *here;
	struct page *page;

	*tried = lists && lists_enter(lists);
	if (!*tried)
		return NULL;
	here = &lists->zone[zone->number];
	page = lists_pop(here, order, type);
	if (unlikely(!page)) {
		lists_refill(zone, here, order, limit, type);
		page = lists_pop(here, order, type);
	}
	lists_leave(lists);
	return page;
}

static struct page *zone_alloc(struct machine_zone *zone, unsigned int order, long limit, enum page_migratetype type)
{
	bool tried;
	struct page *page = list_alloc(zone, order, limit, type, &tried);

	if (tried)
		return page;
	lock_acquire(&zone->buddy->lock);
	page = __zone_take(zone, order, limit, type);
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
		page = zone_alloc(zone, order, limit, type_of(request));
		if (page) {
			*from = zone;
			return page;
		}
	}
	return NULL;
}

struct page *requests_clear(struct page *page, size_t nr_pages)
{
	unsigned long phys_pfn = page_phys_pfn(page);

	if (page_is_highmem(page))
		host_clear_shared(machine->shape.ram_fd, phys_pfn << PAGE_SHIFT, nr_pages << PAGE_SHIFT);
	else
		memset(page_to_addr(page), 0, nr_pages << PAGE_SHIFT);
	return page;
}

/* A block of the order, as the request allows. */
static struct page *take(unsigned int order)
{
	const struct page_request request = page_request_get();
	struct machine_zone *zone;
	struct page *page = attempt(&request, order, &zone);

	if (unlikely(!page) && lists_empty_own())
		page = attempt(&request, order, &zone);
	if (unlikely(!page)) {
		__atomic_fetch_add(&machine->nr_failed, 1, __ATOMIC_RELAXED);
		press_all(&request, order, &machine->zonelist[preferred_node(&request)][request.type]);
	} else {
		press_if_low(&request, order, zone);
	}
	return page;
}

/* The usual case in few instructions: of the first zone that comes into question. */
static struct page *take_first(unsigned int order)
{
	const struct page_request request = page_request_get();
	struct cpu_lists *lists = cpu_lists_here();
	const struct zonelist *list;
	struct machine_zone *zone;
	unsigned int node;

	if (unlikely(order >= NR_PCP_ORDERS || !lists))
		return NULL;
	node = request.node >= 0 ? (unsigned int)request.node : lists->node;
	list = &machine->zonelist[node][request.type];
	zone = &machine->zone[list->zone[0]];
	if (unlikely(!list->nr || (request.this_node && zone->node != node)))
		return NULL;
	return lists_take(lists, &lists->zone[zone->number], nr_free_of(zone), zone->limit[PAGE_TO_HIGH][request.type],
		order, type_of(&request));
}

static struct page *request_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = take_first(order);

	if (unlikely(!page))
		page = take(order);
	return likely(page) && unlikely(flags & PAGE_ALLOC_ZERO) ? requests_clear(page, 1ul << order) : page;
}

/* ---- free ---- */

/* Pages have come to the buddy. Pairs with page_set_freed(): either it is seen here, or they are seen there. */
static void tell_freed(const struct machine_zone *zone)
{
	void (*hook)(unsigned int) = __atomic_load_n(&machine->freed, __ATOMIC_SEQ_CST);

	if (unlikely(hook))
		hook(zone->node);
}

/* To this CPU's list. False: there is none to be had, or somebody waits for pages. */
static bool list_free(struct machine_zone *zone, struct page *page, unsigned int order)
{
	unsigned int batch = zone_batch(zone, order);
	struct cpu_lists *lists = batch ? cpu_lists_here() : NULL;
	enum page_migratetype type;
	struct zone_lists *here;

	if (unlikely(!lists || !lists_enter(lists)))
		return false;
	/* Pairs with page_set_freed(), which waits until this CPU is not at its lists. */
	if (unlikely(__atomic_load_n(&machine->freed, __ATOMIC_RELAXED))) {
		lists_leave(lists);
		return false;
	}
	here = &lists->zone[zone->number];
	type = pageblock_type(zone->buddy, page_struct_to_pfn(page));
	if (unlikely(here->nr[order] >= here->most[order]))
		lists_give(zone, here, order, type, batch);
	lists_push(here, page, order, type);
	count_add(&here->freed, 1ul << order);
	lists_leave(lists);
	return true;
}

static void request_free(struct page *page, unsigned int order)
{
	unsigned long pfn = page_struct_to_pfn(page);
	struct machine_zone *zone = zone_of_pfn(pfn);

	if (likely(list_free(zone, page, order)))
		return;
	lock_acquire(&zone->buddy->lock);
	__buddy_free(zone->buddy, pfn, order, false);
	count_add(&zone->freed, 1ul << order);
	lock_release(&zone->buddy->lock);
	tell_freed(zone);
}

/* ---- runs of any number of pages, within one section ---- */

static void request_free_run(unsigned long pfn, unsigned long end)
{
	struct machine_zone *zone = zone_of_pfn(pfn);

	lock_acquire(&zone->buddy->lock);
	__buddy_free_range(zone->buddy, pfn, end, false);
	count_add(&zone->freed, end - pfn);
	lock_release(&zone->buddy->lock);
	tell_freed(zone);
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
	if (nr_pages < 1ul << order)
		request_free_run(pfn + nr_pages, pfn + (1ul << order));
	return flags & PAGE_ALLOC_ZERO ? requests_clear(page, nr_pages) : page;
}

static bool request_grow_run(unsigned long pfn, unsigned long end)
{
	const struct page_request request = page_request_get();
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
	if (grown)
		press_if_low(&request, 0, zone);
	return grown;
}

bool page_has_usual(void)
{
	return machine->does.free == request_free;
}

void requests_boot(void)
{
	machine->does.alloc = request_alloc;
	machine->does.alloc_run = request_alloc_run;
	machine->does.free = request_free;
	machine->does.free_run = request_free_run;
	machine->does.grow_run = request_grow_run;
	machine->does.drain = lists_drain;
	machine->does.check = zones_check;
}
