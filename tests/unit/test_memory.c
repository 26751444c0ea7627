/*
 * test_memory.c: the direct map: limited address space is used to the end and comes back, fork keeps the zones whole.
 *
 * Each machine-wide setting needs a process of its own: the tests that set one run in a child, before this process boots.
 * Sanitizers need more address space than the limits here; they run the same code with the window as the limit.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/page/internal.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"

#define MIB (1ul << 20)
#define NO_REPLY 99
#define MOST_PAGES 4096 /* of a mapping: emulators keep a table of all pages that ever were mapped */
#define NR_FORKS 100
#define NR_FORKS_EMULATED 5 /* each takes seconds */

/* In a child, assertions of cmocka would go on in a copy of the test program: a wrong step is its exit code instead. */
#define CHECK(step, condition)       \
	do {                         \
		if (!(condition))    \
			return step; \
	} while (0)

static int run_in_child(int (*body)(size_t argument), size_t argument)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(body(argument));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : NO_REPLY;
}

/* ---- limited address space ---- */

static size_t mapped_bytes(void)
{
	char buffer[64];

	if (host_read_file("/proc/self/statm", buffer, sizeof(buffer)) < 0)
		return 0;
	return (size_t)atol(buffer) * 4096;
}

/* Returns what is left of the limit, before boot. */
static size_t boot_under_limit(size_t limit)
{
	struct rlimit rlimit = {.rlim_cur = limit, .rlim_max = limit};
	size_t left = limit - mapped_bytes();

	if (SANITIZED)
		return memory_boot_with(limit, 1ul << 33) ? 0 : limit;
	if (setrlimit(RLIMIT_AS, &rlimit) || memory_boot())
		return 0;
	return left;
}

static void skip_without_limits(void)
{
	if (skip_emulated(NO_LIMITS))
		skip();
	skip_sanitized(SANITIZERS_LIMITS);
}

/* Takes blocks until there are none, linked through their first word. Returns the bytes taken. */
static size_t take_all(unsigned int order, uintptr_t **first)
{
	size_t taken = 0;
	struct page *page;

	*first = NULL;
	while ((page = page_alloc(order, 0))) {
		uintptr_t *block = page_to_addr(page);

		block[0] = (uintptr_t)*first;
		block[1] = (uintptr_t)block ^ 0x5555;
		*first = block;
		taken += PAGE_SIZE << order;
	}
	return taken;
}

static bool free_all(unsigned int order, uintptr_t *block)
{
	uintptr_t *next;

	for (; block; block = next) {
		if (block[1] != ((uintptr_t)block ^ 0x5555))
			return false;
		next = (uintptr_t *)block[0];
		page_free(pfn_to_page_struct(addr_to_pfn(block)), order);
	}
	page_check();
	return true;
}

static size_t largest_mapping(size_t most)
{
	for (size_t size = most; size > MIB; size -= MIB) {
		void *addr = large_alloc(size, PAGE_SIZE, PAGE_ALLOC_ZERO);

		if (addr) {
			memset(addr, 1, PAGE_SIZE);
			return large_free(addr) ? size : 0;
		}
	}
	return 0;
}

static int small_then_big_then_small(size_t limit)
{
	size_t left = boot_under_limit(limit);
	uintptr_t *blocks;
	size_t first;

	CHECK(1, left);
	CHECK(2, memory.limited);
	first = take_all(0, &blocks);
	CHECK(3, first >= left / 10 * 6);
	CHECK(4, free_all(0, blocks));
	CHECK(5, SANITIZED || largest_mapping(left) >= left / 10 * 8);
	CHECK(6, take_all(3, &blocks) >= first);
	CHECK(7, free_all(3, blocks));
	CHECK(8, SANITIZED || largest_mapping(left) >= left / 10 * 8);
	return 0;
}

static int tiny_limit(size_t limit)
{
	uintptr_t *blocks;
	size_t first;
	void *addr;

	CHECK(1, boot_under_limit(limit));
	first = take_all(0, &blocks);
	CHECK(2, first >= 8 * MIB);
	CHECK(3, free_all(0, blocks));
	addr = large_alloc(first, PAGE_SIZE, PAGE_ALLOC_ZERO);
	CHECK(4, addr);
	CHECK(5, large_free(addr));
	CHECK(6, take_all(0, &blocks) >= first);
	CHECK(7, free_all(0, blocks));
	return 0;
}

static int foreign_mapping_in_window(size_t limit)
{
	unsigned long foreign;
	uintptr_t *blocks;
	char *addr;

	CHECK(1, !memory_boot_with(limit, 1ul << 33));
	CHECK(2, memory.limited);
	foreign = memory.first_pfn + 2 * SECTION_PAGES + 17;
	addr = pfn_to_addr(foreign);
	CHECK(3, !host_map_at(addr, PAGE_SIZE));
	*addr = 77;
	CHECK(4, take_all(5, &blocks) >= limit);
	CHECK(5, *addr == 77);
	CHECK(6, !page_pfn_online(foreign));
	CHECK(7, page_pfn_online(memory.first_pfn + 3 * SECTION_PAGES));
	CHECK(8, free_all(5, blocks));
	return 0;
}

/* Sections that went off line come back, all of them, and hold what is written to them. */
static int sections_come_back(size_t limit)
{
	uintptr_t *blocks;
	size_t first;

	CHECK(1, !memory_boot_with(limit, 1ul << 33));
	first = take_all(0, &blocks);
	CHECK(2, free_all(0, blocks));
	CHECK(3, memory_make_room(limit * 4));
	CHECK(4, !memory_make_room(limit * 4));
	CHECK(5, !page_pfn_online(memory.first_pfn));
	CHECK(6, take_all(0, &blocks) == first);
	CHECK(7, page_pfn_online(memory.first_pfn));
	CHECK(8, free_all(0, blocks));
	return 0;
}

/* Sanitizers map memory of their own: with them the library is told a limit, and what is left of it is not looked at. */
static void a_limit_of_256_mib_is_used_and_recovers(void **state)
{
	(void)state;
	skip_without_limits();
	assert_int_equal(run_in_child(small_then_big_then_small, 256 * MIB), 0);
}

static void a_limit_of_1_gib_is_used_and_recovers(void **state)
{
	(void)state;
	skip_without_limits();
	assert_int_equal(run_in_child(small_then_big_then_small, 1024 * MIB), 0);
}

static void a_limit_of_32_mib_is_enough(void **state)
{
	(void)state;
	skip_without_limits();
	assert_int_equal(run_in_child(tiny_limit, 32 * MIB), 0);
}

static void a_foreign_mapping_is_a_hole(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(foreign_mapping_in_window, 64 * MIB), 0);
}

static void free_sections_go_and_come_back(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(sections_come_back, 64 * MIB), 0);
}

/* ---- reserved ---- */

/* Resident bytes without those of files: a fork child faults the program's own text in anew. */
static size_t anonymous_bytes(void)
{
	size_t total, resident, shared;
	char buffer[128];

	if (host_read_file("/proc/self/statm", buffer, sizeof(buffer)) < 0)
		return 0;
	if (sscanf(buffer, "%zu %zu %zu", &total, &resident, &shared) != 3)
		return 0;
	return (resident - shared) * host_page_size();
}

static int boot_is_cheap(size_t argument)
{
	size_t before = anonymous_bytes();

	(void)argument;
	CHECK(1, !memory_boot());
	CHECK(2, !memory.limited);
	CHECK(3, page_alloc(0, 0));
	CHECK(4, SANITIZED || emulated() || (before && anonymous_bytes() <= before + 128 * 1024));
	return 0;
}

static void boot_touches_little_memory(void **state)
{
	(void)state;
	(void)(skip_sanitized(SANITIZERS_RESIDENT) || skip_emulated(NO_RESIDENT));
	assert_int_equal(run_in_child(boot_is_cheap, 0), 0);
}

static void new_pages_have_class_bytes(void **state)
{
	struct page *pages[16];

	(void)state;
	for (int i = 0; i < 16; i++) {
		unsigned long pfn;

		pages[i] = page_alloc(MAX_ORDER, PAGE_ALLOC_ZERO);
		assert_non_null(pages[i]);
		pfn = page_struct_to_pfn(pages[i]);
		assert_true(pfn + SECTION_PAGES <= percpu_fast.nr_pfns);
		assert_int_equal(*class_byte(pfn), 0);
		assert_int_equal(*class_byte(pfn + SECTION_PAGES - 1), 0);
		assert_int_equal(addr_to_pfn(page_to_addr(pages[i])), pfn);
		assert_int_equal((uintptr_t)page_to_addr(pages[i]) % SECTION_BYTES, 0);
		pages[i][SECTION_PAGES - 1].private_data = NULL;
	}
	for (unsigned long pfn = 0; pfn < memory.first_pfn; pfn += 64)
		assert_int_equal(*class_byte(pfn), 0);
	for (int i = 0; i < 16; i++)
		page_free(pages[i], MAX_ORDER);
	page_check();
}

/* ---- fork ---- */

static int stop_threads;

static void *use_everything(void *arg)
{
	unsigned int order = (unsigned int)(uintptr_t)arg;

	while (!__atomic_load_n(&stop_threads, __ATOMIC_RELAXED)) {
		struct page *page = page_alloc(order % (MAX_ORDER + 1), 0);
		void *large = large_alloc(PAGE_SIZE * (1 + order % MOST_PAGES), PAGE_SIZE, PAGE_ALLOC_ZERO);

		if (!page || !large)
			return (void *)1;
		*(char *)page_to_addr(page) = 1;
		large = large_resize(large, PAGE_SIZE * (8 + order % MOST_PAGES));
		page_free(page, order % (MAX_ORDER + 1));
		if (!large_free(large))
			return (void *)1;
		if (order % 4 == 0)
			page_release(0);
		order++;
	}
	return NULL;
}

/* The child must find every lock free and every list whole, whatever the other threads were doing. */
static int child_of_fork(void)
{
	void *large;

	page_fork_child();
	lock_fork_end();
	page_check();
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		struct page *page = page_alloc(order, PAGE_ALLOC_ZERO);

		CHECK(1, page && !*(char *)page_to_addr(page));
		page_free(page, order);
	}
	large = large_alloc(5 * MIB, PAGE_SIZE, PAGE_ALLOC_ZERO);
	CHECK(2, large && large_size(large) == 5 * MIB);
	CHECK(3, large_free(large));
	page_release(0);
	page_check();
	return 0;
}

static int fork_once(void)
{
	pid_t pid;
	int status;

	lock_fork_begin();
	page_fork_prepare();
	pid = fork();
	if (!pid)
		_exit(child_of_fork());
	page_fork_parent();
	lock_fork_end();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return NO_REPLY;
	return WIFEXITED(status) ? WEXITSTATUS(status) : NO_REPLY;
}

static void a_fork_child_finds_everything_whole(void **state)
{
	pthread_t threads[3];
	void *bad;

	(void)state;
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_everything, (void *)(i * 3)), 0);
	for (int i = 0; i < (emulated() ? NR_FORKS_EMULATED : NR_FORKS); i++)
		assert_int_equal(fork_once(), 0);
	__atomic_store_n(&stop_threads, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	page_check();
}

static void boot_once(void **state)
{
	(void)state;
	assert_int_equal(memory_boot(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_of_32_mib_is_enough),
		cmocka_unit_test(a_limit_of_256_mib_is_used_and_recovers),
		cmocka_unit_test(a_limit_of_1_gib_is_used_and_recovers),
		cmocka_unit_test(a_foreign_mapping_is_a_hole),
		cmocka_unit_test(free_sections_go_and_come_back),
		cmocka_unit_test(boot_touches_little_memory),
		cmocka_unit_test(boot_once),
		cmocka_unit_test(new_pages_have_class_bytes),
		cmocka_unit_test(a_fork_child_finds_everything_whole),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
