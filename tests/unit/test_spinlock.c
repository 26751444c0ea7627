/*
 * test_spinlock.c: spinlocks and rwlocks in all their forms: one holder at a time, preemption, interrupts and softirqs as they should be.
 *
 * Broken if this fails: two are inside at once, or a lock leaves preemption or interrupts as it should not.
 */
#include <linux/atomic.h>
#include <linux/might_sleep.h>
#include <linux/refcount.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/cpus.h"
#include "tests/unit/tasks.h"

#define NR_TASKS 24
#define ROUNDS 300

static unsigned int cpus_booted; /* Synchronization: const after boot() */
static DEFINE_SPINLOCK(lock);
static DEFINE_RAW_SPINLOCK(irq_lock);
static DEFINE_RWLOCK(rwlock);
static unsigned long count, irq_count_seen; /* Synchronization: lock; irq_lock */
static unsigned long numbers[2]; /* equal. Synchronization: rwlock */
static atomic_t mistakes, nr_irqs, nr_softirqs;

static void take_irq(void)
{
	raw_spin_lock(&irq_lock);
	irq_count_seen++;
	raw_spin_unlock(&irq_lock);
	atomic_inc(&nr_irqs);
}

static int boot(void **state)
{
	(void)state;
	count = 0;
	irq_count_seen = 0;
	atomic_set(&mistakes, 0);
	atomic_set(&nr_irqs, 0);
	sched_irq_hook = take_irq;
	cpus_booted = test_cpus(8);
	return sched_boot(cpus_booted);
}

static int shut_down(void **state)
{
	(void)state;
	return sched_shutdown();
}

static void expect(bool true_here)
{
	if (!true_here)
		atomic_inc(&mistakes);
}

/* ---- what is off while one is held ---- */

static void forms_switch_off_what_they_say(void **state)
{
	unsigned long flags;

	(void)state;
	spin_lock(&lock);
	assert_int_equal(preempt_count(), 1);
	assert_false(irqs_disabled());
	assert_true(spin_is_locked(&lock));
	assert_int_equal(spin_trylock(&lock), 0);
	assert_int_equal(preempt_count(), 1);
	spin_unlock(&lock);
	assert_int_equal(preempt_count(), 0);
	spin_lock_irq(&lock);
	assert_true(irqs_disabled());
	assert_int_equal(spin_trylock_irqsave(&lock, flags), 0);
	assert_true(irqs_disabled());
	spin_unlock_irq(&lock);
	assert_false(irqs_disabled());
	local_irq_disable();
	spin_lock_irqsave(&lock, flags);
	spin_unlock_irqrestore(&lock, flags);
	assert_true(irqs_disabled());
	local_irq_enable();
	spin_lock_bh(&lock);
	assert_int_equal(softirq_count(), SOFTIRQ_DISABLE_OFFSET);
	assert_true(in_softirq());
	assert_false(in_serving_softirq());
	assert_int_equal(spin_trylock_bh(&lock), 0);
	spin_unlock_bh(&lock);
	assert_int_equal(preempt_count(), 0);
	assert_int_equal(spin_trylock_irqsave(&lock, flags), 1);
	spin_unlock_irqrestore(&lock, flags);
	assert_int_equal(spin_trylock_irq(&lock), 1);
	spin_unlock_irq(&lock);
	assert_int_equal(spin_trylock_bh(&lock), 1);
	spin_unlock_bh(&lock);
	assert_false(spin_is_locked(&lock));
	assert_int_equal(preempt_count(), 0);
	assert_false(irqs_disabled());
}

static void rwlocks_too(void **state)
{
	unsigned long flags;

	(void)state;
	read_lock(&rwlock);
	assert_int_equal(read_trylock(&rwlock), 1);
	assert_int_equal(write_trylock(&rwlock), 0);
	read_unlock(&rwlock);
	read_unlock(&rwlock);
	write_lock_irqsave(&rwlock, flags);
	assert_true(irqs_disabled());
	assert_int_equal(read_trylock(&rwlock), 0);
	write_unlock_irqrestore(&rwlock, flags);
	assert_false(irqs_disabled());
	read_lock_irqsave(&rwlock, flags);
	assert_true(irqs_disabled());
	read_unlock_irqrestore(&rwlock, flags);
	write_lock_bh(&rwlock);
	assert_true(in_softirq());
	write_unlock_bh(&rwlock);
	read_lock_bh(&rwlock);
	read_unlock_bh(&rwlock);
	write_lock_irq(&rwlock);
	write_unlock_irq(&rwlock);
	read_lock_irq(&rwlock);
	read_unlock_irq(&rwlock);
	assert_int_equal(write_trylock_irqsave(&rwlock, flags), 1);
	write_unlock_irqrestore(&rwlock, flags);
	assert_false(rwlock_is_locked(&rwlock));
	assert_int_equal(preempt_count(), 0);
	assert_false(irqs_disabled());
}

static void serve_softirq(void)
{
	assert_int_equal(preempt_count(), 1);
	atomic_inc(&nr_softirqs);
}

static void the_last_enable_runs_softirqs(void **state)
{
	(void)state;
	sched_softirq_hook = serve_softirq;
	local_bh_disable();
	spin_lock_bh(&lock);
	spin_unlock_bh(&lock);
	assert_int_equal(atomic_read(&nr_softirqs), 0);
	local_bh_enable();
	assert_int_equal(atomic_read(&nr_softirqs), 1);
	sched_softirq_hook = NULL;
	assert_int_equal(preempt_count(), 0);
}

/* ---- many tasks, and interrupts ---- */

static void take_one(uintptr_t number, unsigned int i)
{
	unsigned long flags;

	switch ((number + i) % 4) {
	case 0:
		spin_lock(&lock);
		count++;
		spin_unlock(&lock);
		break;
	case 1:
		spin_lock_irqsave(&lock, flags);
		count++;
		spin_unlock_irqrestore(&lock, flags);
		break;
	case 2:
		spin_lock_bh(&lock);
		count++;
		spin_unlock_bh(&lock);
		break;
	default:
		while (!spin_trylock(&lock))
			cond_resched();
		count++;
		spin_unlock(&lock);
	}
}

static int take_locks(void *number)
{
	unsigned long flags;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		take_one((uintptr_t)number, i);
		raw_spin_lock_irqsave(&irq_lock, flags);
		irq_count_seen++;
		raw_spin_unlock_irqrestore(&irq_lock, flags);
		if (i % 8 == 0)
			cpu_raise(((unsigned int)(uintptr_t)number + i) % cpus_booted, CPU_IRQ);
		if ((i + (uintptr_t)number) % 5 == 0) {
			write_lock(&rwlock);
			numbers[0]++;
			numbers[1]++;
			write_unlock(&rwlock);
		} else {
			read_lock(&rwlock);
			expect(numbers[0] == numbers[1]);
			read_unlock(&rwlock);
		}
	}
	expect(!preempt_count());
	return 0;
}

static void one_holder_at_a_time(void **state)
{
	(void)state;
	tasks_run(take_locks, NR_TASKS);
	assert_int_equal(atomic_read(&mistakes), 0);
	assert_int_equal(count, NR_TASKS * ROUNDS);
}

static void one_holder_at_a_time_under_preemption(void **state)
{
	assert_int_equal(preempt_force(50, 31), 0);
	one_holder_at_a_time(state);
	assert_int_equal(preempt_force(0, 0), 0);
}

static void one_holder_at_a_time_checked(void **state)
{
	lockdep_on = true;
	assert_int_equal(boot(NULL), 0);
	one_holder_at_a_time_under_preemption(state);
	assert_int_equal(shut_down(NULL), 0);
	lockdep_on = CONFIG_DEBUG;
}

/* Interrupts arrive on a CPU that waits for a lock. */
static int wait_for_lock(void *unused)
{
	(void)unused;
	spin_lock(&lock);
	spin_unlock(&lock);
	return 0;
}

static void interrupts_arrive_while_it_waits(void **state)
{
	unsigned int cpu;

	(void)state;
	if (skip_below(2, cpus_booted, "a CPU that waits for another's lock"))
		return;
	spin_lock(&lock);
	task_start(wait_for_lock);
	while (!spin_is_contended(&lock))
		;
	cpu = task_cpu(tasks[0]);
	for (int i = 0; i < 20; i++) {
		int seen = atomic_read(&nr_irqs);

		cpu_raise(cpu, CPU_IRQ);
		while (atomic_read(&nr_irqs) == seen)
			;
	}
	spin_unlock(&lock);
	tasks_join();
}

/* ---- mistakes ---- */

static char output[16384];

static void child_boot(void *check)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	lockdep_on = check;
	boot(NULL);
}

static void child_down(void)
{
	child_end(preempt_count() || irqs_disabled() || sched_shutdown() ? 1 : 0);
}

static void lock_twice(void *check)
{
	child_boot(check);
	spin_lock(&lock);
	spin_lock(&lock);
	spin_unlock(&lock);
	spin_unlock(&lock);
	assert_false(spin_is_locked(&lock));
	child_down();
}

static void write_twice(void *check)
{
	child_boot(check);
	write_lock(&rwlock);
	write_lock(&rwlock);
	write_unlock(&rwlock);
	write_unlock(&rwlock);
	assert_false(rwlock_is_locked(&rwlock));
	child_down();
}

static void read_what_it_writes(void *check)
{
	child_boot(check);
	write_lock(&rwlock);
	read_lock(&rwlock);
	read_unlock(&rwlock);
	write_unlock(&rwlock);
	assert_false(rwlock_is_locked(&rwlock));
	child_down();
}

static void unlock_free(void *check)
{
	child_boot(check);
	spin_unlock(&lock);
	child_down();
}

static void enable_enabled(void *check)
{
	child_boot(check);
	local_bh_enable();
	child_down();
}

static void use_zeroes(void *check)
{
	static spinlock_t zeroes;

	child_boot(check);
	spin_lock(&zeroes);
	spin_unlock(&zeroes);
	child_down();
}

static void count_too_low(void *check)
{
	refcount_t refs = REFCOUNT_INIT(1);

	child_boot(check);
	assert_true(refcount_dec_and_test(&refs));
	assert_false(refcount_dec_and_test(&refs));
	assert_int_equal(refcount_read(&refs), (unsigned int)REFCOUNT_SATURATED);
	assert_false(refcount_dec_and_test(&refs));
	child_down();
}

/* Only what makes it so is told by refcount_dec_not_one(). */
static void count_saturated(void *check)
{
	refcount_t refs = REFCOUNT_INIT(REFCOUNT_SATURATED);

	child_boot(check);
	assert_true(refcount_dec_not_one(&refs));
	assert_int_equal(refcount_read(&refs), (unsigned int)REFCOUNT_SATURATED);
	refcount_inc(&refs);
	child_down();
}

static void count_again(void *check)
{
	refcount_t refs = REFCOUNT_INIT(0);

	child_boot(check);
	assert_false(refcount_inc_not_zero(&refs));
	refcount_inc(&refs);
	assert_true(refcount_inc_not_zero(&refs));
	child_down();
}

static void expect_line(void (*body)(void *), bool check, const char *line)
{
	assert_int_equal(child_run(body, check ? (void *)&lock : NULL, output, sizeof(output)), 0);
	assert_memory_equal(output, line, strlen(line));
}

static void mistakes_are_reports(void **state)
{
	(void)state;
	expect_line(lock_twice, false, "flagstone: BUG: spinlock recursion on CPU#0, boot/");
	expect_line(write_twice, false, "flagstone: BUG: rwlock recursion on CPU#0, boot/");
	expect_line(write_twice, true, "flagstone: WARNING: possible recursive locking detected\n");
	expect_line(unlock_free, false, "flagstone: BUG: spinlock already unlocked on CPU#0, boot/");
	expect_line(lock_twice, true, "flagstone: WARNING: possible recursive locking detected\n");
	expect_line(unlock_free, true, "flagstone: WARNING: bad unlock balance detected!\n");
	expect_line(enable_enabled, false, "flagstone: BUG: local_bh_enable without local_bh_disable\n");
	expect_line(use_zeroes, false, "flagstone: BUG: spinlock bad magic on CPU#0, boot/");
	expect_line(count_too_low, false, "flagstone: BUG: refcount_t: underflow; use-after-free\n");
	expect_line(count_saturated, false, "flagstone: BUG: refcount_t: saturated; leaking memory\n");
	expect_line(count_again, false, "flagstone: BUG: refcount_t: addition on 0; use-after-free\n");
}

/* The checks of locks without those of contexts. */
static void mistakes_are_reports_without_contexts(void **state)
{
	(void)state;
	sched_debug = false;
	expect_line(lock_twice, true, "flagstone: WARNING: possible recursive locking detected\n");
	expect_line(write_twice, true, "flagstone: WARNING: possible recursive locking detected\n");
	expect_line(read_what_it_writes, true, "flagstone: WARNING: possible recursive locking detected\n");
	sched_debug = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_reports),
		cmocka_unit_test(mistakes_are_reports_without_contexts),
		cmocka_unit_test_setup_teardown(forms_switch_off_what_they_say, boot, shut_down),
		cmocka_unit_test_setup_teardown(rwlocks_too, boot, shut_down),
		cmocka_unit_test_setup_teardown(the_last_enable_runs_softirqs, boot, shut_down),
		cmocka_unit_test_setup_teardown(one_holder_at_a_time, boot, shut_down),
		cmocka_unit_test_setup_teardown(one_holder_at_a_time_under_preemption, boot, shut_down),
		cmocka_unit_test_setup_teardown(interrupts_arrive_while_it_waits, boot, shut_down),
		cmocka_unit_test(one_holder_at_a_time_checked),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
