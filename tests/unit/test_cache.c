/*
 * test_cache.c: slab caches: many of them, of all sizes, made and ended again and again.
 *
 * Broken if this fails: a slot that is used again still holds objects of its last cache, caches beyond the slots do not
 * work, a constructor is skipped, or a cache with live objects goes without a word. Run once a mode.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <linux/slab.h>

#include "runtime/lib/report.h"
#include "runtime/slab/slab.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"

#define NR_CACHES 300
#define MAGIC 0x5eedu

static uint32_t seed = 99;

struct thing {
	uint32_t magic;
	uint32_t number;
	char rest[52];
};

static unsigned int nr_constructed; /* Synchronization: atomic */

static size_t nr_slabs(struct kmem_cache *cache)
{
	size_t slabs, nr_free;

	slabs_count(cache, &slabs, &nr_free);
	return slabs;
}

static void construct(void *object)
{
	struct thing *thing = object;

	thing->magic = MAGIC;
	__atomic_add_fetch(&nr_constructed, 1, __ATOMIC_RELAXED);
}

static unsigned int nr_listed(void)
{
	struct list_head *node;
	unsigned int nr = 0;

	for (node = cache_list.next; node != &cache_list; node = node->next)
		nr++;
	return nr;
}

static void objects_are_aligned_and_apart(void **state)
{
	const unsigned int sizes[] = {1, 8, 20, 24, 33, 64, 100, 1000, 5000, 40000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned int align = 0; align <= 4096; align = align ? 2 * align : 1) {
			struct kmem_cache *cache = kmem_cache_create("aligned", sizes[i], align, 0, NULL);
			char *objects[20];

			assert_non_null(cache);
			assert_int_equal(kmem_cache_size(cache), sizes[i]);
			assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 20, (void **)objects), 20);
			for (int n = 0; n < 20; n++) {
				assert_int_equal((uintptr_t)objects[n] % (align < 8 ? 8 : align), 0);
				memset(objects[n], n + 1, sizes[i]);
			}
			for (int n = 0; n < 20; n++) {
				assert_int_equal(objects[n][0], n + 1);
				assert_int_equal(objects[n][sizes[i] - 1], n + 1);
			}
			kmem_cache_free_bulk(cache, 20, (void **)objects);
			kmem_cache_destroy(cache);
		}
	}
}

/* A small object may share a line, but never lies in two. */
static void hwcache_align_keeps_objects_in_their_lines(void **state)
{
	(void)state;
	for (unsigned int size = 1; size < 300; size++) {
		struct kmem_cache *cache = kmem_cache_create("hwcache", size, 0, SLAB_HWCACHE_ALIGN, NULL);
		void *objects[9];

		assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 9, objects), 9);
		for (int i = 0; i < 9; i++) {
			uintptr_t start = (uintptr_t)objects[i];

			if (size > 32)
				assert_int_equal(start % 64, 0);
			else
				assert_int_equal(start / 64, (start + size - 1) / 64);
		}
		kmem_cache_free_bulk(cache, 9, objects);
		kmem_cache_destroy(cache);
	}
}

static void a_constructor_runs_once_an_object(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("constructed", sizeof(struct thing), 0, 0, construct);
	struct thing *things[500];
	unsigned int constructed;

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 500; i++) {
			things[i] = kmem_cache_alloc(cache, GFP_KERNEL);
			assert_int_equal(things[i]->magic, MAGIC);
			things[i]->number = (uint32_t)i;
		}
		for (int i = 0; i < 500; i++)
			kmem_cache_free(cache, things[i]);
		constructed = nr_constructed;
		assert_int_equal(constructed, nr_slabs(cache) * cache->nr_objects);
	}
	/* New slabs, new objects. */
	kmem_cache_shrink(cache);
	assert_int_equal(nr_slabs(cache), 0);
	things[0] = kmem_cache_alloc(cache, GFP_KERNEL);
	assert_int_equal(things[0]->magic, MAGIC);
	assert_true(nr_constructed > constructed);
	kmem_cache_free(cache, things[0]);
	kmem_cache_destroy(cache);
}

static void zalloc_clears_all_of_it(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("zeroed", 777, 0, 0, NULL);
	unsigned char *objects[50];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 50; i++) {
			objects[i] = kmem_cache_zalloc(cache, GFP_KERNEL);
			for (int byte = 0; byte < 777; byte++)
				assert_int_equal(objects[i][byte], 0);
			memset(objects[i], 0xff, 777);
		}
		kmem_cache_free_bulk(cache, 50, (void **)objects);
	}
	kmem_cache_destroy(cache);
}

static void large_objects_fit_their_slabs(void **state)
{
	const unsigned int sizes[] = {32769, 40 << 10, 100000, 256 << 10, 262145, 1 << 20, 2100000, 4 << 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kmem_cache *cache = kmem_cache_create("large", sizes[i], 0, 0, NULL);
		char *objects[6];

		assert_non_null(cache);
		assert_true(cache->nr_objects >= 1);
		assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 6, (void **)objects), 6);
		for (int n = 0; n < 6; n++)
			memset(objects[n], n + 1, sizes[i]);
		for (int n = 0; n < 6; n++) {
			assert_int_equal(objects[n][0], n + 1);
			assert_int_equal(objects[n][sizes[i] / 2], n + 1);
			assert_int_equal(objects[n][sizes[i] - 1], n + 1);
			kmem_cache_free(cache, objects[n]);
		}
		slabs_check(cache);
		kmem_cache_destroy(cache);
	}
	slab_trim(0);
	page_check();
}

/* ---- more caches than slots ---- */

static struct kmem_cache *caches[NR_CACHES];
static uint64_t *objects_of[NR_CACHES][20];

static unsigned int size_of(unsigned int i)
{
	return 8 + i * 13;
}

static void create_all(unsigned int *with_slot, unsigned int *with_byte)
{
	for (unsigned int i = 0; i < NR_CACHES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cache%u", i);
		caches[i] = kmem_cache_create(name, size_of(i), 0, 0, NULL);
		assert_non_null(caches[i]);
		assert_string_equal(caches[i]->name, name);
		assert_int_not_equal(caches[i]->slot, SLOT_OTHER);
		*with_slot += caches[i]->slot != 0;
		*with_byte += caches[i]->class_byte != 2 * SLOT_OTHER;
	}
}

static void use_all(void)
{
	for (unsigned int n = 0; n < 20; n++) {
		for (unsigned int i = 0; i < NR_CACHES; i++) {
			objects_of[i][n] = kmem_cache_alloc(caches[i], GFP_KERNEL);
			assert_non_null(objects_of[i][n]);
			assert_true(ksize(objects_of[i][n]) >= size_of(i));
			memset(objects_of[i][n], (int)i, size_of(i));
			*objects_of[i][n] = i;
		}
	}
	for (unsigned int n = 0; n < 20; n++) {
		for (unsigned int i = 0; i < NR_CACHES; i++) {
			assert_int_equal(*objects_of[i][n], i);
			/* Whoever frees need not name the cache. */
			if (n % 2)
				kfree(objects_of[i][n]);
			else
				kmem_cache_free(caches[i], objects_of[i][n]);
		}
	}
}

static void more_caches_than_slots_work(void **state)
{
	unsigned int before = nr_listed(), with_slot = 0, with_byte = 0;

	(void)state;
	create_all(&with_slot, &with_byte);
	/* All three kinds: with a class byte, with a slot only, with neither. */
	assert_int_equal(with_byte, SLOT_OTHER - SLOT_FIRST_CACHE);
	assert_int_equal(with_slot, SLOT_DEFERRED - SLOT_FIRST_CACHE - 1);
	assert_true(with_slot < NR_CACHES);
	assert_int_equal(nr_listed(), before + NR_CACHES);
	use_all();
	use_all();
	assert_null(kmem_cache_create("too large without a class byte", 40000, 0, 0, NULL));
	for (unsigned int i = 0; i < NR_CACHES; i++) {
		slabs_check(caches[i]);
		kmem_cache_destroy(caches[i]);
	}
	assert_int_equal(nr_listed(), before);
	for (unsigned int slot = SLOT_FIRST_CACHE; slot < AREA_SLOTS; slot++)
		assert_null(cache_by_slot[slot]);
}

/* ---- slots used again ---- */

static void *use_cache(void *arg)
{
	struct kmem_cache *cache = arg;
	uint64_t *mine[150];

	for (uint64_t i = 0; i < 150; i++) {
		mine[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		mine[i][0] = i;
		mine[i][kmem_cache_size(cache) / 8 - 1] = i;
	}
	for (uint64_t i = 0; i < 150; i++) {
		if (mine[i][kmem_cache_size(cache) / 8 - 1] != i)
			abort();
		kmem_cache_free(cache, mine[i]);
	}
	return NULL;
}

static void slots_are_used_again_by_caches_of_other_sizes(void **state)
{
	unsigned int slot = 0;

	(void)state;
	for (int round = 0; round < 150; round++) {
		unsigned int size = 16 + 8 * random_below(&seed, 200);
		struct kmem_cache *cache = kmem_cache_create("again", size, 0, 0, NULL);
		pthread_t threads[3];

		assert_true(!slot || cache->slot == slot);
		slot = cache->slot;
		for (int i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, use_cache, cache), 0);
		use_cache(cache);
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		kmem_cache_destroy(cache);
		assert_null(cache_by_slot[slot]);
	}
}

/* Threads that stay, with magazines of theirs in the slot: each round is one cache. */
static pthread_barrier_t round_begin, round_end;
static struct kmem_cache *round_cache; /* Synchronization: the barriers; NULL ends */

static void *use_each_round(void *unused)
{
	(void)unused;
	for (;;) {
		pthread_barrier_wait(&round_begin);
		if (!round_cache)
			return NULL;
		use_cache(round_cache);
		pthread_barrier_wait(&round_end);
	}
}

static void threads_that_stay_hold_nothing_of_an_ended_cache(void **state)
{
	pthread_t threads[3];

	(void)state;
	pthread_barrier_init(&round_begin, NULL, 4);
	pthread_barrier_init(&round_end, NULL, 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_each_round, NULL), 0);
	for (int round = 0; round < 150; round++) {
		round_cache = kmem_cache_create("round", 16 + 8 * random_below(&seed, 400), 0, 0, NULL);
		pthread_barrier_wait(&round_begin);
		use_cache(round_cache);
		pthread_barrier_wait(&round_end);
		if (round % 2)
			kmem_cache_shrink(round_cache);
		kmem_cache_destroy(round_cache);
	}
	round_cache = NULL;
	pthread_barrier_wait(&round_begin);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_null(cache_by_slot[SLOT_FIRST_CACHE]);
	pthread_barrier_destroy(&round_begin);
	pthread_barrier_destroy(&round_end);
}

/* Ends caches while threads end that used them, and others give everything back. */
static void *create_use_destroy(void *arg)
{
	for (int round = 0; round < 60; round++) {
		struct kmem_cache *cache =
			kmem_cache_create("parallel", 64 + 8 * (unsigned int)(uintptr_t)arg, 0, 0, NULL);

		use_cache(cache);
		if (round % 8 == 0)
			slab_trim(0);
		kmem_cache_destroy(cache);
	}
	return NULL;
}

static void caches_come_and_go_in_parallel(void **state)
{
	unsigned int before = nr_listed();
	pthread_t threads[4];

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, create_use_destroy, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	/* None was kept for an object in somebody's hands. */
	assert_int_equal(nr_listed(), before);
}

/* ---- refusals and faults ---- */

static void senseless_caches_are_refused(void *arg)
{
	(void)arg;
	if (kmem_cache_create(NULL, 8, 0, 0, NULL) || kmem_cache_create("", 8, 0, 0, NULL) ||
		kmem_cache_create("zero", 0, 0, 0, NULL) || kmem_cache_create("huge", (4u << 20) + 1, 0, 0, NULL) ||
		kmem_cache_create("align", 8, 24, 0, NULL) || kmem_cache_create("align", 8, 8192, 0, NULL) ||
		kmem_cache_create("typesafe", 8, 0, SLAB_TYPESAFE_BY_RCU, NULL))
		_exit(1);
}

static void create_or_panic(void *arg)
{
	(void)arg;
	kmem_cache_create("zero", 0, 0, SLAB_PANIC, NULL);
}

static void bad_arguments_are_refused_with_a_line(void **state)
{
	char output[4000];
	int status = child_run(senseless_caches_are_refused, NULL, output, sizeof(output));

	(void)state;
	assert_int_equal(status, 0);
	assert_non_null(strstr(output, "kmem_cache_create: cannot create '(null)': it has no name"));
	assert_non_null(strstr(output, "cannot create 'huge'"));
	assert_non_null(strstr(output, "cannot create 'align'"));
	/* This program is without the rcu room. */
	assert_non_null(strstr(output, "cannot create 'typesafe': there are no grace periods"));
	status = child_run(create_or_panic, NULL, output, sizeof(output));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void destroy_with_live_objects(void *arg)
{
	struct kmem_cache *cache = kmem_cache_create("leaky", 100, 0, 0, NULL);
	void *objects[5];

	(void)arg;
	if (kmem_cache_alloc_bulk(cache, GFP_KERNEL, 5, objects) != 5)
		_exit(1);
	kmem_cache_free(cache, objects[2]);
	kmem_cache_destroy(cache);
	fprintf(stderr, "live %p %p, free %p\n", objects[0], objects[4], objects[2]);
	/* Kept: its objects can be used and freed, and then it can be ended. */
	memset(objects[0], 1, 100);
	objects[2] = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free_bulk(cache, 5, objects);
	kmem_cache_destroy(cache);
	if (cache_by_slot[SLOT_FIRST_CACHE])
		_exit(2);
}

static void destroy_lists_live_objects(void **state)
{
	char output[4000], line[64], *end;
	int status = child_run(destroy_with_live_objects, NULL, output, sizeof(output));
	void *first, *last, *freed;

	(void)state;
	assert_int_equal(status, 0);
	assert_non_null(strstr(output, "kmem_cache_destroy: cache leaky still has 4 objects; it is kept"));
	end = strstr(output, "live 0x");
	assert_non_null(end);
	assert_int_equal(sscanf(end, "live %p %p, free %p", &first, &last, &freed), 3);
	*end = '\0';
	snprintf(line, sizeof(line), "leaky object %p, 100 bytes", first);
	assert_non_null(strstr(output, line));
	snprintf(line, sizeof(line), "leaky object %p, 100 bytes", last);
	assert_non_null(strstr(output, line));
	snprintf(line, sizeof(line), "object %p", freed);
	assert_null(strstr(output, line));
}

static void free_to_another_cache(void *arg)
{
	struct kmem_cache *one = kmem_cache_create("one", 100, 0, 0, NULL);
	struct kmem_cache *two = kmem_cache_create("two", 100, 0, 0, NULL);
	void *object = kmem_cache_alloc(one, GFP_KERNEL), *foreign = &object;

	report_on_bug = REPORT_BUG_CONTINUE;
	kmem_cache_free(two, arg ? foreign : object);
	/* Nothing happened: the object is still alive. */
	kmem_cache_free(one, object);
	kmem_cache_destroy(one);
	kmem_cache_destroy(two);
	if (cache_by_slot[SLOT_FIRST_CACHE])
		_exit(1);
}

static void free_to_another_cache_is_reported(void **state)
{
	char output[4000];

	(void)state;
	for (uintptr_t foreign = 0; foreign < 2; foreign++) {
		assert_int_equal(child_run(free_to_another_cache, (void *)foreign, output, sizeof(output)), 0);
		assert_non_null(strstr(output, "flagstone: BUG: kmem_cache_free of 0x"));
		assert_non_null(strstr(output, "to cache two, which it does not belong to"));
	}
}

/* The same among caches that share a class byte: the slab tells them apart. */
static void caches_without_a_class_byte_are_told_apart(void *arg)
{
	unsigned int with_slot = 0, with_byte = 0;
	void *object;

	(void)arg;
	report_on_bug = REPORT_BUG_CONTINUE;
	create_all(&with_slot, &with_byte);
	object = kmem_cache_alloc(caches[NR_CACHES - 1], GFP_KERNEL);
	kmem_cache_free(caches[NR_CACHES - 2], object);
	fprintf(stderr, "right one now\n");
	kmem_cache_free(caches[NR_CACHES - 1], object);
}

static void wrong_cache_without_a_slot_is_reported(void **state)
{
	char output[4000], *right;

	(void)state;
	assert_int_equal(child_run(caches_without_a_class_byte_are_told_apart, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "to cache cache298, which it does not belong to"));
	right = strstr(output, "right one now");
	assert_non_null(right);
	assert_null(strstr(right, "BUG"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_aligned_and_apart),
		cmocka_unit_test(hwcache_align_keeps_objects_in_their_lines),
		cmocka_unit_test(a_constructor_runs_once_an_object),
		cmocka_unit_test(zalloc_clears_all_of_it),
		cmocka_unit_test(large_objects_fit_their_slabs),
		cmocka_unit_test(more_caches_than_slots_work),
		cmocka_unit_test(slots_are_used_again_by_caches_of_other_sizes),
		cmocka_unit_test(threads_that_stay_hold_nothing_of_an_ended_cache),
		cmocka_unit_test(caches_come_and_go_in_parallel),
		cmocka_unit_test(bad_arguments_are_refused_with_a_line),
		cmocka_unit_test(destroy_lists_live_objects),
		cmocka_unit_test(free_to_another_cache_is_reported),
		cmocka_unit_test(wrong_cache_without_a_slot_is_reported),
	};

	if (!slab_boot())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
