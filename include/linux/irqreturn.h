/*
 * linux/irqreturn.h: what an interrupt handler returns.
 *
 * Semantics: Linux, Documentation/core-api/genericirq.rst.
 */
#ifndef FLAGSTONE_LINUX_IRQRETURN_H
#define FLAGSTONE_LINUX_IRQRETURN_H

enum irqreturn {
	IRQ_NONE = 0, /* not from this device */
	IRQ_HANDLED = 1,
	IRQ_WAKE_THREAD = 2, /* the handler's thread does the rest */
};
typedef enum irqreturn irqreturn_t;
#define IRQ_RETVAL(x) ((x) ? IRQ_HANDLED : IRQ_NONE)

#endif
