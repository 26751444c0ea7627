/*
 * dispatch.c: what a CPU does when it is interrupted: this room's own interrupts, the devices', and softirqs at the
 * end.
 *
 * Calls lines.c, timer.c, smp_call.c and softirq.c for what they are. Knows only whose turn it is.
 *
 * Interrupts may not take a CPU for good: of each WINDOW_NS they get BUDGET_NS, then devices and softirqs at the end
 * of interrupts wait for PAUSE_NS, in which tasks run, ksoftirqd among them.
 */
#include "runtime/irq/internal.h"

#define WINDOW_NS 10000000u
#define BUDGET_NS 8000000u
#define PAUSE_NS 2000000u

struct irq_cpu irq_cpus[MAX_CPUS];

void ipi_send(unsigned int number, uint32_t ipis)
{
	/* Pairs with run_ipis(): what was queued before is visible there. */
	__atomic_fetch_or(&irq_cpus[number].ipis, ipis, __ATOMIC_RELEASE);
	cpu_raise(number, CPU_IRQ);
}

static void count_ipi(struct irq_cpu *cpu, unsigned int bit)
{
	__atomic_fetch_add(&cpu->nr_ipis[bit], 1, __ATOMIC_RELAXED);
}

static void run_ipis(struct irq_cpu *cpu)
{
	/* Pairs with ipi_send(). */
	uint32_t ipis = __atomic_exchange_n(&cpu->ipis, 0, __ATOMIC_ACQ_REL);

	for (unsigned int bit = 0; bit < NR_IPIS; bit++)
		if (ipis >> bit & 1)
			count_ipi(cpu, bit);
	if (ipis & IPI_CALL)
		calls_run();
	if (ipis & IPI_WORK)
		irq_works_run();
	if (ipis & IPI_CLOCK)
		timer_interrupt();
}

/* Each interrupt that is pending here once. On a CPU that is offline they go to where they belong now, if that has
 * changed. */
static void run_devices(struct irq_cpu *cpu)
{
	unsigned int number = (unsigned int)(cpu - irq_cpus);
	bool online = cpu_is_online(number);

	for (unsigned int word = 0; word < IRQ_WORDS; word++) {
		uint64_t bits;

		if (!__atomic_load_n(&cpu->pending[word], __ATOMIC_RELAXED))
			continue;
		/* Pairs with line_post(). */
		bits = __atomic_exchange_n(&cpu->pending[word], 0, __ATOMIC_ACQUIRE);
		for (; bits; bits &= bits - 1) {
			unsigned int irq = word * 64 + (unsigned int)__builtin_ctzll(bits);

			if (online || line_target(irq) == number)
				line_handle(irq);
			else
				line_post(irq);
		}
	}
}

static bool is_throttled(struct irq_cpu *cpu)
{
	return __atomic_load_n(&cpu->throttled, __ATOMIC_RELAXED);
}

static void unthrottle(struct clock_event *event)
{
	struct irq_cpu *cpu = container_of(event, struct irq_cpu, unthrottle);

	__atomic_store_n(&cpu->throttled, 0, __ATOMIC_RELAXED);
	cpu_raise((unsigned int)(cpu - irq_cpus), CPU_IRQ);
}

static void account(struct irq_cpu *cpu, uint64_t start)
{
	uint64_t now = host_clock_ns();

	if (start - cpu->window > WINDOW_NS) {
		cpu->window = start;
		cpu->used = 0;
	}
	cpu->used += now - start;
	/* An offline CPU has no tasks that could have a share. */
	if (cpu->used < BUDGET_NS || is_throttled(cpu) || !cpu_is_online((unsigned int)(cpu - irq_cpus)))
		return;
	cpu->window = 0;
	__atomic_store_n(&cpu->throttled, 1, __ATOMIC_RELAXED);
	if (clock_set(&cpu->unthrottle, now + PAUSE_NS))
		__atomic_store_n(&cpu->throttled, 0, __ATOMIC_RELAXED);
}

/* Interrupts are off, and the thread that is interrupted keeps its CPU for as long. */
static void dispatch(void)
{
	struct irq_cpu *cpu = this_irq_cpu();
	uint64_t start = host_clock_ns();

	flagstone_this.preempt_count += HARDIRQ_OFFSET;
	barrier();
	run_ipis(cpu);
	if (!is_throttled(cpu))
		run_devices(cpu);
	barrier();
	flagstone_this.preempt_count -= HARDIRQ_OFFSET;
	if (in_interrupt())
		return;
	if (__atomic_load_n(&cpu->softirqs, __ATOMIC_RELAXED)) {
		if (is_throttled(cpu))
			softirq_wake_thread(cpu);
		else
			softirq_run();
	}
	account(cpu, start);
}

void dispatch_boot(void)
{
	for (unsigned int i = 0; i < MAX_CPUS; i++) {
		irq_cpus[i] = (struct irq_cpu){.throttled = 0};
		irq_cpus[i].unthrottle.fire = unthrottle;
	}
	sched_irq_hook = dispatch;
}

void dispatch_shutdown(void)
{
	sched_irq_hook = NULL;
	for (unsigned int i = 0; i < sched_nr_cpus; i++)
		clock_cancel_sync(&irq_cpus[i].unthrottle);
}
