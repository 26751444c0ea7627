/*
 * linux/local_lock.h: names for the sections in which a CPU's own data is used.
 *
 * Semantics: Linux, Documentation/locking/locktypes.rst, "local_lock". A local_lock_t is a per-CPU variable; what it covers is per-CPU data
 * of the same CPU, which no other CPU touches, so nothing is waited for: preemption, or interrupts too, are off while it is held. Taking it
 * twice on a CPU, as an interrupt does where local_lock_irq() was needed, and letting go what another task holds, are reports where sections
 * are recorded (debug in flagstone/machine.h). lock: a per-CPU pointer: &name, &structure.lock. Context: any, as the ending says.
 */
#ifndef FLAGSTONE_LINUX_LOCAL_LOCK_H
#define FLAGSTONE_LINUX_LOCAL_LOCK_H

#include <linux/irqflags.h>
#include <linux/percpu-defs.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
	struct task_struct *owner; /* where sections are recorded. Synchronization: own CPU, preemption off */
} local_lock_t;

/* clang-format off */
#define INIT_LOCAL_LOCK(name) { NULL }
/* clang-format on */
/* Before the first use: here an address as of per_cpu_ptr(). */
#define local_lock_init(lock) ((void)((lock)->owner = NULL))

void flagstone_local_lock(local_lock_t *here, const char *file, int line);
void flagstone_local_unlock(local_lock_t *here, const char *file, int line);

/* From here on this task stays on this CPU, alone of its tasks; and may not sleep. */
#define local_lock(lock)                                                      \
	do {                                                                  \
		preempt_disable();                                            \
		flagstone_local_lock(this_cpu_ptr(lock), __FILE__, __LINE__); \
	} while (0)
#define local_unlock(lock)                                                      \
	do {                                                                    \
		flagstone_local_unlock(this_cpu_ptr(lock), __FILE__, __LINE__); \
		preempt_enable();                                               \
	} while (0)
/* Interrupts are off, too. */
#define local_lock_irq(lock)                                                  \
	do {                                                                  \
		local_irq_disable();                                          \
		flagstone_local_lock(this_cpu_ptr(lock), __FILE__, __LINE__); \
	} while (0)
#define local_unlock_irq(lock)                                                  \
	do {                                                                    \
		flagstone_local_unlock(this_cpu_ptr(lock), __FILE__, __LINE__); \
		local_irq_enable();                                             \
	} while (0)
/* flags receives what they were. */
#define local_lock_irqsave(lock, flags)                                       \
	do {                                                                  \
		local_irq_save(flags);                                        \
		flagstone_local_lock(this_cpu_ptr(lock), __FILE__, __LINE__); \
	} while (0)
#define local_unlock_irqrestore(lock, flags)                                    \
	do {                                                                    \
		flagstone_local_unlock(this_cpu_ptr(lock), __FILE__, __LINE__); \
		local_irq_restore(flags);                                       \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif
