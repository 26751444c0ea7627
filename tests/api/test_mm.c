/*
 * test_mm.c: each statement of include/linux/mm.h. The semantics were compared with those of Linux 6.1.
 *
 * Uses the public headers only.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void get_order_is_the_smallest(void **state)
{
	(void)state;
	assert_int_equal(get_order(1), 0);
	assert_int_equal(get_order(PAGE_SIZE), 0);
	assert_int_equal(get_order(PAGE_SIZE + 1), 1);
	assert_int_equal(get_order(KMALLOC_MAX_SIZE), MAX_PAGE_ORDER);
	for (unsigned long size = 1; size <= KMALLOC_MAX_SIZE; size += size / 7 + 1) {
		int order = get_order(size);

		assert_true(PAGE_SIZE << order >= size);
		assert_true(order == 0 || PAGE_SIZE << (order - 1) < size);
	}
	assert_int_equal(get_order(1ul << 40), 28);
}

static void page_constants(void **state)
{
	(void)state;
	assert_int_equal(PAGE_SIZE, 1ul << PAGE_SHIFT);
	assert_int_equal(PAGE_MASK, ~(PAGE_SIZE - 1));
	assert_int_equal(PAGE_ALIGN(1ul), PAGE_SIZE);
	assert_int_equal(PAGE_ALIGN(PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(PAGE_ALIGN(0ul), 0);
}

/* Page, address and number name the same frame. */
static void the_three_names_agree(void **state)
{
	struct page *page = alloc_pages(GFP_KERNEL, 4);
	char *address = page_address(page);

	(void)state;
	assert_ptr_equal(virt_to_page(address), page);
	assert_ptr_equal(pfn_to_page(page_to_pfn(page)), page);
	for (unsigned long i = 0; i < 16; i++) {
		struct page *tail = virt_to_page(address + i * PAGE_SIZE + 17);

		assert_int_equal(page_to_pfn(tail), page_to_pfn(page) + i);
		assert_ptr_equal(page_address(tail), address + i * PAGE_SIZE);
		assert_true(pfn_valid(page_to_pfn(tail)));
	}
	__free_pages(page, 4);
}

static void kmalloc_has_pages(void **state)
{
	(void)state;
	for (size_t size = 1; size <= KMALLOC_MAX_SIZE; size = size * 3 + 1) {
		char *object = kmalloc(size, GFP_KERNEL);
		struct page *page = virt_to_page(object);
		struct page *last = virt_to_page(object + size - 1);

		assert_non_null(page);
		assert_ptr_equal((char *)page_address(page) + (uintptr_t)object % PAGE_SIZE, object);
		/* Physically contiguous. */
		assert_int_equal(
			page_to_pfn(last) - page_to_pfn(page), ((uintptr_t)object % PAGE_SIZE + size - 1) / PAGE_SIZE);
		kfree(object);
	}
}

static void other_memory_has_none(void **state)
{
	static int foreign;
	int local;

	(void)state;
	assert_null(virt_to_page(&foreign));
	assert_null(virt_to_page(&local));
	assert_null(virt_to_page(NULL));
	assert_null(virt_to_page((void *)~0ul));
	assert_false(pfn_valid(~0ul));
	assert_false(pfn_valid(0));
	assert_false(pfn_valid(1ul << 51));
	assert_null(pfn_to_page(~0ul));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_order_is_the_smallest),
		cmocka_unit_test(page_constants),
		cmocka_unit_test(the_three_names_agree),
		cmocka_unit_test(kmalloc_has_pages),
		cmocka_unit_test(other_memory_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
