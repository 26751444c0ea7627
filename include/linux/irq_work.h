/*
 * linux/irq_work.h: functions that run in hard interrupt context as soon as this CPU's interrupts are on.
 *
 * Semantics: Linux, the kernel's header of this name. Any context unless a function says otherwise.
 */
#ifndef FLAGSTONE_LINUX_IRQ_WORK_H
#define FLAGSTONE_LINUX_IRQ_WORK_H

#include <linux/compiler.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IRQ_WORK_PENDING 1u
#define IRQ_WORK_BUSY 2u /* pending or running */

struct irq_work {
	struct irq_work *next; /* Synchronization: atomic */
	unsigned int flags; /* IRQ_WORK_. Synchronization: atomic */
	void (*func)(struct irq_work *work);
};

#define IRQ_WORK_INIT(body)    \
	{                      \
		.func = (body) \
	}
#define DEFINE_IRQ_WORK(name, body) struct irq_work name = IRQ_WORK_INIT(body)

static inline void init_irq_work(struct irq_work *work, void (*func)(struct irq_work *work))
{
	work->next = 0;
	__atomic_store_n(&work->flags, 0, __ATOMIC_RELAXED);
	work->func = func;
}

/* Runs it once on this CPU, on that one. Returns false if it is pending already. */
bool irq_work_queue(struct irq_work *work);
bool irq_work_queue_on(struct irq_work *work, int cpu);
/* Waits until it is neither pending nor runs. Context: task, interrupts on. */
void irq_work_sync(struct irq_work *work);

static inline bool irq_work_is_pending(struct irq_work *work)
{
	return READ_ONCE(work->flags) & IRQ_WORK_PENDING;
}

static inline bool irq_work_is_busy(struct irq_work *work)
{
	return READ_ONCE(work->flags) & IRQ_WORK_BUSY;
}

#ifdef __cplusplus
}
#endif

#endif
