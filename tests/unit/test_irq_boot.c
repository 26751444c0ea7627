/*
 * test_irq_boot.c: the irq room starts and ends with any number of CPUs, says what was left behind, and reports misuse
 * in the kernel's words.
 *
 * Broken if this fails: a machine cannot be booted twice, a leak goes unnoticed, or a mistake has no report.
 */
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/irq_fixture.h"

static unsigned int ran; /* Synchronization: atomic */

static void work_body(struct work_struct *work)
{
	(void)work;
	add(ran, 1);
}

static void boots_again_with_any_number_of_cpus(void **state)
{
	static const unsigned int numbers[] = {1, 2, 64, 256, 1};
	struct work_struct work;

	(void)state;
	ran = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(sched_boot(numbers[i]), 0);
		assert_int_equal(irq_boot(), 0);
		INIT_WORK(&work, work_body);
		assert_true(queue_work_on((int)numbers[i] - 1, system_wq, &work));
		flush_work(&work);
		assert_int_equal(load(ran), i + 1);
		assert_int_equal(irq_shutdown(), 0);
		assert_int_equal(sched_shutdown(), 0);
	}
}

/* ---- in a child: what it writes to stderr ---- */

static void timer_body(struct timer_list *timer)
{
	(void)timer;
}

static enum hrtimer_restart high_body(struct hrtimer *timer)
{
	(void)timer;
	return HRTIMER_NORESTART;
}

static irqreturn_t handler(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	return IRQ_HANDLED;
}

static void boot_child(void)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	if (fixture_boot(NULL))
		child_end(9);
}

static void leave_everything(void *unused)
{
	static DEFINE_TIMER(timer, timer_body);
	static DECLARE_DELAYED_WORK(dwork, work_body);
	static struct hrtimer high;

	(void)unused;
	boot_child();
	mod_timer(&timer, jiffies + 1000 * HZ);
	hrtimer_setup(&high, high_body, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer_start(&high, ms_to_ktime(1000000), HRTIMER_MODE_REL);
	schedule_delayed_work(&dwork, 1000 * HZ);
	if (!alloc_workqueue("leaked", WQ_MEM_RECLAIM, 0) || request_irq(7, handler, 0, "lost", &high))
		child_end(8);
	child_end(irq_shutdown() == 5 && !sched_shutdown() ? 0 : 1);
}

static void what_is_left_is_reported(void **state)
{
	char output[8192];

	(void)state;
	assert_int_equal(child_run(leave_everything, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: leak: timer at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: hrtimer at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: delayed work at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: workqueue leaked at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: irq 7 (lost), age="));
}

/* ---- mistakes ---- */

static void leaky_softirq(void)
{
	preempt_disable();
}

static void leaks_preempt_count_in_a_softirq(void)
{
	open_softirq(NET_TX_SOFTIRQ, leaky_softirq);
	local_bh_disable();
	raise_softirq(NET_TX_SOFTIRQ);
	local_bh_enable();
}

static void leaky_work(struct work_struct *work)
{
	(void)work;
	preempt_disable();
}

static void leaks_preempt_count_in_work(void)
{
	struct work_struct work;

	INIT_WORK(&work, leaky_work);
	schedule_work(&work);
	flush_work(&work);
}

static void waits_for_itself(struct work_struct *work)
{
	flush_work(work);
}

static void flushes_itself(void)
{
	struct work_struct work;

	INIT_WORK(&work, waits_for_itself);
	schedule_work(&work);
	flush_work(&work);
}

static void enables_what_is_enabled(void)
{
	enable_irq(8);
}

static void frees_twice(void)
{
	if (request_irq(8, handler, 0, "once", &ran))
		child_end(7);
	free_irq(8, &ran);
	free_irq(8, &ran);
}

static void own_timer(struct timer_list *timer)
{
	timer_delete_sync(timer);
	add(ran, 1);
}

static void stops_its_own_timer(void)
{
	struct timer_list timer;

	ran = 0;
	timer_setup(&timer, own_timer, 0);
	mod_timer(&timer, jiffies);
	while (!load(ran))
		schedule_timeout_uninterruptible(1);
	timer_delete_sync(&timer);
}

static void sleepy_tasklet(struct tasklet_struct *tasklet)
{
	(void)tasklet;
	disable_irq(9);
	enable_irq(9);
	add(ran, 1);
}

static void sleeps_in_a_tasklet(void)
{
	DECLARE_TASKLET(tasklet, sleepy_tasklet);

	ran = 0;
	tasklet_schedule(&tasklet);
	while (!load(ran))
		schedule_timeout_uninterruptible(1);
	tasklet_kill(&tasklet);
}

static DEFINE_MUTEX(contended);
static DECLARE_COMPLETION(asked_for);
static unsigned int held; /* Synchronization: atomic */

static int holder_body(void *unused)
{
	(void)unused;
	mutex_lock(&contended);
	store(held, 1);
	wait_for_completion(&asked_for);
	mutex_unlock(&contended);
	return 0;
}

/* On the idle task, or on ksoftirqd: the holder sleeps until this one has begun to wait for it. */
static void sleepy_timer(struct timer_list *timer)
{
	unsigned long before = jiffies;

	(void)timer;
	schedule_timeout_uninterruptible(2);
	if (jiffies - before < 2)
		child_end(6);
	complete(&asked_for);
	mutex_lock(&contended);
	mutex_unlock(&contended);
	add(ran, 1);
}

static bool is_idle(const struct sched_cpu *cpu)
{
	return load(cpu->curr) == cpu->idle;
}

/* Nobody but the idle task is there to sleep, and what it sleeps for comes from a task of the same CPU. */
static void sleeps_in_a_timer_of_an_idle_cpu(void)
{
	struct task_struct *holder = kthread_create_on_cpu(holder_body, NULL, 1, "holder/%u");
	struct timer_list timer;

	if (IS_ERR(holder))
		child_end(7);
	wake_up_process(get_task_struct(holder));
	while (!load(held) || !is_idle(&sched_cpus[1]))
		schedule_timeout_uninterruptible(1);
	ran = 0;
	timer_setup(&timer, sleepy_timer, 0);
	timer.expires = jiffies;
	add_timer_on(&timer, 1);
	while (!load(ran))
		schedule_timeout_uninterruptible(1);
	timer_delete_sync(&timer);
	kthread_stop(holder);
	put_task_struct(holder);
}

static void adds_a_pending_timer(void)
{
	struct timer_list timer;

	timer_setup(&timer, timer_body, 0);
	mod_timer(&timer, jiffies + 1000);
	add_timer(&timer);
	timer_delete_sync(&timer);
}

static const struct mistake {
	void (*make)(void);
	const char *report;
} mistakes[] = {
	{leaks_preempt_count_in_a_softirq, "BUG: huh, entered softirq 2 NET_TX "},
	{leaks_preempt_count_in_work, "BUG: workqueue leaked atomic, lock or RCU: kworker/"},
	{flushes_itself, " waits for itself"},
	{enables_what_is_enabled, "BUG: Unbalanced enable for IRQ 8"},
	{frees_twice, "BUG: Trying to free already-free IRQ 8"},
	{stops_its_own_timer, " waits for its own function"},
	{sleeps_in_a_tasklet, "BUG: sleeping function called from invalid context at "},
	{sleeps_in_a_timer_of_an_idle_cpu, "BUG: scheduling while atomic: swapper/1/"},
	{adds_a_pending_timer, " is pending already"},
};

static void make_mistake(void *which)
{
	boot_child();
	mistakes[(uintptr_t)which].make();
	child_end(fixture_shut_down(NULL) ? 1 : 0);
}

static void mistakes_are_reported(void **state)
{
	char output[8192];

	(void)state;
	for (uintptr_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		assert_int_equal(child_run(make_mistake, (void *)i, output, sizeof(output)), 0);
		if (!strstr(output, mistakes[i].report))
			fail_msg("mistake %u: no \"%s\" in: %s", (unsigned int)i, mistakes[i].report, output);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_is_reported),
		cmocka_unit_test(mistakes_are_reported),
		cmocka_unit_test(boots_again_with_any_number_of_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
