/*
 * stack.c: the calling thread's stack by return addresses.
 *
 * Calls report for the walk. Knows nothing of symbols.
 */
#include "runtime/lib/report.h"
#include "runtime/sched/sched.h"

#define MOST_FRAMES 64

/* Of the stack that was walked last. Synchronization: own thread; an interrupt that runs on it finds and leaves a right pair */
static __thread uintptr_t stack_start, stack_end;

unsigned int sched_stack(const void **frames, unsigned int nr)
{
	const void *frame = __builtin_frame_address(0);
	uintptr_t addresses[MOST_FRAMES], start = stack_start, end = stack_end;

	if ((uintptr_t)frame < start || (uintptr_t)frame >= end) {
		if (!report_mapping((uintptr_t)frame, &start, &end))
			return 0;
		stack_start = start;
		stack_end = end;
	}
	nr = report_walk(frame, end, addresses, nr < MOST_FRAMES ? nr : MOST_FRAMES);
	for (unsigned int i = 0; i < nr; i++)
		frames[i] = (const void *)addresses[i];
	return nr;
}
