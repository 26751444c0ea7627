/*
 * linux/smp.h: which simulated CPU runs this, and functions that run on others.
 *
 * Semantics: Linux, Documentation/core-api/cpu_hotplug.rst and locking/preempt-locking.rst, and kernel/smp.c's
 * documentation.
 */
#ifndef FLAGSTONE_LINUX_SMP_H
#define FLAGSTONE_LINUX_SMP_H

#include <linux/cpumask.h>
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

/* ---- functions on other CPUs: in hard interrupt context there, on the caller's own with interrupts off; they may
 * not sleep ---- */

typedef void (*smp_call_func_t)(void *info);
typedef bool (*smp_cond_func_t)(int cpu, void *info);

/* A call that its owner keeps until it has run. Fields but the last two: flagstone's own. */
struct __call_single_data {
	struct __call_single_data *next; /* Synchronization: atomic */
	unsigned int flags; /* Synchronization: atomic */
	smp_call_func_t func;
	void *info;
};
typedef struct __call_single_data call_single_data_t;
#define CSD_INIT(function, data)                   \
	{                                          \
		.func = (function), .info = (data) \
	}
#define INIT_CSD(csd, function, data) (*(csd) = (call_single_data_t)CSD_INIT(function, data))

/*
 * Runs func(info) on that CPU; with wait it has ended when this returns. 0; -ENXIO: no such CPU, or offline. Context:
 * task with interrupts on; else a report, since CPUs may wait for each other.
 */
int smp_call_function_single(int cpu, smp_call_func_t func, void *info, int wait);
/* The same with a call of the owner's, without waiting. -EBUSY: it has not run yet since the last time. Any context. */
int smp_call_function_single_async(int cpu, call_single_data_t *csd);
/* On every online CPU of the mask but this one. Context: preemption off, else as smp_call_function_single(). */
void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait);
/* On every online CPU but this one. */
void smp_call_function(smp_call_func_t func, void *info, int wait);
/* On some online CPU of the mask, this one if it is in it. -ENXIO: none is. */
int smp_call_function_any(const struct cpumask *mask, smp_call_func_t func, void *info, int wait);
/* On every online CPU, this one too; _mask: of the mask; _cond: where cond(cpu, info), asked here, is true. */
void on_each_cpu(smp_call_func_t func, void *info, int wait);
void on_each_cpu_mask(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait);
void on_each_cpu_cond(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait);
void on_each_cpu_cond_mask(
	smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait, const struct cpumask *mask);

#ifdef __cplusplus
}
#endif

#endif
