/*
 * smp_call.c: functions that run on other CPUs.
 *
 * Calls dispatch.c to interrupt them. Knows nothing of what the functions do.
 *
 * Each CPU has a stack of calls that wait for it: who pushes onto an empty one interrupts the CPU, which takes all of
 * it and runs the oldest first.
 */
#include <errno.h>
#include <linux/irq_work.h>
#include <linux/smp.h>

#include "runtime/irq/internal.h"

enum {
	CSD_LOCK = 1, /* queued, or its function is to run yet */
	CSD_SYNC = 2, /* until its function has ended */
};

/* Calls to many CPUs: by caller's CPU and the called one's. Synchronization: allocated at boot */
static call_single_data_t *many_calls;
static call_single_data_t single_calls[MAX_CPUS]; /* of those who do not wait, by caller's CPU */

/* ---- one call ---- */

static bool is_locked(const call_single_data_t *csd)
{
	/* Pairs with csd_unlock(): what the function wrote is visible. */
	return __atomic_load_n(&csd->flags, __ATOMIC_ACQUIRE) & CSD_LOCK;
}

static void csd_unlock(call_single_data_t *csd)
{
	/* Pairs with is_locked(). */
	__atomic_store_n(&csd->flags, 0, __ATOMIC_RELEASE);
}

static void run_call(call_single_data_t *csd)
{
	smp_call_func_t func = csd->func;
	void *info = csd->info;

	/* One that nobody waits for may be used again from its function. */
	if (csd->flags & CSD_SYNC) {
		func(info);
		csd_unlock(csd);
	} else {
		csd_unlock(csd);
		func(info);
	}
}

void calls_run(void)
{
	struct irq_cpu *cpu = this_irq_cpu();
	/* Pairs with push(). */
	call_single_data_t *csd = __atomic_exchange_n(&cpu->calls, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;

	while (csd) {
		call_single_data_t *next = csd->next;

		csd->next = oldest;
		oldest = csd;
		csd = next;
	}
	while (oldest) {
		csd = oldest;
		oldest = csd->next;
		run_call(csd);
	}
}

static void push(unsigned int cpu, call_single_data_t *csd)
{
	call_single_data_t *first = __atomic_load_n(&irq_cpus[cpu].calls, __ATOMIC_RELAXED);

	do
		csd->next = first;
	/* Pairs with calls_run(). */
	while (!__atomic_compare_exchange_n(
		&irq_cpus[cpu].calls, &first, csd, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	if (!first)
		ipi_send(cpu, IPI_CALL);
}

/* Two CPUs that wait for each other with interrupts off would do so for ever: here each runs what the other wants. */
static void csd_wait(call_single_data_t *csd)
{
	while (is_locked(csd)) {
		if (irqs_disabled())
			calls_run();
		wait_a_turn();
	}
}

static void csd_send(unsigned int cpu, call_single_data_t *csd, smp_call_func_t func, void *info, bool wait)
{
	csd_wait(csd);
	csd->func = func;
	csd->info = info;
	__atomic_store_n(&csd->flags, wait ? CSD_LOCK | CSD_SYNC : CSD_LOCK, __ATOMIC_RELAXED);
	push(cpu, csd);
}

static void run_here(smp_call_func_t func, void *info)
{
	unsigned long flags;

	local_irq_save(flags);
	func(info);
	local_irq_restore(flags);
}

/* ---- calls to one ---- */

static void check_caller(const char *name)
{
	if (irqs_disabled())
		report_bug("%s: called with interrupts disabled: it may wait for a CPU that waits for this one", name);
	else if (!in_task())
		report_bug("%s: called from an interrupt: it may wait for a CPU that waits for this one", name);
}

int smp_call_function_single(int cpu, smp_call_func_t func, void *info, int wait)
{
	call_single_data_t on_stack = {.flags = 0}, *csd = &on_stack;
	int error = 0;

	preempt_disable();
	check_caller("smp_call_function_single");
	if (cpu == raw_smp_processor_id()) {
		run_here(func, info);
	} else if (cpu < 0 || !cpu_is_online((unsigned int)cpu)) {
		error = -ENXIO;
	} else {
		if (!wait)
			csd = &single_calls[raw_smp_processor_id()];
		csd_send((unsigned int)cpu, csd, func, info, wait);
		if (wait)
			csd_wait(csd);
	}
	preempt_enable();
	return error;
}

int smp_call_function_single_async(int cpu, call_single_data_t *csd)
{
	unsigned int idle = 0;
	int error = 0;

	preempt_disable();
	/* Pairs with csd_unlock(). */
	if (cpu < 0 || !cpu_is_online((unsigned int)cpu))
		error = -ENXIO;
	else if (!__atomic_compare_exchange_n(&csd->flags, &idle, CSD_LOCK, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		error = -EBUSY;
	else
		push((unsigned int)cpu, csd);
	preempt_enable();
	return error;
}

int smp_call_function_any(const struct cpumask *mask, smp_call_func_t func, void *info, int wait)
{
	unsigned int cpu;
	int error;

	preempt_disable();
	cpu = (unsigned int)raw_smp_processor_id();
	if (!cpumask_test_cpu(cpu, mask))
		for_each_cpu(cpu, mask)
			if (cpu_is_online(cpu))
				break;
	error = smp_call_function_single((int)cpu, func, info, wait);
	preempt_enable();
	return error;
}

/* ---- calls to many ---- */

struct many {
	const struct cpumask *mask; /* NULL: all */
	smp_cond_func_t cond; /* NULL: everywhere */
	smp_call_func_t func;
	void *info;
	bool wait;
	bool here; /* on this CPU too */
};

static bool is_meant(const struct many *many, unsigned int cpu)
{
	return cpu_is_online(cpu) && (!many->mask || cpumask_test_cpu(cpu, many->mask)) &&
	       (!many->cond || many->cond((int)cpu, many->info));
}

static void call_many(const struct many *many, const char *name)
{
	unsigned int self;
	call_single_data_t *calls;
	bool here;

	preempt_disable();
	check_caller(name);
	self = (unsigned int)raw_smp_processor_id();
	calls = &many_calls[self * sched_nr_cpus];
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		if (cpu != self && is_meant(many, cpu))
			csd_send(cpu, &calls[cpu], many->func, many->info, many->wait);
	here = many->here && is_meant(many, self);
	if (here)
		run_here(many->func, many->info);
	for (unsigned int cpu = 0; many->wait && cpu < sched_nr_cpus; cpu++)
		csd_wait(&calls[cpu]);
	preempt_enable();
}

void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait)
{
	struct many many = {.mask = mask, .func = func, .info = info, .wait = wait};

	call_many(&many, "smp_call_function_many");
}

void smp_call_function(smp_call_func_t func, void *info, int wait)
{
	struct many many = {.func = func, .info = info, .wait = wait};

	call_many(&many, "smp_call_function");
}

void on_each_cpu(smp_call_func_t func, void *info, int wait)
{
	struct many many = {.func = func, .info = info, .wait = wait, .here = true};

	call_many(&many, "on_each_cpu");
}

void on_each_cpu_mask(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait)
{
	struct many many = {.mask = mask, .func = func, .info = info, .wait = wait, .here = true};

	call_many(&many, "on_each_cpu_mask");
}

void on_each_cpu_cond_mask(
	smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait, const struct cpumask *mask)
{
	struct many many = {.mask = mask, .cond = cond, .func = func, .info = info, .wait = wait, .here = true};

	call_many(&many, "on_each_cpu_cond");
}

void on_each_cpu_cond(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait)
{
	on_each_cpu_cond_mask(cond, func, info, wait, NULL);
}

/* ---- boot and shutdown ---- */

int calls_boot(void)
{
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		single_calls[cpu] = (call_single_data_t){.flags = 0};
	many_calls = sched_zalloc((size_t)sched_nr_cpus * sched_nr_cpus * sizeof(*many_calls));
	return many_calls ? 0 : -ENOMEM;
}

void calls_shutdown(void)
{
	sched_free(many_calls);
	many_calls = NULL;
}
