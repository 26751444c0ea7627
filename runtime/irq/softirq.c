/*
 * softirq.c: softirqs: what interrupts put off until they end, and each CPU's thread for what does not end then.
 *
 * Calls sched. Knows nothing of what a softirq does.
 *
 * At the end of an interrupt, or when bottom halves come on, at most MAX_ROUNDS rounds or MAX_NS run; then ksoftirqd
 * goes on, which takes turns with other tasks.
 */
#include <errno.h>
#include <linux/bottom_half.h>

#include "runtime/irq/internal.h"

#define MAX_ROUNDS 10
#define MAX_NS 2000000u

const char *const softirq_to_name[NR_SOFTIRQS] = {
	"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"};
static void (*actions[NR_SOFTIRQS])(void); /* Synchronization: before it is raised */

void open_softirq(int nr, void (*action)(void))
{
	__atomic_store_n(&actions[nr], action, __ATOMIC_RELEASE);
}

void softirq_wake_thread(struct irq_cpu *cpu)
{
	unsigned int number = (unsigned int)(cpu - irq_cpus);

	/* An offline CPU's thread is parked, and there is no task that it would take turns with. */
	if (!cpu_is_online(number))
		cpu_raise(number, CPU_IRQ);
	else if (cpu->ksoftirqd)
		wake_up_process(cpu->ksoftirqd);
}

/* ---- raising ---- */

static bool has_cpu(const char *what)
{
	if (raw_smp_processor_id() >= 0)
		return true;
	report_bug("%s: this thread is attached to no CPU (sched_attach, flagstone_machine_attach)", what);
	return false;
}

void __raise_softirq_irqoff(unsigned int nr)
{
	/* Pairs with take(): what was written before is visible to the action. */
	if (has_cpu("raise_softirq"))
		__atomic_fetch_or(&this_irq_cpu()->softirqs, 1u << nr, __ATOMIC_RELEASE);
}

void raise_softirq_irqoff(unsigned int nr)
{
	__raise_softirq_irqoff(nr);
	if (!in_interrupt() && raw_smp_processor_id() >= 0)
		softirq_wake_thread(this_irq_cpu());
}

void raise_softirq(unsigned int nr)
{
	host_sigmask_t mask = host_signals_block();

	raise_softirq_irqoff(nr);
	host_signals_restore(mask);
}

unsigned int local_softirq_pending(void)
{
	return raw_smp_processor_id() < 0 ? 0 : __atomic_load_n(&this_irq_cpu()->softirqs, __ATOMIC_RELAXED);
}

/* ---- running ---- */

static void run_one(unsigned int nr)
{
	/* Pairs with open_softirq(). */
	void (*action)(void) = __atomic_load_n(&actions[nr], __ATOMIC_ACQUIRE);
	unsigned int before = preempt_count();

	if (!action)
		return;
	action();
	if (preempt_count() == before)
		return;
	report_bug("huh, entered softirq %u %s %p with preempt_count %08x, exited with %08x?", nr, softirq_to_name[nr],
		(void *)(uintptr_t)action, before, preempt_count());
	flagstone_this.preempt_count = before;
}

/* Interrupts come on for as long as softirqs run: nested ones leave theirs to this round's successor. */
static void run_round(uint32_t pending)
{
	cpu_mask_open();
	for (; pending; pending &= pending - 1)
		run_one((unsigned int)__builtin_ctz(pending));
	cpu_mask_close();
}

static uint32_t take(struct irq_cpu *cpu)
{
	/* Pairs with __raise_softirq_irqoff(). */
	return __atomic_exchange_n(&cpu->softirqs, 0, __ATOMIC_ACQ_REL);
}

void softirq_run(void)
{
	struct irq_cpu *cpu = this_irq_cpu();
	uint64_t end = host_clock_ns() + MAX_NS;
	uint32_t pending = take(cpu);
	unsigned int round = 0;

	flagstone_this.preempt_count += SOFTIRQ_OFFSET;
	__atomic_store_n(&cpu->serving, 1, __ATOMIC_RELAXED);
	while (pending) {
		run_round(pending);
		if (++round == MAX_ROUNDS || host_clock_ns() >= end)
			break;
		pending = take(cpu);
	}
	/* Pairs with take_down(). */
	__atomic_store_n(&cpu->serving, 0, __ATOMIC_RELEASE);
	flagstone_this.preempt_count -= SOFTIRQ_OFFSET;
	if (__atomic_load_n(&cpu->softirqs, __ATOMIC_RELAXED))
		softirq_wake_thread(cpu);
}

/* Called by local_bh_enable(). */
static void bottom_halves_on(void)
{
	host_sigmask_t mask;

	if (!local_softirq_pending())
		return;
	mask = host_signals_block();
	softirq_run();
	host_signals_restore(mask);
}

void softirq_cpu_down(unsigned int cpu)
{
	/* Pairs with __raise_softirq_irqoff(). */
	uint32_t pending = __atomic_exchange_n(&irq_cpus[cpu].softirqs, 0, __ATOMIC_ACQ_REL);

	for (; pending; pending &= pending - 1)
		raise_softirq_irqoff((unsigned int)__builtin_ctz(pending));
}

/* ---- the CPU's thread ---- */

static bool is_wanted(void)
{
	return local_softirq_pending() || kthread_should_stop() || kthread_should_park();
}

static int ksoftirqd_body(void *unused)
{
	(void)unused;
	while (!kthread_should_stop()) {
		host_sigmask_t mask;

		if (kthread_should_park())
			kthread_parkme();
		set_current_state(TASK_INTERRUPTIBLE);
		if (!is_wanted())
			schedule();
		__set_current_state(TASK_RUNNING);
		mask = host_signals_block();
		if (local_softirq_pending())
			softirq_run();
		host_signals_restore(mask);
		_cond_resched();
	}
	return 0;
}

int softirq_boot(void)
{
	sched_softirq_hook = bottom_halves_on;
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++) {
		struct task_struct *task = kthread_create_on_cpu(ksoftirqd_body, NULL, cpu, "ksoftirqd/%u");

		if (IS_ERR(task))
			return (int)PTR_ERR(task);
		irq_cpus[cpu].ksoftirqd = task;
		wake_up_process(task);
	}
	return 0;
}

void softirq_shutdown(void)
{
	sched_softirq_hook = NULL;
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++) {
		struct task_struct *task = irq_cpus[cpu].ksoftirqd;

		if (task)
			kthread_stop(task);
		irq_cpus[cpu].ksoftirqd = NULL;
		__atomic_store_n(&irq_cpus[cpu].softirqs, 0, __ATOMIC_RELAXED);
	}
	for (unsigned int nr = 0; nr < NR_SOFTIRQS; nr++)
		__atomic_store_n(&actions[nr], NULL, __ATOMIC_RELAXED);
}
