/*
 * kmalloc_oracle.c: the oracle on kmalloc, krealloc and kfree, and with --caches on slab caches mixed with them.
 *
 * Broken if this fails: kmalloc or a cache gives out memory twice, changes it, or does not take it back.
 */
#include "tests/stress/harness.h"
#include "tests/stress/oracle.h"

#include <stdio.h>

#include <flagstone/stats.h>
#include <linux/slab.h>

#include "tests/sanitized.h"

#define MIB (1024 * 1024ul)

/* Distances of objects that no size class has, so that ksize() tells whose an object is. */
#define NR_CACHES 200
#define CACHE_SIZE(i) (24 + 16 * (i))
#define CACHE_MAX CACHE_SIZE(NR_CACHES - 1)

static struct kmem_cache *caches[NR_CACHES];

static size_t nr_live(void)
{
	static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};

	require(!flagstone_stats_get(&stats), "flagstone_stats_get");
	return stats.live_objects;
}

static void *plain_alloc(size_t size)
{
	return kmalloc(size, GFP_KERNEL);
}

static void *plain_zeroed(size_t size)
{
	return kzalloc(size, GFP_ATOMIC);
}

static void *plain_resize(void *block, size_t size)
{
	return krealloc(block, size, GFP_KERNEL);
}

static void plain_release(void *block)
{
	kfree(block);
}

static size_t plain_usable(void *block)
{
	return ksize(block);
}

static struct kmem_cache *cache_for(size_t size)
{
	return caches[size <= CACHE_SIZE(0) ? 0 : (size - CACHE_SIZE(0) + 15) / 16];
}

static void *cache_alloc(size_t size)
{
	if (size > CACHE_MAX)
		return plain_alloc(size);
	return kmem_cache_alloc(cache_for(size), GFP_ATOMIC);
}

static void *cache_zeroed(size_t size)
{
	if (size > CACHE_MAX)
		return plain_zeroed(size);
	return kmem_cache_zalloc(cache_for(size), GFP_KERNEL);
}

static void cache_release(void *block)
{
	size_t size = ksize(block);

	if (size > 8 && size % 16 && size <= CACHE_MAX)
		kmem_cache_free(cache_for(size), block);
	else
		kfree(block);
}

static const struct allocator_ops plain_ops = {
	.name = "kmalloc",
	.alloc = plain_alloc,
	.release = plain_release,
	.alloc_zeroed = plain_zeroed,
	.resize = plain_resize,
	.usable = plain_usable,
	.nr_live = nr_live,
	.max_size = KMALLOC_MAX_SIZE,
};

static const struct allocator_ops cache_ops = {
	.name = "kmem_cache",
	.alloc = cache_alloc,
	.release = cache_release,
	.alloc_zeroed = cache_zeroed,
	.resize = plain_resize,
	.usable = plain_usable,
	.nr_live = nr_live,
	.max_size = KMALLOC_MAX_SIZE,
	.min_align = 8,
};

static void create_caches(void)
{
	for (unsigned int i = 0; i < NR_CACHES; i++) {
		caches[i] = kmem_cache_create("oracle", CACHE_SIZE(i), 0, 0, NULL);
		require(caches[i], "kmem_cache_create");
	}
}

/* One that still had objects would be kept, and say so. */
static void destroy_caches(void)
{
	size_t live = nr_live();

	for (unsigned int i = 0; i < NR_CACHES; i++)
		kmem_cache_destroy(caches[i]);
	require(nr_live() == live - NR_CACHES, "caches are left behind");
}

int main(int argc, char **argv)
{
	long threads = 8, seconds = 0, seed = 0, live = 96, use_caches = 0;
	const struct test_option options[] = {
		{"--threads", &threads, false, "threads, 1 to 256"},
		{"--seconds", &seconds, false, "time to run; 0: FLAGSTONE_SOAK_SECONDS or 5"},
		{"--seed", &seed, false, "seed; 0: from the clock"},
		{"--live", &live, false, "MiB live at once, all threads together"},
		{"--caches", &use_caches, true, "small blocks come from 200 slab caches"},
	};
	struct oracle_config config = {0};
	struct oracle_result result;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	config.ops = use_caches ? &cache_ops : &plain_ops;
	config.nr_threads = (unsigned int)threads;
	config.seconds = harness_seconds(seconds, 5);
	config.seed = harness_seed(seed);
	config.live_bytes = (size_t)live << 20;
	skip_sanitized(SANITIZERS_RESIDENT);
	config.resident_slop = SANITIZED ? SIZE_MAX : 96 * MIB;
	printf("kmalloc_oracle: %s, %ld threads, %.0f s, --seed %lu\n", config.ops->name, threads, config.seconds,
		(unsigned long)config.seed);
	fflush(stdout);
	watchdog_start(config.seconds + 60, "kmalloc_oracle");
	if (use_caches)
		create_caches();
	oracle_run(&config, &result);
	if (use_caches)
		destroy_caches();
	watchdog_stop();
	printf("PASS: kmalloc_oracle: %lu blocks, %lu resizes, %lu freed by another thread, %zu MiB live, %zu MiB "
	       "resident\n",
		result.nr_allocs, result.nr_resizes, result.nr_crossed, result.peak_live >> 20,
		result.peak_resident >> 20);
	return test_status(0);
}
