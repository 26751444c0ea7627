/*
 * irq_fixture.h: what the tests of the irq room share: a machine of nr_cpu_ids CPUs, waiting for conditions, tasks that
 * keep CPUs busy.
 */
#ifndef TESTS_UNIT_IRQ_FIXTURE_H
#define TESTS_UNIT_IRQ_FIXTURE_H

#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/irq/irq.h"
#include "runtime/sched/sched.h"
#include "tests/unit/cpus.h"

#define LONG_NS 300000000000ull

/* Waits, asleep, until the condition is true, which it has to become; for ever is five minutes. */
#define wait_until(condition)                                  \
	do {                                                   \
		uint64_t end_ = host_clock_ns() + LONG_NS;     \
		while (!(condition) && host_clock_ns() < end_) \
			schedule_timeout_uninterruptible(1);   \
		assert_true(condition);                        \
	} while (0)
/* The same for any context: spins, and lets interrupts come. */
#define spin_until(condition)                                    \
	do {                                                     \
		uint64_t end_ = host_clock_ns() + LONG_NS;       \
		while (!(condition) && host_clock_ns() < end_) { \
			cpu_look();                              \
			host_yield();                            \
		}                                                \
		assert_true(condition);                          \
	} while (0)

#define load(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, value) __atomic_store_n(&(x), (value), __ATOMIC_RELEASE)
#define add(x, value) __atomic_add_fetch(&(x), (value), __ATOMIC_ACQ_REL)

static inline int fixture_boot(void **state)
{
	unsigned int nr_cpus = test_cpus(8);
	int error = sched_boot(nr_cpus);

	(void)state;
	nr_cpu_ids = nr_cpus;
	cpumask_setall(&__cpu_online_mask);
	return error ? error : irq_boot();
}

static inline int fixture_shut_down(void **state)
{
	(void)state;
	preempt_force(0, 0);
	irq_shutdown();
	return sched_shutdown();
}

/* Tasks that do something again and again until they are stopped, one a CPU. */
struct hogs {
	struct task_struct *tasks[TEST_CPUS_MOST];
	unsigned int turns[TEST_CPUS_MOST]; /* Synchronization: atomic */
};

struct hog {
	struct hogs *hogs;
	void (*body)(void);
};
static struct hog hog_args[TEST_CPUS_MOST];

static inline int hog_body(void *data)
{
	struct hog *hog = data;

	while (!kthread_should_stop()) {
		hog->body();
		add(hog->hogs->turns[hog - hog_args], 1);
		cpu_look();
		_cond_resched();
	}
	return 0;
}

static inline void hogs_start(struct hogs *hogs, void (*body)(void))
{
	*hogs = (struct hogs){.turns = {0}};
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		hog_args[cpu] = (struct hog){.hogs = hogs, .body = body};
		hogs->tasks[cpu] = kthread_create_on_cpu(hog_body, &hog_args[cpu], cpu, "hog/%u");
		assert_false(IS_ERR(hogs->tasks[cpu]));
		wake_up_process(hogs->tasks[cpu]);
	}
}

static inline void hogs_stop(struct hogs *hogs)
{
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		kthread_stop(hogs->tasks[cpu]);
}

/* What a hog may do: hold preemption off, mask interrupts, allocate. */
static inline void hog_idles(void)
{
	host_yield();
}

static inline void hog_masks(void)
{
	unsigned long flags;

	local_irq_save(flags);
	for (int i = 0; i < 50; i++)
		host_relax();
	local_irq_restore(flags);
	preempt_disable();
	host_relax();
	preempt_enable();
	sched_free(sched_zalloc(100));
	host_yield();
}

#endif
