/*
 * release.c: what free memory goes back to the OS, when, and in which pieces.
 *
 * Four ways lead here. page_age(), by the reclaim thread once a tick: gives back what the tick had no need of, which is the
 * fewest dirty pages that were free at any moment of it. The limit, by whoever frees: where no such thread is active, or it
 * cannot keep up. Growth, by whoever takes new frames while much free memory holds some. page_release(), by malloc_trim and by callers that are out of memory: everything.
 *
 * Calls buddy.c to take blocks off its lists and to put them back, host to discard. While their frames go, blocks are in
 * flight: on no list, and known to zone->in_flight alone.
 */
#include "runtime/page/internal.h"

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"

#define LIMIT_ORDER 8 /* what the limit prefers: a system call for less than 1 MiB hardly pays */
#define RUN_ORDER 4 /* what is worth a system call of its own: 64 KiB */
#define SMALL_PAGES_A_TICK 2048 /* in blocks of less than that, which page_age() gives back at a time */
#define GROWTH_STEP 64 /* pages with new frames after which to see whether free ones could do */
#define GROWTH_ORDER 2 /* blocks that go then: discarding them costs less than the faults for what is taken instead */
#define GROWTH_SHARE 16 /* part of what is in use that may be free and dirty meanwhile, */
#define GROWTH_SLACK 256 /* and pages beside it */
#define QUIET_ENOUGH 20 /* quiet ticks after which what did not go (locked memory, say) will not go either */
#define QUIET_SHARE 16 /* part of what is free that may be used in a quiet tick */
#define SPLIT_AFTER 3 /* quiet ticks until parts of huge pages go back, too */
#define ACTIVE_FACTOR 4 /* how much more may be dirty where a thread gives it back in time */

/* Synchronization: const once set, before there are threads */
static bool (*wake)(void);
static void (*forget)(void);
struct release_counts release_counts;

/* What one call of release_until() may take: at most budget pages, and none once keep dirty ones or fewer are left. */
struct release {
	size_t keep;
	size_t budget;
	unsigned int min_order;
	bool split; /* parts of huge pages, too */
};

/* ---- when ---- */

bool release_is_active(void)
{
	return __atomic_load_n(&release_counts.active, __ATOMIC_RELAXED);
}

/* Dirty free pages that a zone may keep. */
static size_t __dirty_limit(const struct zone *zone)
{
	size_t share = (zone->nr_online - zone->nr_free) / 8;
	size_t retain = tunable_retain >> PAGE_SHIFT;
	size_t limit = share > retain ? share : retain;

	return release_is_active() ? ACTIVE_FACTOR * limit : limit;
}

static bool __zone_has_grown(const struct zone *zone)
{
	return zone->nr_online > zone->base_online ||
	       __dirty_pages(zone) > zone->base_dirty + (tunable_retain >> PAGE_SHIFT) / 2;
}

unsigned int __release_need(const struct zone *zone)
{
	unsigned int need = RELEASE_NOTHING;

	if (wake && !release_is_active() && __zone_has_grown(zone))
		need |= RELEASE_WAKE;
	if (__dirty_pages(zone) > __dirty_limit(zone) && !__atomic_load_n(&zone->releasing, __ATOMIC_RELAXED))
		need |= RELEASE_NOW;
	return need;
}

void release_large_freed(size_t size, size_t live)
{
	if (wake && !release_is_active() && size + live >= 2 * tunable_retain)
		wake();
}

void page_set_reclaim(bool (*wake_it)(void), void (*forget_it)(void))
{
	wake = wake_it;
	forget = forget_it;
}

void page_reclaim_active(bool is)
{
	__atomic_store_n(&release_counts.active, is, __ATOMIC_RELAXED);
}

void page_reclaim_poke(void)
{
	if (!wake || release_is_active())
		return;
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++) {
		/* Both only grow, but for a limited address space. */
		if (__atomic_load_n(&zones[i].nr_online, __ATOMIC_RELAXED) > zones[i].base_online) {
			wake();
			return;
		}
	}
}

/* ---- what ---- */

/* Blocks smaller than a page of the kernel have no frames of their own. */
static unsigned int smallest_releasable(void)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < host_page_size())
		order++;
	return order;
}

static void in_flight_sort(struct zone *zone)
{
	for (unsigned int i = 1; i < zone->nr_in_flight; i++) {
		struct page *page = zone->in_flight[i];
		unsigned int at = i;

		for (; at && zone->in_flight[at - 1] > page; at--)
			zone->in_flight[at] = zone->in_flight[at - 1];
		zone->in_flight[at] = page;
	}
}

/* The coldest dirty block of an order; NULL if there is none, or if it is a part of a huge page and those are to stay. */
static struct page *__coldest(struct zone *zone, unsigned int order, const struct release *release)
{
	struct list_head *list = &zone->area[order].dirty;
	struct page *page;

	if (list_empty(list))
		return NULL;
	page = list_entry(list->prev, struct page, list);
	if (release->split || order >= HUGE_ORDER || !huge_wanted(page_struct_to_pfn(page)))
		return page;
	/* Warmer ones may lie on small pages: one such is worth a look. */
	page = list_first_entry(list, struct page, list);
	return huge_wanted(page_struct_to_pfn(page)) ? NULL : page;
}

static void __to_flight(struct zone *zone, struct page *page, struct release *release)
{
	zone->in_flight[zone->nr_in_flight++] = page;
	release->budget -= 1ul << page->order;
}

/* The upper part of a block that is larger than the budget, which all are that are left. */
static void __collect_part(struct zone *zone, struct release *release)
{
	struct page *page = NULL;
	unsigned int order;

	for (order = release->min_order; !page && order <= MAX_ORDER; order++)
		page = __coldest(zone, order, release);
	if (!page)
		return;
	order = page->order;
	if (order >= HUGE_ORDER && huge_wanted(page_struct_to_pfn(page)) && !release->split)
		return;
	__buddy_remove(zone, page);
	while (1ul << order > release->budget) {
		order--;
		__buddy_insert(zone, page_struct_to_pfn(page), order, false);
		page += 1ul << order;
	}
	page->order = (uint8_t)order;
	__to_flight(zone, page, release);
}

/* Fills in_flight with dirty blocks, biggest first, and takes their pages off the budget. */
static bool release_collect(struct zone *zone, struct release *release)
{
	lock_acquire(&zone->lock);
	for (unsigned int order = MAX_ORDER + 1; order-- > release->min_order;) {
		while (zone->nr_in_flight < RELEASE_BATCH && release->budget >= 1ul << order &&
			__dirty_pages(zone) > release->keep) {
			struct page *page = __coldest(zone, order, release);

			if (!page)
				break;
			__buddy_remove(zone, page);
			__to_flight(zone, page, release);
		}
	}
	if (zone->nr_in_flight < RELEASE_BATCH && release->budget >= 1ul << release->min_order &&
		__dirty_pages(zone) > release->keep)
		__collect_part(zone, release);
	/* Under the lock: a fork child takes in_flight as it finds it (release_fork_child). */
	in_flight_sort(zone);
	lock_release(&zone->lock);
	return zone->nr_in_flight > 0;
}

/* Discards what is in flight, neighbours with one call. Returns how many blocks, from the first, are zero now. */
static unsigned int in_flight_discard(const struct zone *zone)
{
	unsigned int i = 0, end;

	for (; i < zone->nr_in_flight; i = end) {
		unsigned long pfn = page_struct_to_pfn(zone->in_flight[i]);
		unsigned long next = pfn;

		for (end = i; end < zone->nr_in_flight && page_struct_to_pfn(zone->in_flight[end]) == next; end++)
			next += 1ul << zone->in_flight[end]->order;
		huge_disclaim(pfn, next);
		if (host_discard(pfn_to_addr(pfn), (next - pfn) << PAGE_SHIFT))
			break;
	}
	return i;
}

/* Puts everything back, the first nr_zero blocks as PAGE_ZERO. Returns the pages of those. */
static size_t __in_flight_return(struct zone *zone, unsigned int nr_zero)
{
	size_t pages = 0;

	for (unsigned int i = 0; i < zone->nr_in_flight; i++) {
		struct page *page = zone->in_flight[i];

		pages += i < nr_zero ? 1ul << page->order : 0;
		__buddy_free(zone, page_struct_to_pfn(page), page->order, i < nr_zero);
	}
	zone->nr_in_flight = 0;
	count_add(&zone->nr_released, pages);
	__dirty_taken(zone);
	return pages;
}

/* The caller owns zone->releasing. Memory that the OS does not take back (locked, say) ends the loop. */
static size_t release_until(struct zone *zone, struct release release)
{
	size_t released = 0, pages;
	unsigned int nr_zero;

	do {
		if (!release_collect(zone, &release))
			break;
		nr_zero = in_flight_discard(zone);
		lock_acquire(&zone->lock);
		pages = __in_flight_return(zone, nr_zero);
		lock_release(&zone->lock);
		released += pages;
	} while (pages);
	return released;
}

static bool release_begin(struct zone *zone)
{
	/* Pairs with release_end(): the last owner's in_flight is empty. */
	return !__atomic_exchange_n(&zone->releasing, 1, __ATOMIC_ACQUIRE);
}

static void release_end(struct zone *zone)
{
	/* Pairs with release_begin(). */
	__atomic_store_n(&zone->releasing, 0, __ATOMIC_RELEASE);
}

/* ---- the limit ---- */

/* From over the limit down to half of it, so that a program that goes up and down does not call the OS each time. Where the
 * large blocks do not suffice, smaller ones, but only down to the limit. */
static void release_to_limit(struct zone *zone)
{
	size_t limit;

	if (!release_begin(zone))
		return;
	lock_acquire(&zone->lock);
	limit = __dirty_limit(zone);
	lock_release(&zone->lock);
	release_until(zone, (struct release){.keep = limit / 2, .budget = SIZE_MAX, .min_order = LIMIT_ORDER});
	release_until(zone, (struct release){.keep = limit, .budget = SIZE_MAX, .min_order = RUN_ORDER, .split = true});
	release_end(zone);
}

void release_follow(struct zone *zone, unsigned int need)
{
	if ((need & RELEASE_WAKE) && wake())
		return;
	if (need & RELEASE_NOW)
		release_to_limit(zone);
}

/* Dirty free pages that a zone may keep while it takes new frames. */
static size_t __growth_limit(const struct zone *zone)
{
	return (zone->nr_online - zone->nr_free) / GROWTH_SHARE + GROWTH_SLACK;
}

/* Frees go into the largest blocks, whose memory is the last to be asked for: a program may hold much free memory and still
 * grow, since none of it fits, or since mappings have their own. */
static void release_for(struct zone *zone, size_t pages)
{
	unsigned int least = smallest_releasable();
	struct release release = {.budget = pages, .min_order = least > GROWTH_ORDER ? least : GROWTH_ORDER};
	bool over;

	lock_acquire(&zone->lock);
	release.keep = __growth_limit(zone);
	over = __dirty_pages(zone) > release.keep;
	lock_release(&zone->lock);
	if (large_kept_bytes() > release.keep << PAGE_SHIFT)
		large_shrink(release.keep << PAGE_SHIFT);
	if (!over || !release_begin(zone))
		return;
	release_until(zone, release);
	release_end(zone);
}

void release_growth(struct zone *zone)
{
	size_t fresh;

	/* Without the lock first: most allocations take no new frames. */
	if (likely(__atomic_load_n(&zone->fresh, __ATOMIC_RELAXED) < GROWTH_STEP))
		return;
	lock_acquire(&zone->lock);
	fresh = zone->fresh;
	count_add(&zone->fresh, -fresh);
	lock_release(&zone->lock);
	release_for(zone, fresh);
}

void release_growth_by(size_t size)
{
	release_for(&zones[ZONE_HOSTED], size >> PAGE_SHIFT);
}

/* Whoever releases may be preempted, while many threads go on freeing: from twice the limit on, they do it themselves. */
bool release_first(struct zone *zone, unsigned long pfn, unsigned long end)
{
	bool late;

	if (end - pfn < 1ul << RUN_ORDER)
		return false;
	lock_acquire(&zone->lock);
	late = __dirty_pages(zone) > 2 * __dirty_limit(zone);
	lock_release(&zone->lock);
	return late && page_discard(pfn_to_addr(pfn), (end - pfn) << PAGE_SHIFT, true);
}

bool page_discard(void *addr, size_t size, bool split)
{
	unsigned long pfn = addr_to_pfn(addr);
	unsigned long end = pfn + (size >> PAGE_SHIFT);

	if (machine)
		return false;
	/* The kernel rounds up to its own pages, and the rest of the last one may be somebody's. */
	if (((pfn | end) & ((host_page_size() >> PAGE_SHIFT) - 1)) || (!split && huge_wanted(pfn)))
		return false;
	huge_disclaim(pfn, end);
	if (host_discard(addr, size))
		return false;
	__atomic_fetch_add(&release_counts.discarded, end - pfn, __ATOMIC_RELAXED);
	return true;
}

/* ---- age ---- */

/* Takes stock of the tick that ends. Returns how many dirty pages it had no need of. */
static size_t zone_surplus(struct zone *zone, size_t *keep, unsigned int *quiet)
{
	size_t dirty, surplus;

	lock_acquire(&zone->lock);
	dirty = __dirty_pages(zone);
	/* Blocks that another thread has in flight are missing from dirty. */
	surplus = zone->dirty_low < dirty ? zone->dirty_low : dirty;
	/* A little that comes and goes is no unrest. */
	zone->quiet_ticks = surplus >= dirty - dirty / QUIET_SHARE ? zone->quiet_ticks + 1 : 0;
	*quiet = zone->quiet_ticks;
	zone->dirty_low = dirty;
	lock_release(&zone->lock);
	*keep = dirty - surplus;
	return surplus;
}

/* Returns whether dirty memory is left. */
static bool zone_age(struct zone *zone)
{
	size_t keep, done;
	unsigned int quiet;
	size_t surplus = zone_surplus(zone, &keep, &quiet);
	struct release release = {.keep = keep, .budget = surplus, .min_order = RUN_ORDER};

	if (!surplus)
		return keep > 0;
	if (!release_begin(zone))
		return true;
	release.split = quiet >= SPLIT_AFTER;
	done = release_until(zone, release);
	/* What lies scattered costs a call for little, so that it goes by and by. */
	if (done < surplus) {
		release.budget = surplus - done < SMALL_PAGES_A_TICK ? surplus - done : SMALL_PAGES_A_TICK;
		release.min_order = smallest_releasable();
		done += release_until(zone, release);
	}
	release_end(zone);
	return done || quiet < QUIET_ENOUGH;
}

bool page_age(void)
{
	bool left = lists_age();

	if (machine)
		return false;
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++)
		left |= zone_age(&zones[i]);
	large_age(false);
	return left | (large_kept_bytes() > 0);
}

/* ---- everything ---- */

size_t page_release(size_t keep)
{
	size_t bytes = large_age(true);

	page_drain_lists();
	if (machine)
		return 0;
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++) {
		while (!release_begin(&zones[i]))
			host_yield();
		bytes += release_until(&zones[i], (struct release){.keep = keep >> PAGE_SHIFT,
							  .budget = SIZE_MAX,
							  .min_order = smallest_releasable(),
							  .split = true})
			 << PAGE_SHIFT;
		release_end(&zones[i]);
	}
	return bytes;
}

size_t page_releasable(void)
{
	size_t bytes = large_kept_bytes();

	if (machine)
		return 0;
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++) {
		size_t nr_free = __atomic_load_n(&zones[i].nr_free, __ATOMIC_RELAXED);
		size_t nr_zero = __atomic_load_n(&zones[i].nr_free_zero, __ATOMIC_RELAXED);

		/* They change one after the other. */
		bytes += nr_free > nr_zero ? (nr_free - nr_zero) << PAGE_SHIFT : 0;
	}
	return bytes;
}

void buddy_settle(void)
{
	page_drain_lists();
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++) {
		/* Pairs with release_end(): in_flight is back on the lists. */
		while (__atomic_load_n(&zones[i].releasing, __ATOMIC_ACQUIRE))
			host_yield();
	}
}

/* ---- boot and fork ---- */

void release_boot(void)
{
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++)
		zones[i].base_online = SECTION_STEP * SECTION_PAGES;
}

/* Blocks that another thread was giving back are free again, and what there is now is no growth. */
void release_fork_child(void)
{
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++) {
		struct zone *zone = &zones[i];

		__in_flight_return(zone, 0);
		__atomic_store_n(&zone->releasing, 0, __ATOMIC_RELAXED);
		zone->base_online = zone->nr_online;
		zone->base_dirty = __dirty_pages(zone);
	}
	page_reclaim_active(false);
	if (forget)
		forget();
}
