/*
 * pool.c: magazines and tables, straight from pages, so that they need no magazines themselves.
 *
 * Context: signals blocked.
 */
#include "runtime/slab/internal.h"

#define MAGAZINES_PER_PAGE (PAGE_SIZE / MAGAZINE_SIZE)

static struct lock pool_lock = LOCK_INIT(LOCK_MAGAZINE_POOL);
static struct magazine *pool; /* Synchronization: pool_lock */
static size_t pool_nr_free; /* == length(pool). Synchronization: pool_lock; read without, as a hint */
size_t pool_nr_pages;

static void __count_free(size_t delta)
{
	__atomic_store_n(&pool_nr_free, pool_nr_free + delta, __ATOMIC_RELAXED);
}

static void __pool_push(struct magazine *magazine)
{
	magazine->next = pool;
	pool = magazine;
	__count_free(1);
}

/* In a machine magazines take no page that an allocation might miss, whichever zone it is that asks for them. */
static struct page *pool_page(void)
{
	const struct page_request request = {
		PAGE_ZONE_NORMAL, PAGE_NODE_HERE, PAGE_TO_LOW, false, true, PAGE_UNMOVABLE};
	struct page_request outer = page_request_set(request);
	struct page *page = page_alloc(0, 0);

	page_request_set(outer);
	return page;
}

static void pool_grow(void)
{
	struct page *page = pool_page();
	struct magazine *magazines;

	if (!page)
		return;
	magazines = page_to_addr(page);
	lock_acquire(&pool_lock);
	__atomic_store_n(&pool_nr_pages, pool_nr_pages + 1, __ATOMIC_RELAXED);
	for (unsigned int i = MAGAZINES_PER_PAGE; i-- > 0;)
		__pool_push(&magazines[i]);
	lock_release(&pool_lock);
}

void *slot_table_create(size_t size)
{
	unsigned int order = 0;
	struct page *page;

	while ((PAGE_SIZE << order) < AREA_SLOTS * size)
		order++;
	page = page_alloc(order, PAGE_ALLOC_ZERO);
	return page ? page_to_addr(page) : NULL;
}

static struct magazine *pool_pop(void)
{
	struct magazine *magazine;

	lock_acquire(&pool_lock);
	magazine = pool;
	if (magazine) {
		pool = magazine->next;
		__count_free(-1ul);
	}
	lock_release(&pool_lock);
	return magazine;
}

struct magazine *magazine_get(unsigned int capacity)
{
	struct magazine *magazine = pool_pop();

	if (!magazine) {
		pool_grow();
		magazine = pool_pop();
	}
	if (magazine)
		magazine_set_capacity(magazine, capacity);
	return magazine;
}

void magazine_put(struct magazine *magazine)
{
	lock_acquire(&pool_lock);
	__pool_push(magazine);
	lock_release(&pool_lock);
}

static struct page *page_of(const struct magazine *magazine)
{
	return pfn_to_page_struct(addr_to_pfn(magazine));
}

/* Takes off the pool what lies in pages that are all free, and lists those pages. */
static void __pool_take_whole(struct list_head *whole)
{
	struct magazine **link = &pool;

	for (struct magazine *magazine = pool; magazine; magazine = magazine->next)
		page_of(magazine)->nr_free = 0;
	for (struct magazine *magazine = pool; magazine; magazine = magazine->next)
		if (++page_of(magazine)->nr_free == MAGAZINES_PER_PAGE)
			list_add(&page_of(magazine)->list, whole);
	while (*link)
		if (page_of(*link)->nr_free == MAGAZINES_PER_PAGE)
			*link = (*link)->next;
		else
			link = &(*link)->next;
}

/* No thread can be reading a magazine that is here: its critical section would have been restarted (see area_drain()). */
bool pool_shrink(void)
{
	struct list_head whole = LIST_HEAD_INIT(whole);
	struct page *page, *next;
	size_t nr = 0;

	/* Without the lock first: whoever calls regularly mostly finds nothing. */
	if (__atomic_load_n(&pool_nr_free, __ATOMIC_RELAXED) < MAGAZINES_PER_PAGE)
		return false;
	lock_acquire(&pool_lock);
	__pool_take_whole(&whole);
	list_for_each_entry(page, &whole, list)
		nr++;
	__atomic_store_n(&pool_nr_pages, pool_nr_pages - nr, __ATOMIC_RELAXED);
	__count_free(-nr * MAGAZINES_PER_PAGE);
	lock_release(&pool_lock);
	list_for_each_entry_safe(page, next, &whole, list) {
		page->nr_free = 0;
		page_free(page, 0);
	}
	return nr > 0;
}

void pool_reset(void)
{
	lock_reinit(&pool_lock);
	pool = NULL;
	pool_nr_free = 0;
	pool_nr_pages = 0;
}

void pool_fork_prepare(void)
{
	lock_acquire(&pool_lock);
}

void pool_fork_done(bool child)
{
	if (child)
		lock_reinit(&pool_lock);
	else
		lock_release(&pool_lock);
}
