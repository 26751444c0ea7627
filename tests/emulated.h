/*
 * emulated.h: what an emulator cannot do is left out of a test in the open.
 *
 * How that is counted: skip.h. The build sets FLAGSTONE_EMULATED=1 where programs run under an emulator.
 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <stdlib.h>

#include "tests/skip.h"

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

#define NO_LIMITS "limits of memory: qemu-user ignores RLIMIT_AS and RLIMIT_DATA (setrlimit says 0, mmap goes on)"
#define NO_THREADS_AFTER_FORK \
	"threads in a forked child: qemu-user aborts where a child of a program with threads starts one"
#define NO_EXEC "programs that start themselves again: the kernel cannot execute another machine's"
#define NO_RESIDENT \
	"limits of resident memory: qemu-user's own is counted in (page tables, 280 KiB for each thread ever)"

#endif
