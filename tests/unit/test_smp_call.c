/*
 * test_smp_call.c: functions that run on other CPUs: on the right one, once, in interrupt context, and waited for
 * where asked.
 *
 * Broken if this fails: a call is lost, runs on another CPU, or a caller waits for ever.
 */
#include <errno.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/smp.h>
#include <stdio.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "tests/unit/irq_fixture.h"

static unsigned int ran[TEST_CPUS_MOST], wrong; /* Synchronization: atomic */

static void count_call(void *info)
{
	if (!irqs_disabled() || (info && !in_hardirq()))
		add(wrong, 1);
	add(ran[raw_smp_processor_id()], 1);
}

static int boot(void **state)
{
	memset(ran, 0, sizeof(ran));
	wrong = 0;
	return fixture_boot(state);
}

static int shut_down(void **state)
{
	assert_int_equal(wrong, 0);
	report_on_bug = REPORT_BUG_ABORT;
	return fixture_shut_down(state);
}

static unsigned int total(void)
{
	unsigned int sum = 0;

	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		sum += load(ran[cpu]);
	return sum;
}

static void a_call_runs_on_its_cpu(void **state)
{
	(void)state;
	sched_move_to(0);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		for (unsigned int i = 1; i <= 50; i++) {
			assert_int_equal(smp_call_function_single((int)cpu, count_call, cpu ? &wrong : NULL, 1), 0);
			assert_int_equal(load(ran[cpu]), i);
		}
		assert_int_equal(smp_call_function_single((int)cpu, count_call, NULL, 0), 0);
		spin_until(load(ran[cpu]) == 51);
	}
	assert_int_equal(smp_call_function_single((int)nr_cpu_ids, count_call, NULL, 1), -ENXIO);
	assert_int_equal(smp_call_function_single(-1, count_call, NULL, 1), -ENXIO);
}

static bool is_odd(int cpu, void *info)
{
	(void)info;
	return cpu % 2;
}

static void calls_run_on_every_cpu(void **state)
{
	(void)state;
	sched_move_to(2 % nr_cpu_ids);
	on_each_cpu(count_call, NULL, 1);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		assert_int_equal(load(ran[cpu]), 1);
	smp_call_function(count_call, NULL, 1);
	assert_int_equal(load(ran[2 % nr_cpu_ids]), 1);
	assert_int_equal(total(), 2 * nr_cpu_ids - 1);
	on_each_cpu_cond(is_odd, count_call, NULL, true);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		assert_int_equal(load(ran[cpu]), 2 + cpu % 2 - (cpu == 2 % nr_cpu_ids));
	for (int i = 0; i < 100; i++)
		on_each_cpu(count_call, NULL, 0);
	smp_call_function(count_call, NULL, 1);
	spin_until(total() >= 100 * nr_cpu_ids);
}

/* The last two CPUs of the machine, from the first of these, and with one that it does not have. */
static void calls_run_on_the_cpus_of_a_mask(void **state)
{
	unsigned int own = nr_cpu_ids - 2, other = nr_cpu_ids - 1;
	struct cpumask mask;

	(void)state;
	if (skip_below(2, nr_cpu_ids, "calls to some CPUs"))
		return;
	sched_move_to(own);
	cpumask_clear(&mask);
	cpumask_set_cpu(own, &mask);
	cpumask_set_cpu(other, &mask);
	cpumask_set_cpu(200, &mask);
	on_each_cpu_mask(&mask, count_call, NULL, true);
	assert_int_equal(load(ran[own]), 1);
	assert_int_equal(load(ran[other]), 1);
	preempt_disable();
	smp_call_function_many(&mask, count_call, NULL, true);
	preempt_enable();
	assert_int_equal(load(ran[own]), 1);
	assert_int_equal(load(ran[other]), 2);
	assert_int_equal(smp_call_function_any(&mask, count_call, NULL, 1), 0);
	assert_int_equal(load(ran[own]), 2);
	assert_int_equal(total(), 4);
}

static void a_call_of_ones_own_is_busy_until_it_ran(void **state)
{
	call_single_data_t csd = CSD_INIT(count_call, &wrong);
	unsigned int other = nr_cpu_ids - 1;

	(void)state;
	sched_move_to(0);
	for (unsigned int i = 1; other && i <= 100; i++) {
		assert_int_equal(smp_call_function_single_async((int)other, &csd), 0);
		spin_until(load(ran[other]) == i);
	}
	local_irq_disable();
	assert_int_equal(smp_call_function_single_async(0, &csd), 0);
	assert_int_equal(smp_call_function_single_async(0, &csd), -EBUSY);
	assert_int_equal(load(ran[0]), 0);
	local_irq_enable();
	spin_until(load(ran[0]) == 1);
	assert_int_equal(smp_call_function_single_async(99, &csd), -ENXIO);
}

/* ---- everybody calls everybody ---- */

static unsigned int calls_made; /* Synchronization: atomic */

static void call_others(void)
{
	unsigned int nr = add(calls_made, 1);

	if (nr % 5 == 0)
		on_each_cpu(count_call, NULL, nr % 2);
	else
		smp_call_function_single((int)(nr * 7 % nr_cpu_ids), count_call, NULL, nr % 2);
	host_yield();
}

static void everybody_calls_everybody(void **state)
{
	struct hogs hogs;
	unsigned int made, expected = 0;

	(void)state;
	calls_made = 0;
	assert_int_equal(preempt_force(200, 17), 0);
	hogs_start(&hogs, call_others);
	wait_until(load(calls_made) > 2000);
	hogs_stop(&hogs);
	made = load(calls_made);
	for (unsigned int nr = 1; nr <= made; nr++)
		expected += nr % 5 ? 1 : nr_cpu_ids;
	wait_until(total() == expected);
}

/* ---- with interrupts off ---- */

static uint32_t both; /* Synchronization: atomic */

static int caller_body(void *data)
{
	int other = *(int *)data;

	local_irq_disable();
	add(both, 1);
	while (load(both) < 2)
		host_yield();
	smp_call_function_single(other, count_call, NULL, 1);
	local_irq_enable();
	return 0;
}

static void waiting_with_interrupts_off_is_reported_and_ends(void **state)
{
	unsigned int first = nr_cpu_ids - 2;
	struct task_struct *tasks[2];
	int others[2] = {(int)first + 1, (int)first};

	(void)state;
	if (skip_below(2, nr_cpu_ids, "two CPUs that call each other"))
		return;
	both = 0;
	report_on_bug = REPORT_BUG_CONTINUE;
	for (unsigned int i = 0; i < 2; i++) {
		tasks[i] = kthread_create_on_cpu(caller_body, &others[i], first + i, "caller/%u");
		get_task_struct(tasks[i]);
		wake_up_process(tasks[i]);
	}
	wait_until(load(ran[first]) == 1 && load(ran[first + 1]) == 1);
	for (unsigned int i = 0; i < 2; i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
}

/* ---- irq_work ---- */

static unsigned int works_ran; /* Synchronization: atomic */

static void work_body(struct irq_work *work)
{
	(void)work;
	if (!in_hardirq())
		add(wrong, 1);
	add(works_ran, 1);
}

static void irq_work_runs_as_soon_as_interrupts_are_on(void **state)
{
	DEFINE_IRQ_WORK(work, work_body);

	(void)state;
	works_ran = 0;
	for (unsigned int i = 1; i <= 100; i++) {
		local_irq_disable();
		assert_true(irq_work_queue(&work));
		assert_false(irq_work_queue(&work));
		assert_true(irq_work_is_pending(&work));
		assert_int_equal(load(works_ran), i - 1);
		local_irq_enable();
		irq_work_sync(&work);
		assert_int_equal(load(works_ran), i);
		assert_false(irq_work_is_busy(&work));
	}
	assert_true(irq_work_queue_on(&work, (int)nr_cpu_ids - 1));
	irq_work_sync(&work);
	assert_int_equal(load(works_ran), 101);
}

static irqreturn_t no_handler(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	return IRQ_HANDLED;
}

static void the_view_has_the_kernels_format(void **state)
{
	static char buffer[1 << 18];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);
	char head[TEST_CPUS_MOST * 11 + 32] = "           ", counts[TEST_CPUS_MOST * 11 + 32] = "\n  9:";

	(void)state;
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		snprintf(head + strlen(head), 20, "CPU%-8u", cpu);
		snprintf(counts + strlen(counts), 20, " %10u", 0);
	}
	assert_int_equal(request_irq(9, no_handler, IRQF_SHARED | IRQF_TRIGGER_HIGH, "acpi", &text), 0);
	assert_int_equal(request_irq(9, no_handler, IRQF_SHARED | IRQF_TRIGGER_HIGH, "other", buffer), 0);
	irq_show(&text);
	assert_non_null(strstr(buffer, head));
	assert_non_null(strstr(buffer, counts));
	assert_non_null(strstr(buffer, "9-level     acpi, other\n"));
	assert_non_null(strstr(buffer, "\nLOC: "));
	assert_non_null(strstr(buffer, "  Function call interrupts\n"));
	free_irq(9, &text);
	free_irq(9, buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_runs_on_its_cpu, boot, shut_down),
		cmocka_unit_test_setup_teardown(calls_run_on_every_cpu, boot, shut_down),
		cmocka_unit_test_setup_teardown(calls_run_on_the_cpus_of_a_mask, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_call_of_ones_own_is_busy_until_it_ran, boot, shut_down),
		cmocka_unit_test_setup_teardown(everybody_calls_everybody, boot, shut_down),
		cmocka_unit_test_setup_teardown(waiting_with_interrupts_off_is_reported_and_ends, boot, shut_down),
		cmocka_unit_test_setup_teardown(irq_work_runs_as_soon_as_interrupts_are_on, boot, shut_down),
		cmocka_unit_test_setup_teardown(the_view_has_the_kernels_format, boot, shut_down),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
