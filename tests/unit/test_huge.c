/*
 * test_huge.c: what lies on huge pages, by what the kernel says of it; and that memory with frames never counts as zero.
 *
 * Links with the page room and those below only. FLAGSTONE_CONF chooses thp, and sets thp_after to 32 MiB. What the kernel was told is read from the flags
 * of /proc/self/smaps: "hg" for huge pages, "nh" for none; what it did about that, from mincore and AnonHugePages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"
#include "runtime/page/internal.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"

#define HUGE_PAGES (1u << HUGE_ORDER)
#define MIB (1ul << 20)
#define MOST_BLOCKS 64
#define THP_ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

/* ---- what the kernel says ---- */

struct vma {
	char flags[256]; /* " rd wr ..." */
	size_t huge_bytes;
};

/* Of the mapping that addr lies in; false if there is none. */
static bool vma_of(const void *addr, struct vma *vma)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool within = false, found = false;
	unsigned long start, end;
	char line[512];

	assert_non_null(smaps);
	while (!found && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			within = (uintptr_t)addr >= start && (uintptr_t)addr < end;
		if (within && sscanf(line, "AnonHugePages: %zu", &vma->huge_bytes) == 1)
			vma->huge_bytes *= 1024;
		found = within && sscanf(line, "VmFlags:%255[^\n]", vma->flags) == 1;
	}
	fclose(smaps);
	return found;
}

static bool advised(const struct page *page, const char *flag)
{
	struct vma vma;
	char word[8];

	snprintf(word, sizeof(word), " %s", flag);
	assert_true(vma_of(page_to_addr(page), &vma));
	return strstr(vma.flags, word);
}

static bool kernel_tells(void)
{
	char text[64];
	struct vma vma;

	return !emulated() && host_read_file(THP_ENABLED, text, sizeof(text)) > 0 && vma_of(text, &vma);
}

static bool kernel_gives_huge_pages(void)
{
	char text[64];

	return host_read_file(THP_ENABLED, text, sizeof(text)) > 0 && !strstr(text, "[never]");
}

/* ---- what this room says ---- */

static bool has_frames(const struct page *page, size_t nr_pages)
{
	static unsigned char in_core[1 << MAX_ORDER];

	assert_int_equal(mincore(page_to_addr(page), nr_pages << PAGE_SHIFT, in_core), 0);
	return memchr(in_core, 1, nr_pages);
}

static void free_zero_memory_has_no_frames(void)
{
	const struct page *page;

	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		list_for_each_entry(page, &zones[ZONE_HOSTED].area[order].zero, list)
			assert_false(has_frames(page, 1ul << order));
	}
}

static struct page *taken[MOST_BLOCKS];
static unsigned int nr_taken;

/* Takes blocks until we have the one of that page number. */
static struct page *take(unsigned long pfn)
{
	for (unsigned int i = 0; i < MOST_BLOCKS; i++) {
		if (i == nr_taken)
			taken[nr_taken++] = page_alloc(MAX_ORDER, 0);
		assert_non_null(taken[i]);
		if (page_struct_to_pfn(taken[i]) == pfn)
			return taken[i];
	}
	fail();
	return NULL;
}

/* The test gives that one back by itself. */
static void forget(const struct page *page)
{
	unsigned int i = 0;

	while (taken[i] != page)
		i++;
	taken[i] = taken[--nr_taken];
}

static int give_all(void **state)
{
	(void)state;
	while (nr_taken)
		page_free(taken[--nr_taken], MAX_ORDER);
	page_release(0);
	page_check();
	return 0;
}

static unsigned long huge_from(void)
{
	return memory.first_pfn + (tunable_thp == THP_ALWAYS ? 0 : tunable_thp_after >> PAGE_SHIFT);
}

/* ---- tests ---- */

/* Its own process, since an address space is chosen once. */
static void limited_memory(void *arg)
{
	struct page *page;

	(void)arg;
	tunable_thp = THP_ALWAYS;
	if (memory_boot_with(512 * MIB, 4096 * MIB) || !memory.limited)
		_exit(1);
	page = page_alloc(MAX_ORDER, 0);
	if (!advised(page, "nh"))
		_exit(2);
	page_free(page, MAX_ORDER);
	if (!memory_make_room(SECTION_BYTES) || page_pfn_online(page_struct_to_pfn(page)))
		_exit(3);
	if (page_alloc(MAX_ORDER, 0) != page || !advised(page, "nh"))
		_exit(4);
	if (huge_wanted(memory.limit_pfn - 1))
		_exit(5);
}

static void memory_under_a_limit_lies_on_small_pages(void **state)
{
	char output[1000];

	(void)state;
	if (!kernel_tells())
		skip();
	assert_int_equal(child_run(limited_memory, NULL, output, sizeof(output)), 0);
}

static void the_beginning_lies_on_small_pages(void **state)
{
	struct page *page = page_alloc(4, 0);

	(void)state;
	if (!kernel_tells())
		skip();
	assert_int_equal(page_struct_to_pfn(page), memory.first_pfn);
	assert_true(advised(page, tunable_thp == THP_ALWAYS ? "hg" : "nh"));
	page_free(page, 4);
}

static void growth_lies_on_huge_pages_one_by_one(void **state)
{
	struct page *page;
	struct vma vma;

	(void)state;
	if (!kernel_tells())
		skip();
	/* Up to the block before the first huge one: what comes next is the first of it. */
	if (tunable_thp == THP_AUTO)
		take(huge_from() - SECTION_PAGES);
	page = page_alloc(4, 0);
	if (tunable_thp == THP_NEVER) {
		assert_true(advised(page, "nh"));
		page_free(page, 4);
		return;
	}
	assert_int_equal(page_struct_to_pfn(page), huge_from());
	assert_true(advised(page, "hg"));
	assert_false(advised(page + HUGE_PAGES, "hg"));
	assert_int_equal(zones[ZONE_HOSTED].nr_free - zones[ZONE_HOSTED].nr_free_zero, HUGE_PAGES - 16);
	*(char *)page_to_addr(page) = 1;
	free_zero_memory_has_no_frames();
	assert_true(vma_of(page_to_addr(page), &vma));
	if (!kernel_gives_huge_pages())
		skip_part("frames of huge pages: this kernel is set to give none (" THP_ENABLED ")");
	else if (!vma.huge_bytes)
		skip_part("frames of huge pages: the kernel found no room for one");
	else
		assert_true(has_frames(page + HUGE_PAGES - 1, 1));
	page_free(page, 4);
}

/* What goes back of a huge page would come back with it, unless the kernel is told. */
static void parts_given_back_are_not_collected_again(void **state)
{
	struct page *block;

	(void)state;
	if (!kernel_tells() || tunable_thp == THP_NEVER)
		skip();
	block = take(huge_from());
	forget(block);
	assert_true(advised(block, "hg"));
	memset(page_to_addr(block), 1, PAGE_SIZE << MAX_ORDER);
	page_free(block + HUGE_PAGES / 2, HUGE_ORDER - 1);
	page_release(0);
	assert_true(advised(block, "nh"));
	assert_true(advised(block + HUGE_PAGES / 2, "nh"));
	assert_true(advised(block + HUGE_PAGES, "hg"));
	assert_false(has_frames(block + HUGE_PAGES / 2, HUGE_PAGES / 2));
	assert_true(has_frames(block, 1));
	free_zero_memory_has_no_frames();
	/* Whole again, it is claimed again. */
	page_free(block, HUGE_ORDER - 1);
	page_free(block + HUGE_PAGES, HUGE_ORDER);
	page_release(0);
	take(huge_from());
	assert_true(advised(block, "hg"));
}

/* One call gives back neighbours, and they may lie on either side of the first huge page. */
static void a_run_across_the_first_huge_page_is_no_exception(void **state)
{
	struct page *first;

	(void)state;
	if (!kernel_tells() || tunable_thp != THP_AUTO)
		skip();
	first = take(huge_from());
	forget(take(huge_from() - SECTION_PAGES));
	forget(first);
	memset(page_to_addr(first - 16), 1, PAGE_SIZE * 32);
	page_free(first - 16, 4);
	page_free(first, 4);
	page_release(0);
	assert_true(advised(first, "nh"));
	assert_true(advised(first - 16, "nh"));
	free_zero_memory_has_no_frames();
	for (unsigned int part = 0; part < SECTION_PAGES / 16 - 1; part++) {
		page_free(first - SECTION_PAGES + 16 * part, 4);
		page_free(first + 16 * (part + 1), 4);
	}
}

/* Blocks come, are touched in one place, and go, in every way there is; after each step, the two sides agree. */
static void memory_with_frames_never_counts_as_zero(void **state)
{
	struct page *blocks[200] = {0};
	unsigned char orders[200];
	uint32_t seed = 20261;

	(void)state;
	if (emulated())
		skip();
	if (tunable_thp == THP_AUTO)
		take(huge_from() - SECTION_PAGES);
	for (int i = 0; i < (SANITIZED ? 1500 : 6000); i++) {
		unsigned int at = random_below(&seed, ARRAY_SIZE(blocks));

		if (blocks[at]) {
			page_free(blocks[at], orders[at]);
			blocks[at] = NULL;
		} else {
			orders[at] = (unsigned char)random_below(&seed, random_below(&seed, 8) ? 5 : MAX_ORDER);
			blocks[at] = page_alloc(orders[at], 0);
			if (random_below(&seed, 2))
				*((char *)page_to_addr(blocks[at]) + (PAGE_SIZE << orders[at]) - 1) = 1;
		}
		if (random_below(&seed, 64) == 0)
			page_age();
		if (random_below(&seed, 256) == 0)
			page_release(random_below(&seed, 4) * MIB);
		if (i % 16 == 0) {
			page_drain_lists();
			free_zero_memory_has_no_frames();
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++) {
		if (blocks[i])
			page_free(blocks[i], orders[i]);
	}
}

/* By itself, or with others of so many bytes in all. */
static bool mapping_advised(size_t size, size_t others, const char *flag)
{
	void *other = others ? large_alloc(others, PAGE_SIZE, 0) : NULL;
	void *addr = large_alloc(size, PAGE_SIZE, 0);
	struct vma vma;
	bool is;

	assert_non_null(addr);
	assert_true(vma_of(addr, &vma));
	is = strstr(vma.flags, flag);
	assert_true(large_free(addr));
	assert_true(!other || large_free(other));
	return is;
}

static void mappings_lie_on_huge_pages_where_a_process_has_grown(void **state)
{
	(void)state;
	if (!kernel_tells())
		skip();
	if (tunable_thp == THP_NEVER) {
		assert_true(mapping_advised(64 * MIB, 0, " nh"));
		assert_true(mapping_advised(6 * MIB, 64 * MIB, " nh"));
		return;
	}
	assert_true(mapping_advised(64 * MIB, 0, " hg"));
	assert_true(mapping_advised(6 * MIB, 30 * MIB, " hg"));
	assert_int_equal(mapping_advised(6 * MIB, 20 * MIB, " hg"), tunable_thp == THP_ALWAYS);
}

static int boot(void **state)
{
	(void)state;
	tunables_parse(host_getenv("FLAGSTONE_CONF"));
	return memory_boot();
}

int main(void)
{
	const struct CMUnitTest before_boot[] = {
		cmocka_unit_test(memory_under_a_limit_lies_on_small_pages),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_beginning_lies_on_small_pages, give_all),
		cmocka_unit_test_teardown(growth_lies_on_huge_pages_one_by_one, give_all),
		cmocka_unit_test_teardown(parts_given_back_are_not_collected_again, give_all),
		cmocka_unit_test_teardown(a_run_across_the_first_huge_page_is_no_exception, give_all),
		cmocka_unit_test_teardown(memory_with_frames_never_counts_as_zero, give_all),
		cmocka_unit_test_teardown(mappings_lie_on_huge_pages_where_a_process_has_grown, give_all),
	};
	int failed;

	if (!kernel_tells())
		skip_part("what is advised: this kernel does not tell, or there is an emulator between");
	failed = cmocka_run_group_tests(before_boot, NULL, NULL);
	return test_status(cmocka_run_group_tests(tests, boot, NULL) + failed);
}
