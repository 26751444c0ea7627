/*
 * steps.h: one child process after the other, of which each is made to fail at the next allocation.
 */
#ifndef RUNTIME_MACHINE_STEPS_H
#define RUNTIME_MACHINE_STEPS_H

#include <flagstone/machine.h>
#include <stdbool.h>
#include <stddef.h>

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

/* ---- step_state.c: whether the program of a step has a machine. A child of fork() shares it with its parent ---- */

#define STEP_VARIABLE "FLAGSTONE_STEP" /* in the program's environment: the state's name */
#define STEP_NAME_BYTES 64

struct step_state;
/* NULL, if the system does not let it: then nothing is known. */
struct step_state *step_state_create(char *name, size_t size);
void step_state_destroy(struct step_state *state, const char *name);
/* Before each step. */
void step_state_begin(struct step_state *state);
/* Whether a machine was booted that was not ended. */
bool step_state_has_machine(const struct step_state *state);

/* In the program: a machine was booted, and ended; the thread that does it. */
void step_tell_boot(void);
void step_tell_shutdown(void);
/* In a fork child, which has no machine: its parent goes on having one. */
void step_forget(void);

#endif
