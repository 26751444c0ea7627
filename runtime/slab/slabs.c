/*
 * slabs.c: runs of pages cut into objects, with the free ones in a bitmap outside of them.
 *
 * A slab is a block of 2^order pages. Its head's struct page is the slab's; the structs of its tail pages are the bitmap, one
 * bit an object, 1 for free. Objects are taken lowest address first from the fullest slab, so that memory stays dense and
 * slabs get a chance to empty. Calls the page room; knows nothing of magazines.
 *
 * Context: signals blocked.
 */
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/slab/internal.h"

#define RECIPROCAL_SHIFT 40
#define MAX_EMPTY 1 /* empty slabs that a cache keeps */

/* What slabs_free found wrong, told after the lock is released. */
struct fault {
	void *object;
	bool inside;
};

static unsigned int bitmap_words(const struct page *slab)
{
	return (slab->nr_objects + WORD_BITS - 1u) / WORD_BITS;
}

struct page *slab_of(const void *p)
{
	unsigned long pfn = addr_to_pfn(p);
	unsigned int byte;
	unsigned int order = OTHER_ORDER;

	if (pfn >= __atomic_load_n(&percpu_fast.nr_pfns, __ATOMIC_RELAXED))
		return NULL;
	byte = *class_byte(pfn);
	if (!byte)
		return NULL;
	if (byte != 2 * SLOT_OTHER)
		order = cache_by_slot[byte / 2]->order;
	return pfn_to_page_struct(ALIGN_DOWN(pfn, 1ul << order));
}

void slabs_init(struct kmem_cache *cache)
{
	struct slabs *slabs = &cache->slabs;

	lock_init(&slabs->lock, LOCK_SLABS);
	for (int i = 0; i < NR_FULLNESS; i++)
		list_init(&slabs->partial[i]);
	list_init(&slabs->empty);
	cache->reciprocal = ((1ull << RECIPROCAL_SHIFT) + cache->size - 1) / cache->size;
}

static unsigned int fullness(const struct page *slab)
{
	return slab->nr_free * NR_FULLNESS / slab->nr_objects;
}

void __slab_list(struct slabs *slabs, struct page *slab)
{
	if (slab->nr_free == slab->nr_objects) {
		list_add(&slab->list, &slabs->empty);
		slabs->nr_empty++;
	} else if (slab->nr_free) {
		list_add(&slab->list, &slabs->partial[fullness(slab)]);
	}
}

/* Moves a slab whose nr_free went from old_free to its present value to the list that it belongs on now. */
static void __slab_relist(struct slabs *slabs, struct page *slab, unsigned int old_free)
{
	bool was_empty = old_free == slab->nr_objects;

	if (page_flags_get(slab) & PAGE_PURGING)
		return;
	if (old_free && !was_empty && slab->nr_free && slab->nr_free < slab->nr_objects &&
		old_free * NR_FULLNESS / slab->nr_objects == fullness(slab))
		return;
	if (old_free)
		list_del(&slab->list);
	if (was_empty)
		slabs->nr_empty--;
	__slab_list(slabs, slab);
}

static struct page *__slabs_best(struct slabs *slabs)
{
	for (int i = 0; i < NR_FULLNESS; i++)
		if (!list_empty(&slabs->partial[i]))
			return list_first_entry(&slabs->partial[i], struct page, list);
	if (!list_empty(&slabs->empty))
		return list_first_entry(&slabs->empty, struct page, list);
	return NULL;
}

static unsigned int __slab_take(struct kmem_cache *cache, struct page *slab, void **out, unsigned int n)
{
	unsigned long *bitmap = slab_bitmap(slab);
	char *base = page_to_addr(slab);
	unsigned int old_free = slab->nr_free;
	unsigned int got = 0;

	for (unsigned int i = 0; got < n && slab->nr_free; i++) {
		unsigned long word = bitmap[i];

		for (; word && got < n; word &= word - 1, got++, slab->nr_free--)
			out[got] = base + (size_t)cache->size * (i * WORD_BITS + (unsigned int)__builtin_ctzl(word));
		bitmap[i] = word;
	}
	slab->purged = 0;
	cache->slabs.nr_free -= got;
	if (cache->slabs.nr_free < cache->slabs.free_low)
		cache->slabs.free_low = cache->slabs.nr_free;
	__slab_relist(&cache->slabs, slab, old_free);
	return got;
}

/* A slab of all free objects that is on no list yet. */
static struct page *slab_create(struct kmem_cache *cache)
{
	struct page *slab = page_alloc(cache->order, 0);
	unsigned long *bitmap;
	char *base;

	if (!slab)
		return NULL;
	page_flags_set(slab, PAGE_SLAB);
	slab->cache = cache;
	slab->nr_objects = (uint16_t)cache->nr_objects;
	slab->nr_free = slab->nr_objects;
	slab->purged = 0;
	bitmap = slab_bitmap(slab);
	memset(bitmap, 0xff, slab->nr_objects / WORD_BITS * sizeof(long));
	if (slab->nr_objects % WORD_BITS)
		bitmap[slab->nr_objects / WORD_BITS] = (1ul << slab->nr_objects % WORD_BITS) - 1;
	memset(class_byte(page_struct_to_pfn(slab)), cache->class_byte, 1ul << cache->order);
	base = page_to_addr(slab);
	for (unsigned int i = 0; cache->ctor && i < cache->nr_objects; i++)
		cache->ctor(base + (size_t)i * cache->size);
	return slab;
}

static void slab_destroy(struct kmem_cache *cache, struct page *slab)
{
	memset(class_byte(page_struct_to_pfn(slab)), 0, 1ul << cache->order);
	memset(slab_bitmap(slab), 0, bitmap_words(slab) * sizeof(long));
	page_flags_set(slab, 0);
	page_free(slab, cache->order);
}

unsigned int slabs_alloc(struct kmem_cache *cache, void **out, unsigned int n)
{
	struct slabs *slabs = &cache->slabs;
	unsigned int got = 0;

	lock_acquire(&slabs->lock);
	while (got < n) {
		struct page *slab = __slabs_best(slabs);

		if (!slab) {
			/* One object is enough of a success: the rest of a batch is not worth a new slab. */
			if (got)
				break;
			lock_release(&slabs->lock);
			slab = slab_create(cache);
			if (!slab)
				return 0;
			lock_acquire(&slabs->lock);
			slabs->nr_slabs++;
			slabs->nr_free += slab->nr_free;
			slabs->nr_empty++;
			list_add(&slab->list, &slabs->empty);
		}
		got += __slab_take(cache, slab, out + got, n - got);
	}
	lock_release(&slabs->lock);
	return got;
}

/* Marks one object free. Returns false and fills in the fault if it is not one that is live. */
static bool __slab_put(struct kmem_cache *cache, void *object, struct fault *fault)
{
	struct page *slab = slab_of(object);
	unsigned long offset, bit, *word;
	unsigned int index, old_free;

	/* The first of two frees may have given the slab back, and another cache the pages since. */
	if (!slab || slab->cache != cache) {
		fault->object = object;
		return false;
	}
	offset = (unsigned long)((char *)object - (char *)page_to_addr(slab));
	index = (unsigned int)(offset * cache->reciprocal >> RECIPROCAL_SHIFT);
	word = &slab_bitmap(slab)[index / WORD_BITS];
	bit = 1ul << index % WORD_BITS;
	old_free = slab->nr_free;
	if ((unsigned long)index * cache->size != offset || index >= slab->nr_objects || (*word & bit)) {
		fault->object = object;
		fault->inside = (unsigned long)index * cache->size != offset || index >= slab->nr_objects;
		return false;
	}
	*word |= bit;
	slab->nr_free++;
	cache->slabs.nr_free++;
	__slab_relist(&cache->slabs, slab, old_free);
	return true;
}

/* Takes empty slabs beyond keep off the lists, linked through `list`. */
static void __slabs_collect(struct slabs *slabs, size_t keep, struct list_head *out)
{
	while (slabs->nr_empty > keep) {
		struct page *slab = list_entry(slabs->empty.prev, struct page, list);

		list_del(&slab->list);
		slabs->nr_empty--;
		slabs->nr_slabs--;
		slabs->nr_free -= slab->nr_free;
		list_add(&slab->list, out);
	}
}

static void slabs_destroy_list(struct kmem_cache *cache, struct list_head *list)
{
	struct page *slab, *next;

	list_for_each_entry_safe(slab, next, list, list)
		slab_destroy(cache, slab);
}

static void fault_report(struct kmem_cache *cache, const struct fault *fault)
{
	if (fault->inside)
		report_bug("free of %p, which is inside an object of cache %s (%u bytes each)", fault->object,
			cache->name, cache->size);
	else
		report_bug(
			"double free of %p, an object of cache %s (%u bytes)", fault->object, cache->name, cache->size);
}

void slabs_free(struct kmem_cache *cache, void **objects, unsigned int n)
{
	struct slabs *slabs = &cache->slabs;
	struct list_head empty = LIST_HEAD_INIT(empty);
	struct fault fault = {NULL, false};

	lock_acquire(&slabs->lock);
	for (unsigned int i = 0; i < n; i++)
		__slab_put(cache, objects[i], &fault);
	if (slabs->nr_empty > MAX_EMPTY)
		__slabs_collect(slabs, MAX_EMPTY, &empty);
	lock_release(&slabs->lock);
	slabs_destroy_list(cache, &empty);
	if (unlikely(fault.object))
		fault_report(cache, &fault);
}

void slabs_shrink(struct kmem_cache *cache)
{
	struct list_head empty = LIST_HEAD_INIT(empty);

	lock_acquire(&cache->slabs.lock);
	__slabs_collect(&cache->slabs, 0, &empty);
	lock_release(&cache->slabs.lock);
	slabs_destroy_list(cache, &empty);
}

/* BUG unless this slab's bitmap and list agree with its count. */
static void __slab_check(struct kmem_cache *cache, struct page *slab, const char *list)
{
	unsigned int nr_free = 0;

	for (unsigned int i = 0; i < bitmap_words(slab); i++)
		nr_free += (unsigned int)__builtin_popcountl(slab_bitmap(slab)[i]);
	if (nr_free != slab->nr_free || slab->cache != cache || !(page_flags_get(slab) & PAGE_SLAB))
		report_bug("slab %p of cache %s on list %s: %u bits free, nr_free %u", page_to_addr(slab), cache->name,
			list, nr_free, slab->nr_free);
}

void slabs_check(struct kmem_cache *cache)
{
	struct slabs *slabs = &cache->slabs;
	struct page *slab;
	size_t nr_free = 0, nr_empty = 0;

	lock_acquire(&slabs->lock);
	for (unsigned int i = 0; i < NR_FULLNESS; i++) {
		list_for_each_entry(slab, &slabs->partial[i], list) {
			__slab_check(cache, slab, "partial");
			nr_free += slab->nr_free;
			if (fullness(slab) != i || !slab->nr_free || slab->nr_free == slab->nr_objects)
				report_bug("slab %p of cache %s: %u free on partial list %u", page_to_addr(slab),
					cache->name, slab->nr_free, i);
		}
	}
	list_for_each_entry(slab, &slabs->empty, list) {
		__slab_check(cache, slab, "empty");
		nr_free += slab->nr_free;
		nr_empty++;
	}
	if (nr_free != slabs->nr_free || nr_empty != slabs->nr_empty)
		report_bug("cache %s: lists hold %zu free objects, %zu empty slabs; counted %zu, %zu", cache->name,
			nr_free, nr_empty, slabs->nr_free, slabs->nr_empty);
	lock_release(&slabs->lock);
}

void slabs_for_each_live(struct kmem_cache *cache, void (*visit)(void *object, void *arg), void *arg)
{
	unsigned long nr_pfns = percpu_fast.nr_pfns;

	/* Slabs without free objects are on no list: look at all class bytes instead. */
	for (unsigned long pfn = 0; pfn < nr_pfns; pfn++) {
		struct page *slab;

		if (*class_byte(pfn) != cache->class_byte)
			continue;
		slab = slab_of(pfn_to_addr(pfn));
		if (slab->cache != cache || page_struct_to_pfn(slab) != pfn)
			continue;
		for (unsigned int i = 0; i < slab->nr_objects; i++)
			if (!(slab_bitmap(slab)[i / WORD_BITS] & (1ul << i % WORD_BITS)))
				visit((char *)pfn_to_addr(pfn) + (size_t)i * cache->size, arg);
	}
}
