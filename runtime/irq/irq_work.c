/*
 * irq_work.c: functions that run in hard interrupt context soon.
 *
 * Calls dispatch.c.
 */
#include <linux/irq_work.h>

#include "runtime/irq/internal.h"

static void run_work(struct irq_work *work)
{
	unsigned int busy = IRQ_WORK_BUSY;

	/* Pairs with irq_work_queue_on(): who finds it pending knows that its function sees what was written before. */
	__atomic_fetch_and(&work->flags, ~IRQ_WORK_PENDING, __ATOMIC_ACQ_REL);
	work->func(work);
	/* Unless it was queued again. Pairs with is_idle(). */
	__atomic_compare_exchange_n(&work->flags, &busy, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	wake_on(work);
}

void irq_works_run(void)
{
	/* Pairs with irq_work_queue_on(). */
	struct irq_work *work = __atomic_exchange_n(&this_irq_cpu()->works, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;

	while (work) {
		struct irq_work *next = work->next;

		work->next = oldest;
		oldest = work;
		work = next;
	}
	while (oldest) {
		work = oldest;
		oldest = work->next;
		run_work(work);
	}
}

bool irq_work_queue_on(struct irq_work *work, int cpu)
{
	struct irq_work **list = &irq_cpus[cpu].works, *first;
	host_sigmask_t mask;

	/* Pairs with run_work(). */
	if (__atomic_fetch_or(&work->flags, IRQ_WORK_PENDING | IRQ_WORK_BUSY, __ATOMIC_ACQ_REL) & IRQ_WORK_PENDING)
		return false;
	mask = host_signals_block();
	first = __atomic_load_n(list, __ATOMIC_RELAXED);
	do
		work->next = first;
	while (!__atomic_compare_exchange_n(list, &first, work, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	if (!first)
		ipi_send((unsigned int)cpu, IPI_WORK);
	host_signals_restore(mask);
	return true;
}

bool irq_work_queue(struct irq_work *work)
{
	host_sigmask_t mask = host_signals_block();
	int cpu = raw_smp_processor_id();
	bool queued = irq_work_queue_on(work, cpu < 0 ? 0 : cpu);

	host_signals_restore(mask);
	return queued;
}

static bool is_idle(void *arg)
{
	struct irq_work *work = arg;

	/* Pairs with run_work(). */
	return !(__atomic_load_n(&work->flags, __ATOMIC_ACQUIRE) & IRQ_WORK_BUSY);
}

void irq_work_sync(struct irq_work *work)
{
	might_sleep();
	sleep_on(work, is_idle, work);
}
