// SPDX-License-Identifier: MIT
/*
 * ask_workqueue.c: what do queueing, flushing and cancelling return, in which order does work run?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/workqueue.h>

static DECLARE_COMPLETION(started);
static DECLARE_COMPLETION(go_on);
static unsigned int runs;

static void count_body(struct work_struct *work)
{
	runs++;
}

/* Says that it runs, and runs until it is told to end. */
static void long_body(struct work_struct *work)
{
	complete(&started);
	wait_for_completion(&go_on);
}

static DECLARE_WORK(count_work, count_body);
static DECLARE_WORK(long_work, long_body);
static DECLARE_DELAYED_WORK(delayed_work, count_body);

/* A queue of one at a time, of which the first is under way: what follows it is pending. */
static void ask_pending(struct workqueue_struct *queue)
{
	pr_info("queue_work: %d\n", queue_work(queue, &long_work));
	wait_for_completion(&started);
	pr_info("while it runs: pending %d, busy running %d\n", work_pending(&long_work),
		work_busy(&long_work) == WORK_BUSY_RUNNING);
	pr_info("queue_work of the next: %d, again %d, pending %d\n", queue_work(queue, &count_work),
		queue_work(queue, &count_work), work_pending(&count_work));
	pr_info("cancel_work_sync of a pending one: %d, again %d, it ran %u times\n", cancel_work_sync(&count_work),
		cancel_work_sync(&count_work), runs);
	pr_info("queue_work of one that runs: %d\n", queue_work(queue, &long_work));
	complete(&go_on);
	wait_for_completion(&started);
	complete(&go_on);
	pr_info("flush_work: %d, ", flush_work(&long_work));
	pr_cont("of one that is idle: %d\n", flush_work(&long_work));
	pr_info("queue_work once more: %d\n", queue_work(queue, &count_work));
	flush_workqueue(queue);
	pr_info("after flush_workqueue it ran %u times\n", runs);
}

struct numbered_work {
	struct work_struct work;
	int number;
};

static int order[8], nr_run;

static void numbered_body(struct work_struct *work)
{
	order[nr_run++] = container_of(work, struct numbered_work, work)->number;
}

static void ask_order(struct workqueue_struct *queue)
{
	struct numbered_work works[8];
	int i;

	for (i = 0; i < 8; i++) {
		works[i].number = i;
		INIT_WORK_ONSTACK(&works[i].work, numbered_body);
		queue_work(queue, &works[i].work);
	}
	flush_workqueue(queue);
	pr_info("an ordered workqueue runs %d%d%d%d%d%d%d%d\n", order[0], order[1], order[2], order[3], order[4], order[5],
		order[6], order[7]);
	for (i = 0; i < 8; i++)
		destroy_work_on_stack(&works[i].work);
}

static void ask_delayed(void)
{
	runs = 0;
	pr_info("queue_delayed_work(an hour): %d, again %d, pending %d\n",
		queue_delayed_work(system_wq, &delayed_work, 3600 * HZ), queue_delayed_work(system_wq, &delayed_work, 1),
		delayed_work_pending(&delayed_work));
	pr_info("cancel_delayed_work: %d, again %d\n", cancel_delayed_work(&delayed_work), cancel_delayed_work(&delayed_work));
	pr_info("mod_delayed_work of an idle one: %d, ", mod_delayed_work(system_wq, &delayed_work, 3600 * HZ));
	pr_cont("of a pending one: %d\n", mod_delayed_work(system_wq, &delayed_work, 3600 * HZ));
	pr_info("flush_delayed_work: %d, it ran %u times at once\n", flush_delayed_work(&delayed_work), runs);
	schedule_delayed_work(&delayed_work, 3600 * HZ);
	pr_info("cancel_delayed_work_sync: %d, again %d\n", cancel_delayed_work_sync(&delayed_work),
		cancel_delayed_work_sync(&delayed_work));
	pr_info("it ran %u times\n", runs);
}

static int seen_cpu = -1;

static void cpu_body(struct work_struct *work)
{
	seen_cpu = raw_smp_processor_id();
}

static void ask_cpu(void)
{
	struct work_struct work;

	INIT_WORK_ONSTACK(&work, cpu_body);
	pr_info("queue_work_on(1): %d\n", queue_work_on(1, system_wq, &work));
	flush_work(&work);
	pr_info("it ran on CPU %d\n", seen_cpu);
	destroy_work_on_stack(&work);
}

static int __init ask_init(void)
{
	struct workqueue_struct *queue = alloc_ordered_workqueue("ask_ordered", 0);

	ask_pending(queue);
	ask_order(queue);
	ask_delayed();
	ask_cpu();
	queue_work(queue, &count_work);
	destroy_workqueue(queue);
	pr_info("destroy_workqueue waits for what is queued: %u\n", runs);
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about work queues");
