/*
 * skip.h: what a test leaves out, it leaves out in the open.
 *
 * A test that left out a part of itself ends with status 77: it counts as skipped, not as passed, although the rest of
 * it ran, and a failure of that rest is still a failure. Lines "SKIP: ..." on stdout say what was left out and why;
 * tools/check.py repeats them.
 */
#ifndef TESTS_SKIP_H
#define TESTS_SKIP_H

#include <stdbool.h>
#include <stdio.h>

#define STATUS_SKIPPED 77

static bool skipped_a_part; /* Synchronization: main thread */

static inline void skip_part(const char *what_and_why)
{
	skipped_a_part = true;
	printf("SKIP: %s\n", what_and_why);
	fflush(stdout);
}

/* What main() returns: failed != 0 is more important than what was left out. */
static inline int test_status(int failed)
{
	return failed ? failed : skipped_a_part ? STATUS_SKIPPED : 0;
}

#endif
