/*
 * test_trim.c: what nobody needs goes back, an epoch at a time, while what is needed stays.
 *
 * Broken if this fails: an idle program keeps its memory, the thread that ages it never comes to rest, or metadata eats what
 * the objects save. Run once a mode, and with depots in several shards.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"
#include "runtime/slab/internal.h"
#include "runtime/slab/stats.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"

#define NR_OBJECTS 20000
#define MAX_EPOCHS 16 /* until all is at rest */
#define NR_THREADS 4
#define HEAP_BYTES (256ul << 20)
#define HEAP_OBJECT 64

static struct flagstone_stats stats;
static void *objects[NR_OBJECTS];

static void *take(struct kmem_cache *cache)
{
	void *object = area_pop(cache->slot);

	return object ? object : cache_alloc_slow(cache);
}

static void give(struct kmem_cache *cache, void *object)
{
	if (!area_push(cache->slot, object))
		cache_free_slow(cache, object);
}

static void look(void)
{
	stats.version = FLAGSTONE_STATS_VERSION;
	assert_int_equal(flagstone_stats_get(&stats), 0);
}

static void turn_over(struct kmem_cache *cache, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		objects[i] = take(cache);
	for (unsigned int i = 0; i < nr; i++)
		give(cache, objects[i]);
}

static size_t nr_slabs(struct kmem_cache *cache)
{
	size_t slabs, nr_free;

	slabs_count(cache, &slabs, &nr_free);
	return slabs;
}

static void check_all(void)
{
	for (unsigned int class = 1; class <= NR_CLASSES; class ++) {
		depot_check(&kmalloc_caches[class]);
		slabs_check(&kmalloc_caches[class]);
	}
	capacity_check();
}

static unsigned int epochs_to_rest(void)
{
	unsigned int nr = 0;

	while (slab_age() && nr < MAX_EPOCHS)
		nr++;
	return nr;
}

static void it_comes_to_rest(void **state)
{
	(void)state;
	for (size_t size = 16; size <= 4096; size *= 2)
		turn_over(&kmalloc_caches[size_to_class(size)], NR_OBJECTS / (unsigned int)(1 + size / 256));
	assert_true(slab_age()); /* that was work */
	assert_true(epochs_to_rest() < MAX_EPOCHS);
	look();
	assert_int_equal(stats.depot_bytes, 0);
	check_all();
	assert_false(slab_age());
}

/* The CPUs' magazines are another's to drain (area_drain): then nothing at all is left. */
static void with_the_cpus_drained_nothing_is_left(void **state)
{
	(void)state;
	for (size_t size = 16; size <= 4096; size *= 2)
		turn_over(&kmalloc_caches[size_to_class(size)], NR_OBJECTS / (unsigned int)(1 + size / 256));
	area_drain(1, AREA_SLOTS, ladder_sink);
	assert_true(epochs_to_rest() < MAX_EPOCHS);
	look();
	assert_int_equal(stats.slab_bytes, 0);
	assert_int_equal(stats.magazine_bytes, 0);
	assert_int_equal(stats.cached_bytes, 0);
}

/* A swing of the same size in every epoch needs what the depot has: aging must not take it away. */
static void what_every_epoch_needs_stays(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(256)];
	unsigned int nr;

	(void)state;
	look();
	nr = 2 * cache->max_capacity * stats.areas + cache->max_depot / 2; /* more than all CPUs hold */
	for (int i = 0; i < 4; i++) {
		turn_over(cache, nr);
		slab_age();
		depot_check(cache);
	}
	look();
	assert_true(stats.depot_bytes >= (uint64_t)cache->max_capacity * cache->size);
	assert_int_equal(cache->capacity, cache->max_capacity);
	slab_trim(0);
}

/* ---- epochs that end while others allocate ---- */

static int stop; /* Synchronization: atomic */

static void *churn(void *arg)
{
	uint64_t *mine[500];
	uintptr_t self = (uintptr_t)arg;

	for (unsigned int round = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); round++) {
		struct kmem_cache *cache = &kmalloc_caches[5 + (round + self) % 8];

		for (unsigned int i = 0; i < ARRAY_SIZE(mine); i++) {
			mine[i] = take(cache);
			*mine[i] = (uintptr_t)mine[i] + self;
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(mine); i++) {
			if (*mine[i] != (uintptr_t)mine[i] + self)
				abort();
			give(cache, mine[i]);
		}
	}
	return NULL;
}

static void an_epoch_that_ends_disturbs_nobody(void **state)
{
	uint64_t end = host_clock_ns() + 400000000;
	pthread_t threads[NR_THREADS];

	(void)state;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	while (host_clock_ns() < end) {
		slab_age();
		host_yield();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	check_all();
	slab_trim(0);
	for (unsigned int class = 5; class < 13; class ++)
		assert_int_equal(nr_slabs(&kmalloc_caches[class]), 0);
}

static void shards_are_as_many_as_asked_for(void **state)
{
	(void)state;
	slab_age();
	if (tunable_depots)
		assert_int_equal(nr_depot_shards, tunable_depots);
	else
		assert_int_equal(nr_depot_shards, topology_nr_shards());
}

/* ---- metadata ---- */

static void metadata_is_a_fortieth_of_small_objects(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(HEAP_OBJECT)];
	size_t before = host_resident_bytes(), after;
	void **list = NULL;

	(void)state;
	if (skip_emulated(NO_RESIDENT) || skip_sanitized(SANITIZERS_RESIDENT))
		return;
	for (size_t i = 0; i < HEAP_BYTES / HEAP_OBJECT; i++) {
		void **object = take(cache);

		assert_non_null(object);
		*object = list;
		list = object;
	}
	after = host_resident_bytes();
	print_message("metadata: %.2f%%\n", 100.0 * (double)(after - before - HEAP_BYTES) / (double)HEAP_BYTES);
	assert_true(after - before < HEAP_BYTES + HEAP_BYTES / 40);
	while (list) {
		void *object = list;

		list = *list;
		give(cache, object);
	}
	slab_trim(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_a_fortieth_of_small_objects),
		cmocka_unit_test(shards_are_as_many_as_asked_for),
		cmocka_unit_test(it_comes_to_rest),
		cmocka_unit_test(with_the_cpus_drained_nothing_is_left),
		cmocka_unit_test(what_every_epoch_needs_stays),
		cmocka_unit_test(an_epoch_that_ends_disturbs_nobody),
	};

	if (!slab_boot())
		return 1;
	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
