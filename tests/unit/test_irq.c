/*
 * test_irq.c: interrupt lines: every edge is handled, in hard interrupt context, on the CPU it belongs to, whatever
 * runs there.
 *
 * Broken if this fails: a device waits for ever for its handler, a handler runs twice at once or after free_irq(), or
 * a storm keeps tasks from running.
 */
#include <errno.h>
#include <linux/interrupt.h>
#include <pthread.h>
#include <string.h>

#include "include/flagstone/irq.h"
#include "tests/unit/irq_fixture.h"

#define IRQ 40

static unsigned long handled; /* Synchronization: atomic */
static unsigned int inside[FLAGSTONE_NR_IRQS], wrong; /* Synchronization: atomic */

static irqreturn_t count_handler(int irq, void *dev_id)
{
	if (add(inside[irq], 1) != 1 || !in_hardirq() || !irqs_disabled() || in_task() || in_serving_softirq())
		add(wrong, 1);
	if (dev_id != &handled || irq < IRQ)
		add(wrong, 1);
	add(handled, 1);
	add(inside[irq], -1u);
	return IRQ_HANDLED;
}

static int boot(void **state)
{
	handled = 0;
	wrong = 0;
	return fixture_boot(state);
}

static int shut_down(void **state)
{
	assert_int_equal(wrong, 0);
	return fixture_shut_down(state);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	assert_int_equal(request_irq(FLAGSTONE_NR_IRQS, count_handler, 0, "far", &handled), -EINVAL);
	assert_int_equal(request_irq(IRQ, NULL, 0, "none", &handled), -EINVAL);
	assert_int_equal(request_irq(IRQ, count_handler, IRQF_SHARED, "anonymous", NULL), -EINVAL);
	assert_int_equal(request_threaded_irq(IRQ, NULL, count_handler, 0, "open", &handled), -EINVAL);
	assert_false(flagstone_irq_raise(IRQ));
	assert_int_equal(request_irq(IRQ, count_handler, 0, "first", &handled), 0);
	assert_int_equal(request_irq(IRQ, count_handler, IRQF_PROBE_SHARED, "second", &wrong), -EBUSY);
	assert_int_equal(request_irq(IRQ, count_handler, IRQF_SHARED | IRQF_PROBE_SHARED, "third", &wrong), -EBUSY);
	assert_string_equal(free_irq(IRQ, &handled), "first");
	assert_false(flagstone_irq_raise(IRQ));
	assert_int_equal(handled, 0);
}

static void an_edge_interrupts_this_task(void **state)
{
	(void)state;
	assert_int_equal(request_irq(IRQ, count_handler, 0, "edge", &handled), 0);
	for (unsigned long i = 1; i <= 1000; i++) {
		assert_true(flagstone_irq_raise(IRQ));
		spin_until(load(handled) == i);
	}
	assert_int_equal(flagstone_irq_count(IRQ, -1), 1000);
	free_irq(IRQ, &handled);
}

/* ---- many edges from threads that are no tasks, onto CPUs that are busy ---- */

#define NR_DEVICES 3
#define EDGES 20000

struct device {
	pthread_t thread;
	unsigned int irq;
	unsigned long raised; /* those that were new */
	unsigned long before; /* what the line had counted */
};

static void *device_body(void *arg)
{
	struct device *device = arg;

	for (unsigned int i = 0; i < EDGES; i++) {
		device->raised += flagstone_irq_raise(device->irq);
		if (i % 64 == 0)
			host_yield();
	}
	return NULL;
}

static void play_devices(void (*hog)(void))
{
	struct device devices[NR_DEVICES];
	unsigned long raised = 0;
	struct hogs hogs;
	host_sigmask_t mask;

	hogs_start(&hogs, hog);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		devices[i] = (struct device){.irq = IRQ + i, .before = flagstone_irq_count(IRQ + i, -1)};
		assert_int_equal(request_irq(IRQ + i, count_handler, 0, "device", &handled), 0);
	}
	mask = host_signals_block();
	for (unsigned int i = 0; i < NR_DEVICES; i++)
		assert_int_equal(pthread_create(&devices[i].thread, NULL, device_body, &devices[i]), 0);
	host_signals_restore(mask);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		while (pthread_tryjoin_np(devices[i].thread, NULL))
			schedule_timeout_uninterruptible(1);
		raised += devices[i].raised;
	}
	wait_until(load(handled) == raised);
	assert_true(raised > 0);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		assert_int_equal(flagstone_irq_count(IRQ + i, -1) - devices[i].before, devices[i].raised);
		free_irq(IRQ + i, &handled);
	}
	hogs_stop(&hogs);
}

static void no_edge_is_lost_on_busy_cpus(void **state)
{
	(void)state;
	play_devices(hog_masks);
	assert_int_equal(preempt_force(200, 5), 0);
	handled = 0;
	play_devices(hog_masks);
}

static void masked_edges_come_at_the_unmask(void **state)
{
	unsigned long flags;

	(void)state;
	assert_int_equal(request_irq(IRQ, count_handler, 0, "masked", &handled), 0);
	sched_move_to(0);
	local_irq_save(flags);
	assert_true(flagstone_irq_raise(IRQ));
	assert_false(flagstone_irq_raise(IRQ));
	assert_int_equal(load(handled), 0);
	local_irq_restore(flags);
	spin_until(load(handled) == 1);
	free_irq(IRQ, &handled);
}

static void what_comes_while_disabled_comes_once(void **state)
{
	(void)state;
	assert_int_equal(request_irq(IRQ, count_handler, 0, "off", &handled), 0);
	disable_irq(IRQ);
	disable_irq_nosync(IRQ);
	assert_true(flagstone_irq_raise(IRQ));
	for (int i = 0; i < 10; i++)
		assert_false(flagstone_irq_raise(IRQ));
	schedule_timeout_uninterruptible(2);
	enable_irq(IRQ);
	schedule_timeout_uninterruptible(2);
	assert_int_equal(load(handled), 0);
	enable_irq(IRQ);
	wait_until(load(handled) == 1);
	assert_true(flagstone_irq_raise(IRQ));
	wait_until(load(handled) == 2);
	free_irq(IRQ, &handled);
	assert_int_equal(request_irq(IRQ, count_handler, IRQF_NO_AUTOEN, "later", &handled), 0);
	assert_true(flagstone_irq_raise(IRQ));
	schedule_timeout_uninterruptible(2);
	assert_int_equal(load(handled), 2);
	enable_irq(IRQ);
	wait_until(load(handled) == 3);
	free_irq(IRQ, &handled);
}

/* ---- shared lines, levels ---- */

struct port {
	unsigned int up; /* Synchronization: atomic */
	unsigned int nr;
	unsigned int foreign;
};
static struct port ports[3];

static irqreturn_t port_handler(int irq, void *dev_id)
{
	struct port *port = dev_id;

	if (!load(port->up)) {
		add(port->foreign, 1);
		return IRQ_NONE;
	}
	store(port->up, 0);
	add(port->nr, 1);
	for (int i = 0; i < 3; i++)
		if (load(ports[i].up))
			return IRQ_HANDLED;
	flagstone_irq_set_level((unsigned int)irq, false);
	return IRQ_HANDLED;
}

static void a_level_line_serves_all_its_devices(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		ports[i] = (struct port){.up = 0};
		assert_int_equal(request_irq(IRQ, port_handler, IRQF_SHARED | IRQF_TRIGGER_HIGH, "port", &ports[i]), 0);
	}
	for (unsigned int round = 1; round <= 200; round++) {
		for (int i = 0; i < 3; i++)
			store(ports[i].up, 1);
		flagstone_irq_set_level(IRQ, true);
		for (int i = 0; i < 3; i++)
			spin_until(load(ports[i].nr) == round);
	}
	for (int i = 0; i < 3; i++)
		assert_string_equal(free_irq(IRQ, &ports[i]), "port");
}

/* ---- threads ---- */

static unsigned int thread_runs; /* Synchronization: atomic */
static unsigned int hold_thread; /* Synchronization: atomic */

static irqreturn_t wake_handler(int irq, void *dev_id)
{
	count_handler(irq, dev_id);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t thread_function(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	if (!in_task() || irqs_disabled() || preempt_count())
		add(wrong, 1);
	while (load(hold_thread))
		schedule_timeout_uninterruptible(1);
	add(thread_runs, 1);
	return IRQ_HANDLED;
}

static void threads_do_the_rest(void **state)
{
	(void)state;
	thread_runs = 0;
	hold_thread = 1;
	assert_int_equal(request_threaded_irq(IRQ, wake_handler, thread_function, IRQF_ONESHOT, "once", &handled), 0);
	assert_true(flagstone_irq_raise(IRQ));
	wait_until(load(handled) == 1);
	/* Masked until the thread is done. */
	assert_true(flagstone_irq_raise(IRQ));
	schedule_timeout_uninterruptible(2);
	assert_int_equal(load(handled), 1);
	store(hold_thread, 0);
	wait_until(load(handled) == 2 && load(thread_runs) == 2);
	for (unsigned long i = 3; i < 100; i++) {
		assert_true(flagstone_irq_raise(IRQ));
		wait_until(load(thread_runs) == i);
		synchronize_irq(IRQ);
	}
	/* free_irq() waits for it. */
	store(hold_thread, 1);
	assert_true(flagstone_irq_raise(IRQ));
	wait_until(load(handled) == 100);
	store(hold_thread, 0);
	free_irq(IRQ, &handled);
	assert_int_equal(load(thread_runs), 100);
	/* Without a handler. */
	assert_int_equal(request_threaded_irq(IRQ, NULL, thread_function, IRQF_ONESHOT, "only", &handled), 0);
	assert_true(flagstone_irq_raise(IRQ));
	wait_until(load(thread_runs) == 101);
	free_irq(IRQ, &handled);
}

/* ---- a storm ---- */

static uint32_t storm_stop; /* Synchronization: atomic */

static void *storm_body(void *unused)
{
	while (!load(storm_stop))
		if (!flagstone_irq_raise(IRQ))
			host_yield();
	return unused;
}

static irqreturn_t slow_handler(int irq, void *dev_id)
{
	uint64_t end = host_clock_ns() + 20000;

	while (host_clock_ns() < end)
		host_relax();
	return count_handler(irq, dev_id);
}

static void a_storm_leaves_time_for_tasks(void **state)
{
	struct hogs hogs;
	pthread_t thread;
	host_sigmask_t mask;

	(void)state;
	storm_stop = 0;
	hogs_start(&hogs, hog_idles);
	assert_int_equal(request_irq(IRQ, slow_handler, 0, "storm", &handled), 0);
	mask = host_signals_block();
	assert_int_equal(pthread_create(&thread, NULL, storm_body, NULL), 0);
	host_signals_restore(mask);
	wait_until(load(handled) > 500);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		unsigned int seen = load(hogs.turns[cpu]);

		wait_until(load(hogs.turns[cpu]) > seen + 10);
	}
	store(storm_stop, 1);
	while (pthread_tryjoin_np(thread, NULL))
		schedule_timeout_uninterruptible(1);
	free_irq(IRQ, &handled);
	hogs_stop(&hogs);
}

static irqreturn_t careless_handler(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	add(handled, 1);
	return IRQ_NONE;
}

static void a_line_nobody_cares_for_is_disabled(void **state)
{
	(void)state;
	assert_int_equal(request_irq(IRQ, careless_handler, IRQF_TRIGGER_HIGH, "careless", &handled), 0);
	flagstone_irq_set_level(IRQ, true);
	wait_until(load(handled) == 100000);
	schedule_timeout_uninterruptible(2);
	assert_int_equal(load(handled), 100000);
	flagstone_irq_set_level(IRQ, false);
	free_irq(IRQ, &handled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_that_make_no_sense_are_refused, boot, shut_down),
		cmocka_unit_test_setup_teardown(an_edge_interrupts_this_task, boot, shut_down),
		cmocka_unit_test_setup_teardown(no_edge_is_lost_on_busy_cpus, boot, shut_down),
		cmocka_unit_test_setup_teardown(masked_edges_come_at_the_unmask, boot, shut_down),
		cmocka_unit_test_setup_teardown(what_comes_while_disabled_comes_once, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_level_line_serves_all_its_devices, boot, shut_down),
		cmocka_unit_test_setup_teardown(threads_do_the_rest, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_storm_leaves_time_for_tasks, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_line_nobody_cares_for_is_disabled, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
