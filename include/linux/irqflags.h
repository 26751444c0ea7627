/*
 * linux/irqflags.h: masking the interrupts of the simulated CPU that this thread holds.
 *
 * Semantics: Linux, Documentation/kernel-hacking/hacking.rst. Masking makes no system call: an interrupt that arrives while
 * masked runs when the mask opens. Any context.
 */
#ifndef FLAGSTONE_LINUX_IRQFLAGS_H
#define FLAGSTONE_LINUX_IRQFLAGS_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

void local_irq_disable(void);
/* Interrupts that are pending run inside. */
void local_irq_enable(void);
bool irqs_disabled(void);
/* Disables, and returns what local_irq_restore() takes. */
unsigned long flagstone_irq_save(void);
/* What they were when they were saved: pending interrupts run inside, if that is enabled. */
void flagstone_irq_restore(unsigned long flags);

#define local_irq_save(flags) ((void)((flags) = flagstone_irq_save()))
#define local_irq_restore(flags) flagstone_irq_restore(flags)
#define local_save_flags(flags) ((void)((flags) = (unsigned long)irqs_disabled()))
#define irqs_disabled_flags(flags) ((flags) != 0)

#ifdef __cplusplus
}
#endif

#endif
