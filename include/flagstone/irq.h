/*
 * flagstone/irq.h: the device's end of a simulated machine's interrupt lines.
 *
 * Plain C. Any host thread may call these while the machine runs, also one that is attached to no CPU.
 */
#ifndef FLAGSTONE_IRQ_H
#define FLAGSTONE_IRQ_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLAGSTONE_NR_IRQS 256 /* interrupt numbers are below this */

/*
 * One edge on a line: its handlers will run once more on the CPU that the line goes to. Returns true if they will
 * because of this edge; false if one that has not been handled yet stands for both, or if nobody has requested the
 * interrupt. While it is disabled an edge stays pending. Any context; a signal handler of the program's own too.
 */
bool flagstone_irq_raise(unsigned int irq);

/*
 * Sets the level of a line that was requested with IRQF_TRIGGER_HIGH: while it is up, its handlers run again and
 * again, until one has made the device lower it. Returns as flagstone_irq_raise(), false when it is lowered. Any
 * context.
 */
bool flagstone_irq_set_level(unsigned int irq, bool up);

/* How often handlers of the interrupt have run, on a CPU; on all of them: cpu below 0. Any context. */
unsigned long flagstone_irq_count(unsigned int irq, int cpu);

#ifdef __cplusplus
}
#endif

#endif
