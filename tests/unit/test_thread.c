/*
 * test_thread.c: the background thread that libc does not know: start, end, stack, signals, ids, fork; timed futex waits.
 *
 * Links with host only. Bodies of the thread use nothing of libc's. Builds with a sanitizer start a thread of libc's instead,
 * and leave out what is not true of that.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"

#define TLS_BYTES (3ul << 20)
#define HOUR_NS (3600ull * 1000000000u)
#define PATIENCE_NS (30ull * 1000000000u) /* for what takes no time at all on a machine that has some left */

static uint32_t step; /* Synchronization: atomic; what the body and the test tell each other */
static host_sigmask_t seen_mask; /* Synchronization: step */
static bool seen_change; /* Synchronization: step */
static char *seen_stack, *seen_pointer; /* Synchronization: step */

static void say(uint32_t number)
{
	__atomic_store_n(&step, number, __ATOMIC_RELEASE);
	host_futex_wake(&step, 10);
}

static void wait_for(uint32_t number)
{
	uint32_t now;

	while ((now = __atomic_load_n(&step, __ATOMIC_ACQUIRE)) < number)
		host_futex_wait(&step, now);
}

static void prepare(char *thread_pointer)
{
	seen_pointer = thread_pointer;
}

static int begin(void (*body)(void))
{
	host_sigmask_t mask = host_signals_block();
	int err;

	__atomic_store_n(&step, 0, __ATOMIC_RELAXED);
	err = host_thread_start(body, prepare, TLS_BYTES);
	host_signals_restore(mask);
	return err;
}

static bool ends(void)
{
	uint64_t deadline = host_clock_ns() + PATIENCE_NS;

	while (host_thread_runs() && host_clock_ns() < deadline)
		host_yield();
	return !host_thread_runs();
}

static void body(void)
{
	char local;

	seen_mask = host_signals_block();
	seen_stack = &local;
	say(1);
	wait_for(2);
}

static int seen_descriptor; /* Synchronization: step */

static void writing_body(void)
{
	seen_descriptor = host_open("/proc/self/status");
	host_write(2, "from the thread\n", 16);
	say(1);
}

static void short_body(void)
{
	say(1);
}

static void forever(void)
{
	for (;;)
		wait_for(100);
}

/* ---- start and end ---- */

static void test_one_thread_at_a_time_and_another_after_it(void **state)
{
	(void)state;
	assert_false(host_thread_runs());
	assert_int_equal(begin(body), 0);
	wait_for(1);
	assert_true(host_thread_runs());
	assert_int_equal(host_thread_start(short_body, prepare, TLS_BYTES), -EBUSY);
	say(2);
	assert_true(ends());
	for (int i = 0; i < 200; i++) {
		assert_int_equal(begin(short_body), 0);
		wait_for(1);
		assert_true(ends());
	}
}

/* The permissions, such as "rw-p", of the mapping that addr lies in. */
static bool permissions(const char *addr, char *text, uintptr_t *start)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512];
	bool found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		found = sscanf(line, "%lx-%lx %7s", &from, &to, text) == 3 && (uintptr_t)addr >= from &&
			(uintptr_t)addr < to;
	}
	fclose(maps);
	*start = from;
	return found;
}

static void test_below_its_stack_lies_a_guard(void **state)
{
	uintptr_t start;
	char text[8];

	(void)state;
	if (skip_sanitized(SANITIZERS_OWN_THREADS) ||
		skip_emulated("the guard: the addresses in /proc are not the emulated ones"))
		skip();
	assert_int_equal(begin(body), 0);
	wait_for(1);
	assert_true(permissions(seen_stack, text, &start));
	assert_string_equal(text, "rw-p");
	assert_true(permissions((char *)start - 1, text, &start));
	assert_string_equal(text, "---p");
	say(2);
	assert_true(ends());
}

static void test_thread_local_storage_is_as_large_as_asked_for(void **state)
{
	(void)state;
	if (skip_sanitized(SANITIZERS_OWN_THREADS))
		skip();
	assert_int_equal(begin(body), 0);
	wait_for(1);
	assert_int_equal(seen_pointer[-(long)TLS_BYTES], 0);
	assert_int_equal(seen_pointer[TLS_BYTES - 1], 0);
	assert_true(seen_pointer - TLS_BYTES > seen_stack);
	say(2);
	assert_true(ends());
}

static void overflow(void)
{
	volatile char *at = (char *)&at;

	for (;;)
		*--at = 0;
}

static void child_overflows(void *arg)
{
	(void)arg;
	host_thread_forget();
	begin(overflow);
	forever();
}

static void test_a_stack_that_overflows_ends_the_process(void **state)
{
	char output[1000];
	int status;

	(void)state;
	if (skip_sanitized(SANITIZERS_OWN_THREADS) || skip_emulated(NO_THREADS_AFTER_FORK))
		skip();
	status = child_run(child_overflows, NULL, output, sizeof(output));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void test_no_signal_reaches_it(void **state)
{
	const host_sigmask_t reserved = CONFIG_SANITIZED ? 3ull << 31 : 0; /* libc unblocks its own in its threads */
	const host_sigmask_t unblockable = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | reserved;

	(void)state;
	assert_int_equal(begin(body), 0);
	wait_for(1);
	if (!skip_emulated("signals that libc reserves: qemu-user keeps some from being blocked"))
		assert_int_equal(seen_mask | unblockable, ~0ull);
	say(2);
	assert_true(ends());
}

/* Whether a thread of this process has that name. Their numbers may be below the process's: the kernel counts in a circle. */
static bool has_thread_named(const char *wanted)
{
	DIR *threads = opendir("/proc/self/task");
	char path[300], name[32];
	struct dirent *entry;
	bool found = false;

	assert_non_null(threads);
	while (!found && (entry = readdir(threads))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		found = host_read_file(path, name, sizeof(name)) > 0 && !strcmp(name, wanted);
	}
	closedir(threads);
	return found;
}

static void test_it_is_told_by_its_name(void **state)
{
	(void)state;
	if (skip_emulated("the name: /proc shows the emulator's threads"))
		skip();
	assert_int_equal(begin(body), 0);
	wait_for(1);
	assert_true(has_thread_named("flagstone\n"));
	say(2);
	assert_true(ends());
}

/* libc counts its threads, and ends the process with the last one. */
static void child_ends_its_main_thread(void *arg)
{
	(void)arg;
	alarm(30);
	host_thread_forget();
	if (begin(forever))
		_exit(1);
	pthread_exit(NULL);
}

static void test_a_process_ends_without_it(void **state)
{
	char output[1000];

	(void)state;
	if (skip_sanitized(SANITIZERS_OWN_THREADS) || skip_emulated(NO_THREADS_AFTER_FORK))
		skip();
	assert_int_equal(child_run(child_ends_its_main_thread, NULL, output, sizeof(output)), 0);
}

/* ---- fork ---- */

static void child_starts_its_own(void *arg)
{
	(void)arg;
	host_thread_forget();
	if (host_thread_runs())
		_exit(1);
	if (begin(short_body))
		_exit(2);
	wait_for(1);
	_exit(ends() ? 0 : 3);
}

static void test_a_fork_child_starts_its_own(void **state)
{
	char output[1000];

	(void)state;
	if (skip_sanitized(SANITIZERS_OWN_THREADS) || skip_emulated(NO_THREADS_AFTER_FORK))
		skip();
	assert_int_equal(begin(body), 0);
	wait_for(1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(child_run(child_starts_its_own, NULL, output, sizeof(output)), 0);
	assert_true(host_thread_runs());
	say(2);
	assert_true(ends());
}

/* ---- ids ---- */

static void compare_ids(void)
{
	seen_change = host_ids_changed();
	say(1);
	wait_for(2);
	seen_change = host_ids_changed();
	say(3);
}

/* arg: which ids. libc does not change those of our thread. */
static void child_changes_ids(void *arg)
{
	host_thread_forget();
	if (begin(compare_ids))
		_exit(1);
	wait_for(1);
	if (seen_change || host_ids_changed())
		_exit(2);
	if (arg ? setresuid(1000, 1000, 1000) : setresgid(1000, 1000, 1000))
		_exit(3);
	say(2);
	wait_for(3);
	_exit(seen_change && !host_ids_changed() ? 0 : 4);
}

static void test_changed_ids_are_noticed(void **state)
{
	char output[1000];

	(void)state;
	if (geteuid() != 0) {
		skip_part("changed ids: only root can change them");
		skip();
	}
	if (skip_sanitized(SANITIZERS_OWN_THREADS) || skip_emulated(NO_THREADS_AFTER_FORK))
		skip();
	assert_int_equal(child_run(child_changes_ids, NULL, output, sizeof(output)), 0);
	assert_int_equal(child_run(child_changes_ids, output, output, sizeof(output)), 0);
}

/* ---- futex ---- */

static void test_a_wait_ends_with_its_time(void **state)
{
	const uint64_t ns = 30000000;
	uint64_t start = host_clock_ns();
	uint32_t word = 7;

	(void)state;
	while (host_clock_ns() - start < ns)
		host_futex_wait_for(&word, 7, ns);
	host_futex_wait_for(&word, 7, 0);
	host_futex_wait_for(&word, 8, HOUR_NS); /* not the value: does not sleep */
}

static void *wake_up(void *arg)
{
	say(1);
	return arg;
}

static void test_a_timed_wait_is_woken(void **state)
{
	pthread_t thread;

	(void)state;
	__atomic_store_n(&step, 0, __ATOMIC_RELAXED);
	assert_int_equal(pthread_create(&thread, NULL, wake_up, NULL), 0);
	while (!__atomic_load_n(&step, __ATOMIC_ACQUIRE))
		host_futex_wait_for(&step, 0, HOUR_NS);
	pthread_join(thread, NULL);
}

static void write_in_thread(void *arg)
{
	int lowest = host_open("/proc/self/status"), next;

	(void)arg;
	if (begin(writing_body))
		_exit(3);
	wait_for(1);
	next = host_open("/proc/self/status");
	/* Sanitizers' thread shares the table: what it opened took the next number. */
	child_end(!ends() || (!CONFIG_SANITIZED && (seen_descriptor != 0 || next != lowest + 1)));
}

/* Its descriptors take no numbers of the program's, and its reports get out all the same. */
static void test_its_descriptors_are_its_own(void **state)
{
	char output[64];

	(void)state;
	if (skip_emulated("a table of descriptors of the thread's own: the emulator's threads share theirs"))
		skip();
	skip_sanitized(SANITIZERS_OWN_THREADS);
	assert_int_equal(child_run(write_in_thread, NULL, output, sizeof(output)), 0);
	assert_string_equal(output, "from the thread\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread_at_a_time_and_another_after_it),
		cmocka_unit_test(test_below_its_stack_lies_a_guard),
		cmocka_unit_test(test_thread_local_storage_is_as_large_as_asked_for),
		cmocka_unit_test(test_a_stack_that_overflows_ends_the_process),
		cmocka_unit_test(test_no_signal_reaches_it),
		cmocka_unit_test(test_it_is_told_by_its_name),
		cmocka_unit_test(test_its_descriptors_are_its_own),
		cmocka_unit_test(test_a_process_ends_without_it),
		cmocka_unit_test(test_a_fork_child_starts_its_own),
		cmocka_unit_test(test_changed_ids_are_noticed),
		cmocka_unit_test(test_a_wait_ends_with_its_time),
		cmocka_unit_test(test_a_timed_wait_is_woken),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
