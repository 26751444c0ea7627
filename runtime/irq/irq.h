/*
 * irq.h: interrupts and what is deferred from them: the interface of this room.
 *
 * Calls sched for CPUs, tasks and the clock. Kernel code uses the headers in include/linux, devices
 * include/flagstone/irq.h.
 */
#ifndef RUNTIME_IRQ_IRQ_H
#define RUNTIME_IRQ_IRQ_H

#include "runtime/lib/text.h"

/* After sched_boot(): interrupts work, each CPU has its ksoftirqd and its workers. 0 or -errno. Task context. */
int irq_boot(void);
/* Before sched_shutdown(): ends this room's threads; what is still pending is reported, with its function's address,
 * and forgotten; everything is as before boot. Returns how many were reported. Task context, and the only one that
 * uses the machine. */
unsigned int irq_shutdown(void);

/* Asked before each new worker thread of a work queue: false, and it is not made, as if memory were out. NULL:
 * always true. Called in a task, which may sleep. */
extern bool (*irq_worker_hook)(void);

/* A CPU is offline, and nothing runs on it any more: what belongs to it can be taken back. Task context. NULL:
 * nothing is. */
extern void (*irq_cpu_dead_hook)(unsigned int cpu);

/* Reports timers that are armed, and work items that are queued, in memory that is about to be freed. Any context. */
void irq_check_freed(const void *from, size_t size);

/* Writes the counts of interrupts as /proc/interrupts has them. Any context. */
void irq_show(struct text *text);

#endif
