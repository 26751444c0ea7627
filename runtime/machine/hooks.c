/*
 * hooks.c: what the machine does at each allocation that takes the slow path: who it is, whether it may sleep, whether it is to fail.
 *
 * Calls fault for forced failures, sched for tasks, pressure for what happens after a failure.
 */
#include <linux/gfp.h>
#include <linux/sched/mm.h>
#include <string.h>

#include "percpu/vars.h"
#include "runtime/fault/fault.h"
#include "runtime/host/host.h"
#include "runtime/irq/irq.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/pressure/pressure.h"
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

static bool may_go_on(unsigned int gfp, const void *caller)
{
	if (!is_attached(caller))
		return false;
	if (check_context)
		might_alloc(gfp);
	return true;
}

static bool hook_begin(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller)
{
	return may_go_on(gfp, caller) && !fault_slab(gfp, size, cache_flags, caller);
}

static bool hook_begin_pages(unsigned int gfp, unsigned int order, const void *caller)
{
	return may_go_on(gfp, caller) && !fault_pages(gfp, order, caller);
}

/* Of a machine that does not see all allocations. */
static bool hook_begin_unseen(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller)
{
	(void)gfp;
	(void)size;
	(void)cache_flags;
	return is_attached(caller);
}

static void hook_who(struct alloc_who *who)
{
	const struct task_struct *task = current;

	if (!task)
		return;
	memcpy(who->comm, task->comm, sizeof(who->comm));
	who->pid = task->pid;
}

static void hook_freeing(const void *object, size_t size)
{
	if (!size)
		return;
	lockdep_check_freed(object, size);
	irq_check_freed(object, size);
}

/* What the kernel would take from kmalloc(), and a machine does not. */
static bool hook_fault(size_t size, const void *caller)
{
	return fault_slab(GFP_KERNEL, size, 0, caller);
}

static bool hook_fault_percpu(unsigned int gfp, size_t size, const void *caller)
{
	return fault_slab(gfp, size, 0, caller);
}

/* Synchronization: begin, what is said of it, begin_pages and freeing are const after slab_set_hooks() */
static struct alloc_hooks hooks = {
	.retry = pressure_retry,
	.who = hook_who,
	.report_zones = pressure_report_zones,
	.pages = &machine_pages,
};

void hooks_set(const struct flagstone_machine_config *config)
{
	check_context = config->context;
	hooks.begin = config_sees_all(config) ? hook_begin : hook_begin_unseen;
	hooks.begin_refuses_only = !config_sees_all(config);
	hooks.begin_pages = config_sees_all(config) ? hook_begin_pages : NULL;
	hooks.freeing = config->lockdep ? hook_freeing : NULL;
	slab_set_hooks(&hooks);
	sched_history_hook = slab_report_history;
}

void hooks_set_faults(bool on)
{
	sched_fault_hook = on ? hook_fault : NULL;
	vars_set_fault(on ? hook_fault_percpu : NULL);
}
