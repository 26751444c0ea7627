/*
 * timer.h: each CPU's timers: of timer.c and hrtimer.c.
 */
#ifndef RUNTIME_IRQ_TIMER_H
#define RUNTIME_IRQ_TIMER_H

#include <linux/hrtimer.h>

#include "runtime/irq/due.h"
#include "runtime/irq/internal.h"

struct timer_base {
	struct lock lock; /* rank TASKS, interrupts off */
	struct flagstone_due *timers; /* by jiffies. Synchronization: lock, as what follows */
	struct flagstone_due *hrtimers; /* by nanoseconds */
	struct timer_list *running; /* whose function runs, or ran last; only its address is used */
	struct hrtimer *hr_running;
	bool softirq_raised; /* timers are due, and no deadline is set for them until the softirq has run */
	struct clock_event event;
} cache_aligned;

extern struct timer_base timer_bases[MAX_CPUS];

/* Locks the base that the flags name and that they name still when it is locked. Interrupts off. */
struct timer_base *base_lock(unsigned int *flags);
/*
 * The timer, which is on no heap, is on that CPU from now on. The lock of base is held, and given for the new base's,
 * which is returned.
 */
struct timer_base *__base_change(struct timer_base *base, unsigned int *flags, unsigned int cpu);
/* Sets the clock to what is due next. */
void __base_program(struct timer_base *base);
/* The CPU whose timers a caller starts: its own, or, of a thread that has none, that. Interrupts off. */
unsigned int base_here(unsigned int otherwise);
/* Those that are due run. Hard interrupt context. */
void hrtimers_run(struct timer_base *base);

#endif
