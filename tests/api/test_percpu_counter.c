/*
 * test_percpu_counter.c: <linux/percpu_counter.h> on a machine: nothing added is lost, in interrupts and while CPUs come and go.
 *
 * Broken if this fails: a sum is wrong, a cheap reading is further from it than batches explain, or a CPU takes what it kept away with it.
 */
#include <flagstone/machine.h>
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/percpu_counter.h>
#include <linux/smp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/api/booted.h"

#define CPUS 4
#define TURNS 2000

static struct percpu_counter counter;
static int adding; /* tasks that have not ended. Synchronization: atomic */

static void add_here(void *unused)
{
	(void)unused;
	percpu_counter_inc(&counter);
}

static int adds(void *data)
{
	unsigned int number = (unsigned int)(uintptr_t)data;

	for (unsigned int i = 0; i < TURNS; i++) {
		percpu_counter_add(&counter, 3);
		percpu_counter_dec(&counter);
		if (i % 50 == 0)
			smp_call_function_single((int)((number + 1) % CPUS), add_here, NULL, 1);
		if (i % 64 == 0)
			cond_resched();
	}
	__atomic_fetch_sub(&adding, 1, __ATOMIC_RELEASE);
	return 0;
}

static void nothing_added_is_lost(void **state)
{
	const s64 all = CPUS * (TURNS * 2 + TURNS / 50), most = (s64)percpu_counter_batch * CPUS;
	s64 last = -1, sum;

	(void)state;
	assert_false(percpu_counter_initialized(&counter));
	assert_int_equal(percpu_counter_init(&counter, 10, GFP_KERNEL), 0);
	assert_true(percpu_counter_initialized(&counter));
	adding = CPUS;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		struct task_struct *task = kthread_create_on_cpu(adds, (void *)(uintptr_t)cpu, cpu, "adds/%u");

		assert_false(IS_ERR(task));
		wake_up_process(task);
	}
	while (__atomic_load_n(&adding, __ATOMIC_ACQUIRE)) {
		sum = percpu_counter_sum(&counter);
		last = sum > last ? sum : last;
		schedule_timeout_uninterruptible(1);
	}
	sum = percpu_counter_sum(&counter);
	assert_int_equal(sum, 10 + all);
	assert_true(last <= sum + CPUS * 2); /* each task adds 3 before it takes 1 away */
	assert_true(percpu_counter_read(&counter) > sum - most && percpu_counter_read(&counter) < sum + most);
	assert_int_equal(percpu_counter_compare(&counter, sum), 0);
	assert_int_equal(percpu_counter_compare(&counter, sum + 1), -1);
	assert_int_equal(percpu_counter_compare(&counter, sum - 1), 1);
	assert_int_equal(percpu_counter_compare(&counter, sum + 100 * most), -1);
	assert_int_equal(percpu_counter_compare(&counter, -100 * most), 1);
	percpu_counter_destroy(&counter);
	assert_false(percpu_counter_initialized(&counter));
	percpu_counter_destroy(&counter);
}

static int add_seven(void *unused)
{
	(void)unused;
	percpu_counter_add(&counter, 7);
	return 0;
}

static void a_cpu_leaves_what_it_kept(void **state)
{
	(void)state;
	assert_int_equal(percpu_counter_init(&counter, 0, GFP_KERNEL), 0);
	for (unsigned int cpu = 1; cpu < CPUS; cpu++)
		assert_int_equal(flagstone_machine_run(cpu, add_seven, NULL), 0);
	assert_int_equal(percpu_counter_read(&counter), 0); /* kept by the CPUs */
	assert_int_equal(percpu_counter_sum(&counter), 21);
	assert_int_equal(remove_cpu(2), 0);
	assert_int_equal(percpu_counter_read(&counter), 7);
	assert_int_equal(*per_cpu_ptr(counter.counters, 2), 0);
	assert_int_equal(percpu_counter_sum(&counter), 21);
	assert_int_equal(add_cpu(2), 0);
	assert_int_equal(flagstone_machine_run(2, add_seven, NULL), 0);
	assert_int_equal(percpu_counter_sum(&counter), 28);
	percpu_counter_destroy(&counter);
}

static void batches_are_kept(void **state)
{
	(void)state;
	assert_int_equal(percpu_counter_batch, 32);
	assert_int_equal(percpu_counter_init(&counter, 0, GFP_KERNEL), 0);
	preempt_disable();
	percpu_counter_add_batch(&counter, 9, 10);
	assert_int_equal(percpu_counter_read(&counter), 0);
	percpu_counter_add_batch(&counter, 1, 10);
	assert_int_equal(percpu_counter_read(&counter), 10);
	percpu_counter_add_batch(&counter, -9, 10);
	assert_int_equal(percpu_counter_read(&counter), 10);
	percpu_counter_sync(&counter);
	assert_int_equal(percpu_counter_read(&counter), 1);
	preempt_enable();
	percpu_counter_add(&counter, -(1ll << 40));
	assert_int_equal(percpu_counter_read(&counter), 1 - (1ll << 40));
	assert_int_equal(percpu_counter_read_positive(&counter), 0);
	assert_int_equal(percpu_counter_sum_positive(&counter), 0);
	percpu_counter_sub(&counter, 5);
	percpu_counter_set(&counter, 12);
	assert_int_equal(percpu_counter_read(&counter), 12);
	assert_int_equal(percpu_counter_sum(&counter), 12);
	percpu_counter_destroy(&counter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_added_is_lost),
		cmocka_unit_test(a_cpu_leaves_what_it_kept),
		cmocka_unit_test(batches_are_kept),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, boot, shut_down);
}
