/*
 * test_might_sleep.c: code that sleeps, or asks for its CPU, where it must not is a report with both stacks; where it may, it is not.
 *
 * Broken if this fails: such a mistake passes unseen, or right code is accused.
 */
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/semaphore.h>
#include <linux/smp.h>
#include <linux/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/tasks.h"

static DEFINE_SPINLOCK(lock);
static DEFINE_MUTEX(mutex);
static DECLARE_WAIT_QUEUE_HEAD(queue);
static char output[32768];

static void child_boot(void)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	if (sched_boot(2))
		abort();
}

static void child_down(void)
{
	child_end(preempt_count() || irqs_disabled() || sched_shutdown() ? 1 : 0);
}

static unsigned int count_lines(const char *line)
{
	unsigned int nr = 0;

	for (const char *at = output; (at = strstr(at, line)); at += strlen(line))
		nr++;
	return nr;
}

static void run(void (*body)(void *), void *argument)
{
	assert_int_equal(child_run(body, argument, output, sizeof(output)), 0);
}

/* ---- mistakes ---- */

static void sleep_without_preemption(void *unused)
{
	(void)unused;
	child_boot();
	preempt_disable();
	might_sleep();
	preempt_enable();
	child_down();
}

static void sleep_with_spinlock(void *check)
{
	lockdep_on = check;
	child_boot();
	spin_lock(&lock);
	mutex_lock(&mutex);
	spin_unlock(&lock);
	mutex_unlock(&mutex);
	child_down();
}

static void sleep_with_interrupts_off(void *unused)
{
	(void)unused;
	child_boot();
	local_irq_disable();
	might_sleep_if(false);
	might_sleep_if(true);
	local_irq_enable();
	child_down();
}

static void sleep_with_softirqs_off(void *unused)
{
	DECLARE_COMPLETION_ONSTACK(done);

	(void)unused;
	child_boot();
	complete(&done);
	local_bh_disable();
	wait_for_completion(&done);
	local_bh_enable();
	child_down();
}

static void sleep_in_no_block(void *unused)
{
	(void)unused;
	child_boot();
	non_block_start();
	wait_event(queue, true);
	non_block_end();
	might_sleep();
	child_down();
}

static void schedule_while_atomic(void *unused)
{
	(void)unused;
	child_boot();
	spin_lock(&lock);
	schedule();
	spin_unlock(&lock);
	child_down();
}

/* The report comes, and then it sleeps all the same. */
static void msleep_while_atomic(void *unused)
{
	unsigned long before = jiffies;

	(void)unused;
	child_boot();
	preempt_disable();
	schedule_timeout_uninterruptible(2);
	preempt_enable();
	if (jiffies - before < 2)
		abort();
	child_down();
}

static void sleep_in_interrupt(void)
{
	flagstone_this.preempt_count += HARDIRQ_OFFSET;
	might_sleep();
	flagstone_this.preempt_count -= HARDIRQ_OFFSET;
}

static void sleep_in_an_interrupt(void *unused)
{
	(void)unused;
	sched_irq_hook = sleep_in_interrupt;
	child_boot();
	local_irq_disable();
	cpu_raise(0, CPU_IRQ);
	local_irq_enable();
	child_down();
}

static void not_attached(void *unused)
{
	(void)unused;
	report_on_bug = REPORT_BUG_CONTINUE;
	might_sleep();
}

static void expect(void (*body)(void *), void *argument, const char *line)
{
	run(body, argument);
	assert_memory_equal(output, line, strlen(line));
	assert_int_equal(count_lines("flagstone: "), 1);
}

static void sleeping_in_the_wrong_place_is_a_report(void **state)
{
	char line[160];

	(void)state;
	run(sleep_without_preemption, NULL);
	snprintf(line, sizeof(line),
		"flagstone: BUG: sleeping function called from invalid context at tests/unit/test_might_sleep.c:");
	assert_memory_equal(output, line, strlen(line));
	assert_non_null(strstr(output, "\nin_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 2, name: boot\n"));
	assert_non_null(strstr(output, "\npreempt_count: 1, expected: 0\n"));
	assert_non_null(strstr(output, "\nPreemption disabled at:\n  #0 "));
	assert_non_null(strstr(output, "\nCall Trace:\n  #0 "));
	assert_null(strstr(output, "Interrupts disabled at:"));
	expect(sleep_with_spinlock, NULL,
		"flagstone: BUG: sleeping function called from invalid context at runtime/sched/mutex.c:");
	assert_null(strstr(output, "held by"));
	expect(sleep_with_spinlock, &lock,
		"flagstone: BUG: sleeping function called from invalid context at runtime/sched/mutex.c:");
	assert_non_null(strstr(output, "\n1 lock held by boot/2:\n #0: "));
	assert_non_null(strstr(output, " (lock){+.+.}, taken at:\n  #0 "));
	expect(sleep_with_interrupts_off, NULL,
		"flagstone: BUG: sleeping function called from invalid context at tests/unit/");
	assert_non_null(strstr(output, "\nin_atomic(): 0, irqs_disabled(): 1, non_block: 0, pid: 2, name: boot\n"));
	assert_non_null(strstr(output, "\nInterrupts disabled at:\n  #0 "));
	expect(sleep_with_softirqs_off, NULL,
		"flagstone: BUG: sleeping function called from invalid context at runtime/sched/completion.c:");
	assert_non_null(strstr(output, "\npreempt_count: 200, expected: 0\n"));
	expect(sleep_in_no_block, NULL, "flagstone: BUG: sleeping function called from invalid context at tests/unit/");
	assert_non_null(strstr(output, "\nin_atomic(): 0, irqs_disabled(): 0, non_block: 1, pid: 2, name: boot\n"));
	expect(sleep_in_an_interrupt, NULL,
		"flagstone: BUG: sleeping function called from invalid context at tests/unit/");
	assert_non_null(strstr(output, "\nin_atomic(): 1, irqs_disabled(): 1, "));
	expect(not_attached, NULL, "flagstone: BUG: sleeping function called at tests/unit/");
}

static void scheduling_in_the_wrong_place_is_a_report(void **state)
{
	(void)state;
	expect(schedule_while_atomic, NULL, "flagstone: BUG: scheduling while atomic: boot/2/0x00000001\n");
	assert_non_null(strstr(output, "\nPreemption disabled at:\n  #0 "));
	expect(msleep_while_atomic, NULL, "flagstone: BUG: scheduling while atomic: boot/2/0x00000001\n");
}

/* ---- the opposite ---- */

static void not_atomic(void *unused)
{
	(void)unused;
	child_boot();
	preempt_disable();
	cant_sleep();
	preempt_enable();
	local_irq_disable();
	cant_sleep();
	local_irq_enable();
	cant_sleep();
	child_down();
}

static void code_that_cannot_sleep_is_checked(void **state)
{
	(void)state;
	expect(not_atomic, NULL, "flagstone: BUG: assuming atomic context at tests/unit/test_might_sleep.c:");
}

/* ---- smp_processor_id() ---- */

static noinline int ask_here(void)
{
	int cpu = smp_processor_id();

	barrier();
	return cpu;
}

static void ask_in_the_open(void *unused)
{
	(void)unused;
	child_boot();
	for (int i = 0; i < 5; i++)
		ask_here();
	/* Another place. */
	smp_processor_id();
	child_down();
}

static int ask_bound(void *unused)
{
	(void)unused;
	return smp_processor_id();
}

static void ask_rightly(void *unused)
{
	(void)unused;
	child_boot();
	preempt_disable();
	ask_here();
	preempt_enable();
	local_irq_disable();
	ask_here();
	local_irq_enable();
	spin_lock(&lock);
	ask_here();
	spin_unlock(&lock);
	get_cpu();
	put_cpu();
	sched_move_to(1);
	if (ask_bound(NULL) != 1)
		abort();
	child_down();
}

static void the_cpu_may_be_asked_for_with_preemption_off_only(void **state)
{
	const char *line = "flagstone: BUG: using smp_processor_id() in preemptible [00000000] code: boot/2\n";

	(void)state;
	run(ask_in_the_open, NULL);
	assert_memory_equal(output, line, strlen(line));
	assert_int_equal(count_lines("using smp_processor_id()"), 2);
	run(ask_rightly, NULL);
	assert_string_equal(output, "");
}

/* ---- right code ---- */

static void sleep_rightly(void *switched_off)
{
	sched_debug = !switched_off;
	lockdep_on = true;
	child_boot();
	might_sleep();
	mutex_lock(&mutex);
	spin_lock(&lock);
	cant_sleep();
	might_sleep_if(false);
	spin_unlock(&lock);
	msleep(1);
	mutex_unlock(&mutex);
	wait_event_timeout(queue, false, 1);
	local_bh_disable();
	local_bh_enable();
	cond_resched();
	child_down();
}

static void sleep_wrongly_unseen(void *unused)
{
	(void)unused;
	sched_debug = false;
	child_boot();
	preempt_disable();
	might_sleep();
	smp_processor_id();
	preempt_enable();
	smp_processor_id();
	child_down();
}

static void right_code_is_not_accused(void **state)
{
	(void)state;
	run(sleep_rightly, NULL);
	assert_string_equal(output, "");
	run(sleep_rightly, &lock);
	assert_string_equal(output, "");
	run(sleep_wrongly_unseen, NULL);
	assert_string_equal(output, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeping_in_the_wrong_place_is_a_report),
		cmocka_unit_test(scheduling_in_the_wrong_place_is_a_report),
		cmocka_unit_test(code_that_cannot_sleep_is_checked),
		cmocka_unit_test(the_cpu_may_be_asked_for_with_preemption_off_only),
		cmocka_unit_test(right_code_is_not_accused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
