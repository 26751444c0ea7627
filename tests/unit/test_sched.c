/*
 * test_sched.c: simulated CPUs: one task at a time on each, nobody forgotten, kernel threads, forced preemption, hotplug.
 *
 * Broken if this fails: two tasks run on one CPU at once, a wake-up is lost, or a thread cannot be stopped or moved.
 */
#include <errno.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/sched/sched.h"
#include "tests/sanitized.h"
#include "tests/unit/cpus.h"

static unsigned int cpus_booted; /* Synchronization: const after boot() */

/* Which task is on each CPU: a second one at the same time is what must never be. */
static void *on_cpu[TEST_CPUS_MOST]; /* Synchronization: atomic */
static unsigned int intruders; /* Synchronization: atomic */

static void enter_cpu(void)
{
	void *nobody = NULL;

	preempt_disable();
	if (!__atomic_compare_exchange_n(&on_cpu[raw_smp_processor_id()], &nobody, (void *)current, false,
		    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_add_fetch(&intruders, 1, __ATOMIC_RELAXED);
}

static void leave_cpu(void)
{
	__atomic_store_n(&on_cpu[raw_smp_processor_id()], NULL, __ATOMIC_RELAXED);
	preempt_enable();
}

static void count_hook(void);

static int boot(void **state)
{
	(void)state;
	sched_irq_hook = count_hook;
	cpus_booted = test_cpus(8);
	return sched_boot(cpus_booted);
}

static int shut_down(void **state)
{
	(void)state;
	return sched_shutdown();
}

static void boots_again_and_again(void **state)
{
	(void)state;
	for (unsigned int nr = 1; nr <= SCHED_MAX_CPUS; nr *= 4) {
		assert_int_equal(sched_boot(nr), 0);
		assert_int_equal(sched_boot(nr), -EBUSY);
		assert_int_equal(raw_smp_processor_id(), 0);
		assert_int_equal(sched_shutdown(), 0);
		assert_null(current);
	}
	assert_int_equal(sched_boot(0), -EINVAL);
	assert_int_equal(sched_boot(SCHED_MAX_CPUS + 1), -EINVAL);
}

static int return_data(void *data)
{
	return *(int *)data;
}

static int wait_for_stop(void *data)
{
	unsigned int *rounds = data;

	__atomic_add_fetch(rounds, 1, __ATOMIC_RELAXED);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 42;
}

/* Stopped before its first turn it would not run at all. */
static void wait_for_first(const unsigned int *turns)
{
	while (!__atomic_load_n(turns, __ATOMIC_RELAXED))
		schedule_timeout_uninterruptible(1);
}

static void threads_run_and_stop(void **state)
{
	int value = 7;
	unsigned int rounds = 0, last = cpus_booted - 1;
	char name[20];
	struct task_struct *task = kthread_create(return_data, &value, "returns/%d", 5);

	(void)state;
	assert_false(IS_ERR(task));
	assert_string_equal(task->comm, "returns/5");
	assert_ptr_equal(kthread_data(task), &value);
	/* Never ran. */
	assert_int_equal(kthread_stop(task), -EINTR);
	task = kthread_run(wait_for_stop, &rounds, "stops");
	assert_false(IS_ERR(task));
	wait_for_first(&rounds);
	assert_int_equal(kthread_stop(task), 42);
	/* One that ends by itself is held. */
	task = kthread_create(return_data, &value, "ends");
	get_task_struct(task);
	wake_up_process(task);
	while (!sched_has_ended(to_sched(task)))
		schedule_timeout_uninterruptible(1);
	assert_int_equal(kthread_stop(task), 7);
	put_task_struct(task);
	task = kthread_create_on_cpu(wait_for_stop, &rounds, last, "bound/%u");
	snprintf(name, sizeof(name), "bound/%u", last);
	assert_string_equal(task->comm, name);
	rounds = 0;
	wake_up_process(task);
	wait_for_first(&rounds);
	assert_int_equal(task_cpu(task), last);
	assert_int_equal(kthread_stop(task), 42);
	assert_true(IS_ERR(kthread_create_on_cpu(wait_for_stop, &rounds, cpus_booted, "none/%u")));
}

/* ---- two that wake each other, many pairs ---- */

#define NR_PAIRS 24
#define ROUNDS 300

struct pair {
	struct task_struct *task[2];
	unsigned int turn; /* Synchronization: atomic */
	unsigned int total;
};

static struct pair pairs[NR_PAIRS];
static unsigned int nr_done; /* Synchronization: atomic */

static int ping(void *data)
{
	uintptr_t which = (uintptr_t)data % 2;
	struct pair *pair = &pairs[(uintptr_t)data / 2];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		for (;;) {
			set_current_state(TASK_UNINTERRUPTIBLE);
			if (__atomic_load_n(&pair->turn, __ATOMIC_ACQUIRE) % 2 == which)
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
		enter_cpu();
		pair->total++;
		leave_cpu();
		__atomic_add_fetch(&pair->turn, 1, __ATOMIC_ACQ_REL);
		wake_up_process(pair->task[!which]);
	}
	__atomic_add_fetch(&nr_done, 1, __ATOMIC_RELEASE);
	return 0;
}

static void play_pairs(void)
{
	for (uintptr_t i = 0; i < 2 * NR_PAIRS; i++) {
		pairs[i / 2].task[i % 2] = kthread_create(ping, (void *)i, "ping/%u", (unsigned int)i);
		assert_false(IS_ERR(pairs[i / 2].task[i % 2]));
		get_task_struct(pairs[i / 2].task[i % 2]);
	}
	for (int i = 0; i < 2 * NR_PAIRS; i++)
		wake_up_process(pairs[i / 2].task[i % 2]);
	while (__atomic_load_n(&nr_done, __ATOMIC_ACQUIRE) < 2 * NR_PAIRS)
		schedule_timeout_uninterruptible(1);
	nr_done = 0;
	for (int i = 0; i < 2 * NR_PAIRS; i++) {
		assert_int_equal(kthread_stop(pairs[i / 2].task[i % 2]), 0);
		put_task_struct(pairs[i / 2].task[i % 2]);
	}
	for (int i = 0; i < NR_PAIRS; i++) {
		assert_int_equal(pairs[i].total, 2 * ROUNDS);
		pairs[i] = (struct pair){.total = 0};
	}
	assert_int_equal(intruders, 0);
}

static void no_wake_up_is_lost(void **state)
{
	(void)state;
	play_pairs();
}

static void no_wake_up_is_lost_under_preemption(void **state)
{
	(void)state;
	assert_int_equal(preempt_force(50, 1234), 0);
	play_pairs();
	assert_int_equal(preempt_force(0, 0), 0);
}

/* ---- preemption ---- */

static uint32_t spin_until; /* Synchronization: atomic */

static int spin(void *data)
{
	unsigned int *turns = data;

	while (!__atomic_load_n(&spin_until, __ATOMIC_RELAXED)) {
		enter_cpu();
		__atomic_add_fetch(turns, 1, __ATOMIC_RELAXED);
		leave_cpu();
	}
	return 0;
}

static void forced_preemption_gives_everybody_a_turn(void **state)
{
	struct task_struct *tasks[4];
	unsigned int turns[4] = {0};

	(void)state;
	spin_until = 0;
	assert_int_equal(preempt_force(100, 99), 0);
	for (int i = 0; i < 4; i++) {
		tasks[i] = kthread_create_on_cpu(spin, &turns[i], 1 % cpus_booted, "spin/%u");
		get_task_struct(tasks[i]);
		wake_up_process(tasks[i]);
	}
	for (int i = 0; i < 4; i++)
		while (!__atomic_load_n(&turns[i], __ATOMIC_RELAXED))
			schedule_timeout_uninterruptible(1);
	__atomic_store_n(&spin_until, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
	assert_int_equal(preempt_force(0, 0), 0);
	assert_int_equal(intruders, 0);
}

static void timeouts_take_their_time(void **state)
{
	unsigned long before = jiffies;
	uint64_t start = host_clock_ns();

	(void)state;
	assert_int_equal(schedule_timeout_uninterruptible(5), 0);
	assert_true(jiffies - before >= 5);
	msleep(10);
	assert_true(host_clock_ns() - start >= 30000000);
	set_current_state(TASK_RUNNING);
	assert_true(schedule_timeout(1000000) > 0);
	assert_true(schedule_timeout(MAX_JIFFY_OFFSET) > 0);
}

static int park_a_while(void *data)
{
	unsigned int *turns = data;

	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		__atomic_add_fetch(turns, 1, __ATOMIC_RELAXED);
		schedule_timeout_interruptible(1);
	}
	return 1;
}

static void parked_threads_stand_still(void **state)
{
	unsigned int turns = 0, parked_at;
	struct task_struct *task = kthread_run(park_a_while, &turns, "parks");

	(void)state;
	for (int round = 0; round < 5; round++) {
		assert_int_equal(kthread_park(task), 0);
		parked_at = turns;
		schedule_timeout_uninterruptible(3);
		assert_int_equal(turns, parked_at);
		kthread_unpark(task);
		while (__atomic_load_n(&turns, __ATOMIC_RELAXED) == parked_at)
			schedule_timeout_uninterruptible(1);
	}
	assert_int_equal(kthread_stop(task), 1);
}

static void an_offline_cpu_runs_nobody(void **state)
{
	unsigned int turns[TEST_CPUS_MOST] = {0};
	struct task_struct *tasks[TEST_CPUS_MOST];

	(void)state;
	if (skip_below(2, cpus_booted, "a CPU that goes offline"))
		return;
	for (unsigned int i = 0; i < cpus_booted; i++)
		tasks[i] = kthread_run(park_a_while, &turns[i], "walks/%u", i);
	assert_int_equal(sched_cpu_down(0), -EBUSY);
	for (unsigned int cpu = 1; cpu < cpus_booted; cpu++) {
		assert_int_equal(sched_cpu_down(cpu), 0);
		assert_int_equal(sched_cpu_down(cpu), -EINVAL);
	}
	assert_int_equal(sched_attach(1, "none"), -ENODEV);
	for (unsigned int i = 0; i < cpus_booted; i++) {
		unsigned int seen = __atomic_load_n(&turns[i], __ATOMIC_RELAXED);

		while (__atomic_load_n(&turns[i], __ATOMIC_RELAXED) < seen + 3)
			schedule_timeout_uninterruptible(1);
		assert_int_equal(task_cpu(tasks[i]), 0);
	}
	for (unsigned int cpu = 1; cpu < cpus_booted; cpu++)
		assert_int_equal(sched_cpu_up(cpu), 0);
	for (unsigned int i = 0; i < cpus_booted; i++)
		assert_int_equal(kthread_stop(tasks[i]), 1);
}

static void this_task_moves_about(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < 3 * cpus_booted; i++) {
		sched_move_to(i % cpus_booted);
		assert_int_equal(raw_smp_processor_id(), i % cpus_booted);
		assert_int_equal(task_cpu(current), i % cpus_booted);
	}
	sched_move_to(0);
}

/* ---- events ---- */

#define EVENTS 1600 /* of all CPUs: each may take the host a time slice */

static unsigned int nr_hooks[TEST_CPUS_MOST]; /* Synchronization: atomic */

static void count_hook(void)
{
	assert_true(irqs_disabled());
	__atomic_add_fetch(&nr_hooks[raw_smp_processor_id()], 1, __ATOMIC_RELAXED);
}

static void events_reach_busy_and_idle_cpus(void **state)
{
	struct task_struct *task;
	unsigned int turns = 0, seen, busy = cpus_booted > 2 ? 2 : cpus_booted - 1;

	(void)state;
	skip_sanitized("how soon a busy CPU looks at what is pending: with sanitizers no signal makes it");
	spin_until = 0;
	task = kthread_create_on_cpu(spin, &turns, busy, "busy/%u");
	get_task_struct(task);
	wake_up_process(task);
	for (unsigned int round = 0; round < EVENTS / cpus_booted; round++) {
		for (unsigned int cpu = 0; cpu < cpus_booted; cpu++) {
			seen = __atomic_load_n(&nr_hooks[cpu], __ATOMIC_RELAXED);
			cpu_raise(cpu, CPU_IRQ);
			while (__atomic_load_n(&nr_hooks[cpu], __ATOMIC_RELAXED) == seen &&
				(cpu != busy || !CONFIG_SANITIZED))
				host_yield();
		}
	}
	/* Not while they are masked. */
	local_irq_disable();
	seen = nr_hooks[0];
	cpu_raise(0, CPU_IRQ);
	assert_int_equal(nr_hooks[0], seen);
	local_irq_enable();
	assert_int_equal(nr_hooks[0], seen + 1);
	__atomic_store_n(&spin_until, 1, __ATOMIC_RELAXED);
	kthread_stop(task);
	put_task_struct(task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots_again_and_again),
		cmocka_unit_test_setup_teardown(threads_run_and_stop, boot, shut_down),
		cmocka_unit_test_setup_teardown(no_wake_up_is_lost, boot, shut_down),
		cmocka_unit_test_setup_teardown(no_wake_up_is_lost_under_preemption, boot, shut_down),
		cmocka_unit_test_setup_teardown(forced_preemption_gives_everybody_a_turn, boot, shut_down),
		cmocka_unit_test_setup_teardown(timeouts_take_their_time, boot, shut_down),
		cmocka_unit_test_setup_teardown(parked_threads_stand_still, boot, shut_down),
		cmocka_unit_test_setup_teardown(an_offline_cpu_runs_nobody, boot, shut_down),
		cmocka_unit_test_setup_teardown(this_task_moves_about, boot, shut_down),
		cmocka_unit_test_setup_teardown(events_reach_busy_and_idle_cpus, boot, shut_down),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
