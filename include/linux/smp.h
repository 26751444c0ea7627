/*
 * linux/smp.h: which simulated CPU runs this.
 *
 * Semantics: Linux, Documentation/core-api/cpu_hotplug.rst and locking/preempt-locking.rst.
 */
#ifndef FLAGSTONE_LINUX_SMP_H
#define FLAGSTONE_LINUX_SMP_H

#include <linux/preempt.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of the CPU; with preemption on it may be wrong at once. Any context. */
static inline int raw_smp_processor_id(void)
{
	return *(volatile int *)&flagstone_this.cpu;
}

/* The same for code that cannot be moved: a report, once a place, if it can (see debug in flagstone/machine.h). */
int smp_processor_id(void);

/* The number, with preemption off until put_cpu(). */
#define get_cpu()                       \
	({                              \
		preempt_disable();      \
		raw_smp_processor_id(); \
	})
#define put_cpu() preempt_enable()

#ifdef __cplusplus
}
#endif

#endif
