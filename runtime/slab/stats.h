/*
 * stats.h: the allocator's state as numbers, of this process or of another one.
 */
#ifndef RUNTIME_SLAB_STATS_H
#define RUNTIME_SLAB_STATS_H

#include "flagstone/stats.h"
#include "runtime/slab/slab.h"

#define STATS_ROOT_MAGIC 0x656e6f7473676c66ul /* "flgstone" */
#define STATS_ROOT_VERSION 2
#define STATS_LAYOUT_WORDS 19

/*
 * Where everything begins. A tool finds it by the name of its symbol in the process, and must have been built from the
 * same layout of everything that it leads to. Synchronization: const.
 */
struct flagstone_root {
	uint64_t magic;
	uint32_t version;
	uint32_t size;
	uint32_t layout[STATS_LAYOUT_WORDS];
	const struct percpu_root *percpu;
	const struct page_root *page;
	const uint32_t *page_layout;
	const struct list_head *cache_list;
	const struct kmem_cache *kmalloc_caches;
	const size_t *pool_pages;
	struct depot *const *depot_shards;
	const unsigned int *nr_depot_shards;
	struct slabs *const *slabs_of_nodes;
	const unsigned int *nr_slab_nodes;
};
extern const struct flagstone_root flagstone_root;

enum stats_result {
	STATS_OK,
	STATS_UNREADABLE, /* the reader failed, or what it read makes no sense */
	STATS_NOT_A_ROOT, /* something else is there */
	STATS_OTHER_BUILD, /* a root, but of another layout than this code's */
};
/*
 * Collects from the process that the reader reads, whose flagstone_root lies at remote. resident_bytes is left 0.
 * Caches that come and go meanwhile are met by starting over, a few times; then FLAGSTONE_STATS_UNSTEADY is set.
 */
enum stats_result stats_collect(
	const struct reader *reader, const struct flagstone_root *remote, struct flagstone_stats *stats);

#endif
