/*
 * percpu_counter.c: counters that each CPU adds to by itself.
 *
 * Semantics are documented in include/linux/percpu_counter.h. Calls the percpu room for the copies; hotplug.c calls this file when a CPU has
 * gone.
 */
#include <linux/percpu_counter.h>

#include "percpu/vars.h"
#include "runtime/irq/internal.h"

#define LEAST_BATCH 32

int percpu_counter_batch = LEAST_BATCH;

static DEFINE_SPINLOCK(counters_lock);
static LIST_HEAD(counters); /* Synchronization: counters_lock */

int flagstone_percpu_counter_init(
	struct percpu_counter *fbc, s64 amount, gfp_t gfp, const char *name, const struct lock_class_key *key)
{
	const void *caller = __builtin_return_address(0);
	unsigned long flags;

	flagstone_spin_lock_init(&fbc->lock, name, key);
	fbc->count = amount;
	fbc->counters = vars_alloc(sizeof(s32), __alignof__(s32), gfp, caller);
	if (!fbc->counters)
		return -ENOMEM;
	/* One leak, by the name of what the user has made. */
	resource_ended(RESOURCE_PERCPU, fbc->counters);
	resource_made(&(struct resource){.type = RESOURCE_PERCPU_COUNTER,
		.object = fbc->counters,
		.size = sizeof(s32),
		.name = name,
		.caller = caller});
	spin_lock_irqsave(&counters_lock, flags);
	list_add(&fbc->list, &counters);
	spin_unlock_irqrestore(&counters_lock, flags);
	return 0;
}

void percpu_counter_destroy(struct percpu_counter *fbc)
{
	unsigned long flags;

	if (!fbc->counters)
		return;
	spin_lock_irqsave(&counters_lock, flags);
	list_del(&fbc->list);
	spin_unlock_irqrestore(&counters_lock, flags);
	resource_ended(RESOURCE_PERCPU_COUNTER, fbc->counters);
	free_percpu(fbc->counters);
	fbc->counters = NULL;
}

/* The lock is held. */
static void __add(struct percpu_counter *fbc, s64 amount)
{
	WRITE_ONCE(fbc->count, (s64)((u64)fbc->count + (u64)amount));
}

void percpu_counter_set(struct percpu_counter *fbc, s64 amount)
{
	unsigned long flags;
	unsigned int cpu;

	raw_spin_lock_irqsave(&fbc->lock, flags);
	for_each_possible_cpu(cpu) WRITE_ONCE(*per_cpu_ptr(fbc->counters, cpu), 0);
	WRITE_ONCE(fbc->count, amount);
	raw_spin_unlock_irqrestore(&fbc->lock, flags);
}

void percpu_counter_add_batch(struct percpu_counter *fbc, s64 amount, s32 batch)
{
	unsigned long flags;
	s64 kept;

	preempt_disable();
	kept = this_cpu_read(*fbc->counters) + amount;
	if (kept < batch && kept > -batch) {
		this_cpu_add(*fbc->counters, (s32)amount);
	} else {
		raw_spin_lock_irqsave(&fbc->lock, flags);
		/* An interrupt may have added in between: with its amount, too, this CPU keeps nothing. */
		__add(fbc, (s64)this_cpu_xchg(*fbc->counters, 0) + amount);
		raw_spin_unlock_irqrestore(&fbc->lock, flags);
	}
	preempt_enable();
}

void percpu_counter_sync(struct percpu_counter *fbc)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&fbc->lock, flags);
	__add(fbc, this_cpu_xchg(*fbc->counters, 0));
	raw_spin_unlock_irqrestore(&fbc->lock, flags);
}

s64 __percpu_counter_sum(struct percpu_counter *fbc)
{
	unsigned long flags;
	unsigned int cpu;
	s64 sum;

	raw_spin_lock_irqsave(&fbc->lock, flags);
	sum = fbc->count;
	/* A CPU that goes keeps something until percpu_counters_cpu_dead(). */
	for_each_possible_cpu(cpu) sum += READ_ONCE(*per_cpu_ptr(fbc->counters, cpu));
	raw_spin_unlock_irqrestore(&fbc->lock, flags);
	return sum;
}

int __percpu_counter_compare(struct percpu_counter *fbc, s64 rhs, s32 batch)
{
	s64 value = percpu_counter_read(fbc), most = (s64)batch * num_online_cpus();

	if (value - rhs <= most && rhs - value <= most)
		value = __percpu_counter_sum(fbc);
	return value > rhs ? 1 : value < rhs ? -1 : 0;
}

/* ---- hotplug ---- */

void percpu_counters_boot(unsigned int nr_cpus)
{
	percpu_counter_batch = 2 * nr_cpus > LEAST_BATCH ? (int)(2 * nr_cpus) : LEAST_BATCH;
	spin_lock_init(&counters_lock);
	INIT_LIST_HEAD(&counters);
}

int percpu_counters_cpu_dead(unsigned int cpu)
{
	struct percpu_counter *fbc;
	unsigned long flags;

	spin_lock_irqsave(&counters_lock, flags);
	list_for_each_entry(fbc, &counters, list) {
		s32 *kept = per_cpu_ptr(fbc->counters, cpu);

		raw_spin_lock(&fbc->lock);
		__add(fbc, *kept);
		WRITE_ONCE(*kept, 0);
		raw_spin_unlock(&fbc->lock);
	}
	spin_unlock_irqrestore(&counters_lock, flags);
	return 0;
}
