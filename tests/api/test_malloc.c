/*
 * test_malloc.c: what glibc's manual promises of the malloc family, single-threaded.
 *
 * Calls the plain malloc names: run it preloaded or linked statically. Refuses to know which allocator answers, except
 * that FLAGSTONE_TEST_PEER=1 skips what only flagstone and glibc promise.
 */
#include "tests/stress/harness.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MIB (1024 * 1024ul)

/* Volatile: the compiler must neither remove these calls nor know what they return. */
static void *(*volatile do_malloc)(size_t size) = malloc;
static void *(*volatile do_calloc)(size_t count, size_t size) = calloc;
static void *(*volatile do_realloc)(void *block, size_t size) = realloc;
static void *(*volatile do_reallocarray)(void *block, size_t count, size_t size) = reallocarray;
static void *(*volatile do_memalign)(size_t align, size_t size) = memalign;
static void *(*volatile do_aligned_alloc)(size_t align, size_t size) = aligned_alloc;
static int (*volatile do_posix_memalign)(void **block, size_t align, size_t size) = posix_memalign;
static void (*volatile do_free)(void *block) = free;
static size_t (*volatile do_usable)(void *block) = malloc_usable_size;

static const size_t huge_sizes[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15,
	SIZE_MAX - 4095, SIZE_MAX - 4096, SIZE_MAX / 2 - 4096, 1ul << 62, 1ul << 50};

/* pointer visits each element of an array. */
#define for_each(pointer, array)                                                                                 \
	for (__typeof__(&(array)[0]) pointer = (array); pointer != (array) + sizeof(array) / sizeof((array)[0]); \
		pointer++)

static bool is_aligned(const void *block, size_t align)
{
	return (uintptr_t)block % align == 0;
}

/* Sizes from 1 byte up to max: all small ones, then each eighth of a power of two and its neighbours. */
static size_t next_size(size_t size)
{
	size_t step = size < 1100 ? 1 : (size_t)1 << (63 - __builtin_clzl(size) - 3);
	size_t mark = (size / step + 1) * step;

	if (size < 1100)
		return size + 1;
	if (mark - size > 1)
		return mark - 1;
	if (size % step == 0)
		return size + 1;
	return mark;
}

static void fill(unsigned char *block, size_t size, unsigned char seed)
{
	for (size_t i = 0; i < size; i++)
		block[i] = (unsigned char)(seed + i * 7 + (i >> 8));
}

static void check(const unsigned char *block, size_t size, unsigned char seed)
{
	size_t wrong = 0;

	for (size_t i = 0; i < size; i++)
		wrong += block[i] != (unsigned char)(seed + i * 7 + (i >> 8));
	assert_int_equal(wrong, 0);
}

/* ---- malloc and free ---- */

static void malloc_misaligns_a_size(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 8 * MIB; size = next_size(size)) {
		void *blocks[5];

		for_each(block, blocks)
		{
			*block = do_malloc(size);
			assert_non_null(*block);
			assert_true(is_aligned(*block, size <= 8 ? 8 : 16));
		}
		for_each(block, blocks) do_free(*block);
	}
}

static void malloc_of_zero_is_not_a_unique_block(void **state)
{
	void *blocks[100];

	(void)state;
	for_each(block, blocks)
	{
		*block = do_malloc(0);
		assert_non_null(*block);
		for (void **other = blocks; other < block; other++)
			assert_ptr_not_equal(*block, *other);
	}
	for_each(block, blocks) do_free(*block);
	do_free(do_calloc(0, 8));
	do_free(do_calloc(8, 0));
	do_free(do_memalign(64, 0));
}

static void huge_size_is_not_refused_with_enomem(void **state)
{
	(void)state;
	for_each(size, huge_sizes)
	{
		void *block = NULL;

		errno = 0;
		assert_null(do_malloc(*size));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(do_calloc(1, *size));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(do_realloc(NULL, *size));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(do_memalign(64, *size));
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(do_posix_memalign(&block, 64, *size), ENOMEM);
		assert_null(block);
	}
}

static void success_or_free_touches_errno(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 64 * MIB; size = size * 3 + 1) {
		void *block;

		errno = EXDEV;
		block = do_realloc(do_malloc(size), 2 * size);
		assert_non_null(block);
		assert_int_equal(errno, EXDEV);
		do_free(block);
		assert_int_equal(errno, EXDEV);
		block = do_calloc(1, size);
		do_usable(block);
		do_free(block);
		do_free(NULL);
		assert_int_equal(errno, EXDEV);
	}
}

static void posix_memalign_reports_through_errno(void **state)
{
	void *block = NULL;

	(void)state;
	errno = EXDEV;
	assert_int_equal(do_posix_memalign(&block, 24, 8), EINVAL);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(do_posix_memalign(&block, 64, 100), 0);
	assert_int_equal(errno, EXDEV);
	do_free(block);
}

/* ---- calloc ---- */

static void calloc_misses_a_multiplication_overflow(void **state)
{
	static const size_t pairs[][2] = {{SIZE_MAX, 2}, {2, SIZE_MAX}, {1ul << 32, 1ul << 32}, {SIZE_MAX / 2 + 1, 2},
		{SIZE_MAX / 16 + 1, 16}, {SIZE_MAX, SIZE_MAX}, {(1ul << 33) + 1, 1ul << 31}};

	(void)state;
	for_each(pair, pairs)
	{
		errno = 0;
		assert_null(do_calloc((*pair)[0], (*pair)[1]));
		assert_int_equal(errno, ENOMEM);
	}
}

/* The memory that calloc gets was dirty just before, for every class and for large blocks. */
static void calloc_gives_dirty_memory(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 16 * MIB; size = size < 1100 ? size + 3 : next_size(size + size / 9)) {
		unsigned char *blocks[6];

		for_each(block, blocks)
		{
			*block = do_malloc(size);
			assert_non_null(*block);
			memset(*block, 0xff, do_usable(*block));
		}
		for_each(block, blocks) do_free(*block);
		for_each(block, blocks)
		{
			*block = do_calloc(size % 3 ? 1 : 3, size % 3 ? size : size / 3);
			assert_non_null(*block);
			assert_true((*block)[0] == 0 && !memcmp(*block, *block + 1, size - 1));
		}
		for_each(block, blocks) do_free(*block);
	}
}

/* ---- realloc ---- */

static void realloc_of_null_is_not_malloc(void **state)
{
	void *block;

	(void)state;
	block = do_realloc(NULL, 100);
	assert_non_null(block);
	assert_true(do_usable(block) >= 100);
	do_free(block);
	block = do_realloc(NULL, 0);
	assert_non_null(block);
	do_free(block);
}

static void realloc_to_zero_does_not_free(void **state)
{
	void *block = do_malloc(100);

	(void)state;
	if (harness_is_peer()) {
		do_free(block);
		skip();
	}
	errno = EXDEV;
	assert_null(do_realloc(block, 0));
	assert_int_equal(errno, EXDEV);
	/* A gigabyte in total: it is not returned if this leaks. */
	for (int i = 0; i < 1024; i++) {
		block = do_malloc(MIB);
		memset(block, 1, MIB);
		assert_null(do_realloc(block, 0));
	}
	assert_true(status_bytes("RssAnon:") < 512 * MIB);
}

static void failed_realloc_loses_the_block(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 16 * MIB; size = size * 5 + 3) {
		unsigned char *block = do_malloc(size);

		fill(block, size, 3);
		for_each(huge, huge_sizes)
		{
			errno = 0;
			assert_null(do_realloc(block, *huge));
			assert_int_equal(errno, ENOMEM);
		}
		check(block, size, 3);
		do_free(block);
	}
}

static void realloc_loses_contents_while_growing(void **state)
{
	size_t size = 1, next;
	unsigned char *block = do_malloc(size);

	(void)state;
	fill(block, size, 9);
	for (; size < 64 * MIB; size = next) {
		next = size < 3000 ? size + 1 : size < 300000 ? size + 1237 : size + size / 5;
		block = do_realloc(block, next);
		assert_non_null(block);
		check(block, size, 9);
		fill(block, next, 9);
	}
	do_free(block);
}

static void realloc_loses_contents_while_shrinking(void **state)
{
	size_t size = 64 * MIB, next;
	unsigned char *block = do_malloc(size);

	(void)state;
	fill(block, size, 5);
	for (; size > 1; size = next) {
		next = size > 300000 ? size - size / 5 : size > 3000 ? size - 1237 : size - 1;
		block = do_realloc(block, next);
		assert_non_null(block);
		check(block, next, 5);
	}
	do_free(block);
}

static void realloc_loses_contents_at_random(void **state)
{
	struct rng rng = rng_stream(harness_seed(0), 1);
	unsigned char *blocks[16];
	size_t sizes[16];

	(void)state;
	print_message("seed state %#lx\n", (unsigned long)rng.state);
	for (int i = 0; i < 16; i++) {
		sizes[i] = 1;
		blocks[i] = do_malloc(1);
		fill(blocks[i], 1, (unsigned char)i);
	}
	for (int n = 0; n < 4000; n++) {
		size_t at = rng_below(&rng, 16), size = rng_size(&rng, n % 64 ? 100000 : 24 * MIB);

		blocks[at] = do_realloc(blocks[at], size);
		assert_non_null(blocks[at]);
		check(blocks[at], size < sizes[at] ? size : sizes[at], (unsigned char)at);
		fill(blocks[at], size, (unsigned char)at);
		sizes[at] = size;
	}
	for_each(block, blocks) do_free(*block);
}

static void shrunken_block_keeps_its_memory(void **state)
{
	static void *blocks[256];
	size_t before;

	(void)state;
	if (harness_is_peer())
		skip();
	before = status_bytes("RssAnon:");
	for_each(block, blocks)
	{
		*block = do_malloc(4 * MIB);
		memset(*block, 1, 4 * MIB);
		*block = do_realloc(*block, 64);
	}
	assert_true(status_bytes("RssAnon:") < before + 256 * MIB);
	for_each(block, blocks) do_free(*block);
}

static void reallocarray_misses_an_overflow(void **state)
{
	unsigned char *block = do_reallocarray(NULL, 10, 10);

	(void)state;
	assert_non_null(block);
	fill(block, 100, 1);
	errno = 0;
	assert_null(do_reallocarray(block, SIZE_MAX / 8 + 2, 8));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(do_reallocarray(block, 1ul << 32, 1ul << 32));
	assert_int_equal(errno, ENOMEM);
	check(block, 100, 1);
	block = do_reallocarray(block, 1000, 100);
	assert_non_null(block);
	check(block, 100, 1);
	do_free(block);
}

/* ---- alignment ---- */

static void posix_memalign_accepts_a_bad_alignment(void **state)
{
	static const size_t bad[] = {0, 1, 2, 3, 4, 7, 9, 12, 17, 24, 40, 48, 100, 4095, 4097, 6144, SIZE_MAX};
	void *untouched = &untouched;

	(void)state;
	for_each(align, bad)
	{
		void *block = untouched;

		assert_int_equal(do_posix_memalign(&block, *align, 100), EINVAL);
		assert_ptr_equal(block, untouched);
	}
}

/* Several live at once, of sizes around the alignment, filled and checked. */
static void check_alignment(size_t align, size_t size)
{
	unsigned char *blocks[4];

	assert_int_equal(do_posix_memalign((void **)&blocks[0], align < 8 ? 8 : align, size), 0);
	blocks[1] = do_memalign(align, size);
	blocks[2] = do_aligned_alloc(align, size);
	blocks[3] = do_memalign(align, size);
	for_each(block, blocks)
	{
		assert_non_null(*block);
		assert_true(is_aligned(*block, align));
		assert_true(do_usable(*block) >= size);
		memset(*block, (int)(block - blocks) + 1, size);
	}
	for_each(block, blocks)
	{
		assert_true((*block)[0] == block - blocks + 1 && (*block)[size - 1] == block - blocks + 1);
		do_free(*block);
	}
}

static void aligned_block_is_misaligned(void **state)
{
	(void)state;
	/* mimalloc 2.0.9 does not align small blocks to 256 and more. */
	for (size_t align = 1; align <= (harness_is_peer() ? 128 : 4 * MIB); align *= 2) {
		for (size_t size = 1; size <= 40000; size = next_size(size + size / 30))
			check_alignment(align, size);
		check_alignment(align, align);
		check_alignment(align, align + 1);
		check_alignment(align, 2 * align);
		check_alignment(align, 5 * MIB);
	}
}

static void aligned_block_breaks_realloc(void **state)
{
	(void)state;
	for (size_t align = 16; align <= (harness_is_peer() ? 128 : 4 * MIB); align *= 4)
		for (size_t size = 1; size < 10 * MIB; size = size * 6 + 1) {
			unsigned char *block = do_memalign(align, size);

			assert_non_null(block);
			fill(block, size, 2);
			block = do_realloc(block, size * 2);
			assert_non_null(block);
			check(block, size, 2);
			block = do_realloc(block, size / 2 + 1);
			check(block, size / 2 + 1, 2);
			do_free(block);
		}
}

static void valloc_or_pvalloc_is_not_page_aligned(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)state;
	for (size_t size = 1; size < MIB; size = size * 2 + 1) {
		void *block = valloc(size), *pages = pvalloc(size);

		assert_true(block && is_aligned(block, page));
		assert_true(pages && is_aligned(pages, page));
		assert_true(do_usable(pages) >= (size + page - 1) / page * page);
		memset(block, 1, size);
		memset(pages, 2, (size + page - 1) / page * page);
		do_free(block);
		do_free(pages);
	}
}

/* ---- usable size ---- */

static void usable_bytes_belong_to_a_neighbour(void **state)
{
	enum { NR = 24 };

	(void)state;
	for (size_t size = 1; size <= 3 * MIB; size = next_size(size + size / 20)) {
		unsigned char *blocks[NR];

		for (int i = 0; i < NR; i++) {
			blocks[i] = do_malloc(size);
			assert_true(do_usable(blocks[i]) >= size);
			memset(blocks[i], i + 1, do_usable(blocks[i]));
		}
		for (int i = 0; i < NR; i++) {
			size_t usable = do_usable(blocks[i]);

			assert_true(blocks[i][0] == i + 1 && !memcmp(blocks[i], blocks[i] + 1, usable - 1));
			do_free(blocks[i]);
		}
	}
	assert_int_equal(do_usable(NULL), 0);
}

static bool is_wasteful(size_t size, size_t usable)
{
	if (size <= 8)
		return usable != 8;
	return size <= 128 ? usable - size >= 16 : (usable - size) * 8 > usable;
}

/* The first few objects of a size may come from a class that stands in for several, half as large again at most. */
static void size_class_wastes_more_than_an_eighth(void **state)
{
	bool wasteful = false;

	(void)state;
	if (harness_is_peer())
		skip();
	for (size_t size = 1; size <= 32768; size++) {
		for (int i = 0; i < 100 && (!i || wasteful); i++) {
			void *block = do_malloc(size);
			size_t usable = do_usable(block);

			wasteful = is_wasteful(size, usable);
			assert_true(usable >= size && (!wasteful || usable <= size + size / 2 + 16));
			do_free(block);
		}
		assert_false(wasteful);
	}
}

/* ---- the rarer names ---- */

/* 0: the allocator does not have it. Never a hard reference: these names are newer or older than Debian 12's glibc. */
static void *rare(const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);

	if (!symbol && !harness_is_peer())
		fail_msg("%s is missing", name);
	return symbol;
}

static void sized_free_or_cfree_is_missing_or_does_not_free(void **state)
{
	void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))rare("free_sized");
	void (*free_aligned_sized)(void *, size_t, size_t) =
		(void (*)(void *, size_t, size_t))rare("free_aligned_sized");
	void (*cfree)(void *) = (void (*)(void *))rare("cfree");

	(void)state;
	if (!free_sized || !free_aligned_sized || !cfree)
		skip();
	free_sized(NULL, 0);
	free_aligned_sized(NULL, 64, 0);
	cfree(NULL);
	for (int i = 0; i < 20000; i++) {
		size_t size = (size_t)i * 37 % 200000;

		errno = EXDEV;
		free_sized(memset(do_malloc(size), 1, size), size);
		free_aligned_sized(memset(do_aligned_alloc(256, size), 1, size), 256, size);
		cfree(memset(do_malloc(size), 1, size));
		assert_int_equal(errno, EXDEV);
	}
	assert_true(status_bytes("RssAnon:") < 512 * MIB);
}

static void malloc_trim_returns_nonsense_or_keeps_memory(void **state)
{
	static void *blocks[64 * 1024];
	size_t before, full;

	(void)state;
	malloc_trim(0);
	before = status_bytes("RssAnon:");
	for_each(block, blocks) *block = memset(do_malloc(1024), 1, 1024);
	full = status_bytes("RssAnon:");
	for_each(block, blocks) do_free(*block);
	assert_in_range(malloc_trim(0), 0, 1);
	if (!harness_is_peer())
		assert_true(status_bytes("RssAnon:") < before + (full - before) / 4);
	assert_in_range(malloc_trim(0), 0, 1);
	assert_in_range(malloc_trim(MIB), 0, 1);
}

/* Statistics that programs read must follow what is allocated. */
static void mallinfo_does_not_follow_allocation(void **state)
{
	static void *blocks[1000];
	struct mallinfo2 before = mallinfo2(), during, after;

	(void)state;
	for_each(block, blocks) *block = memset(do_malloc(40000), 1, 40000);
	during = mallinfo2();
	for_each(block, blocks) do_free(*block);
	after = mallinfo2();
	if (harness_is_peer())
		skip();
	assert_true(during.uordblks + during.hblkhd >= before.uordblks + before.hblkhd + 38 * MIB);
	assert_true(after.uordblks + after.hblkhd <= during.uordblks + during.hblkhd - 30 * MIB);
	assert_true(during.arena + during.hblkhd >= 38 * MIB);
}

static void mallopt_or_malloc_stats_fails(void **state)
{
	(void)state;
	assert_in_range(mallopt(M_MMAP_THRESHOLD, 1 << 20), 0, 1);
	assert_in_range(mallopt(M_TRIM_THRESHOLD, 1 << 20), 0, 1);
	assert_in_range(mallopt(M_ARENA_MAX, 2), 0, 1);
	malloc_stats();
}

static void malloc_info_is_not_xml(void **state)
{
	char text[65536] = "";
	FILE *file = tmpfile();
	size_t length;

	(void)state;
	assert_non_null(file);
	errno = 0;
	assert_true(malloc_info(1, file) != 0); /* options other than 0 are an error */
	assert_int_equal(malloc_info(0, file), 0);
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	assert_true(length > 0 && !strncmp(text, "<malloc version=", 16));
	assert_non_null(strstr(text, "</malloc>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malloc_misaligns_a_size),
		cmocka_unit_test(malloc_of_zero_is_not_a_unique_block),
		cmocka_unit_test(huge_size_is_not_refused_with_enomem),
		cmocka_unit_test(success_or_free_touches_errno),
		cmocka_unit_test(posix_memalign_reports_through_errno),
		cmocka_unit_test(calloc_misses_a_multiplication_overflow),
		cmocka_unit_test(calloc_gives_dirty_memory),
		cmocka_unit_test(realloc_of_null_is_not_malloc),
		cmocka_unit_test(realloc_to_zero_does_not_free),
		cmocka_unit_test(failed_realloc_loses_the_block),
		cmocka_unit_test(realloc_loses_contents_while_growing),
		cmocka_unit_test(realloc_loses_contents_while_shrinking),
		cmocka_unit_test(realloc_loses_contents_at_random),
		cmocka_unit_test(shrunken_block_keeps_its_memory),
		cmocka_unit_test(reallocarray_misses_an_overflow),
		cmocka_unit_test(posix_memalign_accepts_a_bad_alignment),
		cmocka_unit_test(aligned_block_is_misaligned),
		cmocka_unit_test(aligned_block_breaks_realloc),
		cmocka_unit_test(valloc_or_pvalloc_is_not_page_aligned),
		cmocka_unit_test(usable_bytes_belong_to_a_neighbour),
		cmocka_unit_test(size_class_wastes_more_than_an_eighth),
		cmocka_unit_test(sized_free_or_cfree_is_missing_or_does_not_free),
		cmocka_unit_test(malloc_trim_returns_nonsense_or_keeps_memory),
		cmocka_unit_test(mallinfo_does_not_follow_allocation),
		cmocka_unit_test(mallopt_or_malloc_stats_fails),
		cmocka_unit_test(malloc_info_is_not_xml),
	};

	print_message("test_malloc: %s\n", harness_allocator());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
