/*
 * linux/hardirq.h: waiting for interrupt handlers. The predicates of contexts are in linux/preempt.h.
 *
 * Semantics: Linux, Documentation/core-api/genericirq.rst.
 */
#ifndef FLAGSTONE_LINUX_HARDIRQ_H
#define FLAGSTONE_LINUX_HARDIRQ_H

#include <linux/preempt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Waits until the handlers of an interrupt that run now have returned, and their threads too. Context: task, may
 * sleep. */
void synchronize_irq(unsigned int irq);
/* As above without the threads; spins. Returns whether no thread of it runs. Any context but the interrupt's own
 * handlers. */
bool synchronize_hardirq(unsigned int irq);

#ifdef __cplusplus
}
#endif

#endif
