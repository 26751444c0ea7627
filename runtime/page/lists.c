/*
 * lists.c: the per-CPU page lists in front of the buddy, and the allocation of 2^order pages.
 *
 * Small blocks go round here without touching the zone: the last one freed is the next one given, still in cache. Lists
 * are chosen by a hint and have a lock each, so a wrong hint costs time only. A block keeps PAGE_ZERO while it is here.
 * Refills take dirty blocks even for a request that must be zero: clearing a few warm pages costs less than faulting.
 *
 * Calls buddy.c for batches. Refuses to know how blocks split and merge.
 */
#include "runtime/page/internal.h"
#include "runtime/page/machine.h"

#include "runtime/lib/report.h"

#define BATCH_MAX 16
#define HIGH 2 /* batches that a list may hold: 128 KiB an order, 512 KiB a CPU */

static const unsigned char batch[NR_PCP_ORDERS] = {BATCH_MAX, 8, 4, 2};
struct page_lists page_lists[CONFIG_NR_CPUS];
unsigned int nr_page_lists;

static void lists_set_up(unsigned int nr)
{
	lock_acquire(&memory.lock);
	for (unsigned int i = nr_page_lists; i < nr; i++) {
		lock_init(&page_lists[i].lock, LOCK_PCP);
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
			list_init(&page_lists[i].list[order]);
	}
	if (nr > nr_page_lists) {
		/* Pairs with nr_lists_get(): lists below are set up. */
		__atomic_store_n(&nr_page_lists, nr, __ATOMIC_RELEASE);
	}
	lock_release(&memory.lock);
}

static unsigned int nr_lists_get(void)
{
	return __atomic_load_n(&nr_page_lists, __ATOMIC_ACQUIRE); /* Pairs with lists_set_up(). */
}

static struct page_lists *lists_here(void)
{
	unsigned int cpu = percpu_cpu_hint() % CONFIG_NR_CPUS;

	if (unlikely(cpu >= nr_lists_get()))
		lists_set_up(cpu + 1);
	return &page_lists[cpu];
}

static void __list_push(struct page_lists *pcp, struct page *page, unsigned int order, uint32_t zero)
{
	page->order = (uint8_t)order;
	page_flags_set(page, PAGE_PCP | zero);
	list_add(&page->list, &pcp->list[order]);
	__atomic_store_n(&pcp->nr[order], pcp->nr[order] + 1, __ATOMIC_RELAXED);
}

/* Leaves PAGE_ZERO, if it was there, as the only flag. */
static void __list_remove(struct page_lists *pcp, struct page *page, unsigned int order)
{
	list_del(&page->list);
	page_flags_set(page, page_flags_get(page) & PAGE_ZERO);
	__atomic_store_n(&pcp->nr[order], pcp->nr[order] - 1, __ATOMIC_RELAXED);
	if (pcp->nr[order] < pcp->low[order])
		pcp->low[order] = pcp->nr[order];
}

/* Called with an empty list. Keeps the order of the buddy: its first block is the first to be given. */
static void __list_refill(struct page_lists *pcp, unsigned int order)
{
	struct page *pages[BATCH_MAX];
	unsigned int nr = buddy_alloc_batch(order, pages, batch[order]);

	while (nr-- > 0)
		__list_push(pcp, pages[nr], order, page_flags_get(pages[nr]) & PAGE_ZERO);
}

/* Takes the coldest blocks, at most a batch, and at most most. */
static unsigned int __list_take_cold(struct page_lists *pcp, unsigned int order, struct page **pages, unsigned int most)
{
	unsigned int nr = 0;

	for (; nr < most && nr < batch[order] && !list_empty(&pcp->list[order]); nr++) {
		pages[nr] = list_entry(pcp->list[order].prev, struct page, list);
		__list_remove(pcp, pages[nr], order);
	}
	return nr;
}

static struct page *lists_alloc(unsigned int order)
{
	struct page_lists *pcp = lists_here();
	struct page *page = NULL;

	lock_acquire(&pcp->lock);
	if (list_empty(&pcp->list[order]))
		__list_refill(pcp, order);
	if (!list_empty(&pcp->list[order])) {
		page = list_first_entry(&pcp->list[order], struct page, list);
		__list_remove(pcp, page, order);
	}
	lock_release(&pcp->lock);
	release_growth(&zones[ZONE_HOSTED]);
	return page;
}

/* The buddy is called without the list's lock: it may go on to give memory back to the OS. */
static void lists_free(struct page *page, unsigned int order)
{
	struct page_lists *pcp = lists_here();
	struct page *cold[BATCH_MAX];
	unsigned int nr = 0;

	lock_acquire(&pcp->lock);
	if (pcp->nr[order] >= HIGH * batch[order])
		nr = __list_take_cold(pcp, order, cold, BATCH_MAX);
	__list_push(pcp, page, order, 0);
	lock_release(&pcp->lock);
	if (nr)
		buddy_free_batch(order, cold, nr);
}

static struct page *alloc_block(unsigned int order, unsigned int flags)
{
	return order < NR_PCP_ORDERS ? lists_alloc(order) : buddy_alloc(order, flags);
}

struct page *page_alloc(unsigned int order, unsigned int flags)
{
	struct page *page;

	if (order > MAX_ORDER)
		return NULL;
	if (unlikely(machine))
		return machine->does.alloc(order, flags);
	page = alloc_block(order, flags);
	if (unlikely(!page)) {
		buddy_settle();
		page = alloc_block(order, flags);
	}
	return page ? buddy_prepare(page, 1ul << order, flags) : NULL;
}

bool page_is_free_twice(const struct page *page, const char *function)
{
	if (likely(!(page_flags_get(page) & (PAGE_BUDDY | PAGE_PCP))))
		return false;
	report_bug("%s: block at %p is free already", function, page_to_addr(page));
	return true;
}

static void hosted_free(struct page *page, unsigned int order)
{
	if (order < NR_PCP_ORDERS)
		lists_free(page, order);
	else
		buddy_free_batch(order, &page, 1);
}

void page_free(struct page *page, unsigned int order)
{
	if (page_is_free_twice(page, "page_free"))
		return;
	page_flags_set(page, 0);
	if (unlikely(machine))
		machine->does.free(page, order);
	else
		hosted_free(page, order);
}

static void drain(struct page_lists *pcp, unsigned int order)
{
	struct page *pages[BATCH_MAX];
	unsigned int nr;

	/* Without the lock first: most lists of a large machine are empty, and whoever runs out of memory comes here often. */
	while (__atomic_load_n(&pcp->nr[order], __ATOMIC_RELAXED)) {
		lock_acquire(&pcp->lock);
		nr = __list_take_cold(pcp, order, pages, BATCH_MAX);
		lock_release(&pcp->lock);
		buddy_free_batch(order, pages, nr);
	}
}

void page_drain_lists(void)
{
	unsigned int nr = nr_lists_get();

	if (unlikely(machine))
		machine->does.drain();
	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
			drain(&page_lists[i], order);
	}
}

/* Gives what the list had no need of since the last call to the buddy. Returns whether it is not empty. */
static bool list_age(struct page_lists *pcp, unsigned int order)
{
	struct page *pages[BATCH_MAX];
	unsigned int surplus, nr;

	if (!__atomic_load_n(&pcp->nr[order], __ATOMIC_RELAXED))
		return false;
	lock_acquire(&pcp->lock);
	surplus = pcp->low[order];
	pcp->low[order] = pcp->nr[order];
	lock_release(&pcp->lock);
	for (; surplus; surplus -= nr) {
		lock_acquire(&pcp->lock);
		nr = __list_take_cold(pcp, order, pages, surplus);
		lock_release(&pcp->lock);
		if (!nr)
			break;
		buddy_free_batch(order, pages, nr);
	}
	return true;
}

bool lists_age(void)
{
	unsigned int nr = nr_lists_get();
	bool any = false;

	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int order = 0; order < NR_PCP_ORDERS; order++)
			any |= list_age(&page_lists[i], order);
	}
	return any;
}

unsigned int lists_lock_all(void)
{
	unsigned int nr = nr_lists_get();

	for (unsigned int i = 0; i < nr; i++)
		lock_acquire(&page_lists[i].lock);
	return nr;
}

bool lists_all_locked(unsigned int nr)
{
	return nr == nr_page_lists;
}

void lists_unlock_all(unsigned int nr)
{
	while (nr-- > 0)
		lock_release(&page_lists[nr].lock);
}

void lists_reinit_all(void)
{
	for (unsigned int i = 0; i < nr_page_lists; i++)
		lock_reinit(&page_lists[i].lock);
}
