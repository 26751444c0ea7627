/*
 * stats.c: walks all caches and all CPUs' magazines, and counts.
 *
 * Reads everything through a reader, copies first and checks then, and takes no lock: the process read may be another
 * one, and its threads go on. Calls the statistics of the rooms below. Refuses to print.
 */
#include "runtime/slab/stats.h"

#include <errno.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/text.h"
#include "runtime/slab/internal.h"

#define EXPORT __attribute__((visibility("default")))
#define WALK_TRIES 8
#define MAX_CACHES (1u << 16) /* on a list that is longer, something is wrong */
#define MAX_SLABS (1ul << 36)
#define PAIRS_AT_ONCE 32
#define NO_ROW UINT16_MAX

#define LAYOUT                                                                                                         \
	{                                                                                                              \
		sizeof(struct kmem_cache), offsetof(struct kmem_cache, nr_objects),                                    \
			offsetof(struct kmem_cache, max_capacity), offsetof(struct kmem_cache, list),                  \
			offsetof(struct kmem_cache, capacity), offsetof(struct kmem_cache, depot),                     \
			sizeof(struct depot), offsetof(struct depot, nr_objects), offsetof(struct kmem_cache, slabs),  \
			offsetof(struct slabs, nr_free), sizeof(struct area), MAGAZINE_SIZE,                           \
			offsetof(struct magazine, capacity), NR_CLASSES, PERCPU_AREAS, CONFIG_NR_CPUS, TOPOLOGY_SHARDS \
	}

EXPORT const struct flagstone_root flagstone_root = {
	.magic = STATS_ROOT_MAGIC,
	.version = STATS_ROOT_VERSION,
	.size = sizeof(struct flagstone_root),
	.layout = LAYOUT,
	.percpu = &percpu_root,
	.page = &page_root,
	.page_layout = page_layout,
	.cache_list = &cache_list,
	.kmalloc_caches = kmalloc_caches,
	.pool_pages = &pool_nr_pages,
	.depot_shards = depot_shards,
	.nr_depot_shards = &nr_depot_shards,
	.slabs_of_nodes = slabs_of_nodes,
	.nr_slab_nodes = &nr_slab_nodes,
};

/* One collection. */
struct walk {
	const struct reader *reader;
	const struct flagstone_root *root; /* a copy */
	struct page_root page;
	const char *anchor; /* of the process that is read */
	struct depot *shards[TOPOLOGY_SHARDS];
	struct slabs *nodes[TOPOLOGY_NODES];
	unsigned int nr_shards, nr_nodes;
	struct flagstone_stats *stats;
	uint16_t row_of_slot[AREA_SLOTS];
};

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* ---- caches ---- */

/* The number of a size class's cache; 0 for another cache. */
static size_t class_of(const struct walk *walk, const struct kmem_cache *remote)
{
	size_t offset = (uintptr_t)remote - (uintptr_t)walk->root->kmalloc_caches;

	if (offset % sizeof(*remote) || offset / sizeof(*remote) > NR_CLASSES)
		return 0;
	return offset / sizeof(*remote);
}

static bool is_online(const struct walk *walk, const void *addr, size_t size)
{
	return page_range_online_read(walk->reader, &walk->page, addr, size);
}

static bool cache_is_sane(const struct kmem_cache *cache)
{
	return cache->size >= 8 && cache->nr_objects > 0 && cache->order <= MAX_ORDER && cache->slot < AREA_SLOTS &&
	       cache->max_capacity <= MAGAZINE_MAX_CAPACITY && cache->capacity <= cache->max_capacity &&
	       cache->slabs.nr_slabs < MAX_SLABS;
}

/* A name is part of its cache's object, so it may go on in the next page. */
static bool read_name(const struct walk *walk, const char *remote, char *name)
{
	size_t length = 0;

	while (length < FLAGSTONE_STATS_NAME - 1) {
		size_t part = PAGE_SIZE - (uintptr_t)(remote + length) % PAGE_SIZE;

		if (part > FLAGSTONE_STATS_NAME - 1 - length)
			part = FLAGSTONE_STATS_NAME - 1 - length;
		if (!is_online(walk, remote + length, part) ||
			!reader_read(walk->reader, remote + length, name + length, part))
			return false;
		length += part;
		name[length] = '\0';
		if (strlen(name) < length)
			break;
	}
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return *name;
}

/* Objects in the depots of the shards beyond the first. */
static uint64_t in_other_shards(const struct walk *walk, unsigned int slot)
{
	uint64_t objects = 0;
	unsigned int nr;

	for (unsigned int shard = 1; slot && shard < walk->nr_shards; shard++) {
		const unsigned int *remote = &walk->shards[shard][slot].nr_objects;

		if (is_online(walk, remote, sizeof(*remote)) && reader_get(walk->reader, remote, &nr))
			objects += nr;
	}
	return objects;
}

/* Adds the slabs of the nodes beyond the first to those in the copy. */
static void add_other_nodes(const struct walk *walk, struct kmem_cache *copy)
{
	struct slabs slabs;

	for (unsigned int node = 1; copy->slot && node < walk->nr_nodes; node++) {
		const struct slabs *remote = &walk->nodes[node][copy->slot];

		if (!is_online(walk, remote, sizeof(*remote)) || !reader_get(walk->reader, remote, &slabs) ||
			slabs.nr_slabs >= MAX_SLABS)
			continue;
		copy->slabs.nr_slabs += slabs.nr_slabs;
		copy->slabs.nr_free += slabs.nr_free;
	}
}

static void fill_row(const struct walk *walk, struct flagstone_cache_stats *row, const struct kmem_cache *cache)
{
	row->object_size = cache->object_size;
	row->size = cache->size;
	row->objects_per_slab = cache->nr_objects;
	row->pages_per_slab =
		cache->run ? (unsigned int)(ALIGN_UP(cache->size, PAGE_SIZE) / PAGE_SIZE) : 1u << cache->order;
	row->capacity = cache->capacity;
	row->magazines = cache->max_capacity != 0;
	row->slabs = cache->slabs.nr_slabs;
	row->objects = cache->slabs.nr_slabs * cache->nr_objects;
	row->free_in_slabs = cache->slabs.nr_free < row->objects ? cache->slabs.nr_free : row->objects;
	row->in_depot = cache->depot.nr_objects + in_other_shards(walk, cache->slot);
}

/* Adds the cache at remote, which must come after previous on the list. False: it is not, or not any more, a cache. */
static bool add_cache(
	struct walk *walk, const struct list_head *previous, const struct kmem_cache *remote, struct kmem_cache *copy)
{
	struct flagstone_stats *stats = walk->stats;
	struct flagstone_cache_stats *row = &stats->cache[stats->nr_caches];
	size_t class = class_of(walk, remote);

	if ((uintptr_t)remote % __alignof__(*remote) || (!class && !is_online(walk, remote, sizeof(*remote))))
		return false;
	if (!reader_get(walk->reader, remote, copy) || copy->list.prev != previous || !cache_is_sane(copy))
		return false;
	if (stats->nr_caches == FLAGSTONE_STATS_CACHES) {
		stats->flags |= FLAGSTONE_STATS_MORE_CACHES;
		return true;
	}
	if (class) {
		struct text text = TEXT_INIT(row->name, sizeof(row->name), -1);

		text_printf(&text, "kmalloc-%u", copy->object_size);
	} else if (!read_name(walk, copy->name, row->name)) {
		return false;
	}
	add_other_nodes(walk, copy);
	fill_row(walk, row, copy);
	if (copy->slot)
		walk->row_of_slot[copy->slot] = (uint16_t)stats->nr_caches;
	stats->nr_caches++;
	return true;
}

static bool walk_caches(struct walk *walk)
{
	const struct list_head *head = walk->root->cache_list;
	const struct list_head *previous = head;
	struct list_head first;
	struct kmem_cache copy;

	memset(walk->row_of_slot, 0xff, sizeof(walk->row_of_slot));
	memset(walk->stats->cache, 0, sizeof(walk->stats->cache));
	walk->stats->nr_caches = 0;
	walk->stats->flags &= ~FLAGSTONE_STATS_MORE_CACHES;
	if (!reader_get(walk->reader, head, &first))
		return false;
	copy.list = first;
	for (unsigned int i = 0; copy.list.next != head; i++) {
		const struct list_head *node = copy.list.next;

		if (i == MAX_CACHES || !add_cache(walk, previous, list_entry(node, struct kmem_cache, list), &copy))
			return false;
		previous = node;
	}
	return true;
}

/* ---- CPUs ---- */

/* A magazine's own capacity, which lies below its floor; 0: it is none any more. */
static unsigned int capacity_at(const struct walk *walk, magazine_top top)
{
	uintptr_t end = (uintptr_t)walk->anchor + ALIGN_UP(top, (magazine_top)MAGAZINE_SIZE);
	const struct magazine *remote = (const struct magazine *)end - 1;
	uintptr_t capacity;

	if (!is_online(walk, remote, sizeof(*remote)) || !reader_get(walk->reader, &remote->capacity, &capacity))
		return 0;
	return capacity <= MAGAZINE_MAX_CAPACITY ? (unsigned int)capacity : 0;
}

static void count_magazine(struct walk *walk, unsigned int slot, magazine_top top, struct flagstone_cpu_stats *cpu)
{
	struct flagstone_cache_stats *row;
	unsigned int capacity, count;

	if (!top || walk->row_of_slot[slot] == NO_ROW)
		return;
	row = &walk->stats->cache[walk->row_of_slot[slot]];
	capacity = capacity_at(walk, top);
	count = magazine_count(top, capacity);
	if (count > capacity)
		return; /* it changed hands meanwhile */
	row->in_cpus += count;
	cpu->objects += count;
	cpu->bytes += (uint64_t)count * row->size;
}

static void add_area(const struct area *area, int cpu, void *arg)
{
	struct magazine_pair pairs[PAIRS_AT_ONCE];
	struct flagstone_cpu_stats sum = {.cpu = (uint32_t)cpu};
	struct walk *walk = arg;
	struct flagstone_stats *stats = walk->stats;

	stats->areas++;
	for (unsigned int slot = 0; slot < AREA_SLOTS; slot++) {
		unsigned int part = slot % PAIRS_AT_ONCE;

		/* The last part takes in the words behind the pairs. */
		if (!part && !reader_read(walk->reader, &area->pair[slot], pairs, sizeof(pairs)))
			return;
		count_magazine(walk, slot, pairs[part].top, &sum);
		count_magazine(walk, slot, pairs[part].spare, &sum);
	}
	if (!sum.objects)
		return;
	stats->cpu_bytes += sum.bytes;
	if (stats->nr_cpus < FLAGSTONE_STATS_CPUS)
		stats->cpu[stats->nr_cpus++] = sum;
	else
		stats->flags |= FLAGSTONE_STATS_MORE_CPUS;
}
static_assert(
	sizeof(struct area) % (PAIRS_AT_ONCE * sizeof(struct magazine_pair)) == 0, "an area is read in whole parts");

/* ---- all ---- */

static void sum_caches(struct flagstone_stats *stats)
{
	for (unsigned int i = 0; i < stats->nr_caches; i++) {
		struct flagstone_cache_stats *row = &stats->cache[i];

		row->live = less(row->objects, row->free_in_slabs + row->in_depot + row->in_cpus);
		stats->live_objects += row->live;
		stats->live_bytes += row->live * row->size;
		stats->cached_objects += row->in_depot + row->in_cpus;
		stats->depot_bytes += row->in_depot * row->size;
		stats->slab_bytes += row->slabs * row->pages_per_slab * PAGE_SIZE;
		stats->slab_free_bytes += row->free_in_slabs * row->size;
	}
	stats->cached_bytes = stats->cpu_bytes + stats->depot_bytes;
}

static bool add_zones(struct walk *walk)
{
	struct flagstone_stats *stats = walk->stats;
	unsigned int nr = page_zones_read(walk->reader, &walk->page);

	for (unsigned int i = 0; i < nr && i < FLAGSTONE_STATS_ZONES; i++) {
		struct flagstone_zone_stats *row = &stats->zone[i];
		struct page_zone_stats zone;

		if (!page_zone_read(walk->reader, &walk->page, i, &zone))
			return false;
		memcpy(row->name, zone.name, strlen(zone.name) + 1);
		row->node = zone.node;
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			row->free_blocks[order] = zone.nr_free[order];
		row->pages = zone.pages;
		row->free_pages = zone.free;
		row->min = zone.min;
		row->low = zone.low;
		row->high = zone.high;
		stats->nr_zones = i + 1;
	}
	return true;
}

static bool add_pages(struct walk *walk)
{
	struct flagstone_stats *stats = walk->stats;
	struct page_stats pages;
	size_t pool_pages;

	if (!page_stats_read(walk->reader, &walk->page, &pages) ||
		!reader_get(walk->reader, walk->root->pool_pages, &pool_pages))
		return false;
	stats->page_size = PAGE_SIZE;
	stats->reserved_bytes = pages.reserved_bytes;
	stats->online_bytes = pages.online_bytes;
	stats->given_back_bytes = pages.released_bytes;
	stats->mapped_bytes = pages.large_bytes;
	stats->mappings = pages.nr_large;
	stats->kept_bytes = pages.kept_bytes;
	stats->reclaim = pages.reclaim;
	stats->magazine_bytes = pool_pages * PAGE_SIZE;
	stats->page_list_bytes = pages.pcp_bytes;
	stats->free_bytes = pages.free_bytes;
	stats->free_zero_bytes = pages.free_zero_bytes;
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		stats->free_blocks[order] = pages.nr_free[order];
	stats->block_bytes = less(stats->online_bytes,
		stats->slab_bytes + stats->magazine_bytes + stats->page_list_bytes + stats->free_bytes);
	stats->live_bytes += stats->block_bytes + stats->mapped_bytes;
	return add_zones(walk);
}
static_assert(FLAGSTONE_STATS_ORDERS == MAX_ORDER + 1, "one count an order");

static enum stats_result read_root(
	const struct reader *reader, const struct flagstone_root *remote, struct flagstone_root *root)
{
	uint32_t layout[PAGE_LAYOUT_WORDS];

	if (!reader_get(reader, remote, root))
		return STATS_UNREADABLE;
	if (root->magic != STATS_ROOT_MAGIC)
		return STATS_NOT_A_ROOT;
	if (root->version != STATS_ROOT_VERSION || root->size != sizeof(*root) ||
		memcmp(root->layout, flagstone_root.layout, sizeof(root->layout)))
		return STATS_OTHER_BUILD;
	if (!reader_read(reader, root->page_layout, layout, sizeof(layout)))
		return STATS_UNREADABLE;
	return memcmp(layout, page_layout, sizeof(layout)) ? STATS_OTHER_BUILD : STATS_OK;
}

static bool read_mode(struct walk *walk, const struct percpu_root *percpu)
{
	const struct reader *reader = walk->reader;
	struct flagstone_stats *stats = walk->stats;
	struct text name = TEXT_INIT(stats->mode, sizeof(stats->mode), -1);
	struct percpu_fast fast;
	enum percpu_mode mode;

	if (!reader_get(reader, percpu->mode, &mode) || !reader_get(reader, percpu->fast, &fast))
		return false;
	walk->anchor = fast.anchor;
	text_printf(&name, "%s", percpu_mode_name(mode, &fast));
	return true;
}

static bool read_tables(struct walk *walk)
{
	const struct flagstone_root *root = walk->root;

	return reader_get(walk->reader, root->nr_depot_shards, &walk->nr_shards) &&
	       walk->nr_shards <= TOPOLOGY_SHARDS &&
	       reader_read(walk->reader, root->depot_shards, walk->shards, sizeof(walk->shards)) &&
	       reader_get(walk->reader, root->nr_slab_nodes, &walk->nr_nodes) && walk->nr_nodes <= TOPOLOGY_NODES &&
	       reader_read(walk->reader, root->slabs_of_nodes, walk->nodes, sizeof(walk->nodes));
}

enum stats_result stats_collect(
	const struct reader *reader, const struct flagstone_root *remote, struct flagstone_stats *stats)
{
	struct flagstone_root root;
	struct percpu_root percpu;
	struct walk walk = {.reader = reader, .root = &root, .stats = stats};
	enum stats_result result = read_root(reader, remote, &root);
	bool steady = false;

	if (result)
		return result;
	memset(stats, 0, sizeof(*stats));
	stats->version = FLAGSTONE_STATS_VERSION;
	stats->size = sizeof(*stats);
	if (!reader_get(reader, root.percpu, &percpu) || !reader_get(reader, root.page, &walk.page) ||
		!read_mode(&walk, &percpu) || !read_tables(&walk))
		return STATS_UNREADABLE;
	for (unsigned int i = 0; i < WALK_TRIES && !steady; i++)
		steady = walk_caches(&walk);
	if (!steady)
		stats->flags |= FLAGSTONE_STATS_UNSTEADY;
	if (!area_for_each_read(reader, &percpu, add_area, &walk))
		return STATS_UNREADABLE;
	sum_caches(stats);
	return add_pages(&walk) ? STATS_OK : STATS_UNREADABLE;
}

EXPORT int flagstone_stats_get(struct flagstone_stats *stats)
{
	if (!stats || stats->version != FLAGSTONE_STATS_VERSION)
		return -EINVAL;
	stats_collect(&reader_local, &flagstone_root, stats);
	stats->resident_bytes = host_resident_bytes();
	return 0;
}
