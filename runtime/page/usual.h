/*
 * usual.h: the usual case of a machine's pages, inline: as page_alloc() and page_free(), without the request and the layers that
 * most allocations have no need of. For the room that knows how interrupts are put off in few instructions.
 */
#ifndef RUNTIME_PAGE_USUAL_H
#define RUNTIME_PAGE_USUAL_H

#include "runtime/page/machine.h"

/* A block from this CPU's list, while the zone is far from its watermarks for such a request. NULL: another case. */
static inline struct page *lists_take(struct cpu_lists *lists, struct zone_lists *here, size_t nr_free, long limit,
	unsigned int order, enum page_migratetype type)
{
	struct page *page;

	if (unlikely(!pages_suffice(nr_free, 0, limit) || !lists_enter(lists)))
		return NULL;
	page = lists_pop(here, order, type);
	lists_leave(lists);
	return page;
}

/*
 * A block as PAGE_REQUEST_INIT asks for one; does not look at this thread's request. NULL: another case, and nothing has
 * happened. Interrupts off.
 */
static inline struct page *page_usual_take(unsigned int order)
{
	struct cpu_lists *lists = cpu_lists_here();

	if (unlikely(order >= NR_PCP_ORDERS || !lists || !lists->usual))
		return NULL;
	return lists_take(lists, lists->usual, __atomic_load_n(lists->usual_nr_free, __ATOMIC_RELAXED),
		lists->usual_limit, order, PAGE_UNMOVABLE);
}

/* A block that was had as PAGE_UNMOVABLE, to this CPU's list of those, whatever the type of its pageblock, if that is not full. False:
 * another case, and nothing has happened. Interrupts off. */
static inline bool page_usual_put(struct page *page, unsigned int order)
{
	struct cpu_lists *lists = cpu_lists_here();
	struct zone_lists *here;
	bool room;

	if (unlikely(order >= NR_PCP_ORDERS || !lists) || unlikely(!lists_enter(lists)))
		return false;
	here = &lists->zone[memory.sections[page_struct_to_pfn(page) / SECTION_PAGES]];
	/* As list_free(). */
	room = here->nr[order] < here->most[order] && !__atomic_load_n(&machine->freed, __ATOMIC_RELAXED);
	if (likely(room)) {
		lists_push(here, page, order, PAGE_UNMOVABLE);
		count_add(&here->freed, 1ul << order);
	}
	lists_leave(lists);
	return room;
}

#endif
