/*
 * steps.h: one child process after the other, of which each is made to fail at the next allocation.
 */
#ifndef RUNTIME_MACHINE_STEPS_H
#define RUNTIME_MACHINE_STEPS_H

#include <flagstone/machine.h>
#include <stdbool.h>

struct steps {
	void (*body)(unsigned int nth, void *arg); /* in the child, whose stderr is read; ends the process */
	void *arg;
	const char *machine; /* what a replay's FLAGSTONE_MACHINE says before fail_nth */
	const char *program; /* the rest of its command line */
	bool must_fail; /* a first step without the failure is no good: nothing was tried */
	unsigned int first; /* this step before all others, and alone if it is bad; 0: none */
};

/* Makes steps until one comes to its end without the failure. What it is told and what it finds is in report. Returns the number of
 * bad steps or -errno of fork; -ENODATA: must_fail, and it did not; what that step said is on stderr. The calling process has no other thread that holds locks. */
int steps_run(const struct steps *steps, struct flagstone_fail_report *report);

#endif
