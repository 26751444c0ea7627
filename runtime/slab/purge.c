/*
 * purge.c: gives the frames of free pages inside of slabs back to the OS.
 *
 * One live object keeps its slab, and with it pages that hold none. A cache whose slabs had free objects all
 * through a tick did not need that many: the emptiest of its slabs are looked at, and those of their pages that
 * hold free objects only are discarded. A slab in work is on no list and marked PAGE_PURGING: nobody takes from it,
 * and frees only set bits.
 *
 * Calls slabs.c's lists and the page room's page_discard(). Refuses to touch caches with constructors or checks, and typesafe ones:
 * their free objects are not empty.
 *
 * Context: signals blocked, cache_list_lock held, so that no fork comes between.
 */
#include "runtime/slab/internal.h"

#define WORTH_BYTES 65536 /* free memory of a cache below which it is left alone */
#define MAX_ORDER_PURGED 6 /* a slab's pages are one word's bits */
#define SLABS_A_LIST 1024 /* looked at in one tick */
#define SPLIT_AFTER 3 /* quiet ticks until parts of huge pages go back, too */

static bool all_free(const unsigned long *bitmap, unsigned int first, unsigned int end)
{
	for (unsigned int bit = first; bit < end;) {
		unsigned int in_word = bit % WORD_BITS;
		unsigned int n = WORD_BITS - in_word < end - bit ? WORD_BITS - in_word : end - bit;
		unsigned long mask = (n == WORD_BITS ? ~0ul : (1ul << n) - 1) << in_word;

		if ((bitmap[bit / WORD_BITS] & mask) != mask)
			return false;
		bit += n;
	}
	return true;
}

/* Bit i: no live object reaches into page i of the slab. */
static uint64_t __free_pages(const struct kmem_cache *cache, struct page *slab)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < 1u << cache->order; i++) {
		unsigned int first = (unsigned int)(i * PAGE_SIZE / cache->size);
		unsigned int end = (unsigned int)(((i + 1) * PAGE_SIZE - 1) / cache->size) + 1;

		if (end > slab->nr_objects)
			end = slab->nr_objects;
		if (all_free(slab_bitmap(slab), first, end))
			pages |= 1ul << i;
	}
	return pages;
}

/* Takes slabs with pages to purge off their lists, emptiest and coldest first, until they make up bytes. Those that have none go
 * to the warm end, so that the next tick begins with others. */
static void __purge_collect(struct kmem_cache *cache, struct slabs *slabs, size_t bytes, struct list_head *out)
{
	for (unsigned int i = NR_FULLNESS; i-- > 0;) {
		struct list_head *node = slabs->partial[i].prev, *previous, *next;
		struct list_head seen = LIST_HEAD_INIT(seen);

		for (unsigned int left = SLABS_A_LIST; node != &slabs->partial[i] && bytes && left; left--) {
			struct page *slab = list_entry(node, struct page, list);
			uint64_t pages = __free_pages(cache, slab) & ~slab->purged;
			size_t found = PAGE_SIZE * (size_t)__builtin_popcountl(pages);

			previous = node->prev;
			list_del(node);
			if (!found) {
				list_add_tail(node, &seen);
			} else {
				page_flags_set(slab, PAGE_SLAB | PAGE_PURGING);
				slab->to_purge = pages;
				list_add_tail(node, out);
				bytes -= found < bytes ? found : bytes;
			}
			node = previous;
		}
		for (node = seen.next; node != &seen; node = next) {
			next = node->next;
			list_add(node, &slabs->partial[i]);
		}
	}
}

/* Discards the pages of one slab, neighbours with one call. */
static void purge_slab(struct page *slab, bool split)
{
	char *base = page_to_addr(slab);
	uint64_t pages = slab->to_purge;

	while (pages) {
		unsigned int first = (unsigned int)__builtin_ctzl(pages);
		uint64_t rest = ~(pages >> first);
		unsigned int n = rest ? (unsigned int)__builtin_ctzl(rest) : WORD_BITS;
		uint64_t run = (n == WORD_BITS ? ~0ul : (1ul << n) - 1) << first;

		if (!page_discard(base + first * PAGE_SIZE, n * PAGE_SIZE, split))
			slab->to_purge &= ~run;
		pages &= ~run;
	}
}

static void purge(struct kmem_cache *cache, struct slabs *slabs, size_t bytes, bool split)
{
	struct list_head work = LIST_HEAD_INIT(work);
	struct page *slab, *next;

	lock_acquire(&slabs->lock);
	__purge_collect(cache, slabs, bytes, &work);
	lock_release(&slabs->lock);
	if (list_empty(&work))
		return;
	list_for_each_entry(slab, &work, list)
		purge_slab(slab, split);
	lock_acquire(&slabs->lock);
	list_for_each_entry_safe(slab, next, &work, list) {
		list_del(&slab->list);
		page_flags_set(slab, PAGE_SLAB);
		slab->purged |= slab->to_purge;
		__slab_list(slabs, slab);
	}
	lock_release(&slabs->lock);
}

static bool node_purge(struct kmem_cache *cache, struct slabs *slabs)
{
	unsigned int quiet;
	size_t surplus;

	lock_acquire(&slabs->lock);
	if (slabs->nr_free * cache->size < WORTH_BYTES) {
		lock_release(&slabs->lock);
		return false;
	}
	surplus = slabs->free_low * cache->size;
	slabs->quiet_ticks = slabs->free_low == slabs->nr_free ? slabs->quiet_ticks + 1 : 0;
	quiet = slabs->quiet_ticks;
	slabs->free_low = slabs->nr_free;
	lock_release(&slabs->lock);
	/* Once more after parts of huge pages could go, then all that can go has gone. */
	if (quiet > SPLIT_AFTER + 1)
		return false;
	if (surplus >= WORTH_BYTES)
		purge(cache, slabs, surplus, quiet >= SPLIT_AFTER);
	return true;
}

bool slabs_purge(struct kmem_cache *cache)
{
	bool left = false;

	if (cache->run || cache->ctor || cache->typesafe || cache->debug || cache->order > MAX_ORDER_PURGED)
		return false;
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++)
		left |= node_purge(cache, slabs_of(cache, node));
	return left;
}
