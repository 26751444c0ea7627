/*
 * test_ladder.c: objects that walk between magazines, depot and slabs are all there in the end.
 *
 * Broken if this fails: an object is lost or doubled on the way, memory that is freed does not come back, or the mode
 * that FLAGSTONE_CONF asks for is not the one that runs. Run once a mode.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/slab/internal.h"
#include "runtime/slab/stats.h"
#include "tests/unit/random.h"

#define NR_OBJECTS 20000
#define NR_THREADS 4
#define ROUNDS 60
#define BATCH 500

static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};
static void *objects[NR_OBJECTS];

static const struct flagstone_cache_stats *row_of(const struct kmem_cache *cache)
{
	stats.version = FLAGSTONE_STATS_VERSION;
	assert_int_equal(flagstone_stats_get(&stats), 0);
	for (unsigned int i = 0; i < stats.nr_caches; i++)
		if (stats.cache[i].size == cache->size && !strncmp(stats.cache[i].name, "kmalloc-", 8))
			return &stats.cache[i];
	fail_msg("no statistics of the class of %u bytes", cache->size);
	return NULL;
}

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

static void the_mode_is_the_one_asked_for(void **state)
{
	const char *conf = getenv("FLAGSTONE_CONF");

	(void)state;
	if (conf && strstr(conf, "magazine=thread"))
		assert_int_equal(percpu_mode, PERCPU_THREAD);
	else if (conf && strstr(conf, "magazine=locked"))
		assert_int_equal(percpu_mode, PERCPU_LOCKED);
	else
		assert_int_equal(percpu_mode, CONFIG_RSEQ ? PERCPU_RSEQ : PERCPU_THREAD);
}

static void check_counts(struct kmem_cache *cache, size_t live)
{
	const struct flagstone_cache_stats *row = row_of(cache);

	assert_int_equal(row->live, live);
	assert_int_equal(row->objects, row->live + row->free_in_slabs + row->in_depot + row->in_cpus);
	slabs_check(cache);
	depot_check(cache);
}

static void objects_are_somewhere(void **state)
{
	const size_t sizes[] = {8, 64, 512, 4096, 32768};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kmem_cache *cache = &kmalloc_caches[size_to_class(sizes[i])];
		unsigned int nr = sizes[i] > 512 ? 1000 : NR_OBJECTS;

		for (unsigned int n = 0; n < nr; n++) {
			objects[n] = take(cache);
			assert_non_null(objects[n]);
			memcpy(objects[n], &objects[n], sizeof(void *));
		}
		check_counts(cache, nr);
		for (unsigned int n = 0; n < nr; n++) {
			assert_memory_equal(objects[n], &objects[n], sizeof(void *));
			give(cache, objects[n]);
		}
		check_counts(cache, 0);
		cache_drain(cache);
		check_counts(cache, 0);
		assert_int_equal(row_of(cache)->slabs, 0);
	}
}

/* Steady turnover within two magazines touches neither depot nor slabs. */
static void a_magazine_serves_what_it_was_given(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(64)];
	unsigned int again = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		void *object = take(cache);
		void *next;

		give(cache, object);
		next = take(cache);
		again += next == object;
		give(cache, next);
	}
	/* Another CPU now and then, on purpose in locked mode. */
	assert_true(again > 500);
}

static void full_magazines_go_to_the_depot(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(256)];
	const struct flagstone_cache_stats *row;

	(void)state;
	for (unsigned int n = 0; n < NR_OBJECTS; n++)
		objects[n] = take(cache);
	for (unsigned int n = 0; n < NR_OBJECTS; n++)
		give(cache, objects[n]);
	row = row_of(cache);
	assert_true(row->in_depot > 0);
	assert_true(row->in_depot <= cache->max_depot);
	assert_true(row->in_cpus > 0 && row->in_cpus <= 2ul * cache->max_capacity * stats.areas);
	/* The rest is in slabs, most of which went back to the page room. */
	assert_true(row->objects < NR_OBJECTS / 2);
	cache_drain(cache);
}

/* ---- threads ---- */

static void *mailbox[NR_THREADS][BATCH]; /* Synchronization: the barrier */
static pthread_barrier_t barrier;

/* Each thread frees what its neighbour allocated. */
static void *pass_on(void *arg)
{
	unsigned int self = (unsigned int)(uintptr_t)arg, left = (self + 1) % NR_THREADS;
	uint32_t seed = self + 1;

	for (int round = 0; round < ROUNDS; round++) {
		struct kmem_cache *cache = &kmalloc_caches[1 + (unsigned int)round % 40];

		for (unsigned int i = 0; i < BATCH; i++) {
			mailbox[self][i] = take(cache);
			memset(mailbox[self][i], (int)self + 1, cache->size);
		}
		pthread_barrier_wait(&barrier);
		for (unsigned int i = 0; i < BATCH; i++) {
			const unsigned char *bytes = mailbox[left][i];

			if (bytes[random_below(&seed, cache->size)] != left + 1 || bytes[cache->size - 1] != left + 1)
				abort();
			give(cache, mailbox[left][i]);
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void objects_cross_threads_and_come_back(void **state)
{
	pthread_t threads[NR_THREADS];

	(void)state;
	pthread_barrier_init(&barrier, NULL, NR_THREADS);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pass_on, (void *)i), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	for (unsigned int class = 1; class <= 40; class ++)
		check_counts(&kmalloc_caches[class], 0);
	slab_trim(0);
	for (unsigned int class = 1; class <= 40; class ++)
		assert_int_equal(row_of(&kmalloc_caches[class])->slabs, 0);
}

static void *use_one_class(void *arg)
{
	void *mine[300];

	for (int i = 0; i < 300; i++)
		mine[i] = take(arg);
	for (int i = 0; i < 300; i++)
		give(arg, mine[i]);
	return NULL;
}

/* What a thread's magazines hold must not pile up with threads that come and go. */
static void threads_that_end_leave_nothing_behind(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(1024)];
	uint64_t most = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		const struct flagstone_cache_stats *row;
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, use_one_class, cache), 0);
		pthread_join(thread, NULL);
		row = row_of(cache);
		assert_int_equal(row->live, 0);
		most = row->objects > most ? row->objects : most;
	}
	assert_true(most < 3000);
}

/* ---- drains under way while others allocate ---- */

static int stop; /* Synchronization: atomic */

static void *churn(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg + 77;
	uint64_t *mine[64] = {0};

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned int at = random_below(&seed, 64);
		struct kmem_cache *cache = &kmalloc_caches[5 + at % 8];

		if (mine[at]) {
			if (*mine[at] != (uintptr_t)mine[at] + (uintptr_t)arg)
				abort();
			give(cache, mine[at]);
			mine[at] = NULL;
		} else {
			mine[at] = take(cache);
			*mine[at] = (uintptr_t)mine[at] + (uintptr_t)arg;
		}
	}
	for (unsigned int at = 0; at < 64; at++)
		if (mine[at])
			give(&kmalloc_caches[5 + at % 8], mine[at]);
	return NULL;
}

static void a_trim_disturbs_nobody(void **state)
{
	uint64_t end = host_clock_ns() + 400000000;
	pthread_t threads[NR_THREADS];

	(void)state;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; host_clock_ns() < end; i++) {
		if (i % 4)
			cache_drain(&kmalloc_caches[5 + (unsigned int)i % 8]);
		else
			slab_trim((size_t)(i % 3) << 20);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	slab_trim(0);
	for (unsigned int class = 5; class < 13; class ++) {
		check_counts(&kmalloc_caches[class], 0);
		assert_int_equal(row_of(&kmalloc_caches[class])->slabs, 0);
	}
	page_check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mode_is_the_one_asked_for),
		cmocka_unit_test(objects_are_somewhere),
		cmocka_unit_test(a_magazine_serves_what_it_was_given),
		cmocka_unit_test(full_magazines_go_to_the_depot),
		cmocka_unit_test(objects_cross_threads_and_come_back),
		cmocka_unit_test(threads_that_end_leave_nothing_behind),
		cmocka_unit_test(a_trim_disturbs_nobody),
	};

	if (!slab_boot())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
