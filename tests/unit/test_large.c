/*
 * test_large.c: direct OS mappings: the table finds each one and nothing else, sizes near overflow are refused.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/page/page.h"

#define NR 6000

struct known {
	unsigned char *addr;
	size_t size;
	unsigned char mark;
};

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static size_t rounded(size_t size)
{
	return ALIGN_UP(size, host_page_size());
}

static bool mark_holds(const struct known *known, size_t size)
{
	return known->addr[0] == known->mark && known->addr[size - 1] == known->mark;
}

static void set_mark(struct known *known)
{
	known->addr[0] = known->mark;
	known->addr[known->size - 1] = known->mark;
}

static bool known_map(struct known *known, uint64_t *seed)
{
	size_t align = PAGE_SIZE << (random_next(seed) % 16 ? 0 : random_next(seed) % 12);

	known->size = 1 + random_next(seed) % (random_next(seed) % 64 ? 5 * PAGE_SIZE : 9ul << 20);
	known->addr = large_alloc(known->size, align, PAGE_ALLOC_ZERO);
	if (!known->addr || (uintptr_t)known->addr % align || known->addr[0] || known->addr[known->size - 1])
		return false;
	known->mark = (unsigned char)random_next(seed);
	set_mark(known);
	return large_size(known->addr) == rounded(known->size);
}

static bool known_resize(struct known *known, uint64_t *seed)
{
	size_t size = 1 + random_next(seed) % (2 * known->size);
	unsigned char *addr = large_resize(known->addr, size);
	bool good;

	if (!addr || large_size(addr) != rounded(size) || (addr != known->addr && large_size(known->addr)))
		return false;
	known->addr = addr;
	good = size < known->size ? addr[0] == known->mark : mark_holds(known, known->size);
	known->size = size;
	set_mark(known);
	return good;
}

static bool known_unmap(struct known *known)
{
	unsigned char *addr = known->addr;

	known->addr = NULL;
	return mark_holds(&(struct known){addr, known->size, known->mark}, known->size) &&
	       large_size(addr) == rounded(known->size) && large_free(addr) && !large_free(addr) && !large_size(addr);
}

static void statistics_match(const struct known *known, size_t nr)
{
	struct page_stats stats;
	size_t bytes = 0, count = 0;

	for (size_t i = 0; i < nr; i++) {
		count += known[i].addr != NULL;
		bytes += known[i].addr ? rounded(known[i].size) : 0;
	}
	page_stats_get(&stats);
	assert_int_equal(stats.nr_large, count);
	assert_int_equal(stats.large_bytes, bytes);
}

static void the_table_agrees_with_an_oracle(void **state)
{
	static struct known known[NR];
	uint64_t seed = 4711;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		struct known *one = &known[random_next(&seed) % NR];

		if (!one->addr)
			assert_true(known_map(one, &seed));
		else if (random_next(&seed) % 3)
			assert_true(known_resize(one, &seed));
		else
			assert_true(known_unmap(one));
		if (i % 4000 == 0)
			statistics_match(known, NR);
	}
	statistics_match(known, NR);
	for (int i = 0; i < NR; i++) {
		if (known[i].addr) {
			assert_int_equal(large_size(known[i].addr + PAGE_SIZE / 2), 0);
			assert_true(known_unmap(&known[i]));
		}
	}
	statistics_match(known, NR);
}

static void foreign_addresses_are_unknown(void **state)
{
	int local;
	char *addr = large_alloc(3 * PAGE_SIZE, PAGE_SIZE, PAGE_ALLOC_ZERO);

	(void)state;
	assert_false(large_free(NULL));
	assert_false(large_free(&local));
	assert_false(large_free(addr + PAGE_SIZE));
	assert_false(large_free(addr + 1));
	assert_int_equal(large_size(NULL), 0);
	assert_int_equal(large_size(addr + PAGE_SIZE), 0);
	assert_null(large_resize(&local, PAGE_SIZE));
	assert_null(large_resize(NULL, PAGE_SIZE));
	assert_true(large_free(addr));
}

static void sizes_near_overflow_give_null(void **state)
{
	char *addr = large_alloc(PAGE_SIZE, PAGE_SIZE, PAGE_ALLOC_ZERO);

	(void)state;
	for (size_t below = 0; below < 3 * PAGE_SIZE; below += 511) {
		assert_null(large_alloc(SIZE_MAX - below, PAGE_SIZE, PAGE_ALLOC_ZERO));
		assert_null(large_alloc(SIZE_MAX - below, 1ul << 30, PAGE_ALLOC_ZERO));
		assert_null(large_alloc(SIZE_MAX / 2 + below, PAGE_SIZE, PAGE_ALLOC_ZERO));
		assert_null(large_resize(addr, SIZE_MAX - below));
	}
	for (unsigned int bit = 48; bit < 64; bit++) {
		assert_null(large_alloc(1ul << bit, PAGE_SIZE, PAGE_ALLOC_ZERO));
		assert_null(large_alloc(PAGE_SIZE, 1ul << bit, PAGE_ALLOC_ZERO));
	}
	*addr = 1;
	assert_int_equal(large_size(addr), rounded(PAGE_SIZE));
	assert_true(large_free(addr));
}

static void a_resized_mapping_keeps_its_contents(void **state)
{
	size_t size = 8ul << 20;
	uint32_t *words = large_alloc(size, PAGE_SIZE, PAGE_ALLOC_ZERO);

	(void)state;
	for (size_t i = 0; i < size / 4; i += 97)
		words[i] = (uint32_t)i;
	words = large_resize(words, 3 * size);
	for (size_t i = 0; i < size / 4; i += 97)
		assert_int_equal(words[i], i);
	assert_int_equal(words[3 * size / 4 - 1], 0);
	words = large_resize(words, size / 2);
	for (size_t i = 0; i < size / 8; i += 97)
		assert_int_equal(words[i], i);
	assert_true(large_free(words));
}

static void *churn(void *arg)
{
	static const size_t nr = 40;
	struct known known[40] = {0};
	uint64_t seed = 5 + 31 * (uintptr_t)arg;
	bool good = true;

	for (int i = 0; i < 4000 && good; i++) {
		struct known *one = &known[random_next(&seed) % nr];

		if (!one->addr)
			good = known_map(one, &seed);
		else if (random_next(&seed) % 2)
			good = large_size(one->addr) == rounded(one->size);
		else if (random_next(&seed) % 2)
			one->addr = large_free(one->addr) ? NULL : one->addr;
		else
			good = (one->addr = large_resize(one->addr, one->size = 1 + random_next(&seed) % 90000)) !=
			       NULL;
	}
	for (size_t i = 0; i < nr; i++) {
		if (known[i].addr)
			good = large_free(known[i].addr) && good;
	}
	return (void *)(uintptr_t)good;
}

static void threads_always_find_their_own_mappings(void **state)
{
	pthread_t threads[8];
	void *good;

	(void)state;
	for (uintptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &good);
		assert_non_null(good);
	}
	statistics_match(NULL, 0);
}

static int boot(void **state)
{
	(void)state;
	return memory_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_addresses_are_unknown),
		cmocka_unit_test(sizes_near_overflow_give_null),
		cmocka_unit_test(a_resized_mapping_keeps_its_contents),
		cmocka_unit_test(the_table_agrees_with_an_oracle),
		cmocka_unit_test(threads_always_find_their_own_mappings),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
