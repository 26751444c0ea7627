/*
 * hung_task.c: finds tasks that sleep for too long and tasks that nothing can wake, and says where they sleep, with which locks, for what.
 *
 * Semantics: Linux, Documentation/admin-guide/sysctl/kernel.rst, hung_task_timeout_secs, hung_task_panic and hung_task_warnings. Calls
 * lockdep for what is held, host for the process's threads. Looks on the clock's thread, which no simulated CPU keeps from it.
 *
 * A task is asleep if it is neither on its CPU nor on its queue; under that CPU's lock it stays so, and its stack and what it waits for
 * may be read.
 */
#include <linux/jiffies.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/sched/lockdep.h"

#define NR_FRAMES 16
#define LONGEST_PERIOD ((uint64_t)NSEC_PER_SEC)
#define LOOKS 4 /* in the shortest sleep that is too long */
#define WARNINGS 10 /* as Linux's hung_task_warnings */
#define TASK_LINE "task:%s state:%c cpu:%u pid:%d"

static struct {
	struct clock_event event;
	uint64_t period; /* ns between looks. Const after boot, as what follows */
	unsigned long timeout; /* s */
	bool panics;
	bool stops; /* Synchronization: atomic */
	/* The clock's thread. */
	unsigned int nr_told;
	bool hung; /* somebody, at this look */
	bool stuck_told;
	unsigned long nr_switches; /* at the last look */
} hung;

unsigned int (*sched_resting_hook)(void);
uint64_t sched_own_signals;

/* A task as it sleeps. Synchronization: the clock's thread */
static struct {
	char state;
	unsigned int cpu, nr;
	uintptr_t frames[NR_FRAMES];
	char blocked_on[128];
	bool has_held;
	struct held_locks held;
} seen;

/* ---- one task ---- */

void sched_waits_for(const struct sched_wait *wait)
{
	sched_this.task->waits_for = wait;
}

/* The list's lock is held: a task that is on it is there. */
void __wait_print_task(struct text *text, const void *owner)
{
	struct sched_task *task;

	list_for_each_entry(task, &task_list, all) {
		if (task != owner)
			continue;
		text_printf(text, " likely owned by task %s:%d", task->task.comm, task->task.pid);
		return;
	}
	text_printf(text, ", but the owner is not found");
}

static char letter_of(unsigned int state)
{
	if ((state & TASK_IDLE) == TASK_IDLE)
		return 'I';
	return state & TASK_UNINTERRUPTIBLE ? 'D' : state & TASK_PARKED ? 'P' : 'S';
}

/* Both locks are held. */
static void __copy(struct sched_task *task)
{
	struct text text = TEXT_INIT(seen.blocked_on, sizeof(seen.blocked_on), -1);
	const struct held_locks *held = task->task.held;

	seen.state = letter_of(__atomic_load_n(&task->task.__state, __ATOMIC_RELAXED));
	seen.cpu = task->cpu;
	seen.nr = report_walk(task->sleeps_at, (uintptr_t)task->stack_end, seen.frames, NR_FRAMES);
	seen.blocked_on[0] = '\0';
	if (task->waits_for)
		task->waits_for->print(task->waits_for, &text);
	seen.has_held = held;
	if (held) {
		seen.held.nr = held->nr;
		memcpy(seen.held.locks, held->locks, held->nr * sizeof(held->locks[0]));
	}
}

/* A report is open, which named the task. */
static void print_seen(const struct task_struct *task)
{
	report_line("Call Trace:");
	report_frames(seen.frames, seen.nr);
	if (seen.blocked_on[0])
		report_line("INFO: task %s:%d is blocked on %s.", task->comm, task->pid, seen.blocked_on);
	if (seen.has_held)
		lockdep_print_locks(&seen.held, task);
}

static bool is_idle(const struct sched_task *task)
{
	return sched_cpus[__atomic_load_n(&task->cpu, __ATOMIC_RELAXED)].idle == task;
}

/* ---- tasks that sleep for too long ---- */

/* Those that the kernel looks at: not what may be killed, nor what says that it idles. */
static bool is_uninterruptible(const struct sched_task *task)
{
	unsigned int state = __atomic_load_n(&task->task.__state, __ATOMIC_RELAXED);

	return (state & TASK_UNINTERRUPTIBLE) && !(state & (TASK_WAKEKILL | (TASK_IDLE & ~TASK_UNINTERRUPTIBLE)));
}

/* Whether it has slept since it was last looked at so often. Time is not asked: it also passes while the process is stopped. A sleep with
 * an end that is set is none of those, though Linux reports it, too: whole tests may wait in one msleep(). */
static bool sleeps_too_long(struct sched_task *task)
{
	struct sched_cpu *cpu = task_lock_cpu(task);
	bool asleep = cpu->curr != task && !task->on_queue && task->nr_switches, too_long = false;

	if (!asleep || task->has_deadline || task->nr_switches != task->seen_switches) {
		task->nr_looks = 0;
		/* The next time it is told again. */
		__atomic_store_n(&task->hung_told, false, __ATOMIC_RELAXED);
	} else {
		too_long = ++task->nr_looks * hung.period >= hung.timeout * (uint64_t)NSEC_PER_SEC;
	}
	task->seen_switches = task->nr_switches;
	if (too_long && !task->hung_told)
		__copy(task);
	lock_release(&cpu->lock);
	return too_long && !task->hung_told;
}

static void look_at(struct sched_task *task, void *unused)
{
	(void)unused;
	if (is_idle(task) || !is_uninterruptible(task) || !sleeps_too_long(task))
		return;
	__atomic_store_n(&task->hung_told, true, __ATOMIC_RELAXED);
	hung.hung = true;
	if (hung.nr_told++ >= WARNINGS)
		return;
	report_begin("INFO: ", "task %s:%d blocked for more than %lu seconds.", task->task.comm, task->task.pid,
		hung.timeout);
	report_line("\"hung_task_timeout_secs=0\" disables this message.");
	report_line(TASK_LINE, task->task.comm, seen.state, seen.cpu, task->task.pid);
	print_seen(&task->task);
	if (hung.nr_told == WARNINGS)
		report_line("Future hung task reports are suppressed.");
	report_close();
}

/* ---- tasks that nothing can wake ---- */

/* What may run a handler that wakes somebody: signals other than those of wrong instructions, ours, and the C library's own. */
#define SIGNAL_BIT(number) (1ull << ((number)-1))
static const uint64_t harmless = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGFPE) |
				 SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGSYS) |
				 SIGNAL_BIT(SCHED_SIGNAL) | SIGNAL_BIT(32) | SIGNAL_BIT(33);

static bool status_field(const char *status, const char *name, int base, unsigned long long *value)
{
	const char *at = strstr(status, name);

	if (at)
		*value = strtoull(at + strlen(name), NULL, base);
	return at;
}

/* A host thread is on its own until it has had its first turn, and again when it has had its last: then it is not counted. */
static void count_thread(struct sched_task *task, void *nr)
{
	struct sched_cpu *cpu = task_lock_cpu(task);
	bool is_task = cpu->idle == task || __atomic_load_n(&task->function, __ATOMIC_RELAXED) || task->nr_switches;

	lock_release(&cpu->lock);
	if (is_task && !sched_has_ended(task) && __atomic_load_n(&task->task.__state, __ATOMIC_RELAXED) != TASK_DEAD)
		++*(unsigned int *)nr;
}

/* Whether all threads of the process are tasks, but for this one and those that rest, and no signal has a handler of the program's. A thread
 * of a task that has ended may still be there: then not yet. */
static bool tasks_are_alone(void)
{
	unsigned int (*resting)(void) = __atomic_load_n(&sched_resting_hook, __ATOMIC_ACQUIRE);
	unsigned int nr = 1 + (resting ? resting() : 0);
	unsigned long long threads = 0, caught = 0;
	char status[4096];

	if (host_read_file("/proc/self/status", status, sizeof(status)) <= 0 ||
		!status_field(status, "\nThreads:", 10, &threads) || !status_field(status, "\nSigCgt:", 16, &caught))
		return false;
	sched_for_each_task(count_thread, &nr);
	return threads == nr && !(caught & ~(harmless | __atomic_load_n(&sched_own_signals, __ATOMIC_RELAXED)));
}

static void print_stuck(struct sched_task *task, void *unused)
{
	struct sched_cpu *cpu;
	bool tell;

	(void)unused;
	if (is_idle(task) || task->is_machines)
		return;
	cpu = task_lock_cpu(task);
	tell = cpu->curr != task && !task->on_queue && !sched_has_ended(task);
	if (tell && task->nr_switches)
		__copy(task);
	lock_release(&cpu->lock);
	if (!tell || !task->nr_switches || seen.state == 'I')
		return;
	report_begin("", TASK_LINE, task->task.comm, seen.state, seen.cpu, task->task.pid);
	print_seen(&task->task);
	report_close();
}

/* Whether no CPU runs, or has run anything since the last look. */
static bool cpus_are_still(unsigned long *nr_switches)
{
	return cpus_are_idle(nr_switches) && *nr_switches == hung.nr_switches;
}

/* Whether the machine is and stays still: no deadline is set, and nobody else is there. The CPUs are looked at last, too: had a task run
 * meanwhile, what was seen in between would count for nothing. */
static bool is_stuck(void)
{
	unsigned long nr_switches;
	bool stuck =
		cpus_are_still(&nr_switches) && clock_is_empty() && tasks_are_alone() && cpus_are_still(&nr_switches);

	hung.nr_switches = nr_switches;
	return stuck;
}

static void look_for_stuck(void)
{
	if (hung.stuck_told || !is_stuck())
		return;
	hung.stuck_told = true;
	report_note("BUG: nothing can wake the tasks of this machine: all sleep, and no timer, interrupt or other "
		    "thread is left");
	sched_for_each_task(print_stuck, NULL);
	report_bug_end();
}

/* ---- looking ---- */

/* Its own deadline is the one that is not set meanwhile. */
static void look(struct clock_event *event)
{
	look_for_stuck();
	hung.hung = false;
	sched_for_each_task(look_at, NULL);
	if (hung.hung && hung.panics) {
		report_note("Kernel panic - not syncing: hung_task: blocked tasks");
		host_abort();
	}
	if (!__atomic_load_n(&hung.stops, __ATOMIC_RELAXED))
		clock_set(event, host_clock_ns() + hung.period);
}

int hung_task_boot(unsigned long timeout, bool panics)
{
	uint64_t period = timeout * (uint64_t)NSEC_PER_SEC / LOOKS;

	memset(&hung, 0, sizeof(hung));
	hung.event.fire = look;
	hung.timeout = timeout;
	hung.panics = panics;
	hung.period = period < LONGEST_PERIOD ? period : LONGEST_PERIOD;
	return timeout ? clock_set(&hung.event, host_clock_ns() + hung.period) : 0;
}

void hung_task_shutdown(void)
{
	if (!hung.timeout)
		return;
	__atomic_store_n(&hung.stops, true, __ATOMIC_RELAXED);
	clock_cancel_sync(&hung.event);
	/* Again: a look that had not seen the word has set it anew by now. */
	clock_cancel_sync(&hung.event);
	hung.timeout = 0;
}

void hung_task_forget(void)
{
	memset(&hung, 0, sizeof(hung));
}
