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

static void physical_addresses(void **state)
{
	struct page *page = alloc_pages(GFP_KERNEL, 1);
	char *address = page_address(page);
	static int foreign;

	(void)state;
	assert_int_equal(page_to_phys(page), (phys_addr_t)page_to_pfn(page) << PAGE_SHIFT);
	assert_int_equal(virt_to_phys(address + 5000), page_to_phys(page) + 5000);
	assert_int_equal(__pa(address), page_to_phys(page));
	assert_int_equal(__pa((unsigned long)address), page_to_phys(page));
	assert_ptr_equal(__va(__pa(address + 17)), address + 17);
	assert_ptr_equal(pfn_to_virt(virt_to_pfn(address)), address);
	assert_null(phys_to_virt(~0ull));
	assert_true(virt_addr_valid(address));
	assert_false(virt_addr_valid(&foreign));
	assert_false(PageHighMem(page));
	__free_pages(page, 1);
}

static void references_keep_a_page(void **state)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char *address = page_address(page);

	(void)state;
	assert_int_equal(page_count(page), 1);
	get_page(page);
	get_page(page);
	assert_int_equal(page_count(page), 3);
	*address = 'k';
	__free_page(page);
	assert_int_equal(page_count(page), 2);
	put_page(page);
	assert_int_equal(page_count(page), 1);
	assert_int_equal(*address, 'k');
	put_page(page);
	assert_int_equal(page_count(page), 0);
	/* A block whose first page somebody has a reference to: the rest goes. */
	page = alloc_pages(GFP_KERNEL, 4);
	address = page_address(page);
	*address = 'b';
	get_page(page);
	__free_pages(page, 4);
	assert_int_equal(page_count(page), 1);
	assert_int_equal(*address, 'b');
	put_page(page);
}

static void compound_pages_are_one(void **state)
{
	(void)state;
	for (unsigned int order = 1; order <= MAX_PAGE_ORDER; order++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

		assert_true(PageHead(page) && PageCompound(page) && !PageTail(page));
		assert_int_equal(compound_order(page), order);
		assert_int_equal(compound_nr(page), 1ul << order);
		assert_int_equal(page_size(page), PAGE_SIZE << order);
		for (unsigned long i = 1; i < 1ul << order; i++) {
			struct page *tail = pfn_to_page(page_to_pfn(page) + i);

			assert_true(PageTail(tail) && PageCompound(tail) && !PageHead(tail));
			assert_ptr_equal(compound_head(tail), page);
			assert_int_equal(compound_order(tail), 0);
		}
		assert_ptr_equal(virt_to_head_page((char *)page_address(page) + (PAGE_SIZE << order) - 1), page);
		get_page(pfn_to_page(page_to_pfn(page) + 1));
		assert_int_equal(page_count(page), 2);
		__free_pages(page, order);
		assert_int_equal(page_count(pfn_to_page(page_to_pfn(page) + 1)), 1);
		assert_true(PageHead(page));
		put_page(pfn_to_page(page_to_pfn(page) + 1));
		assert_int_equal(page_count(page), 0);
		assert_false(PageCompound(page));
	}
}

static void other_pages_are_not_compound(void **state)
{
	struct page *single = alloc_pages(GFP_KERNEL | __GFP_COMP, 0), *block = alloc_pages(GFP_KERNEL, 3);
	void *object = kmalloc(100, GFP_KERNEL);

	(void)state;
	assert_false(PageCompound(single));
	assert_false(PageCompound(block));
	assert_false(PageCompound(pfn_to_page(page_to_pfn(block) + 3)));
	assert_ptr_equal(compound_head(block), block);
	assert_int_equal(compound_order(block), 0);
	/* A slab's pages belong together. */
	assert_true((char *)page_address(virt_to_head_page(object)) <= (char *)object);
	__free_pages(single, 0);
	__free_pages(block, 3);
	kfree(object);
}

static void a_split_block_is_freed_page_by_page(void **state)
{
	struct page *pages[16];
	struct page *block = alloc_pages(GFP_KERNEL, 4);

	(void)state;
	split_page(block, 4);
	for (unsigned long i = 0; i < 16; i++) {
		pages[i] = pfn_to_page(page_to_pfn(block) + i);
		assert_int_equal(page_count(pages[i]), 1);
	}
	for (unsigned long i = 0; i < 16; i++)
		__free_page(pages[i * 7 % 16]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_order_is_the_smallest),
		cmocka_unit_test(page_constants),
		cmocka_unit_test(the_three_names_agree),
		cmocka_unit_test(kmalloc_has_pages),
		cmocka_unit_test(other_memory_has_none),
		cmocka_unit_test(physical_addresses),
		cmocka_unit_test(references_keep_a_page),
		cmocka_unit_test(compound_pages_are_one),
		cmocka_unit_test(other_pages_are_not_compound),
		cmocka_unit_test(a_split_block_is_freed_page_by_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
