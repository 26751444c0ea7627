/*
 * context.c: the contexts that code runs in: where sections without preemption or interrupts began, and the reports of code that sleeps,
 * or asks for its CPU, in the wrong one. Softirqs off and on.
 *
 * Calls report. Knows of interrupts only whether they are off.
 */
#include <linux/bottom_half.h>
#include <linux/irqflags.h>
#include <linux/smp.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"

#define NR_FRAMES 16
#define NR_PLACES 1024 /* that reports are limited to one each of. A power of two */

bool sched_debug = true;
void (*sched_softirq_hook)(void);
int (*sched_rcu_depth_hook)(void);
void (*sched_rcu_leave_hook)(void);

/* ---- stacks ---- */

const char *thread_stack_end(void)
{
	pthread_attr_t attr;
	void *start = NULL;
	size_t size = 0;

	if (pthread_getattr_np(pthread_self(), &attr))
		return NULL;
	pthread_attr_getstack(&attr, &start, &size);
	pthread_attr_destroy(&attr);
	return (const char *)start + size;
}

static unsigned int walk(const void *frame, uintptr_t *frames, unsigned int nr)
{
	/* NULL: a thread that never was a task. */
	return sched_this.stack_end ? report_walk(frame, (uintptr_t)sched_this.stack_end, frames, nr) : 0;
}

const char *sched_stack_end(void)
{
	return sched_this.stack_end;
}

noinline unsigned int sched_stack(uintptr_t *frames, unsigned int nr)
{
	return walk(__builtin_frame_address(0), frames, nr);
}

unsigned int sched_stack_from(const void *frame, const void *sp, uintptr_t *frames, unsigned int nr)
{
	uintptr_t at = (uintptr_t)frame;

	/* What is no frame of this stack must not be read. */
	if (at % sizeof(at) || frame < sp || (const char *)frame >= sched_this.stack_end)
		return 0;
	return walk(frame, frames, nr);
}

void section_record_from(struct sched_section *section, const void *frame)
{
	section->nr = walk(frame, section->frames, ARRAY_SIZE(section->frames));
}

noinline void section_record(struct sched_section *section)
{
	section_record_from(section, __builtin_frame_address(0));
}

noinline void flagstone_section_begins(void)
{
	section_record_from(&sched_this.preempt_began, __builtin_frame_address(0));
}

/* ---- reports: inside one that is open ---- */

static void print_section(const char *title, bool inside, const struct sched_section *section)
{
	if (!inside || !section->nr)
		return;
	report_line("%s", title);
	report_frames(section->frames, section->nr);
}

static noinline void print_context(void)
{
	uintptr_t frames[NR_FRAMES];
	unsigned int nr = sched_stack(frames, NR_FRAMES);

	lockdep_print_held(current);
	print_section("Preemption disabled at:", preempt_count(), &sched_this.preempt_began);
	print_section("Interrupts disabled at:", sched_this.irqs_off, &sched_this.irqs_began);
	report_line("Call Trace:");
	report_frames(frames, nr);
}

void scheduling_while_atomic(void)
{
	sched_this.sleep_reported = true;
	report_begin("BUG: ", "scheduling while atomic: %s/%d/0x%08x%s", current->comm, current->pid, preempt_count(),
		sched_this.irqs_off ? ", interrupts off" : "");
	print_context();
	report_end();
	sched_this.sleep_reported = false;
}

/* A path as of the sources' root. */
static const char *source_name(const char *file)
{
	while (!strncmp(file, "../", 3))
		file += 3;
	return file;
}

void flagstone_might_sleep(const char *file, int line)
{
	struct task_struct *task = current;
	bool irqs_off = irqs_disabled(); /* before the report switches them off */
	int rcu_depth;

	if (!sched_debug)
		return;
	if (!task) {
		report_bug("sleeping function called at %s:%d by a thread that is attached to no CPU",
			source_name(file), line);
		return;
	}
	rcu_depth = sched_rcu_depth();
	if (likely(!preempt_count() && !irqs_off && !sched_this.non_block && !sched_this.is_idle && !rcu_depth))
		return;
	if (sched_this.sleep_reported)
		return;
	sched_this.sleep_reported = true;
	report_begin("BUG: ", "sleeping function called from invalid context at %s:%d", source_name(file), line);
	report_line("in_atomic(): %d, irqs_disabled(): %d, non_block: %d, pid: %d, name: %s", in_atomic(), irqs_off,
		(int)sched_this.non_block, task->pid, task->comm);
	report_line("preempt_count: %x, expected: 0", preempt_count());
	report_line("RCU nest depth: %d, expected: 0", rcu_depth);
	print_context();
	report_end();
	sched_this.sleep_reported = false;
}

void might_resched(void)
{
	_cond_resched();
}

void flagstone_cant_sleep(const char *file, int line)
{
	if (!sched_debug || preempt_count() || irqs_disabled())
		return;
	report_begin("BUG: ", "assuming atomic context at %s:%d", source_name(file), line);
	report_line("in_atomic(): 0, irqs_disabled(): 0, pid: %d, name: %s", current ? current->pid : -1,
		current ? current->comm : "?");
	print_context();
	report_end();
}

void non_block_start(void)
{
	sched_this.non_block++;
}

void non_block_end(void)
{
	if (sched_this.non_block)
		sched_this.non_block--;
	else
		report_bug("non_block_end without non_block_start");
}

/* ---- smp_processor_id() ---- */

static const void *places[NR_PLACES]; /* that were reported. Synchronization: atomic words, each set once a boot */

void context_reset(void)
{
	memset(places, 0, sizeof(places));
}

/* Whether a report of this place is the first. A full table has none. */
static bool first_of_place(const void *place)
{
	uintptr_t hash = (uintptr_t)place * 0x9e3779b97f4a7c15ul >> 20;

	for (unsigned int i = 0; i < NR_PLACES; i++) {
		const void **slot = &places[(hash + i) % NR_PLACES], *nothing = NULL;

		if (__atomic_compare_exchange_n(slot, &nothing, place, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
		if (nothing == place)
			return false;
	}
	return false;
}

static bool stays_here(void)
{
	unsigned int nr = 0;

	if (preempt_count() || irqs_disabled() || !sched_this.task || sched_this.is_idle)
		return true;
	for (unsigned int cpu = 0; cpu < sched_nr_cpus && nr < 2; cpu++)
		nr += task_may_be_on(sched_this.task, cpu);
	return nr == 1;
}

noinline int smp_processor_id(void)
{
	if (likely(!sched_debug) || likely(stays_here()) || !first_of_place(__builtin_return_address(0)))
		return raw_smp_processor_id();
	report_begin("BUG: ", "using smp_processor_id() in preemptible [%08x] code: %s/%d", preempt_count(),
		current->comm, current->pid);
	print_context();
	report_end();
	return raw_smp_processor_id();
}

/* ---- softirqs ---- */

void local_bh_enable(void)
{
	if (unlikely(softirq_count() < SOFTIRQ_DISABLE_OFFSET)) {
		report_bug("local_bh_enable without local_bh_disable");
		return;
	}
	if (unlikely(lockdep_on) && softirq_count() == SOFTIRQ_DISABLE_OFFSET && !in_hardirq() && !irqs_disabled())
		__lockdep_softirqs_on();
	barrier();
	/* Preemption stays off until the softirqs have run. */
	*(volatile unsigned int *)&flagstone_this.preempt_count -= SOFTIRQ_DISABLE_OFFSET - PREEMPT_OFFSET;
	if (sched_softirq_hook && !in_interrupt() && !irqs_disabled())
		sched_softirq_hook();
	preempt_enable();
}
