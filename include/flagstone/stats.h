/*
 * flagstone/stats.h: what the allocator holds at this moment, as one struct.
 *
 * Ordinary C, usable from C++. The same numbers are printed by `flagstone stat PID`, by malloc_stats() and, with
 * FLAGSTONE_CONF=stats_at_exit, when the program ends.
 */
#ifndef FLAGSTONE_STATS_H
#define FLAGSTONE_STATS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLAGSTONE_STATS_VERSION 4
#define FLAGSTONE_STATS_CPUS 512 /* rows of cpu[] */
#define FLAGSTONE_STATS_CACHES 320 /* rows of cache[] */
#define FLAGSTONE_STATS_ZONES 19 /* rows of zone[] */
#define FLAGSTONE_STATS_ORDERS 11 /* block sizes of the page allocator: 2^0 .. 2^10 pages */
#define FLAGSTONE_STATS_NAME 40 /* bytes of a name with its end; longer ones are cut */

/* flags */
#define FLAGSTONE_STATS_MORE_CPUS 1u /* cpu[] was too short; the totals count them all */
#define FLAGSTONE_STATS_MORE_CACHES 2u /* cache[] was too short; the totals count them all */
#define FLAGSTONE_STATS_UNSTEADY 4u /* caches came and went too fast to see all of them */

/* What one CPU's magazines hold (or one thread's, where the mode is "thread"). */
struct flagstone_cpu_stats {
	uint32_t cpu;
	uint32_t reserved;
	uint64_t objects;
	uint64_t bytes;
};

/* One cache. objects == live + free_in_slabs + in_depot + in_cpus, where nothing changes meanwhile. */
struct flagstone_cache_stats {
	char name[FLAGSTONE_STATS_NAME]; /* kmalloc-SIZE for the size classes, which malloc uses too */
	uint32_t object_size; /* bytes, as asked for when the cache was made */
	uint32_t size; /* bytes from one object to the next */
	uint32_t objects_per_slab;
	uint32_t pages_per_slab;
	uint32_t capacity; /* objects of a full magazine that is taken from now on; 0: the cache is cold */
	uint32_t magazines; /* 0: the cache works without */
	uint64_t slabs;
	uint64_t objects;
	uint64_t live; /* with the program */
	uint64_t free_in_slabs;
	uint64_t in_depot; /* in full magazines that no CPU holds */
	uint64_t in_cpus; /* in CPUs' magazines */
};

/* One zone of a machine. free_blocks[i] of all zones together is free_blocks[i] of the whole. */
struct flagstone_zone_stats {
	char name[8]; /* "DMA", "DMA32", "Normal", "HighMem" */
	uint32_t node;
	uint32_t reserved;
	uint64_t free_blocks[FLAGSTONE_STATS_ORDERS]; /* of 2^i pages */
	uint64_t pages; /* all of the zone's */
	uint64_t free_pages; /* in free_blocks */
	/* Watermarks, in pages: what the zone keeps, where kswapd begins, and where it has done. */
	uint64_t min, low, high;
};

/*
 * All counts are of one moment each, but not of the same one: sums may be off by what changed meanwhile.
 *
 * online_bytes == slab_bytes + magazine_bytes + block_bytes + page_list_bytes + free_bytes, where nothing changes.
 */
struct flagstone_stats {
	uint32_t version; /* FLAGSTONE_STATS_VERSION, set by the caller */
	uint32_t size; /* of this struct, as the library filled it in */
	uint32_t flags;
	uint32_t page_size;
	char mode[FLAGSTONE_STATS_NAME]; /* "rseq mm_cid", "rseq cpu_id", "thread", "locked", "booting" */

	uint64_t resident_bytes; /* of the whole process, as the kernel counts; 0 if it does not tell */
	uint64_t reserved_bytes; /* address space set aside */
	uint64_t online_bytes; /* the part of it in use or ready for use */
	uint64_t given_back_bytes; /* free pages returned to the OS since the start, counted each time */

	uint64_t live_objects; /* with the program, from caches */
	uint64_t live_bytes; /* the same, and the blocks and mappings below */
	uint64_t block_bytes; /* with the program, as whole pages */
	uint64_t mapped_bytes; /* with the program, as mappings of their own */
	uint64_t mappings;

	uint64_t cached_objects; /* in magazines: those of CPUs and those in depots */
	uint64_t cached_bytes;
	uint64_t cpu_bytes; /* the part with CPUs */
	uint64_t depot_bytes; /* the part in depots */
	uint64_t magazine_bytes; /* pages that the magazines themselves take */

	uint64_t slab_bytes; /* pages of all slabs */
	uint64_t slab_free_bytes; /* of free objects in them */
	uint64_t page_list_bytes; /* free, in per-CPU page lists */
	uint64_t free_bytes; /* free, in the page allocator */
	/* The part of them that holds no frames: new, or given back. 0 in a machine, which does not count frames. */
	uint64_t free_zero_bytes;
	uint64_t kept_bytes; /* free, as mappings that are kept for a while */
	uint64_t free_blocks[FLAGSTONE_STATS_ORDERS]; /* of 2^i pages, in the page allocator */

	uint32_t areas; /* CPUs (threads) that could hold magazines */
	uint32_t nr_cpus; /* rows of cpu[] that are filled in: those that hold any */
	uint32_t nr_caches; /* rows of cache[] that are filled in */
	uint32_t reclaim; /* 1: the thread is at work that gives back what is not needed any more */
	struct flagstone_cpu_stats cpu[FLAGSTONE_STATS_CPUS];
	struct flagstone_cache_stats cache[FLAGSTONE_STATS_CACHES];
	uint32_t nr_zones; /* rows of zone[] that are filled in, by address; hosted, 0 */
	uint32_t reserved;
	struct flagstone_zone_stats zone[FLAGSTONE_STATS_ZONES];
};

/*
 * Fills in *stats, about 53 KiB: rather static than on a small stack.
 *
 *	static struct flagstone_stats stats;
 *
 *	stats.version = FLAGSTONE_STATS_VERSION;
 *	if (!flagstone_stats_get(&stats))
 *		printf("%llu\n", (unsigned long long)stats.live_bytes);
 *
 * Before the first allocation all is zero.
 * Context: any, signal handlers too. Takes no lock, allocates nothing, leaves errno alone.
 * Returns 0, or -EINVAL if stats is NULL or stats->version, which the caller sets, is not one that this library knows.
 */
int flagstone_stats_get(struct flagstone_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
