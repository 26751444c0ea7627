/*
 * test_hotplug.c: CPUs go offline and come back: callbacks in order, undone when one fails, and nothing that belonged
 * to the CPU is lost.
 *
 * Broken if this fails: a timer, tasklet, work item or interrupt of a CPU that went offline is lost, or a callback is
 * missed.
 */
#include <errno.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <pthread.h>
#include <string.h>

#include "include/flagstone/irq.h"
#include "tests/unit/irq_fixture.h"

#define IRQ 60

/* ---- callbacks ---- */

static char trace[256]; /* Synchronization: one task at a time */
static unsigned int wrong; /* Synchronization: atomic */
static int fail; /* the letter of the callback that fails */

static int note(char letter, unsigned int cpu, bool ap)
{
	size_t length = strlen(trace);

	if (ap && (raw_smp_processor_id() != (int)cpu || !in_task()))
		add(wrong, 1);
	if (length < sizeof(trace) - 2) {
		trace[length] = letter;
		trace[length + 1] = '\0';
	}
	return letter == fail ? -ENOMEM : 0;
}

static int prepare(unsigned int cpu)
{
	return note('p', cpu, false);
}

static int dead(unsigned int cpu)
{
	if (cpu_online(cpu))
		add(wrong, 1);
	return note('d', cpu, false);
}

static int first_up(unsigned int cpu)
{
	return note('1', cpu, true);
}

static int first_down(unsigned int cpu)
{
	return note('A', cpu, true);
}

static int second_up(unsigned int cpu)
{
	return note('2', cpu, true);
}

static int second_down(unsigned int cpu)
{
	return note('B', cpu, true);
}

static unsigned int dead_hook_cpu; /* Synchronization: the test's task */

static void dead_hook(unsigned int cpu)
{
	dead_hook_cpu = cpu;
	note('h', cpu, false);
}

/* Once for each CPU. */
static bool all_did(char letter)
{
	const char text[] = {letter, '\0'};

	return strlen(trace) == nr_cpu_ids && strspn(trace, text) == nr_cpu_ids;
}

static void failures_are_undone(unsigned int cpu)
{
	/* A teardown fails: back up. */
	trace[0] = '\0';
	fail = 'A';
	assert_int_equal(remove_cpu(cpu), -ENOMEM);
	assert_string_equal(trace, "BA2");
	assert_true(cpu_online(cpu));
	fail = 0;
	assert_int_equal(remove_cpu(cpu), 0);
	/* A startup fails: down again. */
	trace[0] = '\0';
	fail = '2';
	assert_int_equal(add_cpu(cpu), -ENOMEM);
	assert_string_equal(trace, "p12Ahd");
	assert_false(cpu_online(cpu));
	trace[0] = '\0';
	fail = 'p';
	assert_int_equal(add_cpu(cpu), -ENOMEM);
	assert_string_equal(trace, "p");
	fail = 0;
	assert_int_equal(add_cpu(cpu), 0);
}

static void callbacks_run_in_order_and_are_undone(void **state)
{
	unsigned int last = nr_cpu_ids - 1;
	int prepared, first, second;

	(void)state;
	if (skip_below(2, nr_cpu_ids, "a CPU that goes offline"))
		return;
	irq_cpu_dead_hook = dead_hook;
	trace[0] = '\0';
	prepared = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "test:prepare", prepare, dead);
	first = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "test:first", first_up, first_down);
	assert_true(prepared > 0 && first > prepared);
	assert_true(all_did('p'));
	trace[0] = '\0';
	fail = '2';
	assert_int_equal(cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "test:second", second_up, second_down), -ENOMEM);
	assert_string_equal(trace, "2");
	fail = 0;
	trace[0] = '\0';
	second = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "test:second", second_up, second_down);
	assert_true(second > first);
	assert_true(all_did('2'));
	trace[0] = '\0';
	assert_int_equal(cpuhp_setup_state(CPUHP_MM_VMSTAT_DEAD, "test:dead", NULL, dead), 0);
	assert_int_equal(cpuhp_setup_state(CPUHP_MM_VMSTAT_DEAD, "test:dead", NULL, dead), -EBUSY);
	cpuhp_remove_state_nocalls(CPUHP_MM_VMSTAT_DEAD);
	assert_int_equal(remove_cpu(last), 0);
	assert_string_equal(trace, "BAhd");
	assert_int_equal(dead_hook_cpu, last);
	assert_false(cpu_online(last));
	assert_int_equal(remove_cpu(last), -EINVAL);
	trace[0] = '\0';
	assert_int_equal(add_cpu(last), 0);
	assert_string_equal(trace, "p12");
	assert_true(cpu_online(last));
	assert_int_equal(add_cpu(last), -EINVAL);
	failures_are_undone(last);
	trace[0] = '\0';
	cpuhp_remove_state((enum cpuhp_state)second);
	assert_true(all_did('B'));
	cpuhp_remove_state_nocalls((enum cpuhp_state)first);
	cpuhp_remove_state_nocalls((enum cpuhp_state)prepared);
	assert_int_equal(wrong, 0);
	irq_cpu_dead_hook = NULL;
}

static void the_last_one_stays(void **state)
{
	(void)state;
	sched_move_to(nr_cpu_ids - 1);
	for (unsigned int cpu = 1; cpu < nr_cpu_ids; cpu++)
		assert_int_equal(remove_cpu(cpu), 0);
	assert_int_equal(raw_smp_processor_id(), 0);
	assert_int_equal(remove_cpu(0), -EBUSY);
	for (unsigned int cpu = 1; cpu < nr_cpu_ids; cpu++)
		assert_int_equal(add_cpu(cpu), 0);
}

/* ---- what belonged to it goes on ---- */

struct everything {
	struct timer_list timer;
	struct tasklet_struct tasklet;
	struct delayed_work dwork;
	struct work_struct work;
	unsigned int timers, tasklets, dworks, works, irqs; /* Synchronization: atomic */
	uint32_t hold; /* Synchronization: atomic */
};
static struct everything all;

static void timer_body(struct timer_list *timer)
{
	(void)timer;
	add(all.timers, 1);
}

static void tasklet_body(struct tasklet_struct *tasklet)
{
	(void)tasklet;
	add(all.tasklets, 1);
}

static void dwork_body(struct work_struct *work)
{
	(void)work;
	add(all.dworks, 1);
}

static void work_body(struct work_struct *work)
{
	(void)work;
	while (load(all.hold))
		schedule_timeout_uninterruptible(1);
	add(all.works, 1);
}

static irqreturn_t irq_body(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	add(all.irqs, 1);
	return IRQ_HANDLED;
}

static void nothing_of_its_is_lost(void **state)
{
	unsigned int cpu = nr_cpu_ids / 2;
	struct cpumask mask;

	(void)state;
	if (skip_below(2, nr_cpu_ids, "a CPU that goes offline"))
		return;
	memset(&all, 0, sizeof(all));
	timer_setup(&all.timer, timer_body, 0);
	tasklet_setup(&all.tasklet, tasklet_body);
	INIT_DELAYED_WORK(&all.dwork, dwork_body);
	INIT_WORK(&all.work, work_body);
	cpumask_clear(&mask);
	cpumask_set_cpu(cpu, &mask);
	assert_int_equal(request_irq(IRQ, irq_body, 0, "moves", &all), 0);
	assert_int_equal(irq_set_affinity(IRQ, &mask), 0);
	for (unsigned int round = 1; round <= 10; round++) {
		store(all.hold, 1);
		all.timer.expires = jiffies + 2;
		add_timer_on(&all.timer, (int)cpu);
		queue_delayed_work_on((int)cpu, system_wq, &all.dwork, 2);
		queue_work_on((int)cpu, system_wq, &all.work);
		assert_true(flagstone_irq_raise(IRQ));
		tasklet_schedule(&all.tasklet);
		assert_int_equal(remove_cpu(cpu), 0);
		store(all.hold, 0);
		wait_until(load(all.timers) == round && load(all.dworks) == round && load(all.works) == round);
		wait_until(load(all.tasklets) == round && load(all.irqs) == 2 * round - 1);
		/* Offline: interrupts go elsewhere. */
		assert_true(flagstone_irq_raise(IRQ));
		wait_until(load(all.irqs) == 2 * round);
		assert_int_equal(add_cpu(cpu), 0);
		assert_int_equal(irq_set_affinity(IRQ, &mask), 0);
	}
	free_irq(IRQ, &all);
	del_timer_sync(&all.timer);
	tasklet_kill(&all.tasklet);
	cancel_work_sync(&all.work);
	cancel_delayed_work_sync(&all.dwork);
}

/* A round of softirqs that is longer than one may be: what is raised in it is left to ksoftirqd. */
static void long_timer_body(struct timer_list *timer)
{
	tasklet_schedule(&all.tasklet);
	mdelay(4);
	timer_body(timer);
}

/* A device's driver starts a timer on a CPU that is offline. */
static void an_offline_cpu_serves_what_comes_late(void **state)
{
	unsigned int cpu = nr_cpu_ids / 2;

	(void)state;
	if (skip_below(2, nr_cpu_ids, "a CPU that goes offline"))
		return;
	memset(&all, 0, sizeof(all));
	timer_setup(&all.timer, long_timer_body, 0);
	tasklet_setup(&all.tasklet, tasklet_body);
	assert_int_equal(remove_cpu(cpu), 0);
	for (unsigned int round = 1; round <= 3; round++) {
		all.timer.expires = jiffies;
		add_timer_on(&all.timer, (int)cpu);
		wait_until(load(all.timers) == round && load(all.tasklets) == round);
	}
	assert_int_equal(add_cpu(cpu), 0);
	del_timer_sync(&all.timer);
	tasklet_kill(&all.tasklet);
}

/* ---- up and down while everything is in use ---- */

static uint32_t stop; /* Synchronization: atomic */
static unsigned long raised; /* Synchronization: pthread_join() */

static void *device_body(void *unused)
{
	while (!load(stop)) {
		raised += flagstone_irq_raise(IRQ);
		host_yield();
	}
	return unused;
}

static void use_everything(void)
{
	if (!timer_pending(&all.timer)) /* not put off again and again */
		mod_timer(&all.timer, jiffies + 1);
	tasklet_schedule(&all.tasklet);
	schedule_work(&all.work);
	schedule_delayed_work(&all.dwork, 1);
	host_yield();
}

static bool all_were_used(void)
{
	return load(all.timers) && load(all.tasklets) && load(all.works) && load(all.dworks);
}

static void up_and_down_under_load(void **state)
{
	struct hogs hogs;
	host_sigmask_t mask;
	pthread_t thread;

	(void)state;
	if (skip_below(2, nr_cpu_ids, "CPUs that go offline"))
		return;
	memset(&all, 0, sizeof(all));
	stop = 0;
	raised = 0;
	timer_setup(&all.timer, timer_body, 0);
	tasklet_setup(&all.tasklet, tasklet_body);
	INIT_DELAYED_WORK(&all.dwork, dwork_body);
	INIT_WORK(&all.work, work_body);
	assert_int_equal(request_irq(IRQ, irq_body, 0, "moves", &all), 0);
	assert_int_equal(preempt_force(300, 23), 0);
	hogs_start(&hogs, use_everything);
	mask = host_signals_block();
	assert_int_equal(pthread_create(&thread, NULL, device_body, NULL), 0);
	host_signals_restore(mask);
	for (unsigned int round = 0; round < 30 || !all_were_used(); round++) {
		unsigned int first = round % nr_cpu_ids, second = (round + 3) % nr_cpu_ids;

		assert_int_equal(remove_cpu(first), 0);
		/* One has to stay. */
		if (nr_cpu_ids > 2)
			assert_int_equal(remove_cpu(second), first == second ? -EINVAL : 0);
		assert_int_equal(add_cpu(first), 0);
		if (nr_cpu_ids > 2)
			assert_int_equal(add_cpu(second), first == second ? -EINVAL : 0);
	}
	store(stop, 1);
	while (pthread_tryjoin_np(thread, NULL))
		schedule_timeout_uninterruptible(1);
	wait_until(load(all.irqs) == raised);
	hogs_stop(&hogs);
	free_irq(IRQ, &all);
	del_timer_sync(&all.timer);
	tasklet_kill(&all.tasklet);
	cancel_work_sync(&all.work);
	cancel_delayed_work_sync(&all.dwork);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(callbacks_run_in_order_and_are_undone, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(the_last_one_stays, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(nothing_of_its_is_lost, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(an_offline_cpu_serves_what_comes_late, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(up_and_down_under_load, fixture_boot, fixture_shut_down),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
