/*
 * test_large.c: direct OS mappings: the table finds each one and nothing else, sizes near overflow are refused; freed
 * ones that are kept come back, and go.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/page/internal.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"

#define MIB (1ul << 20)

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

/* ---- freed mappings that are kept ---- */

/* As KEPT_BYTES and MAX_KEPT of large.c. */
#define MOST_KEPT 16
#define MOST_KEPT_BYTES (64 * MIB)

/* msync says ENOMEM for a hole, and writes nothing of private memory. */
static bool is_mapped(const void *addr, size_t size)
{
	return msync((void *)addr, size, MS_ASYNC) == 0;
}

static char *map_marked(size_t size)
{
	char *addr = large_alloc(size, PAGE_SIZE, 0);

	assert_non_null(addr);
	addr[0] = addr[size - 1] = 'x';
	return addr;
}

static int keep_begin(void **state)
{
	(void)state;
	page_reclaim_active(true);
	large_age(true);
	assert_int_equal(large_kept_bytes(), 0);
	return 0;
}

static int keep_end(void **state)
{
	(void)state;
	page_reclaim_active(false);
	large_age(true);
	statistics_match(NULL, 0);
	return 0;
}

static void nothing_is_kept_where_nobody_would_age_it(void **state)
{
	char *addr = map_marked(MIB);

	(void)state;
	page_reclaim_active(false);
	assert_true(large_free(addr));
	assert_false(is_mapped(addr, PAGE_SIZE));
	assert_int_equal(large_kept_bytes(), 0);
}

static void a_kept_mapping_is_given_again(void **state)
{
	char *addr = map_marked(2 * MIB), *other = map_marked(4 * MIB);

	(void)state;
	assert_true(large_free(other));
	assert_true(large_free(addr));
	assert_false(large_free(addr));
	assert_int_equal(large_size(addr), 0);
	statistics_match(NULL, 0);
	/* The smallest that fits; where little would be cut, whole. */
	assert_ptr_equal(large_alloc(2 * MIB - 5 * PAGE_SIZE, PAGE_SIZE, 0), addr);
	assert_int_equal(large_size(addr), 2 * MIB);
	assert_int_equal(addr[2 * MIB - 1], 'x');
	assert_true(large_free(addr));
	assert_ptr_equal(large_alloc(3 * MIB, 1, 0), other);
	assert_int_equal(large_size(other), rounded(3 * MIB));
	assert_true(is_mapped(other, 3 * MIB));
	assert_false(is_mapped(other + 3 * MIB, MIB));
	assert_true(large_free(other));
	large_age(true);
	assert_false(is_mapped(other, 3 * MIB));
	assert_false(is_mapped(addr, 2 * MIB));
}

static void a_kept_mapping_serves_an_alignment_only_if_it_has_it(void **state)
{
	char *addr = large_alloc(MIB, 8 * MIB, 0), *aligned;

	(void)state;
	assert_true(large_free(addr));
	assert_ptr_equal(large_alloc(MIB, 4 * MIB, 0), addr);
	assert_true(large_free(addr));
	aligned = large_alloc(MIB, 1ul << 40, 0);
	assert_int_equal((uintptr_t)aligned % (1ul << 40), 0);
	assert_true(!aligned || large_free(aligned));
}

static void zeroed_memory_is_never_a_kept_mapping(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		char *addr = map_marked(MIB);

		memset(addr, 0xff, MIB);
		assert_true(large_free(addr));
		addr = large_alloc(MIB, PAGE_SIZE, PAGE_ALLOC_ZERO);
		for (size_t at = 0; at < MIB; at++)
			assert_int_equal(addr[at], 0);
		memset(addr, 0xff, MIB);
		assert_true(large_free(addr));
	}
}

/* Counts from the newest how many of these are mapped, which must be an unbroken row. */
static unsigned int nr_kept(char *const *addrs, unsigned int nr)
{
	unsigned int kept = 0;

	while (kept < nr && is_mapped(addrs[nr - 1 - kept], PAGE_SIZE))
		kept++;
	for (unsigned int i = 0; i < nr - kept; i++)
		assert_false(is_mapped(addrs[i], PAGE_SIZE));
	return kept;
}

/* Of that size, freed in order, while live bytes are mapped elsewhere. */
static unsigned int nr_kept_of(unsigned int nr, size_t size, size_t live)
{
	void *other = live ? large_alloc(live, PAGE_SIZE, 0) : NULL;
	char *addrs[30];
	unsigned int kept;

	for (unsigned int i = 0; i < nr; i++)
		addrs[i] = map_marked(size);
	for (unsigned int i = 0; i < nr; i++)
		assert_true(large_free(addrs[i]));
	kept = nr_kept(addrs, nr);
	large_age(true);
	assert_true(!other || large_free(other));
	large_age(true);
	assert_int_equal(nr_kept(addrs, nr), 0);
	return kept;
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
	(void)state;
	assert_int_equal(nr_kept_of(30, MIB, 0), MOST_KEPT);
	assert_int_equal(nr_kept_of(5, 20 * MIB, 0), 3);
	assert_int_equal(nr_kept_of(2, MOST_KEPT_BYTES, 0), 1);
	assert_int_equal(nr_kept_of(2, MOST_KEPT_BYTES + MIB, 0), 0);
	/* A quarter of what is live. */
	assert_int_equal(nr_kept_of(8, 20 * MIB, 480 * MIB), 6);
}

static void what_nobody_takes_goes_in_two_ticks(void **state)
{
	char *old = map_marked(MIB), *young = map_marked(MIB);

	(void)state;
	assert_true(large_free(old));
	assert_true(page_age());
	assert_true(is_mapped(old, MIB));
	assert_true(large_free(young));
	assert_true(page_age());
	assert_false(is_mapped(old, MIB));
	assert_true(is_mapped(young, MIB));
	page_age();
	assert_false(is_mapped(young, MIB));
	assert_int_equal(large_kept_bytes(), 0);
	young = map_marked(MIB);
	assert_true(large_free(young));
	assert_true(page_release(0) >= MIB);
	assert_false(is_mapped(young, MIB));
}

static void expect_child(void (*body)(void *), void *arg)
{
	static char output[10000];
	int status = child_run(body, arg, output, sizeof(output));

	if (status)
		print_error("%s\n", output);
	assert_int_equal(status, 0);
}

static void limit_address_space(size_t more)
{
	struct rlimit limit = {0, RLIM_INFINITY};
	char text[128];

	if (host_read_file("/proc/self/statm", text, sizeof(text)) <= 0)
		_exit(10);
	limit.rlim_cur = strtoul(text, NULL, 10) * host_page_size() + more;
	setrlimit(RLIMIT_AS, &limit);
}

/* Neither a new mapping nor one that grows fails for the sake of what is only kept. */
static void child_runs_out_of_address_space(void *arg)
{
	char *grows = map_marked(16 * MIB), *kept = map_marked(32 * MIB);

	page_reclaim_active(true);
	if (!large_free(kept) || !large_kept_bytes())
		_exit(1);
	limit_address_space(8 * MIB);
	if (arg && !large_alloc(36 * MIB, PAGE_SIZE, 0))
		_exit(2);
	if (!arg && !large_resize(grows, 40 * MIB))
		_exit(3);
	if (large_kept_bytes())
		_exit(4);
}

static void kept_mappings_go_where_address_space_is_out(void **state)
{
	(void)state;
	if (skip_sanitized(SANITIZERS_LIMITS) || skip_emulated(NO_LIMITS))
		skip();
	expect_child(child_runs_out_of_address_space, &large_counts);
	expect_child(child_runs_out_of_address_space, NULL);
}

static bool marks_hold(const struct known *known)
{
	return known->addr[0] == known->mark && known->addr[known->size - 1] == known->mark;
}

static bool kept_step(struct known *one, uint64_t *seed)
{
	unsigned int flags = random_next(seed) % 4 ? 0 : PAGE_ALLOC_ZERO;

	if (one->addr) {
		unsigned char *addr = one->addr;

		one->addr = NULL;
		return marks_hold(&(struct known){addr, one->size, one->mark}) && large_free(addr);
	}
	one->size = 1 + random_next(seed) % (random_next(seed) % 16 ? 20 * PAGE_SIZE : 9 * MIB);
	one->addr = large_alloc(one->size, PAGE_SIZE, flags);
	if (!one->addr || (flags && (one->addr[0] || one->addr[one->size - 1])))
		return false;
	one->mark = (unsigned char)random_next(seed);
	set_mark(one);
	return large_size(one->addr) >= rounded(one->size);
}

static void *kept_churn(void *arg)
{
	struct known known[20] = {0};
	uint64_t seed = 11 + 31 * (uintptr_t)arg;
	bool good = true;

	for (int i = 0; i < 4000 && good; i++) {
		good = kept_step(&known[random_next(&seed) % ARRAY_SIZE(known)], &seed);
		if (random_next(&seed) % 64 == 0)
			large_age(random_next(&seed) % 4 == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		good = (!known[i].addr || kept_step(&known[i], &seed)) && good;
	return (void *)(uintptr_t)good;
}

static void child_churns(void *arg)
{
	page_reclaim_active(true);
	if (!kept_churn(arg))
		child_end(1);
	large_age(true);
	child_end(large_kept_bytes() > 0);
}

static void threads_and_fork_children_never_share_a_kept_mapping(void **state)
{
	pthread_t threads[4];
	void *good;

	(void)state;
	for (uintptr_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, kept_churn, (void *)i), 0);
	for (uintptr_t i = 0; i < 6; i++)
		expect_child(child_churns, (void *)(10 + i));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &good);
		assert_non_null(good);
	}
}

/* ---- */

static void fork_prepare(void)
{
	lock_fork_begin();
	page_fork_prepare();
}

static void fork_parent(void)
{
	page_fork_parent();
	lock_fork_end();
}

static void fork_child(void)
{
	page_fork_child();
	lock_fork_end();
}

static int boot(void **state)
{
	(void)state;
	pthread_atfork(fork_prepare, fork_parent, fork_child);
	return memory_boot();
}

#define keeping(test) cmocka_unit_test_setup_teardown(test, keep_begin, keep_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_addresses_are_unknown),
		cmocka_unit_test(sizes_near_overflow_give_null),
		cmocka_unit_test(a_resized_mapping_keeps_its_contents),
		cmocka_unit_test(the_table_agrees_with_an_oracle),
		cmocka_unit_test(threads_always_find_their_own_mappings),
		keeping(nothing_is_kept_where_nobody_would_age_it),
		keeping(a_kept_mapping_is_given_again),
		keeping(a_kept_mapping_serves_an_alignment_only_if_it_has_it),
		keeping(zeroed_memory_is_never_a_kept_mapping),
		keeping(the_oldest_go_when_there_are_too_many),
		keeping(what_nobody_takes_goes_in_two_ticks),
		keeping(kept_mappings_go_where_address_space_is_out),
		keeping(threads_and_fork_children_never_share_a_kept_mapping),
	};

	return test_status(cmocka_run_group_tests(tests, boot, NULL));
}
