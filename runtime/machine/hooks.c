/*
 * hooks.c: what the machine does at each allocation that takes the slow path: who it is, whether it may sleep, whether it is to fail.
 *
 * Calls fault for forced failures and sched for tasks. The retries are the pressure room's.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <string.h>

#include "runtime/fault/fault.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/sched/sched.h"
#include "runtime/slab/slab.h"

static bool check_context; /* Synchronization: const after boot */

/* An unattached thread would use memory of CPUs that it does not have. Its allocation fails. */
static bool is_attached(const void *caller)
{
	if (sched_current())
		return true;
	report_bug("allocation by a thread that is attached to no CPU, called from %p: see flagstone_machine_attach()",
		caller);
	return false;
}

/* The kernel's words and lines: what it prints beside them is the place in its source, which this has not. */
static void report_sleep(const void *caller)
{
	report_bug("sleeping function called from invalid context at %p\nin_atomic(): %d, irqs_disabled(): %d, "
		   "non_block: 0, "
		   "pid: %d, name: %s\npreempt_count: %x, expected: 0",
		caller, in_atomic(), irqs_disabled(), current->pid, current->comm, preempt_count());
}

static bool may_go_on(unsigned int gfp, const void *caller)
{
	if (!is_attached(caller))
		return false;
	if (check_context && (gfp & __GFP_DIRECT_RECLAIM) && (in_atomic() || irqs_disabled()))
		report_sleep(caller);
	return true;
}

static bool hook_begin(unsigned int gfp, size_t size, const void *caller)
{
	return may_go_on(gfp, caller) && !fault_slab(gfp, size);
}

static bool hook_begin_pages(unsigned int gfp, unsigned int order, const void *caller)
{
	return may_go_on(gfp, caller) && !fault_pages(gfp, order);
}

static void hook_who(struct alloc_who *who)
{
	const struct task_struct *task = current;

	if (!task)
		return;
	memcpy(who->comm, task->comm, sizeof(who->comm));
	who->pid = task->pid;
}

static struct alloc_hooks hooks = {
	.begin = hook_begin,
	.begin_pages = hook_begin_pages,
	.who = hook_who,
};

void hooks_set(const struct flagstone_machine_config *config)
{
	check_context = config->context;
	slab_set_hooks(&hooks);
}
