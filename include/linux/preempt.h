/*
 * linux/preempt.h: what may interrupt this code, and in what context it runs.
 *
 * Semantics: Linux, Documentation/locking/preempt-locking.rst and kernel-hacking/hacking.rst. The count belongs to the
 * thread that holds the simulated CPU. Everything here may be used in any context.
 */
#ifndef FLAGSTONE_LINUX_PREEMPT_H
#define FLAGSTONE_LINUX_PREEMPT_H

#include <linux/compiler.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PREEMPT_SHIFT 0
#define SOFTIRQ_SHIFT 8
#define HARDIRQ_SHIFT 16
#define NMI_SHIFT 20
#define PREEMPT_OFFSET (1u << PREEMPT_SHIFT)
#define SOFTIRQ_OFFSET (1u << SOFTIRQ_SHIFT)
#define SOFTIRQ_DISABLE_OFFSET (2 * SOFTIRQ_OFFSET)
#define HARDIRQ_OFFSET (1u << HARDIRQ_SHIFT)
#define PREEMPT_MASK 0x000000ffu
#define SOFTIRQ_MASK 0x0000ff00u
#define HARDIRQ_MASK 0x000f0000u

/* Of the thread that reads it; flagstone's own, for the inline functions here. Synchronization: own thread */
struct flagstone_this {
	unsigned int preempt_count;
	unsigned int
		need_resched; /* another task is to run as soon as this one may be preempted; see preempt_enable() */
	int cpu; /* the simulated CPU that this thread holds; below 0: none */
	unsigned int record; /* debugging is on: the place where the count leaves 0 is kept for reports */
};
extern __thread struct flagstone_this flagstone_this __attribute__((tls_model("initial-exec")));

static inline unsigned int preempt_count(void)
{
	return *(volatile unsigned int *)&flagstone_this.preempt_count;
}

/* Lets what is pending on this CPU happen: another task may run first. Called by preempt_enable(). */
void preempt_schedule(void);

/* Keeps this thread's stack as the place where its section without preemption began. Flagstone's own. */
void flagstone_section_begins(void);

static inline void flagstone_preempt_add(unsigned int offset)
{
	if (unlikely(flagstone_this.record) && !preempt_count())
		flagstone_section_begins();
	*(volatile unsigned int *)&flagstone_this.preempt_count += offset;
	barrier();
}

/* From here to preempt_enable() this task keeps its CPU. Nests. Sleeping between them is a mistake that is reported. */
static inline void preempt_disable(void)
{
	flagstone_preempt_add(PREEMPT_OFFSET);
}

static inline void preempt_enable_no_resched(void)
{
	barrier();
	(*(volatile unsigned int *)&flagstone_this.preempt_count)--;
}

static inline void preempt_enable(void)
{
	preempt_enable_no_resched();
	if (unlikely(__atomic_load_n(&flagstone_this.need_resched, __ATOMIC_RELAXED)))
		preempt_schedule();
}

#define hardirq_count() (preempt_count() & HARDIRQ_MASK)
#define softirq_count() (preempt_count() & SOFTIRQ_MASK)
#define irq_count() (preempt_count() & (HARDIRQ_MASK | SOFTIRQ_MASK))
/* In a hard interrupt's handler; in a softirq's. */
#define in_hardirq() (hardirq_count() != 0)
#define in_serving_softirq() ((softirq_count() & SOFTIRQ_OFFSET) != 0)
#define in_task() (!(in_hardirq() || in_serving_softirq()))
/* Older words: in_softirq() is also true with softirqs disabled, and in_interrupt() with it. */
#define in_irq() in_hardirq()
#define in_softirq() (softirq_count() != 0)
#define in_interrupt() (irq_count() != 0)
/* Preemption is off, or an interrupt or softirq runs: code that must not sleep. Interrupts being off do not count. */
#define in_atomic() (preempt_count() != 0)
#define in_nmi() (0)

#ifdef __cplusplus
}
#endif

#endif
