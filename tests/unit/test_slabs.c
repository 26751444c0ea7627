/*
 * test_slabs.c: slabs against an oracle, straight through slabs_alloc and slabs_free.
 *
 * Broken if this fails: an object is handed out twice, counts drift, empty slabs are not given back, or a double free is
 * taken silently.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/slab.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"

#define MAX_LIVE 6000
#define MAX_BATCH 125

static void *live[MAX_LIVE];
static unsigned int nr_live;
static uint32_t seed = 4711;
static host_sigmask_t mask;

static int block_signals(void **state)
{
	(void)state;
	mask = host_signals_block();
	return 0;
}

static int restore_signals(void **state)
{
	(void)state;
	host_signals_restore(mask);
	return 0;
}

static size_t counted_live(const struct kmem_cache *cache)
{
	return cache->slabs.nr_slabs * cache->nr_objects - cache->slabs.nr_free;
}

static uint64_t tag_of(const void *object)
{
	return (uintptr_t)object * 0x9e3779b97f4a7c15u;
}

/* An object that lies where one may, and that nobody else has: its tag is written now, and must not be there yet. */
static void adopt(struct kmem_cache *cache, void *object)
{
	struct page *slab = slab_of(object);
	uint64_t tag = tag_of(object);
	size_t offset;

	assert_non_null(slab);
	assert_ptr_equal(slab->cache, cache);
	offset = (size_t)((char *)object - (char *)page_to_addr(slab));
	assert_int_equal(offset % cache->size, 0);
	assert_true(offset / cache->size < cache->nr_objects);
	assert_true(memcmp(object, &tag, sizeof(tag)) != 0);
	memcpy(object, &tag, sizeof(tag));
	live[nr_live++] = object;
}

/* Takes a random live object off the books. */
static void *disown(void)
{
	unsigned int at = random_below(&seed, nr_live);
	void *object = live[at];
	uint64_t tag = tag_of(object);

	assert_memory_equal(object, &tag, sizeof(tag));
	memset(object, 0, sizeof(tag));
	live[at] = live[--nr_live];
	return object;
}

static void step_alloc(struct kmem_cache *cache, unsigned int n)
{
	void *batch[MAX_BATCH];
	unsigned int got = slabs_alloc(cache, batch, n);

	assert_in_range(got, 1, n);
	for (unsigned int i = 0; i < got; i++) {
		/* Lowest first within a slab. */
		if (i && slab_of(batch[i]) == slab_of(batch[i - 1]))
			assert_true(batch[i] > batch[i - 1]);
		adopt(cache, batch[i]);
	}
}

static void step_free(struct kmem_cache *cache, unsigned int n)
{
	void *batch[MAX_BATCH];

	for (unsigned int i = 0; i < n; i++)
		batch[i] = disown();
	slabs_free(cache, batch, n);
}

static void churn(struct kmem_cache *cache, unsigned int steps, unsigned int limit)
{
	for (unsigned int step = 0; step < steps; step++) {
		unsigned int n = 1 + random_below(&seed, random_below(&seed, 4) ? 4 : MAX_BATCH);
		/* Drifts between full and empty. */
		bool grow = random_below(&seed, 100) < ((step / 700) % 2 ? 35 : 65);

		if (grow && nr_live + n <= limit)
			step_alloc(cache, n);
		else
			step_free(cache, n < nr_live ? n : nr_live);
		assert_int_equal(counted_live(cache), nr_live);
		if (step % 1000 == 0)
			slabs_check(cache);
	}
}

static void finish(struct kmem_cache *cache)
{
	while (nr_live)
		step_free(cache, nr_live < MAX_BATCH ? nr_live : MAX_BATCH);
	assert_int_equal(counted_live(cache), 0);
	assert_in_range(cache->slabs.nr_slabs, 0, 1);
	slabs_check(cache);
	slabs_shrink(cache, 0);
	assert_int_equal(cache->slabs.nr_slabs, 0);
	assert_int_equal(cache->slabs.nr_free, 0);
	slabs_check(cache);
}

static size_t free_bytes(void)
{
	struct page_stats stats;

	page_stats_get(&stats);
	return stats.free_bytes + stats.pcp_bytes + (stats.reserved_bytes - stats.online_bytes);
}

static void random_steps_agree_with_the_oracle(void **state)
{
	const size_t sizes[] = {8, 16, 48, 112, 1024, 3072, 32768};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kmem_cache *cache = &kmalloc_caches[size_to_class(sizes[i])];
		size_t limit = (24ul << 20) / sizes[i];
		size_t before;

		slabs_shrink(cache, 0);
		before = free_bytes();
		churn(cache, 6000, limit < MAX_LIVE ? (unsigned int)limit : MAX_LIVE);
		finish(cache);
		assert_int_equal(free_bytes(), before);
		page_check();
	}
}

/* Objects whose size divides nothing: the reciprocal must find each one's number. */
static void odd_sizes_agree_with_the_oracle(void **state)
{
	static struct kmem_cache caches[6];
	const unsigned int sizes[] = {24, 40, 56, 1000, 4104, 32760};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cache_setup(&caches[i], "odd", sizes[i], 8, 0);
		assert_int_equal(caches[i].size, sizes[i]);
		churn(&caches[i], 3000, 1500);
		finish(&caches[i]);
		list_del(&caches[i].list);
	}
}

static void lowest_address_is_handed_out_first(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(208)];
	void *objects[64], *again[64];

	(void)state;
	slabs_shrink(cache, 0);
	assert_int_equal(slabs_alloc(cache, objects, 64), 64);
	slabs_free(cache, objects + 32, 32);
	slabs_free(cache, objects + 8, 2);
	assert_int_equal(slabs_alloc(cache, again, 3), 3);
	assert_ptr_equal(again[0], objects[8]);
	assert_ptr_equal(again[1], objects[9]);
	assert_ptr_equal(again[2], objects[32]);
	slabs_free(cache, objects, 10);
	slabs_free(cache, objects + 10, 22);
	slabs_free(cache, again + 2, 1);
	slabs_shrink(cache, 0);
}

/* The fullest slab is used first, so that the others can empty. */
static void fullest_slab_is_preferred(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(32768)];
	unsigned int n = cache->nr_objects;
	void *objects[64], *one;

	(void)state;
	assert_in_range(2 * n, 4, 64);
	slabs_shrink(cache, 0);
	assert_int_equal(slabs_alloc(cache, objects, n), n);
	assert_int_equal(slabs_alloc(cache, objects + n, n), n);
	slabs_free(cache, objects, n - 1);
	slabs_free(cache, objects + n, 1);
	assert_int_equal(slabs_alloc(cache, &one, 1), 1);
	assert_ptr_equal(one, objects[n]);
	slabs_free(cache, objects + n - 1, n + 1);
	slabs_shrink(cache, 0);
	assert_int_equal(cache->slabs.nr_slabs, 0);
}

static void live_objects_are_listed(void *object, void *arg)
{
	(void)object;
	++*(unsigned int *)arg;
}

static void only_live_objects_are_visited(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(640)];
	unsigned int visited = 0;
	void *objects[100];
	unsigned int got = 0;

	(void)state;
	while (got < 100)
		got += slabs_alloc(cache, objects + got, 100 - got);
	slabs_free(cache, objects + 60, 40);
	slabs_for_each_live(cache, live_objects_are_listed, &visited);
	assert_int_equal(visited, 60);
	slabs_free(cache, objects, 60);
}

/* ---- faults, with on_bug=continue ---- */

static void free_twice(void *arg)
{
	struct kmem_cache *cache = arg;
	void *objects[4], *again[4];

	report_on_bug = REPORT_BUG_CONTINUE;
	slabs_alloc(cache, objects, 4);
	slabs_free(cache, &objects[1], 1);
	slabs_free(cache, objects, 4);
	slabs_check(cache);
	/* The other objects of that batch were freed, the one in question once. */
	if (counted_live(cache) != 0 || slabs_alloc(cache, again, 4) != 4)
		_exit(1);
	for (int i = 0; i < 4; i++)
		if (again[i] != objects[i])
			_exit(2);
	_exit(0);
}

static void double_free_is_reported_and_survived(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(96)];
	char output[2000];
	int status;

	(void)state;
	slabs_shrink(cache, 0);
	assert_int_equal(counted_live(cache), 0);
	status = child_run(free_twice, cache, output, sizeof(output));
	assert_int_equal(status, 0);
	assert_non_null(strstr(output, "flagstone: BUG: double free of 0x"));
	assert_non_null(strstr(output, "an object of cache kmalloc"));
	assert_non_null(strstr(output, "96 bytes"));
}

static void free_inside(void *arg)
{
	struct kmem_cache *cache = arg;
	char *object = NULL;
	void *inside, *behind;

	report_on_bug = REPORT_BUG_CONTINUE;
	slabs_alloc(cache, (void **)&object, 1);
	inside = object + 8;
	slabs_free(cache, &inside, 1);
	/* Behind the last object of the slab: 96 does not divide it. */
	behind = (char *)page_to_addr(slab_of(object)) + (size_t)cache->nr_objects * cache->size;
	slabs_free(cache, &behind, 1);
	slabs_check(cache);
	_exit(counted_live(cache) != 1);
}

static void interior_free_is_reported_and_survived(void **state)
{
	struct kmem_cache *cache = &kmalloc_caches[size_to_class(96)];
	char output[4000], *second;
	int status;

	(void)state;
	assert_true((PAGE_SIZE << cache->order) % cache->size);
	status = child_run(free_inside, cache, output, sizeof(output));
	assert_int_equal(status, 0);
	assert_non_null(strstr(output, "flagstone: BUG: free of 0x"));
	assert_non_null(strstr(output, "which is inside an object of cache kmalloc"));
	second = strstr(strstr(output, "BUG: ") + 1, "BUG: free of 0x");
	assert_non_null(second);
}

static void corrupt_count(void *arg)
{
	struct kmem_cache *cache = arg;
	void *object;

	report_on_bug = REPORT_BUG_CONTINUE;
	slabs_alloc(cache, &object, 1);
	slab_of(object)->nr_free--;
	slabs_check(cache);
}

static void check_sees_a_wrong_count(void **state)
{
	char output[4000];

	(void)state;
	child_run(corrupt_count, &kmalloc_caches[size_to_class(96)], output, sizeof(output));
	assert_non_null(strstr(output, "flagstone: BUG: slab 0x"));
}

static void nothing_is_a_slab_but_slabs(void **state)
{
	int local;
	struct page *page = page_alloc(3, 0);

	(void)state;
	assert_null(slab_of(&local));
	assert_null(slab_of(NULL));
	assert_null(slab_of(page_to_addr(page)));
	page_free(page, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps_agree_with_the_oracle),
		cmocka_unit_test(odd_sizes_agree_with_the_oracle),
		cmocka_unit_test(lowest_address_is_handed_out_first),
		cmocka_unit_test(fullest_slab_is_preferred),
		cmocka_unit_test(only_live_objects_are_visited),
		cmocka_unit_test(double_free_is_reported_and_survived),
		cmocka_unit_test(interior_free_is_reported_and_survived),
		cmocka_unit_test(check_sees_a_wrong_count),
		cmocka_unit_test(nothing_is_a_slab_but_slabs),
	};

	if (!slab_boot())
		return 1;
	return cmocka_run_group_tests(tests, block_signals, restore_signals);
}
