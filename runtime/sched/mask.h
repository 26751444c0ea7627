/*
 * mask.h: interrupts off, inline: as host_signals_block() and host_signals_restore() do it in a machine, for paths on which a call
 * would cost more than what it protects.
 */
#ifndef RUNTIME_SCHED_MASK_H
#define RUNTIME_SCHED_MASK_H

#include "runtime/sched/sched.h"

#define compiler_barrier() __asm__ __volatile__("" : : : "memory")

/* Where a section began that must not sleep. */
struct sched_section {
	unsigned int nr;
	uintptr_t frames[8];
};

/* Of each thread. Synchronization: own thread and the interrupts on it, which leave it as they found it. */
struct sched_this {
	unsigned int masked; /* > 0: interrupts are off */
	bool irqs_off; /* local_irq_disable() is one of masked */
	bool is_idle;
	bool sleep_reported; /* inside the report of a sleep in the wrong place */
	struct sched_cpu *cpu; /* whose token this thread has, or had when it began to wait; NULL: it is no task */
	struct sched_task *task;
	const char *stack_end;
	unsigned int non_block; /* depth of non_block_start() */
	struct sched_section preempt_began, irqs_began; /* where sched_debug */
};
extern __thread struct sched_this sched_this __attribute__((tls_model("initial-exec")));

/* Bits of flagstone_this.need_resched. */
enum { NEED_RESCHED = 1, NEED_LOOK = 2 };

static inline bool cpu_needs(unsigned int what)
{
	return __atomic_load_n(&flagstone_this.need_resched, __ATOMIC_RELAXED) & what;
}

/* Sees to this CPU's events, and gives it away if preemption is forced. Interrupts on. */
void cpu_look_and_preempt(void);

/* Interrupts on. Out of line is what usually finds nothing: it would save registers for it. */
static inline void cpu_look_if_needed(void)
{
	const struct sched_cpu *cpu = sched_this.cpu;

	/* Pairs with the signal's look at masked: one that came before that was 0 leaves its event to what is read now. */
	compiler_barrier();
	if (cpu && (unlikely(__atomic_load_n(&cpu->pending, __ATOMIC_RELAXED)) || unlikely(cpu_needs(NEED_RESCHED))))
		cpu_look_and_preempt();
}

/* Returns what cpu_mask_leave() wants. That stores what was read here, and does not subtract: one step less in the chain of
 * loads of what was just stored, which sections that follow each other closely wait for. */
static inline unsigned int cpu_mask_enter(void)
{
	unsigned int outer = sched_this.masked;

	sched_this.masked = outer + 1;
	compiler_barrier();
	return outer;
}

static inline void cpu_mask_leave(unsigned int outer)
{
	compiler_barrier();
	sched_this.masked = outer;
	if (likely(!outer))
		cpu_look_if_needed();
}

#endif
