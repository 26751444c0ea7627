/*
 * test_report.c: notes are one line and one write; BUG reports have a stable first line, a stack, and an end.
 *
 * Links with lib and host.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/report.h"
#include "tests/unit/child.h"

#define FIRST_LINE "flagstone: BUG: double free of 0x1234 in kmalloc-64\n"

static char output[65536];

static void note(void *argument)
{
	(void)argument;
	report_note("%s has %d pages", "zone", 7);
}

static void note_too_long(void *argument)
{
	(void)argument;
	report_note("%02000d", 1);
	report_note("next");
}

static void test_note_is_one_line(void **state)
{
	(void)state;
	assert_int_equal(child_run(note, NULL, output, sizeof(output)), 0);
	assert_string_equal(output, "flagstone: zone has 7 pages\n");
	assert_int_equal(child_run(note_too_long, NULL, output, sizeof(output)), 0);
	assert_memory_equal(output, "flagstone: 0000", 15);
	assert_true(strlen(output) < 1100);
	assert_string_equal(strchr(output, '\n'), "\nflagstone: next\n");
}

static void bug(void *argument)
{
	(void)argument;
	report_bug("double free of %p in %s", (void *)0x1234, "kmalloc-64");
}

/* Not inlined and not a tail call, so that it has a frame to be found. */
__attribute__((noinline)) static void bug_from_below(void *argument)
{
	bug(argument);
	__asm__ volatile("" ::: "memory");
}

static void continue_after_bug(void *argument)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	bug_from_below(argument);
	bug_from_below(argument);
	_exit(33);
}

static void ignore_signal(int number)
{
	(void)number;
}

static void bug_with_abort_handled(void *argument)
{
	signal(SIGABRT, ignore_signal);
	bug_from_below(argument);
}

static void bug_with_abort_blocked(void *argument)
{
	host_signals_block();
	signal(SIGABRT, SIG_IGN);
	bug_from_below(argument);
}

static void expect_abort(void (*body)(void *))
{
	int status = child_run(body, NULL, output, sizeof(output));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_memory_equal(output, FIRST_LINE, strlen(FIRST_LINE));
}

static void test_bug_aborts_whatever_the_program_does_with_sigabrt(void **state)
{
	(void)state;
	expect_abort(bug_from_below);
	expect_abort(bug_with_abort_handled);
	expect_abort(bug_with_abort_blocked);
}

static void test_bug_continues_when_told(void **state)
{
	int status = child_run(continue_after_bug, NULL, output, sizeof(output));
	const char *second = strstr(output + 1, FIRST_LINE);

	(void)state;
	assert_int_equal(WEXITSTATUS(status), 33);
	assert_memory_equal(output, FIRST_LINE, strlen(FIRST_LINE));
	assert_non_null(second);
	assert_null(strstr(second + 1, FIRST_LINE));
}

/* The lines after the first are frames, numbered from 0; some are in this program's file, as its name says. */
static void test_stack_names_return_addresses_and_modules(void **state)
{
	const char *line = output;
	char expected[64], path[4096] = "";
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *name = strrchr(path, '/');
	int nr = 0;

	(void)state;
	assert_true(length > 0 && name);
	expect_abort(bug_from_below);
	/* Emulators add lines of their own at the end. */
	while (strncmp(line = strchr(line, '\n') + 1, "  #", 3) == 0) {
		snprintf(expected, sizeof(expected), "  #%d 0x", nr++);
		assert_memory_equal(line, expected, strlen(expected));
	}
	assert_in_range(nr, 2, 16);
	snprintf(expected, sizeof(expected), " %.40s", name + 1);
	assert_non_null(strstr(output, expected));
}

/* What code without frame pointers leaves in the register must end the walk, not the program. */
static void bug_with_wild_frame(void *argument)
{
	uintptr_t *frame = __builtin_frame_address(0);

	report_on_bug = REPORT_BUG_CONTINUE;
	uintptr_t saved = frame[0];
	frame[0] = (uintptr_t)argument;
	report_bug("wild");
	frame[0] = saved;
	_exit(44);
}

static void test_wild_frame_pointers_end_the_walk(void **state)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t wild[] = {0, 1, 8, 0x4141414141414140, UINTPTR_MAX, UINTPTR_MAX - 7, here + 3, here - 65536,
		here + ((uintptr_t)1 << 32), (uintptr_t)output};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		int status = child_run(bug_with_wild_frame, (void *)wild[i], output, sizeof(output));

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 44);
	}
}

static void *bug_and_note(void *argument)
{
	int i;

	for (i = 0; i < 20; i++) {
		report_note("from a thread");
		bug(argument);
	}
	return NULL;
}

static void reports_of_four_threads(void *argument)
{
	pthread_t threads[4];
	int i;

	report_on_bug = REPORT_BUG_CONTINUE;
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, bug_and_note, argument);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void test_reports_of_threads_do_not_mix(void **state)
{
	char *line, *rest = output;
	int nr_bugs = 0, frame = 0;
	char expected[16];

	(void)state;
	assert_int_equal(child_run(reports_of_four_threads, NULL, output, sizeof(output)), 0);
	while ((line = strtok_r(rest, "\n", &rest))) {
		if (strncmp(line, "  #", 3) != 0) {
			nr_bugs += strncmp(line, FIRST_LINE, strlen(FIRST_LINE) - 1) == 0;
			frame = 0;
			continue;
		}
		snprintf(expected, sizeof(expected), "  #%d ", frame++);
		assert_memory_equal(line, expected, strlen(expected));
	}
	assert_int_equal(nr_bugs, 80);
}

static void fork_with_report_lock(void *argument)
{
	host_sigmask_t mask = host_signals_block();
	pid_t child;
	int status = 0;

	lock_fork_begin();
	report_fork_prepare();
	child = fork();
	if (child == 0) {
		report_fork_child();
		lock_fork_end();
		note(argument);
		_exit(0);
	}
	report_fork_parent();
	lock_fork_end();
	host_signals_restore(mask);
	waitpid(child, &status, 0);
	note(argument);
	_exit(status != 0);
}

static void test_child_of_fork_can_report(void **state)
{
	(void)state;
	assert_int_equal(child_run(fork_with_report_lock, NULL, output, sizeof(output)), 0);
	assert_string_equal(output, "flagstone: zone has 7 pages\nflagstone: zone has 7 pages\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note_is_one_line),
		cmocka_unit_test(test_bug_aborts_whatever_the_program_does_with_sigabrt),
		cmocka_unit_test(test_bug_continues_when_told),
		cmocka_unit_test(test_stack_names_return_addresses_and_modules),
		cmocka_unit_test(test_wild_frame_pointers_end_the_walk),
		cmocka_unit_test(test_reports_of_threads_do_not_mix),
		cmocka_unit_test(test_child_of_fork_can_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
