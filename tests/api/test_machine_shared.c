/*
 * test_machine_shared.c: kernel-style code that is linked with the shared library: what inline functions of the headers use.
 *
 * Broken if this does not link: the library hides a name that a public header needs.
 */
#include <flagstone/machine.h>
#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/might_sleep.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#define NR_CPUS_BOOTED 3

static DEFINE_PER_CPU(unsigned long, turns);
static DEFINE_SPINLOCK(lock);

static int turn(void *arg)
{
	bool good;

	(void)arg;
	might_sleep();
	get_cpu_var(turns)++;
	put_cpu_var(turns);
	preempt_disable();
	local_bh_disable();
	good = in_interrupt() && !in_hardirq();
	local_bh_enable();
	preempt_enable();
	spin_lock(&lock);
	good &= in_atomic();
	spin_unlock(&lock);
	return good && !in_interrupt() && system_wq ? raw_smp_processor_id() : -1;
}

int main(void)
{
	unsigned int nr_possible = 0, nr_present = 0, nr_good = 0;
	unsigned int cpu;

	if (flagstone_machine_boot_text("cpus=3"))
		return 1;
	for_each_possible_cpu(cpu)
	{
		nr_possible++;
		nr_good += flagstone_machine_run(cpu, turn, NULL) == (int)cpu && per_cpu(turns, cpu) == 1;
	}
	for_each_present_cpu(cpu) nr_present++;
	if (nr_possible != NR_CPUS_BOOTED || nr_present != NR_CPUS_BOOTED || nr_good != NR_CPUS_BOOTED ||
		nr_cpu_ids != NR_CPUS_BOOTED)
		return 2;
	return flagstone_machine_shutdown() ? 3 : 0;
}
