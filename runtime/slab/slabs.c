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
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"

#define RECIPROCAL_SHIFT 40

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

/* ---- nodes ---- */

/* Of the nodes beyond the first, whose slabs lie in the caches themselves: an array by slot. Synchronization: set under
 * cache_list_lock, read anywhere */
struct slabs *slabs_of_nodes[TOPOLOGY_NODES];
unsigned int nr_slab_nodes = 1; /* Synchronization: as slabs_of_nodes; those below are set up */

/* A cache without a slot has no place in the tables: all its slabs count as node 0's. */
unsigned int slabs_nr_nodes(const struct kmem_cache *cache)
{
	unsigned int nr = __atomic_load_n(&nr_slab_nodes, __ATOMIC_ACQUIRE); /* Pairs with slabs_set_up_nodes(). */

	return likely(nr == 1) || !cache->slot ? 1 : nr;
}

struct slabs *slabs_of(struct kmem_cache *cache, unsigned int node)
{
	return node ? &slabs_of_nodes[node][cache->slot] : &cache->slabs;
}

static unsigned int node_here(const struct kmem_cache *cache)
{
	unsigned int nr = slabs_nr_nodes(cache);

	return likely(nr == 1) ? 0 : topology_node(percpu_host_cpu()) % nr;
}

static void lists_init(struct slabs *slabs)
{
	lock_init(&slabs->lock, LOCK_SLABS);
	for (int i = 0; i < NR_FULLNESS; i++)
		list_init(&slabs->partial[i]);
	list_init(&slabs->empty);
}

void slabs_set_up_nodes(void)
{
	unsigned int wanted = topology_nr_nodes();

	for (unsigned int node = nr_slab_nodes; node < wanted; node++) {
		struct slabs *slabs = slot_table_create(sizeof(*slabs));

		if (!slabs)
			return;
		for (unsigned int slot = 0; slot < AREA_SLOTS; slot++)
			lists_init(&slabs[slot]);
		slabs_of_nodes[node] = slabs;
		/* Pairs with slabs_nr_nodes(). */
		__atomic_store_n(&nr_slab_nodes, node + 1, __ATOMIC_RELEASE);
	}
}

void slabs_reset_nodes(void)
{
	nr_slab_nodes = 1;
	memset(slabs_of_nodes, 0, sizeof(slabs_of_nodes));
}

void slabs_init(struct kmem_cache *cache)
{
	lists_init(&cache->slabs);
	cache->reciprocal = ((1ull << RECIPROCAL_SHIFT) + cache->size - 1) / cache->size;
}

void slabs_count(struct kmem_cache *cache, size_t *nr_slabs, size_t *nr_free)
{
	*nr_slabs = 0;
	*nr_free = 0;
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++) {
		*nr_slabs += __atomic_load_n(&slabs_of(cache, node)->nr_slabs, __ATOMIC_RELAXED);
		*nr_free += __atomic_load_n(&slabs_of(cache, node)->nr_free, __ATOMIC_RELAXED);
	}
}

bool slabs_have_empty(struct kmem_cache *cache)
{
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++)
		if (__atomic_load_n(&slabs_of(cache, node)->nr_empty, __ATOMIC_RELAXED))
			return true;
	return false;
}

void slabs_fork_prepare(struct kmem_cache *cache)
{
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++)
		lock_acquire(&slabs_of(cache, node)->lock);
}

void slabs_fork_done(struct kmem_cache *cache, bool child)
{
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++) {
		if (child)
			lock_reinit(&slabs_of(cache, node)->lock);
		else
			lock_release(&slabs_of(cache, node)->lock);
	}
}

/* ---- lists ---- */

/* Of a count that is read without the lock. */
static void __count(size_t *count, size_t delta)
{
	__atomic_store_n(count, *count + delta, __ATOMIC_RELAXED);
}

static void __count_empty(struct slabs *slabs, size_t delta)
{
	__count(&slabs->nr_empty, delta);
}

static unsigned int fullness(const struct page *slab)
{
	return slab->nr_free * NR_FULLNESS / slab->nr_objects;
}

void __slab_list(struct slabs *slabs, struct page *slab)
{
	if (slab->nr_free == slab->nr_objects) {
		list_add(&slab->list, &slabs->empty);
		__count_empty(slabs, 1);
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
		__count_empty(slabs, -1ul);
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

static unsigned int __slab_take(
	struct kmem_cache *cache, struct slabs *slabs, struct page *slab, void **out, unsigned int n)
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
	__count(&slabs->nr_free, -(size_t)got);
	if (slabs->nr_free < slabs->free_low)
		slabs->free_low = slabs->nr_free;
	__slab_relist(slabs, slab, old_free);
	return got;
}

/* The node whose lists a slab's pages belong on: in a machine the one that they are of, which may be another than
 * asked for. */
static unsigned int home_of(const struct kmem_cache *cache, const struct page *slab, unsigned int node)
{
	unsigned int home = slab_machine && slabs_nr_nodes(cache) > 1 ? page_node(slab) : node;

	return home < slabs_nr_nodes(cache) ? home : node;
}

static void objects_init(struct kmem_cache *cache, char *base)
{
	for (unsigned int i = 0; i < cache->nr_objects; i++) {
		char *object = base + (size_t)i * cache->size;

		if (cache->debug & CACHE_CHECKED)
			checks_init(cache, object);
		if (cache->ctor)
			cache->ctor(object);
	}
}

/* A slab of all free objects that is on no list yet. */
static struct page *slab_create(struct kmem_cache *cache, unsigned int node)
{
	struct page *slab = page_alloc(cache->order, 0);
	unsigned long *bitmap;

	if (!slab)
		return NULL;
	page_flags_set(slab, PAGE_SLAB);
	slab->cache = cache;
	slab->node = (uint16_t)home_of(cache, slab, node);
	slab->nr_objects = (uint16_t)cache->nr_objects;
	slab->nr_free = slab->nr_objects;
	slab->purged = 0;
	bitmap = slab_bitmap(slab);
	memset(bitmap, 0xff, slab->nr_objects / WORD_BITS * sizeof(long));
	if (slab->nr_objects % WORD_BITS)
		bitmap[slab->nr_objects / WORD_BITS] = (1ul << slab->nr_objects % WORD_BITS) - 1;
	memset(class_byte(page_struct_to_pfn(slab)), cache->class_byte, 1ul << cache->order);
	if (cache->ctor || cache->debug & CACHE_CHECKED)
		objects_init(cache, page_to_addr(slab));
	return slab;
}

void slab_destroy(struct kmem_cache *cache, struct page *slab)
{
	if (cache->debug & CACHE_CHECKED)
		checks_slab(cache, slab);
	memset(class_byte(page_struct_to_pfn(slab)), 0, 1ul << cache->order);
	memset(slab_bitmap(slab), 0, bitmap_words(slab) * sizeof(long));
	page_flags_set(slab, 0);
	page_free(slab, cache->order);
}

static unsigned int node_alloc(struct kmem_cache *cache, unsigned int node, void **out, unsigned int n)
{
	struct slabs *slabs = slabs_of(cache, node);
	unsigned int got = 0;

	lock_acquire(&slabs->lock);
	while (got < n) {
		struct page *slab = __slabs_best(slabs);

		if (!slab) {
			/* One object is enough of a success: the rest of a batch is not worth a new slab. */
			if (got)
				break;
			lock_release(&slabs->lock);
			slab = slab_create(cache, node);
			if (!slab)
				return 0;
			slabs = slabs_of(cache, slab->node);
			lock_acquire(&slabs->lock);
			__count(&slabs->nr_slabs, 1);
			__count(&slabs->nr_free, slab->nr_free);
			__count_empty(slabs, 1);
			list_add(&slab->list, &slabs->empty);
		}
		got += __slab_take(cache, slabs, slab, out + got, n - got);
	}
	lock_release(&slabs->lock);
	return got;
}

unsigned int slabs_alloc(struct kmem_cache *cache, void **out, unsigned int n)
{
	unsigned int nr = slabs_nr_nodes(cache), here = node_here(cache);
	unsigned int got = node_alloc(cache, here, out, n);

	/* Memory is out, but other nodes may have objects left. */
	for (unsigned int node = 0; !got && node < nr; node++)
		if (node != here)
			got = node_alloc(cache, node, out, n);
	return got;
}

void *slabs_alloc_on(struct kmem_cache *cache, int node, bool only)
{
	unsigned int nr = slabs_nr_nodes(cache);
	unsigned int first = node < 0 ? node_here(cache) : (unsigned int)node % nr;
	void *object = NULL;

	node_alloc(cache, first, &object, 1);
	for (unsigned int other = 0; !object && !only && other < nr; other++)
		if (other != first)
			node_alloc(cache, other, &object, 1);
	return object;
}

/* Marks one object free. Returns false and fills in the fault if it is not one that is live. */
static bool __slab_put(struct kmem_cache *cache, struct slabs *slabs, void *object, struct fault *fault)
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
	__count(&slabs->nr_free, 1);
	__slab_relist(slabs, slab, old_free);
	return true;
}

/* Takes empty slabs beyond keep off the lists, linked through `list`. */
static void __slabs_collect(struct slabs *slabs, size_t keep, struct list_head *out)
{
	while (slabs->nr_empty > keep) {
		struct page *slab = list_entry(slabs->empty.prev, struct page, list);

		list_del(&slab->list);
		__count_empty(slabs, -1ul);
		__count(&slabs->nr_slabs, -1ul);
		__count(&slabs->nr_free, -(size_t)slab->nr_free);
		slabs->free_low -= slabs->free_low < slab->nr_free ? slabs->free_low : slab->nr_free;
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

/* The node of an object's slab. Of what is no object, any: it will be found out there. */
static unsigned int node_of(const struct kmem_cache *cache, const void *object)
{
	const struct page *slab = slab_of(object);
	unsigned int node = slab ? __atomic_load_n(&slab->node, __ATOMIC_RELAXED) : 0;

	return node < slabs_nr_nodes(cache) ? node : 0;
}

/* A cold cache keeps none; but one that is checked does, so that writes to freed objects are found. */
static bool keeps_an_empty_slab(const struct kmem_cache *cache)
{
	return __atomic_load_n(&cache->capacity, __ATOMIC_RELAXED) || cache->debug & CACHE_CHECKED;
}

/* Frees the node's: all objects, or those with its number in `home`. */
static void node_free(struct kmem_cache *cache, unsigned int node, void **objects, unsigned int n, const uint8_t *home)
{
	struct slabs *slabs = slabs_of(cache, node);
	struct list_head empty = LIST_HEAD_INIT(empty);
	struct fault fault = {NULL, false};
	size_t keep = keeps_an_empty_slab(cache) ? 1 : 0;

	lock_acquire(&slabs->lock);
	for (unsigned int i = 0; i < n; i++)
		if (!home || home[i] == node)
			__slab_put(cache, slabs, objects[i], &fault);
	__slabs_collect(slabs, keep, &empty);
	if (unlikely(cache->typesafe))
		typesafe_wait(cache, &empty);
	lock_release(&slabs->lock);
	slabs_destroy_list(cache, &empty);
	if (unlikely(fault.object))
		fault_report(cache, &fault);
}

#define SORTED_AT_ONCE 128

/* Sends the objects home. All homes are asked for first: an object that is free has none any more, and its slab's page
 * may be of another node's slab a moment later. */
static void nodes_free(struct kmem_cache *cache, void **objects, unsigned int n)
{
	uint8_t home[SORTED_AT_ONCE];
	unsigned int nodes = 0; /* bits */

	for (unsigned int i = 0; i < n; i++) {
		home[i] = (uint8_t)node_of(cache, objects[i]);
		nodes |= 1u << home[i];
	}
	for (; nodes; nodes &= nodes - 1)
		node_free(cache, (unsigned int)__builtin_ctz(nodes), objects, n, home);
}

void slabs_free(struct kmem_cache *cache, void **objects, unsigned int n)
{
	unsigned int nr;

	if (likely(slabs_nr_nodes(cache) == 1)) {
		node_free(cache, 0, objects, n, NULL);
		return;
	}
	for (; n; objects += nr, n -= nr) {
		nr = n < SORTED_AT_ONCE ? n : SORTED_AT_ONCE;
		nodes_free(cache, objects, nr);
	}
}

void slabs_shrink(struct kmem_cache *cache, size_t keep)
{
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++) {
		struct slabs *slabs = slabs_of(cache, node);
		struct list_head empty = LIST_HEAD_INIT(empty);

		/* Without the lock first: whoever calls regularly mostly finds nothing. */
		if (__atomic_load_n(&slabs->nr_empty, __ATOMIC_RELAXED) <= keep)
			continue;
		lock_acquire(&slabs->lock);
		__slabs_collect(slabs, keep, &empty);
		if (unlikely(cache->typesafe))
			typesafe_wait(cache, &empty);
		lock_release(&slabs->lock);
		slabs_destroy_list(cache, &empty);
	}
}

/* BUG unless this slab's bitmap and list agree with its count. */
static void __slab_check(struct kmem_cache *cache, unsigned int node, struct page *slab, const char *list)
{
	unsigned int nr_free = 0;

	for (unsigned int i = 0; i < bitmap_words(slab); i++)
		nr_free += (unsigned int)__builtin_popcountl(slab_bitmap(slab)[i]);
	if (nr_free != slab->nr_free || slab->cache != cache || slab->node != node ||
		!(page_flags_get(slab) & PAGE_SLAB))
		report_bug("slab %p of cache %s on list %s: %u bits free, nr_free %u", page_to_addr(slab), cache->name,
			list, nr_free, slab->nr_free);
}

static void node_check(struct kmem_cache *cache, unsigned int node)
{
	struct slabs *slabs = slabs_of(cache, node);
	struct page *slab;
	size_t nr_free = 0, nr_empty = 0;

	lock_acquire(&slabs->lock);
	for (unsigned int i = 0; i < NR_FULLNESS; i++) {
		list_for_each_entry(slab, &slabs->partial[i], list) {
			__slab_check(cache, node, slab, "partial");
			nr_free += slab->nr_free;
			if (fullness(slab) != i || !slab->nr_free || slab->nr_free == slab->nr_objects)
				report_bug("slab %p of cache %s: %u free on partial list %u", page_to_addr(slab),
					cache->name, slab->nr_free, i);
		}
	}
	list_for_each_entry(slab, &slabs->empty, list) {
		__slab_check(cache, node, slab, "empty");
		nr_free += slab->nr_free;
		nr_empty++;
	}
	if (nr_free != slabs->nr_free || nr_empty != slabs->nr_empty)
		report_bug("cache %s: lists hold %zu free objects, %zu empty slabs; counted %zu, %zu", cache->name,
			nr_free, nr_empty, slabs->nr_free, slabs->nr_empty);
	lock_release(&slabs->lock);
}

void slabs_check(struct kmem_cache *cache)
{
	for (unsigned int node = 0; node < slabs_nr_nodes(cache); node++)
		node_check(cache, node);
}

/* Those objects whose bit in the bitmap is `free`. */
static void for_each_object(struct kmem_cache *cache, bool free, void (*visit)(void *object, void *arg), void *arg)
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
			if (!!(slab_bitmap(slab)[i / WORD_BITS] & (1ul << i % WORD_BITS)) == free)
				visit((char *)pfn_to_addr(pfn) + (size_t)i * cache->size, arg);
	}
}

void slabs_for_each_live(struct kmem_cache *cache, void (*visit)(void *object, void *arg), void *arg)
{
	for_each_object(cache, false, visit, arg);
}

void slabs_for_each_free(struct kmem_cache *cache, void (*visit)(void *object, void *arg), void *arg)
{
	for_each_object(cache, true, visit, arg);
}
