/*
 * linux/fault-inject.h: places where something can be made to fail on purpose.
 *
 * Semantics: Linux, Documentation/fault-injection/fault-injection.rst. What is random here is not: whether a call fails follows from
 * the machine's seed, the attribute's name, the name of the task and the number of the call among those of the task, so the same
 * seed gives the same failures whatever the order in which CPUs run. In interrupts, of the CPU and its count instead of the task.
 * times and space are counts of the whole machine: with several CPUs, who uses them up depends on their order.
 */
#ifndef FLAGSTONE_LINUX_FAULT_INJECT_H
#define FLAGSTONE_LINUX_FAULT_INJECT_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAX_STACK_TRACE_DEPTH 32

/* The fields are the kernel's knobs, with - for _. */
struct fault_attr {
	unsigned long probability; /* percent of the calls that pass all other tests. Synchronization: atomic */
	unsigned long
		interval; /* every interval-th of the calls that pass all other tests. Synchronization: as above */
	int times; /* failures left; -1: no limit. Synchronization: atomic */
	int space; /* bytes that succeed first. Synchronization: atomic */
	unsigned long verbose; /* what a failure prints: 0 nothing, 1 a line, 2 the stack, too */
	bool task_filter; /* only tasks with make_it_fail, and no interrupts */
	unsigned long stacktrace_depth; /* frames that are looked at for the four below; 0: none */
	unsigned long require_start, require_end; /* only where a return address lies in [start, end) */
	unsigned long reject_start, reject_end; /* and none in here */
	const char *dname; /* its name, in reports */
	unsigned int slot; /* flagstone's */
};

/* clang-format off */
#define FLAGSTONE_FAULT_ATTR(name, number)                                                                   \
	{ .probability = 0, .interval = 1, .times = 1, .space = 0, .verbose = 2, .task_filter = false,       \
	  .stacktrace_depth = MAX_STACK_TRACE_DEPTH, .require_start = 0, .require_end = ~0UL,                \
	  .reject_start = 0, .reject_end = 0, .dname = (name), .slot = (number) }
/* clang-format on */
#define FAULT_ATTR_INITIALIZER FLAGSTONE_FAULT_ATTR("", 2)
#define DECLARE_FAULT_ATTR(name) struct fault_attr name = FLAGSTONE_FAULT_ATTR(#name, 2)

enum fault_flags { FAULT_NOWARN = 1 };

/* Takes "interval,probability,space,times". Returns 1, or 0 if it is not that: then nothing changes. Any context. */
int setup_fault_attr(struct fault_attr *attr, char *str);

/* Whether this call is to fail; size is counted against space. current->fail_nth goes before everything else: the call that
 * brings it to 0 fails. A failure prints "FAULT_INJECTION: forcing a failure." as verbose says; not with FAULT_NOWARN.
 * Any context. */
bool should_fail_ex(struct fault_attr *attr, ssize_t size, int flags);
bool should_fail(struct fault_attr *attr, ssize_t size);

#ifdef __cplusplus
}
#endif

#endif
