/*
 * test_objects.c: memory of any size and alignment: whole, aligned, zero where asked for, and resized without loss.
 *
 * Broken if this fails: a block is too small, misaligned, dirty, or loses bytes when it grows or shrinks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/report.h"
#include "runtime/slab/slab.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"

#define MIB (1ul << 20)

static uint32_t seed = 12345;

static const size_t sizes[] = {1, 7, 8, 9, 16, 17, 100, 128, 129, 1000, 1024, 1025, 4095, 4096, 4097, 10000, 32767,
	32768, 32769, 36864, 65536, 100000, MIB - 1, MIB, MIB + 1, 3 * MIB, 4 * MIB, 4 * MIB + 1, 9 * MIB};

/* All of the first bytes, then one in each cache line, so that sanitizers get through. */
static size_t next_sample(size_t i)
{
	return i < 300 ? i + 1 : i + 61;
}

static unsigned char pattern(size_t i, unsigned char tag)
{
	return (unsigned char)(tag + i * 7 + (i >> 8) * 13);
}

static void fill(unsigned char *bytes, size_t size, unsigned char tag)
{
	for (size_t i = 0; i < size; i = next_sample(i))
		bytes[i] = pattern(i, tag);
}

static bool is_filled(const unsigned char *bytes, size_t size, unsigned char tag)
{
	for (size_t i = 0; i < size; i = next_sample(i))
		if (bytes[i] != pattern(i, tag))
			return false;
	return true;
}

static void every_size_at_every_alignment(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t align = 1; align <= 16 * MIB; align *= 2) {
			unsigned char *object = object_alloc(sizes[i], align, 0);

			assert_non_null(object);
			assert_int_equal((uintptr_t)object % align, 0);
			assert_int_equal((uintptr_t)object % (sizes[i] <= 8 ? 8 : 16), 0);
			assert_true(object_size(object) >= sizes[i]);
			object[0] = 1;
			object[object_size(object) - 1] = 2;
			object_free(object);
		}
	}
}

static void sizes_waste_little(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *object = object_alloc(sizes[i], 8, ALLOC_EXACT);
		size_t usable = object_size(object);

		assert_true(usable - sizes[i] <= (sizes[i] > CLASS_MAX_SIZE ? PAGE_SIZE - 1 : sizes[i] / 8 + 15));
		object_free(object);
	}
}

/* Live blocks of all sizes at once, freed in random order. */
static void blocks_do_not_overlap(void **state)
{
	struct {
		unsigned char *bytes;
		size_t size;
	} blocks[300];
	size_t nr = ARRAY_SIZE(blocks);

	(void)state;
	for (size_t i = 0; i < nr; i++) {
		blocks[i].size = 1 + random_below(&seed, i % 10 ? 5000 : 300000);
		blocks[i].bytes = object_alloc(blocks[i].size, (size_t)1 << random_below(&seed, 14), 0);
		fill(blocks[i].bytes, blocks[i].size, (unsigned char)blocks[i].size);
	}
	while (nr) {
		size_t at = random_below(&seed, (uint32_t)nr);

		assert_true(is_filled(blocks[at].bytes, blocks[at].size, (unsigned char)blocks[at].size));
		object_free(blocks[at].bytes);
		blocks[at] = blocks[--nr];
	}
}

static void zeroed_is_zero_after_use(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			unsigned char *object = object_alloc(sizes[i], 8, ALLOC_ZERO);
			size_t at = 0;

			while (at < sizes[i] && !object[at])
				at++;
			assert_int_equal(at, sizes[i]);
			memset(object, 0xaa, object_size(object));
			object_free(object);
		}
	}
}

static void resize_keeps_the_contents(void **state)
{
	(void)state;
	for (size_t from = 0; from < ARRAY_SIZE(sizes); from++) {
		for (size_t to = 0; to < ARRAY_SIZE(sizes); to++) {
			unsigned char *object = object_alloc(sizes[from], 8, 0);
			size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];

			fill(object, sizes[from], (unsigned char)(from + to));
			object = object_resize(object, sizes[to], 8);
			assert_non_null(object);
			assert_true(object_size(object) >= sizes[to]);
			assert_true(is_filled(object, kept, (unsigned char)(from + to)));
			object[sizes[to] - 1] = 1;
			object_free(object);
		}
	}
}

static void random_resizes_keep_the_contents(void **state)
{
	unsigned char *object = object_alloc(1, 8, 0);
	size_t size = 1;

	(void)state;
	fill(object, size, 3);
	for (int i = 0; i < 2000; i++) {
		size_t next = 1 + random_below(&seed, 1u << (1 + random_below(&seed, 23)));

		object = object_resize(object, next, 8);
		assert_true(is_filled(object, size < next ? size : next, 3));
		fill(object, next, 3);
		size = next;
	}
	object_free(object);
}

/* Neighbours stay as they are when a run grows or shrinks between them. */
static void resize_touches_no_neighbour(void **state)
{
	unsigned char *blocks[3];

	(void)state;
	for (int round = 0; round < 50; round++) {
		size_t size = 40960 + random_below(&seed, 100000);

		for (int i = 0; i < 3; i++) {
			blocks[i] = object_alloc(size, 8, 0);
			fill(blocks[i], size, (unsigned char)i);
		}
		blocks[1] = object_resize(blocks[1], size + 70000, 8);
		memset(blocks[1], 0x55, object_size(blocks[1]));
		assert_true(is_filled(blocks[0], size, 0));
		assert_true(is_filled(blocks[2], size, 2));
		for (int i = 0; i < 3; i++)
			object_free(blocks[i]);
	}
	page_check();
}

static void a_resize_within_the_class_stays(void **state)
{
	void *object = object_alloc(1000, 8, 0);

	(void)state;
	assert_ptr_equal(object_resize(object, 1024, 8), object);
	assert_ptr_equal(object_resize(object, 961, 8), object);
	object_free(object);
	object = object_alloc(100000, 8, 0);
	assert_ptr_equal(object_resize(object, 50000, 8), object);
	assert_int_equal(object_size(object), 53248);
	object_free(object);
}

static void too_much_is_refused(void **state)
{
	const size_t sizes_too_large[] = {
		PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - PAGE_SIZE, 1ul << 60};
	void *object = object_alloc(100, 8, 0);

	(void)state;
	memset(object, 7, 100);
	for (size_t i = 0; i < ARRAY_SIZE(sizes_too_large); i++) {
		assert_null(object_alloc(sizes_too_large[i], 8, 0));
		assert_null(object_alloc(sizes_too_large[i], 1ul << 30, ALLOC_ZERO));
		assert_null(object_resize(object, sizes_too_large[i], 8));
	}
	assert_null(object_alloc(8, (size_t)1 << 63, 0));
	for (int i = 0; i < 100; i++)
		assert_int_equal(((unsigned char *)object)[i], 7);
	object_free(object);
}

static void nothing_of_ours_has_no_size(void **state)
{
	static int local;
	char *run = object_alloc(400000, 8, 0);

	(void)state;
	object_free(NULL);
	assert_int_equal(object_size(&local), 0);
	assert_int_equal(object_size((void *)&object_size), 0);
	assert_int_equal(object_size(run + PAGE_SIZE), 0);
	object_free(run);
	assert_int_equal(object_size(run), 0);
}

/* ---- faults, with on_bug=continue ---- */

static void free_wrongly(void *arg)
{
	static long local[4];
	char *run = object_alloc(400000, 8, 0);
	char *large = object_alloc(20 * MIB, 8, 0);

	report_on_bug = REPORT_BUG_CONTINUE;
	switch ((uintptr_t)arg) {
	case 0:
		object_free(local);
		break;
	case 1:
		object_free(run + 3 * PAGE_SIZE);
		break;
	case 2:
		object_free(run + 8);
		break;
	case 3:
		object_free(run);
		object_free(run);
		break;
	case 4:
		object_free(large + PAGE_SIZE);
		break;
	case 5:
		object_free(large);
		object_free(large);
		break;
	default:
		if (object_resize(local, 10, 8))
			_exit(1);
		break;
	}
	page_check();
}

static void wrong_frees_are_reported(void **state)
{
	const char *const expected[] = {"which flagstone did not allocate", "which is inside an object of 40",
		"which is inside", "which is free already, or was never allocated\n",
		"which flagstone did not allocate, or has freed already\n",
		"which flagstone did not allocate, or has freed already\n", "BUG: realloc of 0x"};

	(void)state;
	for (uintptr_t i = 0; i < ARRAY_SIZE(expected); i++) {
		char output[4000];
		int status = child_run(free_wrongly, (void *)i, output, sizeof(output));

		assert_int_equal(status, 0);
		assert_non_null(strstr(output, "flagstone: BUG: "));
		if (!strstr(output, expected[i]))
			print_error("case %lu: %s", (unsigned long)i, output);
		assert_non_null(strstr(output, expected[i]));
		assert_null(strstr(strstr(output, "BUG: ") + 1, "BUG: "));
	}
}

/*
 * A run that grows where it is keeps its start, which may not do for the class of its new size. Runs of 40 KiB start at
 * multiples of 64 KiB; those that start at multiples of 128 KiB are freed, so that the others can grow.
 */
static void grown_runs_leave_powers_of_two_aligned(void **state)
{
	const size_t power = 131072;
	unsigned int nr_grown = 0;
	void *objects[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = object_alloc(40960, 8, 0);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		if ((uintptr_t)objects[i] % power)
			continue;
		object_free(objects[i]);
		objects[i] = NULL;
	}
	slab_trim(0);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		void *old = objects[i];

		objects[i] = old ? object_resize(old, power, 8) : NULL;
		nr_grown += old && objects[i] == old;
	}
	assert_true(nr_grown > 0); /* else nothing is shown below */
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		object_free(objects[i]);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = object_alloc(power, 8, 0);
		assert_int_equal((uintptr_t)objects[i] % power, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		object_free(objects[i]);
}

static void trim_gives_back_what_was_freed(void **state)
{
	static void *objects[4000];
	struct page_stats before, after;

	(void)state;
	slab_trim(0);
	page_stats_get(&before);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = object_alloc(1 + i, 8, 0);
		memset(objects[i], 1, 1 + i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		object_free(objects[i]);
	slab_trim(0);
	page_stats_get(&after);
	assert_true(after.released_bytes >= before.released_bytes + 6 * MIB);
	assert_int_equal(after.pcp_bytes, 0);
	/* Pages that hold magazines stay, nothing else. */
	assert_true(after.online_bytes - after.free_bytes <= before.online_bytes - before.free_bytes + MIB / 2);
	assert_int_equal(after.free_bytes, after.free_zero_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_at_every_alignment),
		cmocka_unit_test(sizes_waste_little),
		cmocka_unit_test(blocks_do_not_overlap),
		cmocka_unit_test(zeroed_is_zero_after_use),
		cmocka_unit_test(resize_keeps_the_contents),
		cmocka_unit_test(random_resizes_keep_the_contents),
		cmocka_unit_test(resize_touches_no_neighbour),
		cmocka_unit_test(a_resize_within_the_class_stays),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(nothing_of_ours_has_no_size),
		cmocka_unit_test(wrong_frees_are_reported),
		cmocka_unit_test(grown_runs_leave_powers_of_two_aligned),
		cmocka_unit_test(trim_gives_back_what_was_freed),
	};

	if (!slab_boot())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
