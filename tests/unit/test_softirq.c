/*
 * test_softirq.c: softirqs and tasklets: where they run, what contexts say, and that nothing raised is lost.
 *
 * Broken if this fails: work put off from interrupts is lost, runs twice at once, in the wrong context, or keeps tasks
 * from running.
 */
#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <pthread.h>

#include "include/flagstone/irq.h"
#include "tests/unit/irq_fixture.h"

#define IRQ 50

/* ---- what the predicates say ---- */

struct context {
	bool ran, task, hardirq, serving, softirq, interrupt, atomic, irqs_off;
};

static struct context contexts[8]; /* Synchronization: ran, atomic */

static void look_around(struct context *context)
{
	context->task = in_task();
	context->hardirq = in_hardirq();
	context->serving = in_serving_softirq();
	context->softirq = in_softirq();
	context->interrupt = in_interrupt();
	context->atomic = in_atomic();
	context->irqs_off = irqs_disabled();
	store(context->ran, true);
}

static irqreturn_t context_handler(int irq, void *dev_id)
{
	(void)irq;
	look_around(&contexts[3]);
	tasklet_schedule(dev_id);
	return IRQ_HANDLED;
}

static irqreturn_t context_thread(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	look_around(&contexts[5]);
	return IRQ_HANDLED;
}

static void context_tasklet(struct tasklet_struct *tasklet)
{
	(void)tasklet;
	look_around(&contexts[4]);
}

static void predicates_say_where_they_are(void **state)
{
	static const struct context expected[] = {
		{true, true, false, false, false, false, false, false}, /* a task */
		{true, true, false, false, true, true, true, false}, /* local_bh_disable() */
		{true, true, false, false, false, false, false, true}, /* local_irq_disable() */
		{true, false, true, false, false, true, true, true}, /* a handler */
		{true, false, false, true, true, true, true, false}, /* a tasklet */
		{true, true, false, false, false, false, false, false}, /* a handler's thread */
	};
	static DECLARE_TASKLET(tasklet, context_tasklet);

	(void)state;
	look_around(&contexts[0]);
	local_bh_disable();
	look_around(&contexts[1]);
	local_bh_enable();
	local_irq_disable();
	look_around(&contexts[2]);
	local_irq_enable();
	assert_int_equal(request_irq(IRQ, context_handler, 0, "context", &tasklet), 0);
	assert_int_equal(request_threaded_irq(IRQ + 1, NULL, context_thread, IRQF_ONESHOT, "thread", &tasklet), 0);
	flagstone_irq_raise(IRQ);
	flagstone_irq_raise(IRQ + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++) {
		wait_until(load(contexts[i].ran));
		assert_memory_equal(&contexts[i], &expected[i], sizeof(expected[i]));
	}
	free_irq(IRQ, &tasklet);
	free_irq(IRQ + 1, &tasklet);
	tasklet_kill(&tasklet);
}

/* ---- softirqs ---- */

static unsigned long nr_softirqs; /* Synchronization: atomic */
static unsigned int on_cpu[TEST_CPUS_MOST], wrong; /* Synchronization: atomic */
static unsigned int again; /* Synchronization: atomic */

static void count_softirq(void)
{
	int cpu = raw_smp_processor_id();

	if (add(on_cpu[cpu], 1) != 1 || !in_serving_softirq() || irqs_disabled())
		add(wrong, 1);
	add(nr_softirqs, 1);
	if (load(again) && add(again, -1u))
		raise_softirq(NET_RX_SOFTIRQ);
	add(on_cpu[cpu], -1u);
}

static void bottom_halves_wait_until_they_are_on(void **state)
{
	unsigned long seen = 0;

	(void)state;
	open_softirq(NET_RX_SOFTIRQ, count_softirq);
	for (int i = 1; i < 100; i++) {
		local_bh_disable();
		local_bh_disable();
		seen = load(nr_softirqs);
		raise_softirq(NET_RX_SOFTIRQ);
		local_bh_enable();
		cpu_look();
		assert_int_equal(load(nr_softirqs), seen);
		local_bh_enable();
		assert_int_equal(load(nr_softirqs), seen + 1);
	}
	/* From a task: ksoftirqd runs it. */
	raise_softirq(NET_RX_SOFTIRQ);
	wait_until(load(nr_softirqs) == seen + 2);
	assert_int_equal(wrong, 0);
}

static void one_that_raises_itself_goes_to_the_thread(void **state)
{
	(void)state;
	open_softirq(NET_RX_SOFTIRQ, count_softirq);
	nr_softirqs = 0;
	again = 1000;
	local_bh_disable();
	raise_softirq(NET_RX_SOFTIRQ);
	local_bh_enable();
	assert_true(load(nr_softirqs) <= 1000);
	wait_until(load(nr_softirqs) == 1000);
	assert_int_equal(wrong, 0);
}

/* ---- tasklets ---- */

struct counted {
	struct tasklet_struct tasklet;
	unsigned int inside; /* Synchronization: atomic */
	unsigned int ran; /* Synchronization: atomic */
	unsigned int wanted; /* runs that must follow. Synchronization: atomic */
};

static void counted_body(struct tasklet_struct *tasklet)
{
	struct counted *counted = container_of(tasklet, struct counted, tasklet);

	if (add(counted->inside, 1) != 1 || !in_serving_softirq())
		add(wrong, 1);
	store(counted->wanted, 0);
	add(counted->ran, 1);
	add(counted->inside, -1u);
}

static void old_body(unsigned long data)
{
	add(*(unsigned int *)data, 1);
}

static void scheduled_twice_runs_once(void **state)
{
	static struct counted counted;
	unsigned int old_runs = 0;
	struct tasklet_struct old;

	(void)state;
	tasklet_setup(&counted.tasklet, counted_body);
	tasklet_init(&old, old_body, (unsigned long)&old_runs);
	local_bh_disable();
	tasklet_schedule(&counted.tasklet);
	tasklet_schedule(&counted.tasklet);
	tasklet_hi_schedule(&old);
	local_bh_enable();
	assert_int_equal(load(counted.ran), 1);
	assert_int_equal(load(old_runs), 1);
	/* Disabled: it waits. */
	tasklet_disable(&counted.tasklet);
	tasklet_disable_nosync(&counted.tasklet);
	tasklet_schedule(&counted.tasklet);
	tasklet_enable(&counted.tasklet);
	schedule_timeout_uninterruptible(2);
	assert_int_equal(load(counted.ran), 1);
	tasklet_enable(&counted.tasklet);
	wait_until(load(counted.ran) == 2);
	tasklet_hi_schedule(&counted.tasklet);
	tasklet_kill(&counted.tasklet);
	assert_int_equal(load(counted.ran), 3);
	assert_int_equal(wrong, 0);
}

static struct counted shared[4];

static void schedule_some(void)
{
	for (int i = 0; i < 4; i++) {
		store(shared[i].wanted, 1);
		if (i % 2)
			tasklet_schedule(&shared[i].tasklet);
		else
			tasklet_hi_schedule(&shared[i].tasklet);
	}
	tasklet_disable(&shared[0].tasklet);
	if (load(shared[0].inside))
		add(wrong, 1);
	tasklet_enable(&shared[0].tasklet);
	host_yield();
}

static void tasklets_never_run_twice_at_once(void **state)
{
	struct hogs hogs;

	(void)state;
	for (int i = 0; i < 4; i++)
		tasklet_setup(&shared[i].tasklet, counted_body);
	assert_int_equal(preempt_force(200, 7), 0);
	hogs_start(&hogs, schedule_some);
	for (int i = 0; i < 4; i++)
		wait_until(load(shared[i].ran) > 200);
	hogs_stop(&hogs);
	/* Whoever scheduled one sees it run afterwards. */
	for (int i = 0; i < 4; i++) {
		wait_until(!load(shared[i].wanted));
		tasklet_kill(&shared[i].tasklet);
	}
	assert_int_equal(wrong, 0);
}

/* ---- interrupts that raise them, from a thread that is no task ---- */

static uint32_t stop; /* Synchronization: atomic */
static struct counted from_irq;
static unsigned long nr_irqs; /* Synchronization: atomic */

static irqreturn_t raising_handler(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	add(nr_irqs, 1);
	store(from_irq.wanted, 1);
	tasklet_schedule(&from_irq.tasklet);
	return IRQ_HANDLED;
}

static void *device_body(void *unused)
{
	while (!load(stop))
		if (!flagstone_irq_raise(IRQ))
			host_yield();
	return unused;
}

static void interrupts_put_work_off(void **state)
{
	struct hogs hogs;
	pthread_t thread;
	host_sigmask_t mask;

	(void)state;
	stop = 0;
	tasklet_setup(&from_irq.tasklet, counted_body);
	assert_int_equal(request_irq(IRQ, raising_handler, 0, "raising", &from_irq), 0);
	hogs_start(&hogs, hog_masks);
	mask = host_signals_block();
	assert_int_equal(pthread_create(&thread, NULL, device_body, NULL), 0);
	host_signals_restore(mask);
	wait_until(load(nr_irqs) > 5000);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		unsigned int seen = load(hogs.turns[cpu]);

		wait_until(load(hogs.turns[cpu]) > seen);
	}
	store(stop, 1);
	while (pthread_tryjoin_np(thread, NULL))
		schedule_timeout_uninterruptible(1);
	free_irq(IRQ, &from_irq);
	wait_until(!load(from_irq.wanted));
	tasklet_kill(&from_irq.tasklet);
	hogs_stop(&hogs);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(predicates_say_where_they_are, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(bottom_halves_wait_until_they_are_on, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(
			one_that_raises_itself_goes_to_the_thread, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(scheduled_twice_runs_once, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(tasklets_never_run_twice_at_once, fixture_boot, fixture_shut_down),
		cmocka_unit_test_setup_teardown(interrupts_put_work_off, fixture_boot, fixture_shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
