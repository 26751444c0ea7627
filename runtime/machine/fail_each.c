/*
 * fail_each.c: a function with each of its allocations failing in turn.
 *
 * Calls steps.c for the processes. A fork and a machine of threads do not go together, so each step forks first and boots a machine
 * of its own in the child.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/config.h"
#include "runtime/fault/fault.h"
#include "runtime/host/host.h"
#include "runtime/machine/machine.h"
#include "runtime/machine/steps.h"
#include "runtime/machine/tasks.h"

#define MACHINE_BYTES 512
#define PATIENCE_MS 1000 /* for tasks that end by themselves */

struct each {
	int (*function)(void *arg);
	void *arg;
	struct flagstone_machine_config config;
};

/* Waits for tasks that are about to end; those that do not are named. */
static int shut_down_patiently(void)
{
	for (unsigned int ms = 0; ms < PATIENCE_MS && tasks_count_others(); ms += 10)
		schedule_timeout_uninterruptible(3);
	return flagstone_machine_shutdown();
}

/* A handler of the program's might survive what is to be found. */
static void crash_by_signals(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
}

static void run_step(unsigned int nth, void *arg)
{
	struct each *each = arg;

	crash_by_signals();
	each->config.fail_nth = nth;
	if (machine_boot_exactly(&each->config))
		_exit(1);
	fault_slab_attr.verbose = 2;
	fault_page_attr.verbose = 2;
	current->fail_nth = nth;
	each->function(each->arg);
	current->fail_nth = 0;
	shut_down_patiently();
	fflush(NULL);
	_exit(0);
}

/* What each step's machine is, and which step is asked for. */
static int prepare(struct each *each, struct steps *steps, const char *machine, struct text *text)
{
	if (flagstone_machine_config_parse(&each->config, machine) ||
		!config_apply(&each->config, host_getenv(MACHINE_VARIABLE), MACHINE_VARIABLE))
		return -EINVAL;
	each->config.tracking = 1;
	steps->first = (unsigned int)each->config.fail_nth;
	each->config.fail_nth = 0;
	if (flagstone_machine_config_check(&each->config))
		return -EINVAL;
	config_print(&each->config, text);
	return 0;
}

static int fail_each(struct each *each, struct flagstone_fail_report *report)
{
	char machine[MACHINE_BYTES];
	struct text text = TEXT_INIT(machine, sizeof(machine), -1);
	struct steps steps = {.body = run_step, .arg = each, .machine = machine, .program = program_invocation_name};
	int error = prepare(each, &steps, report->machine, &text);

	if (error)
		return error;
	fflush(NULL);
	return steps_run(&steps, report);
}

int flagstone_fail_each(int (*function)(void *arg), void *arg, struct flagstone_fail_report *report)
{
	struct each each = {.function = function, .arg = arg};
	struct flagstone_fail_report *own = NULL;
	int result;

	if (flagstone_machine_booted())
		return -EBUSY;
	if (!report)
		own = calloc(1, sizeof(*own));
	if (!report && !own)
		return -ENOMEM;
	result = fail_each(&each, report ? report : own);
	free(own);
	return result;
}
