// SPDX-License-Identifier: MIT
/*
 * ask_kthreads.c: kernel threads: starting, stopping, parking, binding, what they return.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static DECLARE_COMPLETION(running);
static int ran;

static int waiting_body(void *data)
{
	ran++;
	complete(&running);
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return *(int *)data;
}

static void ask_stopping(void)
{
	struct task_struct *thread;
	int data = 42;

	thread = kthread_run(waiting_body, &data, "ask_%s/%d", "stop", 7);
	wait_for_completion(&running);
	pr_info("kthread_run with a formatted name: %s, PF_KTHREAD %d\n", thread->comm, !!(thread->flags & PF_KTHREAD));
	pr_info("kthread_data is what was given: %d\n", kthread_data(thread) == &data);
	pr_info("kthread_stop: %d\n", kthread_stop(thread));
	data = -5;
	thread = kthread_run(waiting_body, &data, "a name that is longer than fits");
	wait_for_completion(&running);
	pr_info("a long name: %s\n", thread->comm);
	pr_info("kthread_stop: %d\n", kthread_stop(thread));
	ran = 0;
	thread = kthread_create(waiting_body, &data, "ask_never");
	pr_info("kthread_create does not start it: ran %d\n", ran);
	pr_info("kthread_stop before it ever ran\n");
	ask(kthread_stop(thread));
	ask(ran);
	pr_info("IS_ERR(ERR_PTR(-ENOMEM)) %d, PTR_ERR %ld, IS_ERR(NULL) %d, IS_ERR_OR_NULL(NULL) %d\n",
		IS_ERR(ERR_PTR(-ENOMEM)), PTR_ERR(ERR_PTR(-ENOMEM)), IS_ERR(NULL), IS_ERR_OR_NULL(NULL));
}

static DECLARE_COMPLETION(parked);

static int parking_body(void *data)
{
	complete(&running);
	while (!kthread_should_stop()) {
		if (kthread_should_park()) {
			complete(&parked);
			kthread_parkme();
			complete(&running);
		}
		cond_resched();
	}
	return 3;
}

static void ask_parking(void)
{
	struct task_struct *thread = kthread_run(parking_body, NULL, "ask_park");

	wait_for_completion(&running);
	pr_info("kthread_park: %d\n", kthread_park(thread));
	ask(try_wait_for_completion(&parked));
	ask(completion_done(&running));
	kthread_unpark(thread);
	wait_for_completion(&running);
	pr_info("after kthread_unpark, kthread_stop: %d\n", kthread_stop(thread));
}

static int cpu_body(void *data)
{
	*(int *)data = smp_processor_id();
	complete(&running);
	while (!kthread_should_stop())
		cond_resched();
	return 0;
}

static void ask_binding(void)
{
	struct task_struct *thread;
	int cpu, seen = -1;

	for (cpu = 0; cpu < 3; cpu++) {
		thread = kthread_create(cpu_body, &seen, "ask_bind");
		kthread_bind(thread, cpu);
		wake_up_process(thread);
		wait_for_completion(&running);
		kthread_stop(thread);
		pr_info("kthread_bind(%d): runs on %d\n", cpu, seen);
	}
	thread = kthread_create_on_cpu(cpu_body, &seen, 2, "ask_on/%u");
	kthread_unpark(thread);
	wake_up_process(thread);
	wait_for_completion(&running);
	pr_info("kthread_create_on_cpu(2): runs on %d, is called %s\n", seen, thread->comm);
	kthread_stop(thread);
}

static int sleeping_body(void *data)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	complete(&running);
	schedule();
	complete(&parked);
	while (!kthread_should_stop())
		cond_resched();
	return 0;
}

static void ask_waking(void)
{
	struct task_struct *thread = kthread_run(sleeping_body, NULL, "ask_wake");
	int woken;

	wait_for_completion(&running);
	woken = wake_up_process(thread);
	wait_for_completion(&parked);
	pr_info("wake_up_process of a sleeper: %d, of one that runs: %d\n", woken, wake_up_process(thread));
	kthread_stop(thread);
}

static int __init ask_init(void)
{
	ask_stopping();
	ask_parking();
	ask_binding();
	ask_waking();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about kernel threads");
