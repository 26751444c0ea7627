/*
 * segv.c: says what a wrong address is, and who used it where, before whatever handles the signal. Works on the thread's
 * other stack, if it has one: its own may have run over.
 *
 * Calls rooms that know kinds of addresses, tasks and stacks. Knows nothing of why.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "percpu/vars.h"
#include "runtime/config.h"
#include "runtime/host/registers.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/page/page.h"
#include "runtime/sched/sched.h"

#define NR_FRAMES 16

static const int signals[] = {SIGSEGV, SIGBUS};
static struct sigaction before_deadline; /* Synchronization: boot and shutdown */
static struct sigaction before[ARRAY_SIZE(signals)]; /* Synchronization: boot and shutdown */

static bool is_zero_size(uintptr_t address)
{
	return address >= (uintptr_t)ZERO_SIZE_PTR && address < (uintptr_t)ZERO_SIZE_PTR + 16;
}

/* An address of the direct map that has a frame but no memory there: highmem. */
static bool is_highmem(uintptr_t address)
{
	const uintptr_t pfn = (address - (uintptr_t)percpu_fast.anchor) >> PAGE_SHIFT;

	return address > (uintptr_t)percpu_fast.anchor && page_pfn_online(pfn) &&
	       page_is_highmem(pfn_to_page_struct(pfn));
}

/* What an address is that nobody may touch; NULL: unknown. */
static const char *kind_of(uintptr_t address)
{
	if (is_zero_size(address))
		return "ZERO_SIZE_PTR, what kmalloc(0) returns";
	if (vars_is_percpu_pointer((const void *)address))
		return "a per-CPU variable's name, which is no CPU's address: see this_cpu_ptr() and per_cpu_ptr()";
	if (is_highmem(address))
		return "a highmem page, which has no address until kmap()";
	return NULL;
}

/* ---- where ---- */

#define FAR_BELOW (1ul << 20) /* a frame larger than that is not taken for the stack's */

/* Whether the address is what a stack ran into that has no room left: its guard page, or, with a frame that is larger, what lies below.
 * The stack's mapping ends where it does: the thread library's word for it counts the guard in, or memory that is not mapped yet. */
static bool is_overflow(uintptr_t address, const struct host_registers *registers, uintptr_t *low, uintptr_t *high)
{
	uintptr_t mapping_end;

	if (!sched_stack_end() || !report_mapping((uintptr_t)sched_stack_end() - 1, low, &mapping_end))
		return false;
	*high = (uintptr_t)sched_stack_end();
	return address < *low && address >= *low - FAR_BELOW &&
	       (registers->stack < *low + PAGE_SIZE || address >= *low - PAGE_SIZE);
}

/* The kernel's words; then what only we know. */
static void report_address(uintptr_t address, const ucontext_t *context)
{
	const struct host_registers registers = host_registers_of(context);
	const char *kind = kind_of(address);
	uintptr_t low, high;

	if (address < PAGE_SIZE)
		report_note("BUG: kernel NULL pointer dereference, address: %016lx", (unsigned long)address);
	else if (is_overflow(address, &registers, &low, &high))
		report_note("BUG: TASK stack guard page was hit at %016lx (stack is %016lx..%016lx)",
			(unsigned long)address, (unsigned long)low, (unsigned long)high);
	else
		report_note("BUG: unable to handle page fault for address: %016lx", (unsigned long)address);
	if (kind)
		report_note("0x%lx is %s", (unsigned long)address, kind);
}

/* ---- who ---- */

static void report_task(const ucontext_t *context)
{
	const struct host_registers registers = host_registers_of(context);
	const struct task_struct *task = current;
	uintptr_t frames[NR_FRAMES] = {registers.instruction};
	unsigned int nr;

	if (task)
		report_note("CPU: %d PID: %d Comm: %s", raw_smp_processor_id(), task->pid, task->comm);
	else
		report_note("in a thread that is attached to no CPU");
	/* The instruction first, as what is no return address. */
	nr = sched_stack_from((const void *)registers.frame, (const void *)registers.stack, frames + 1, NR_FRAMES - 1);
	report_stack(frames, nr + 1);
}

/* ---- the signal ---- */

static const struct sigaction *previous(int number)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i] == number)
			return &before[i];
	return NULL;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
	const struct sigaction *action = previous(number);

	if (action->sa_flags & SA_SIGINFO) {
		action->sa_sigaction(number, info, context);
	} else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
		action->sa_handler(number);
	} else {
		/* The instruction happens again, and the default with it; a signal that was sent does not. */
		sigaction(number, action, NULL);
		if (info->si_code <= 0)
			raise(number);
	}
}

static void on_segv(int number, siginfo_t *info, void *context)
{
	static __thread bool reporting;

	/* Of a signal that somebody sent there is no address; and a report may meet what is broken. */
	if (info->si_code > 0 && !reporting) {
		reporting = true;
		report_address((uintptr_t)info->si_addr, context);
		report_task(context);
		reporting = false;
	}
	pass_on(number, info, context);
}

static void report_waiting(struct sched_task *task, void *arg)
{
	unsigned int state = (unsigned int)__atomic_load_n(&task->task.__state, __ATOMIC_RELAXED);
	const char *word = state == TASK_RUNNING        ? "running or runnable"
			   : state == TASK_IDLE         ? "idle"
			   : state & TASK_INTERRUPTIBLE ? "sleeping"
							: "sleeping uninterruptibly";

	(void)arg;
	report_note("machine: task %s (pid %d) on CPU %u: %s", task->task.comm, task->task.pid, task->cpu, word);
}

/* What fail-each sends to a program that hangs: which tasks there are, and where this one is; then the end. The locks behind it are
 * taken with signals blocked only. */
static void on_deadline(int number, siginfo_t *info, void *context)
{
	(void)info;
	sched_for_each_task(report_waiting, NULL);
	report_task(context);
	signal(number, SIG_DFL);
	raise(number);
}

void segv_boot(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_segv;
	action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, &before[i]);
	action.sa_sigaction = on_deadline;
	if (!machine_config.fail_nth)
		return;
	sigaction(SIGTERM, &action, &before_deadline);
	__atomic_fetch_or(&sched_own_signals, 1ull << (SIGTERM - 1), __ATOMIC_RELAXED);
}

void segv_shutdown(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &before[i], NULL);
	if (!machine_config.fail_nth)
		return;
	__atomic_fetch_and(&sched_own_signals, ~(1ull << (SIGTERM - 1)), __ATOMIC_RELAXED);
	sigaction(SIGTERM, &before_deadline, NULL);
}
