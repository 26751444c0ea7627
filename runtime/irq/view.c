/*
 * view.c: the counts of interrupts as a text, in the format of /proc/interrupts.
 *
 * Calls lines.c.
 */
#include "runtime/irq/lines.h"

static void show_line(struct text *text, unsigned int irq)
{
	struct irq_line *line = &lines[irq];
	host_sigmask_t mask;

	text_printf(text, "%3u: ", irq);
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		if (cpu_is_online(cpu))
			text_printf(text, "%10lu ", flagstone_irq_count(irq, (int)cpu));
	mask = lock_acquire_masked(&line->lock);
	text_printf(text, " %9s %4u-%-8s", "flagstone", irq, line->is_level ? "level" : "edge");
	for (struct irqaction *action = line->actions; action; action = action->next)
		text_printf(text, "%s%s", action == line->actions ? "  " : ", ", action->name);
	lock_release_masked(&line->lock, mask);
	text_printf(text, "\n");
}

static void show_ipi(struct text *text, unsigned int bit, const char *name, const char *what)
{
	text_printf(text, "%3s: ", name);
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		if (cpu_is_online(cpu))
			text_printf(text, "%10u ", __atomic_load_n(&irq_cpus[cpu].nr_ipis[bit], __ATOMIC_RELAXED));
	text_printf(text, " %s\n", what);
}

void irq_show(struct text *text)
{
	text_printf(text, "%11s", "");
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		if (cpu_is_online(cpu))
			text_printf(text, "CPU%-8u", cpu);
	text_printf(text, "\n");
	for (unsigned int irq = 0; irq < FLAGSTONE_NR_IRQS; irq++)
		if (__atomic_load_n(&lines[irq].requested, __ATOMIC_RELAXED))
			show_line(text, irq);
	show_ipi(text, 1, "LOC", "Local timer interrupts");
	show_ipi(text, 2, "IWI", "IRQ work interrupts");
	show_ipi(text, 0, "CAL", "Function call interrupts");
}
