/*
 * lines.h: the interrupt lines of devices and what hangs on them: of lines.c and request.c.
 */
#ifndef RUNTIME_IRQ_LINES_H
#define RUNTIME_IRQ_LINES_H

#include "runtime/irq/internal.h"

#define MAX_THREADS 32 /* handlers with threads on one line */

struct irqaction {
	struct irqaction *next; /* Synchronization: the line's lock; who runs handlers follows it without */
	irq_handler_t handler;
	irq_handler_t thread_fn;
	void *dev_id;
	const char *name;
	unsigned long flags;
	unsigned int irq;
	unsigned int thread_bit; /* of line->oneshot; 0 without IRQF_ONESHOT */
	uint32_t thread_runs; /* the thread is to run. Synchronization: atomic */
	struct task_struct *thread;
};

/*
 * Under lock: raised == 1 if the interrupt is in a CPU's pending bits, kept, or again is set; handlers that begin take
 * it down. At any time: handlers of a line run on one CPU.
 */
struct irq_line {
	struct lock lock; /* rank TASKS, interrupts off */
	uint32_t raised; /* an edge waits for a run of the handlers. Synchronization: atomic */
	uint32_t up; /* the level. Synchronization: atomic */
	uint32_t requested; /* there are handlers. Synchronization: atomic, written under lock */
	bool is_level; /* Synchronization: lock, as what follows */
	bool in_progress; /* handlers run */
	bool again; /* raised while they do */
	bool kept; /* raised while masked */
	unsigned int depth; /* of disabling */
	unsigned int oneshot; /* bits of threads that keep the line masked */
	unsigned int nr_threads_active; /* threads that are to run, or do */
	unsigned int nr_runs; /* changes when a run of the handlers ends */
	unsigned int nr_seen, nr_unhandled; /* of the last runs: see note() */
	struct irqaction *actions;
	unsigned int target; /* CPU. Synchronization: atomic, written under lock */
	uint64_t affinity[CPU_WORDS];
	uint32_t counts[MAX_CPUS]; /* Synchronization: atomic */
};

extern struct irq_line lines[FLAGSTONE_NR_IRQS];

/* The lock is held. */
bool __line_is_masked(const struct irq_line *line);
/* The mask may have opened: what was kept goes to a CPU, a level that is up too. */
void __line_look(struct irq_line *line);
/* Chooses a CPU that is online and in the affinity: the one that the fewest lines go to. */
void __line_choose(struct irq_line *line);

#endif
