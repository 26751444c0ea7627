/*
 * usual.h: the usual case of a machine's pages, for the kernel face: as page_alloc() and page_free(), without the request and the
 * layers that most allocations have no need of.
 */
#ifndef RUNTIME_PAGE_USUAL_H
#define RUNTIME_PAGE_USUAL_H

#include "runtime/page/page.h"

struct page_usual {
	/* A block from this CPU's lists, as PAGE_REQUEST_INIT asks for one, while the zone is far from its watermarks. NULL:
	 * another case, and nothing has happened. Does not look at this thread's request. */
	struct page *(*alloc)(unsigned int order);
	/* As page_free(), of a block that the caller knows not to be free, and that was had as PAGE_UNMOVABLE. */
	void (*free)(struct page *page, unsigned int order);
};

/* This machine's; NULL: it has none, since free pages are poisoned. */
const struct page_usual *page_usual(void);

#endif
