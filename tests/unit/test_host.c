/*
 * test_host.c: the host room: mappings, environment, files, futex, signals, abort.
 *
 * Links with host only.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "tests/emulated.h"
#include "tests/unit/child.h"

#define MIB ((size_t)1 << 20)

static size_t page;
/* main() runs this program again with FLAGSTONE_EARLY set, so that /proc/self/environ has it. Emulators cannot. */
static bool restarted;

/* Whether every page of the range is mapped: msync says ENOMEM for a hole, and writes nothing of private memory. */
static bool is_mapped(void *addr, size_t size)
{
	return msync(addr, size, MS_ASYNC) == 0;
}

static void test_reserve_is_aligned_and_trims_its_slack(void **state)
{
	size_t align;

	(void)state;
	for (align = 4096; align <= 64 * MIB; align *= 2) {
		size_t size = 4 * page;
		char *range = host_reserve(size, align);

		assert_non_null(range);
		assert_int_equal((uintptr_t)range % align, 0);
		assert_true(is_mapped(range, size));
		host_unmap(range, size);
		assert_false(is_mapped(range, size));
	}
}

/* Bytes of address space in use, by the first number of statm. */
static size_t address_space(void)
{
	char buffer[128];

	assert_true(host_read_file("/proc/self/statm", buffer, sizeof(buffer)) > 0);
	return strtoul(buffer, NULL, 10) * page;
}

static void test_aligned_maps_leave_nothing_behind(void **state)
{
	size_t before = address_space();
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		size_t size = (size_t)(i + 1) * page;
		char *range = host_map_aligned(size, 4 * MIB);

		assert_non_null(range);
		assert_int_equal((uintptr_t)range % (4 * MIB), 0);
		memset(range, 0x5a, size);
		host_unmap(range, size);
	}
	assert_true(address_space() < before + 4 * MIB);
}

static void test_reserve_fails_with_null(void **state)
{
	(void)state;
	assert_null(host_reserve(SIZE_MAX & ~(page - 1), 2 * MIB));
	assert_null(host_reserve((size_t)1 << 60, page));
	assert_null(host_map((size_t)1 << 60));
}

static void touch(void *addr)
{
	*(volatile char *)addr = 1;
}

static void test_reserved_memory_faults_until_committed(void **state)
{
	char output[64];
	char *range = host_reserve(2 * page, page);
	int status = child_run(touch, range, output, sizeof(output));

	(void)state;
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(host_commit(range, page), 0);
	memset(range, 1, page);
	status = child_run(touch, range + page, output, sizeof(output));
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	host_unmap(range, 2 * page);
	assert_int_equal(host_commit(range, page), -ENOMEM);
}

static void test_map_at_never_replaces(void **state)
{
	char *range = host_map(2 * page);

	(void)state;
	memset(range, 7, 2 * page);
	assert_int_equal(host_map_at(range, page), -EEXIST);
	assert_int_equal(host_map_at(range + page, page), -EEXIST);
	assert_int_equal(range[0], 7);
	host_unmap(range + page, page);
	assert_int_equal(host_map_at(range, 2 * page), -EEXIST);
	assert_int_equal(host_map_at(range + page, page), 0);
	assert_int_equal(range[0], 7);
	assert_int_equal(range[page], 0);
	host_unmap(range, 2 * page);
}

static void test_forbidden_memory_faults_and_keeps_its_contents(void **state)
{
	char *range = host_map(2 * page);
	char output[256];

	(void)state;
	range[page] = 5;
	assert_int_equal(host_forbid(range + page, page), 0);
	assert_int_equal(WTERMSIG(child_run(touch, range + page, output, sizeof(output))), SIGSEGV);
	assert_int_equal(child_run(touch, range, output, sizeof(output)), 0);
	assert_int_equal(host_commit(range + page, page), 0);
	assert_int_equal(range[page], 5);
	host_unmap(range + page, page);
	assert_int_equal(host_reserve_at(range, page), -EEXIST);
	assert_int_equal(host_reserve_at(range + page, page), 0);
	assert_int_equal(WTERMSIG(child_run(touch, range + page, output, sizeof(output))), SIGSEGV);
	host_unmap(range, 2 * page);
}

static void test_remap_keeps_contents_and_fails_cleanly(void **state)
{
	char *range = host_map(3 * page), *moved;

	(void)state;
	memset(range, 9, 2 * page);
	/* The third page is in the way. */
	assert_null(host_remap(range, 2 * page, 4 * page, false));
	assert_int_equal(range[2 * page - 1], 9);
	moved = host_remap(range, 2 * page, 64 * page, true);
	assert_non_null(moved);
	assert_int_equal(moved[0], 9);
	assert_int_equal(moved[2 * page - 1], 9);
	assert_int_equal(moved[64 * page - 1], 0);
	assert_ptr_equal(host_remap(moved, 64 * page, page, false), moved);
	assert_false(is_mapped(moved + page, page));
	host_unmap(moved, page);
	host_unmap(range + 2 * page, page);
}

static void test_discarded_memory_reads_as_zero(void **state)
{
	char *range = host_map(4 * page);
	size_t i;

	(void)state;
	memset(range, 3, 4 * page);
	assert_int_equal(host_discard(range + page, 2 * page), 0);
	for (i = 0; i < 4 * page; i++)
		assert_int_equal(range[i], i / page == 1 || i / page == 2 ? 0 : 3);
	host_unmap(range, 4 * page);
	assert_int_equal(host_discard(range + 1, page), -EINVAL);
}

static void test_shared_memory_shows_the_same_bytes_wherever_it_is_mapped(void **state)
{
	size_t size = 4 * page;
	char *first = host_reserve(size, page), *second = host_reserve(size, page);
	int fd = host_memfd("test", size);

	(void)state;
	assert_true(fd >= 256);
	assert_int_equal(host_map_shared_at(first, size, fd, 0), 0);
	assert_int_equal(host_map_shared_at(second, page, fd, 2 * page), 0);
	first[2 * page] = 1;
	first[3 * page] = 2;
	assert_int_equal(second[0], 1);
	assert_int_equal(host_clear_shared(fd, 2 * page, page), 0);
	assert_int_equal(second[0], 0);
	assert_int_equal(first[2 * page], 0);
	assert_int_equal(first[3 * page], 2);
	host_close(fd);
	assert_int_equal(host_map_shared_at(first, size, fd, 0), -EBADF);
	assert_true(host_clear_shared(fd, 0, page) < 0);
	host_unmap(first, size);
	host_unmap(second, size);
}

static void test_populate_makes_pages_resident(void **state)
{
	unsigned char residency[8] = {0};
	char *range = host_map(8 * page);
	int result, i;

	(void)state;
	host_advise_thp(range, 8 * page, HOST_THP_NEVER);
	result = host_populate(range, 8 * page);
	/* qemu accepts any advice, and does nothing. */
	if (result == -EINVAL || !restarted)
		skip();
	assert_int_equal(result, 0);
	assert_int_equal(mincore(range, 8 * page, residency), 0);
	for (i = 0; i < 8; i++)
		assert_true(residency[i] & 1);
	host_unmap(range, 8 * page);
}

static void limit_address_space(void *argument)
{
	struct rlimit limit = {.rlim_cur = 1u << 30, .rlim_max = RLIM_INFINITY};

	(void)argument;
	if (setrlimit(RLIMIT_AS, &limit) == 0 && host_address_space_limit() == 1u << 30 &&
		!host_reserve(2ul << 30, page))
		_exit(42);
}

static void test_limits_are_the_systems(void **state)
{
	char output[64];

	(void)state;
	assert_int_equal(host_page_size(), sysconf(_SC_PAGESIZE));
	assert_int_equal(host_ram_bytes() / MIB, (size_t)sysconf(_SC_PHYS_PAGES) * page / MIB);
	/* Sanitizers need more address space than the limit, and qemu drops it. */
	if (CONFIG_RSEQ && restarted)
		assert_int_equal(WEXITSTATUS(child_run(limit_address_space, NULL, output, sizeof(output))), 42);
}

static void test_resident_bytes_follow_touched_memory(void **state)
{
	size_t before = host_resident_bytes();
	char *range = host_map(32 * MIB);

	(void)state;
	assert_true(before > 0);
	/* Sanitizers and emulators touch memory of their own. */
	if (!CONFIG_RSEQ || !restarted)
		skip();
	memset(range, 1, 32 * MIB);
	assert_in_range(host_resident_bytes(), before + 28 * MIB, before + 48 * MIB);
	host_discard(range, 32 * MIB);
	assert_in_range(host_resident_bytes(), 1, before + 8 * MIB);
	host_unmap(range, 32 * MIB);
}

static void test_cpu_bound_holds_for_this_machine(void **state)
{
	(void)state;
	assert_true(host_nr_cpu_ids() >= (unsigned int)sysconf(_SC_NPROCESSORS_CONF));
	assert_true(host_nr_cpu_ids() >= 1);
}

static void test_identities_and_clock(void **state)
{
	uint64_t first = host_clock_ns(), second;
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	host_yield();
	second = host_clock_ns();
	assert_in_range((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, first, second);
	assert_int_equal(host_getpid(), getpid());
	assert_int_equal(host_gettid(), syscall(SYS_gettid));
	assert_true(host_rseq_feature_size() >= 20);
}

static void test_membarriers_work_once_registered(void **state)
{
	int result = host_membarrier_register();

	(void)state;
	if (result == -ENOSYS || result == -EINVAL)
		skip();
	assert_int_equal(result, 0);
	assert_int_equal(host_membarrier(), 0);
	assert_int_equal(host_membarrier_rseq(), 0);
}

/* Registering twice for one thread is refused, by glibc's registration or by the first call here. */
static void test_rseq_registration_reports_errors(void **state)
{
	static char area[64] __attribute__((aligned(64)));

	(void)state;
	assert_true(host_rseq_register(area, 7, 0x53053053) < 0);
}

static void test_errno_is_left_alone(void **state)
{
	char buffer[8];

	(void)state;
	errno = 12345;
	assert_null(host_map((size_t)1 << 60));
	assert_int_equal(host_read_file("/nowhere", buffer, sizeof(buffer)), -ENOENT);
	assert_int_equal(host_commit((void *)1, 1), -EINVAL);
	host_rseq_feature_size();
	host_write(-1, "x", 1);
	assert_int_equal(errno, 12345);
}

static void test_getenv_finds_exact_names_only(void **state)
{
	(void)state;
	setenv("FLAGSTONE_TESTED", "a=b", 1);
	setenv("FLAGSTONE_TEST", "", 1);
	assert_string_equal(host_getenv("FLAGSTONE_TESTED"), "a=b");
	assert_ptr_equal(host_getenv("FLAGSTONE_TESTED"), getenv("FLAGSTONE_TESTED"));
	assert_string_equal(host_getenv("FLAGSTONE_TEST"), "");
	assert_null(host_getenv("FLAGSTONE_TES"));
	assert_null(host_getenv("FLAGSTONE_TESTED_"));
}

static void test_getenv_works_before_libc_sets_environ(void **state)
{
	char **saved = environ;
	const char *value, *missing;

	(void)state;
	if (!restarted)
		skip();
	environ = NULL;
	value = host_getenv("FLAGSTONE_EARLY");
	missing = host_getenv("FLAGSTONE_EARL");
	environ = saved;
	assert_non_null(value);
	assert_string_equal(value, "early");
	assert_null(missing);
}

static void test_read_file_is_bounded_and_terminated(void **state)
{
	char buffer[16];

	(void)state;
	memset(buffer, '#', sizeof(buffer));
	assert_int_equal(host_read_file("/proc/self/status", buffer, 6), 5);
	assert_string_equal(buffer, "Name:");
	assert_int_equal(buffer[6], '#');
	assert_int_equal(host_read_file("/proc/self/status", buffer, 0), -EINVAL);
	assert_int_equal(host_read_file("/dev/null", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "");
	assert_int_equal(host_read_file("/proc/self", buffer, sizeof(buffer)), -EISDIR);
}

static void write_much(void *argument)
{
	host_write(2, argument, 300000);
}

static void test_write_writes_everything(void **state)
{
	char *text = malloc(300001), *output = malloc(300001);

	(void)state;
	memset(text, 'w', 300000);
	text[300000] = '\0';
	assert_int_equal(child_run(write_much, text, output, 300001), 0);
	assert_string_equal(output, text);
	free(text);
	free(output);
}

struct sleeper {
	uint32_t word;
	uint32_t woken;
};

static void *sleep_on_word(void *argument)
{
	struct sleeper *sleeper = argument;

	while (__atomic_load_n(&sleeper->word, __ATOMIC_ACQUIRE) == 0)
		host_futex_wait(&sleeper->word, 0);
	__atomic_store_n(&sleeper->woken, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void test_futex_sleeps_until_woken(void **state)
{
	struct sleeper sleeper = {0};
	pthread_t thread;

	(void)state;
	host_futex_wait(&sleeper.word, 1); /* returns at once: the value differs */
	pthread_create(&thread, NULL, sleep_on_word, &sleeper);
	usleep(20000);
	assert_int_equal(__atomic_load_n(&sleeper.woken, __ATOMIC_ACQUIRE), 0);
	__atomic_store_n(&sleeper.word, 1, __ATOMIC_RELEASE);
	host_futex_wake(&sleeper.word, 1);
	pthread_join(thread, NULL);
	assert_int_equal(sleeper.woken, 1);
}

static volatile sig_atomic_t nr_handled;

static void count_signal(int number)
{
	(void)number;
	nr_handled++;
}

static void test_blocked_signals_wait_for_restore(void **state)
{
	host_sigmask_t mask, inner;

	(void)state;
	signal(SIGUSR1, count_signal);
	mask = host_signals_block();
	raise(SIGUSR1);
	inner = host_signals_block();
	host_signals_restore(inner);
	assert_int_equal(nr_handled, 0);
	host_signals_restore(mask);
	usleep(1); /* ThreadSanitizer delivers when the program calls libc */
	assert_int_equal(nr_handled, 1);
	raise(SIGUSR1);
	usleep(1);
	assert_int_equal(nr_handled, 2);
	signal(SIGUSR1, SIG_DFL);
}

static void abort_despite_everything(void *argument)
{
	(void)argument;
	signal(SIGABRT, SIG_IGN);
	host_signals_block();
	host_abort();
}

static void abort_despite_a_handler(void *argument)
{
	(void)argument;
	signal(SIGABRT, count_signal);
	host_abort();
}

static void test_abort_cannot_be_stopped(void **state)
{
	char output[64];
	int status = child_run(abort_despite_everything, NULL, output, sizeof(output));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	status = child_run(abort_despite_a_handler, NULL, output, sizeof(output));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reserve_is_aligned_and_trims_its_slack),
		cmocka_unit_test(test_aligned_maps_leave_nothing_behind),
		cmocka_unit_test(test_reserve_fails_with_null),
		cmocka_unit_test(test_reserved_memory_faults_until_committed),
		cmocka_unit_test(test_map_at_never_replaces),
		cmocka_unit_test(test_forbidden_memory_faults_and_keeps_its_contents),
		cmocka_unit_test(test_remap_keeps_contents_and_fails_cleanly),
		cmocka_unit_test(test_discarded_memory_reads_as_zero),
		cmocka_unit_test(test_shared_memory_shows_the_same_bytes_wherever_it_is_mapped),
		cmocka_unit_test(test_populate_makes_pages_resident),
		cmocka_unit_test(test_limits_are_the_systems),
		cmocka_unit_test(test_resident_bytes_follow_touched_memory),
		cmocka_unit_test(test_cpu_bound_holds_for_this_machine),
		cmocka_unit_test(test_identities_and_clock),
		cmocka_unit_test(test_membarriers_work_once_registered),
		cmocka_unit_test(test_rseq_registration_reports_errors),
		cmocka_unit_test(test_errno_is_left_alone),
		cmocka_unit_test(test_getenv_finds_exact_names_only),
		cmocka_unit_test(test_getenv_works_before_libc_sets_environ),
		cmocka_unit_test(test_read_file_is_bounded_and_terminated),
		cmocka_unit_test(test_write_writes_everything),
		cmocka_unit_test(test_futex_sleeps_until_woken),
		cmocka_unit_test(test_blocked_signals_wait_for_restore),
		cmocka_unit_test(test_abort_cannot_be_stopped),
	};

	(void)argc;
	restarted = getenv("FLAGSTONE_EARLY") != NULL;
	if (!restarted) {
		setenv("FLAGSTONE_EARLY", "early", 1);
		/* Comes back under emulators only. */
		fprintf(stderr, "cannot run /proc/self/exe: %d\n", host_exec_self(argv, environ));
	}
	if (!restarted)
		skip_emulated(NO_EXEC);
	page = host_page_size();
	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
