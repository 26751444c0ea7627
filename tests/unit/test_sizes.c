/*
 * test_sizes.c: every request gets a class that holds it and wastes little.
 *
 * Broken if this fails: objects overlap (a class smaller than its request), memory is wasted, or powers of two are not
 * aligned to themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/slab/slab.h"

static void every_size_fits_its_class(void **state)
{
	(void)state;
	for (size_t size = 0; size <= CLASS_MAX_SIZE; size++) {
		unsigned int class = size_to_class(size);

		assert_in_range(class, 1, NR_CLASSES);
		assert_true(class_to_size(class) >= size);
		/* The smallest that does. */
		assert_true(class == 1 || class_to_size(class - 1) < size);
	}
}

static void classes_waste_at_most_an_eighth(void **state)
{
	(void)state;
	for (size_t size = 1; size <= CLASS_MAX_SIZE; size++) {
		size_t waste = class_to_size(size_to_class(size)) - size;

		if (size > 128)
			assert_true(waste * 8 <= size);
		else
			assert_true(waste < 16);
	}
}

static void larger_sizes_have_no_class(void **state)
{
	(void)state;
	assert_int_equal(size_to_class(CLASS_MAX_SIZE), NR_CLASSES);
	for (size_t size = CLASS_MAX_SIZE + 1; size <= CLASS_MAX_SIZE + 9000; size++)
		assert_true(size_to_class(size) > NR_CLASSES);
}

static void classes_ascend_and_are_aligned(void **state)
{
	(void)state;
	for (unsigned int class = 1; class <= NR_CLASSES; class ++) {
		assert_int_equal(size_to_class(class_to_size(class)), class);
		assert_int_equal(class_to_size(class) % (class == 1 ? 8 : 16), 0);
		if (class > 1)
			assert_true(class_to_size(class) > class_to_size(class - 1));
	}
}

/* Or cold classes' objects would be too small, lose their alignment, or waste more than they save. */
static void a_loose_class_serves_up_to_four(void **state)
{
	unsigned int nr_served = 0;

	(void)state;
	for (unsigned int class = 1; class <= NR_CLASSES; class ++) {
		unsigned int loose = class_to_loose(class);

		assert_true(loose >= class && loose <= NR_CLASSES);
		assert_int_equal(class_to_loose(loose), loose);
		assert_int_equal(class_to_size(loose) % (class_to_size(class) >= 16 ? 16 : 8), 0);
		assert_true(2 * class_to_size(loose) < 3 * class_to_size(class));
		nr_served = class > 1 && loose == class_to_loose(class - 1) ? nr_served + 1 : 1;
		assert_true(nr_served <= 4);
	}
}

static void powers_of_two_are_classes(void **state)
{
	(void)state;
	for (size_t size = 8; size <= CLASS_MAX_SIZE; size *= 2)
		assert_int_equal(class_to_size(size_to_class(size)), size);
}

/* Slabs are aligned to their size: an object is aligned to its own if the slab holds at least one. */
static void powers_of_two_are_aligned_to_themselves(void **state)
{
	(void)state;
	assert_true(slab_boot());
	for (size_t size = 8; size <= SLAB_MAX_SIZE; size *= 2) {
		struct kmem_cache *cache = &kmalloc_caches[size_to_class(size)];

		assert_int_equal(cache->size, size);
		assert_int_equal((PAGE_SIZE << cache->order) % size, 0);
		for (int i = 0; i < 100; i++) {
			void *object = object_alloc(size, 1, 0);

			assert_non_null(object);
			assert_int_equal((uintptr_t)object % size, 0);
			if (i % 3)
				object_free(object);
		}
	}
}

/* A slab's bitmap must fit the structs of its tail pages, and its count the 16 bits of struct page. */
static void every_class_has_a_bitmap(void **state)
{
	(void)state;
	for (unsigned int class = 1; class <= NR_SLAB_CLASSES; class ++) {
		struct kmem_cache *cache = &kmalloc_caches[class];
		size_t bitmap_bytes = ((1ul << cache->order) - 1) * sizeof(struct page);

		assert_true(cache->nr_objects > 0 && cache->nr_objects <= UINT16_MAX);
		assert_true(cache->nr_objects <= bitmap_bytes * 8);
		assert_true((size_t)cache->nr_objects * cache->size <= PAGE_SIZE << cache->order);
		assert_in_range(cache->max_capacity, 2, MAGAZINE_MAX_CAPACITY);
	}
}

static void size_table_agrees(void **state)
{
	const unsigned char *sizes = (const unsigned char *)percpu_fast.anchor + PERCPU_SIZE_TABLE;

	(void)state;
	assert_int_equal(percpu_fast.size_limit, SIZE_TABLE_MAX + 1);
	for (size_t size = 0; size <= SIZE_TABLE_MAX; size++)
		assert_int_equal(sizes[size], 2 * size_to_class(size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_fits_its_class),
		cmocka_unit_test(classes_waste_at_most_an_eighth),
		cmocka_unit_test(larger_sizes_have_no_class),
		cmocka_unit_test(classes_ascend_and_are_aligned),
		cmocka_unit_test(a_loose_class_serves_up_to_four),
		cmocka_unit_test(powers_of_two_are_classes),
		cmocka_unit_test(powers_of_two_are_aligned_to_themselves),
		cmocka_unit_test(every_class_has_a_bitmap),
		cmocka_unit_test(size_table_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
