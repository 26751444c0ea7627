// SPDX-License-Identifier: MIT
/*
 * ask_workers.c: what do kernel threads that run items, and counters of each CPU, return?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu_counter.h>
#include <linux/sched.h>
#include <linux/smp.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static DECLARE_COMPLETION(arrived);
static DECLARE_COMPLETION(gate);

static void run_holder(struct kthread_work *work)
{
	complete(&arrived);
	wait_for_completion(&gate);
	pr_info("the holder ends\n");
}

static void run_first(struct kthread_work *work)
{
	pr_info("first runs in %s\n", current->comm);
}

static void run_second(struct kthread_work *work)
{
	pr_info("second runs\n");
}

static void run_later(struct kthread_work *work)
{
	pr_info("later runs\n");
}

static DEFINE_KTHREAD_WORK(holder, run_holder);
static DEFINE_KTHREAD_WORK(first, run_first);
static DEFINE_KTHREAD_WORK(second, run_second);
static DEFINE_KTHREAD_DELAYED_WORK(later, run_later);

static void ask_workers(void)
{
	struct kthread_worker *worker = kthread_create_worker(0, "worker-%d", 7);
	bool was_pending, queued;

	ask(IS_ERR(worker));
	ask(kthread_cancel_work_sync(&first));
	ask(kthread_queue_work(worker, &holder));
	wait_for_completion(&arrived);
	ask(kthread_queue_work(worker, &first));
	ask(kthread_queue_work(worker, &first));
	ask(kthread_queue_work(worker, &second));
	ask(kthread_cancel_work_sync(&second));
	ask(kthread_cancel_work_sync(&second));
	ask(kthread_queue_work(worker, &second));
	complete_all(&gate);
	kthread_flush_work(&second);
	pr_info("flushed\n");
	ask(kthread_cancel_work_sync(&first));
	ask(kthread_queue_delayed_work(worker, &later, 10000));
	ask(kthread_queue_delayed_work(worker, &later, 0));
	ask(kthread_queue_work(worker, &later.work));
	ask(kthread_mod_delayed_work(worker, &later, 20000));
	ask(kthread_cancel_delayed_work_sync(&later));
	ask(kthread_cancel_delayed_work_sync(&later));
	/* The worker may say so at once: what the calls return is said behind that. */
	was_pending = kthread_mod_delayed_work(worker, &later, 0);
	kthread_flush_worker(worker);
	ask(was_pending);
	queued = kthread_queue_work(worker, &first);
	kthread_destroy_worker(worker);
	ask(queued);
}

static struct percpu_counter counter;

static void add_seven(void *unused)
{
	percpu_counter_add(&counter, 7);
}

/* On a CPU that keeps nothing yet. */
static void ask_batches(void *unused)
{
	percpu_counter_add_batch(&counter, 4, 5);
	ask(percpu_counter_read(&counter));
	percpu_counter_add_batch(&counter, 1, 5);
	ask(percpu_counter_read(&counter));
	percpu_counter_sub(&counter, 31);
	ask(percpu_counter_read(&counter));
	percpu_counter_sub(&counter, 1);
	ask(percpu_counter_read(&counter));
}

static void ask_counters(void)
{
	unsigned int cpu;

	ask(percpu_counter_batch);
	ask(percpu_counter_initialized(&counter));
	ask(percpu_counter_init(&counter, 10, GFP_KERNEL));
	ask(percpu_counter_initialized(&counter));
	for (cpu = 1; cpu < 4; cpu++)
		smp_call_function_single(cpu, add_seven, NULL, 1);
	ask(percpu_counter_read(&counter));
	ask(percpu_counter_sum(&counter));
	ask(percpu_counter_compare(&counter, 31));
	ask(percpu_counter_compare(&counter, 30));
	ask(percpu_counter_compare(&counter, 10000));
	ask(remove_cpu(2));
	ask(percpu_counter_read(&counter));
	ask(percpu_counter_sum(&counter));
	ask(add_cpu(2));
	smp_call_function_single(0, ask_batches, NULL, 1);
	percpu_counter_add(&counter, -1000);
	ask(percpu_counter_read_positive(&counter));
	ask(percpu_counter_sum_positive(&counter));
	ask(percpu_counter_sum(&counter));
	percpu_counter_set(&counter, 12);
	ask(percpu_counter_sum(&counter));
	percpu_counter_destroy(&counter);
	ask(percpu_counter_initialized(&counter));
}

static int __init ask_init(void)
{
	ask_workers();
	ask_counters();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about workers and counters of each CPU");
