/*
 * emulated.h: what an emulator cannot do is left out of a test in the open.
 *
 * A test that left out a part of itself ends with status 77: it counts as skipped, not as passed, although the rest of
 * it ran, and a failure of that rest is still a failure. Lines "SKIP: ..." on stdout say what was left out and why;
 * tools/check.py repeats them. The build sets FLAGSTONE_EMULATED=1 where programs run under an emulator.
 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_SKIPPED 77

static bool skipped_a_part; /* Synchronization: main thread */

static inline void skip_part(const char *what_and_why)
{
	skipped_a_part = true;
	printf("SKIP: %s\n", what_and_why);
	fflush(stdout);
}

static inline bool emulated(void)
{
	const char *text = getenv("FLAGSTONE_EMULATED");

	return text && *text == '1';
}

/* Whether to leave that out. Says so if it is. */
static inline bool skip_emulated(const char *what_and_why)
{
	if (emulated())
		skip_part(what_and_why);
	return emulated();
}

/* What main() returns: failed != 0 is more important than what was left out. */
static inline int test_status(int failed)
{
	return failed ? failed : skipped_a_part ? STATUS_SKIPPED : 0;
}

#define NO_LIMITS "limits of memory: qemu-user ignores RLIMIT_AS and RLIMIT_DATA (setrlimit says 0, mmap goes on)"
#define NO_THREADS_AFTER_FORK \
	"threads in a forked child: qemu-user aborts where a child of a program with threads starts one"
#define NO_EXEC "programs that start themselves again: the kernel cannot execute another machine's"
#define NO_RESIDENT \
	"limits of resident memory: qemu-user's own is counted in (page tables, 280 KiB for each thread ever)"

#endif
