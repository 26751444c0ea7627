/*
 * test_capacity.c: magazines grow where CPUs miss, within the budget, and shrink where nobody comes.
 *
 * Broken if this fails: small programs hoard, hot classes stay slow, or a CPU holds more than cpu_cache allows. Run once a
 * mode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/slab.h>

#include "runtime/lib/tunables.h"
#include "runtime/slab/internal.h"

#define HANDFUL 8 /* misses that warm up a class of small objects */
#define LARGE_HANDFUL 72 /* and of any: a cold one of large objects waits longer */
#define MANY_MISSES 10000
#define SMALL_BUDGET (256ul << 10)

static struct kmem_cache *class_of(size_t size)
{
	return &kmalloc_caches[size_to_class(size)];
}

static void miss(struct kmem_cache *cache, unsigned int times)
{
	while (times-- > 0)
		capacity_miss(cache);
}

/* Everything cold again, whatever ran before. */
static int setup(void **state)
{
	(void)state;
	tunable_cpu_cache = 4ul << 20;
	while (slab_age())
		;
	slab_trim(0);
	for (unsigned int class = 1; class <= NR_CLASSES; class ++)
		assert_int_equal(kmalloc_caches[class].capacity, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	capacity_check();
	return 0;
}

static void a_cold_class_takes_no_magazine(void **state)
{
	struct kmem_cache *cache = class_of(64);

	(void)state;
	assert_int_equal(capacity_miss(cache), 0);
	assert_int_equal(cache->capacity, 0);
}

/* The pages of one object of each of many classes must be free for others as soon as the object is. */
static void a_cold_class_keeps_no_empty_slab(void **state)
{
	(void)state;
	for (size_t size = 8; size <= SLAB_MAX_SIZE; size *= 2) {
		struct kmem_cache *cache = class_of(size);
		void *object = object_alloc(size, 8, 0);

		assert_non_null(object);
		assert_int_equal(cache->slabs.nr_slabs, 1);
		object_free(object);
		assert_int_equal(cache->slabs.nr_slabs, 0);
	}
}

/* A page for each of many sizes that are used once is what small programs must not pay. */
static void cold_classes_share_slabs(void **state)
{
	const size_t sizes[] = {144, 160, 176, 192};
	void *objects[ARRAY_SIZE(sizes)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		objects[i] = object_alloc(sizes[i], 8, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_ptr_equal(slab_of(objects[i]), slab_of(objects[0]));
		assert_int_equal(object_size(objects[i]), 192);
		object_free(objects[i]);
	}
	objects[0] = object_alloc(144, 8, ALLOC_EXACT);
	assert_int_equal(object_size(objects[0]), 144);
	object_free(objects[0]);
	for (unsigned int i = 0; i < HANDFUL; i++)
		object_free(object_alloc(144, 8, 0));
	objects[0] = object_alloc(144, 8, 0);
	assert_int_equal(object_size(objects[0]), 144);
	object_free(objects[0]);
}

static void a_class_hit_hard_has_all_after_a_handful_of_misses(void **state)
{
	(void)state;
	for (size_t size = 8; size <= CLASS_MAX_SIZE; size *= 8) {
		struct kmem_cache *cache = class_of(size);

		miss(cache, size <= 64 ? HANDFUL + 1 : LARGE_HANDFUL);
		assert_int_equal(cache->capacity, cache->max_capacity);
	}
}

/* All classes missing at once: the budget bounds them, and yet none of small objects is left without magazines. */
static void the_budget_bounds_the_sum(void **state)
{
	(void)state;
	tunable_cpu_cache = SMALL_BUDGET;
	for (unsigned int i = 0; i < MANY_MISSES; i++)
		capacity_miss(&kmalloc_caches[1 + i % NR_SLAB_CLASSES]);
	capacity_check();
	for (unsigned int class = 1; class <= NR_SLAB_CLASSES; class ++)
		if (kmalloc_caches[class].size <= PAGE_SIZE)
			assert_true(kmalloc_caches[class].capacity > 0);
}

static void what_idle_classes_have_goes_to_those_that_miss(void **state)
{
	struct kmem_cache *idle = class_of(144), *busy = class_of(128);

	(void)state;
	tunable_cpu_cache = 2ul * idle->max_capacity * idle->size * (percpu_mode == PERCPU_THREAD ? THREAD_SHARE : 1);
	miss(idle, LARGE_HANDFUL);
	assert_int_equal(idle->capacity, idle->max_capacity);
	/* The first ones may only clear the marks that the idle class has from its own misses. */
	miss(busy, 2 * LARGE_HANDFUL);
	assert_int_equal(busy->capacity, busy->max_capacity);
	assert_true(idle->capacity < idle->max_capacity);
}

static void a_class_without_misses_halves_and_ends_cold(void **state)
{
	struct kmem_cache *cache = class_of(128);
	unsigned int before;

	(void)state;
	miss(cache, LARGE_HANDFUL);
	assert_true(capacity_age(cache)); /* the epoch of those misses */
	assert_int_equal(cache->capacity, cache->max_capacity);
	for (before = cache->capacity; cache->capacity; before = cache->capacity) {
		assert_false(capacity_age(cache));
		assert_true(cache->capacity <= before / 2);
		capacity_check();
	}
}

static void a_cache_that_ends_gives_its_part_back(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("budget", 512, 0, 0, NULL);

	(void)state;
	assert_non_null(cache);
	miss(cache, LARGE_HANDFUL);
	assert_true(cache->capacity > 0);
	capacity_check();
	kmem_cache_destroy(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cold_class_takes_no_magazine, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cold_class_keeps_no_empty_slab, setup, teardown),
		cmocka_unit_test_setup_teardown(cold_classes_share_slabs, setup, teardown),
		cmocka_unit_test_setup_teardown(a_class_hit_hard_has_all_after_a_handful_of_misses, setup, teardown),
		cmocka_unit_test_setup_teardown(the_budget_bounds_the_sum, setup, teardown),
		cmocka_unit_test_setup_teardown(what_idle_classes_have_goes_to_those_that_miss, setup, teardown),
		cmocka_unit_test_setup_teardown(a_class_without_misses_halves_and_ends_cold, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cache_that_ends_gives_its_part_back, setup, teardown),
	};

	if (!slab_boot())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
