/*
 * linux/bottom_half.h: keeping softirqs off this CPU.
 *
 * Semantics: Linux, Documentation/kernel-hacking/locking.rst.
 */
#ifndef FLAGSTONE_LINUX_BOTTOM_HALF_H
#define FLAGSTONE_LINUX_BOTTOM_HALF_H

#include <linux/preempt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* No softirq runs on this CPU, and this task keeps it, until local_bh_enable(). Nests. Context: any but hard interrupts. */
static inline void local_bh_disable(void)
{
	flagstone_preempt_add(SOFTIRQ_DISABLE_OFFSET);
}

/* The last one runs the softirqs that became pending meanwhile. Context: task or softirq, interrupts on. */
void local_bh_enable(void);

/*
 * Flagstone's own: what runs the pending softirqs of this CPU; called with preemption off and interrupts on. NULL: there are none.
 * Synchronization: set while one thread uses the machine.
 */
extern void (*sched_softirq_hook)(void);

#ifdef __cplusplus
}
#endif

#endif
