/*
 * pages.c: the usual allocation and free of pages: what the page room has inline, between what the sched room has inline to put
 * interrupts off. Only a room above both can join them without a call.
 */
#include "runtime/machine/machine.h"
#include "runtime/page/usual.h"
#include "runtime/sched/mask.h"
#include "runtime/slab/slab.h"

static struct page *usual_alloc(unsigned int order)
{
	unsigned int outer = cpu_mask_enter();
	struct page *page = page_usual_take(order);

	cpu_mask_leave(outer);
	return page;
}

static bool usual_free(struct page *page, unsigned int order)
{
	unsigned int outer = cpu_mask_enter();
	bool done = page_usual_put(page, order);

	cpu_mask_leave(outer);
	return done;
}

const struct usual_pages machine_pages = {.alloc = usual_alloc, .free = usual_free};
