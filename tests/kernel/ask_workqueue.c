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

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

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
	ask(queue_work(queue, &long_work));
	wait_for_completion(&started);
	ask(work_pending(&long_work));
	ask(work_busy(&long_work) == WORK_BUSY_RUNNING);
	ask(queue_work(queue, &count_work));
	ask(queue_work(queue, &count_work));
	ask(work_pending(&count_work));
	ask(cancel_work_sync(&count_work));
	ask(cancel_work_sync(&count_work));
	ask(runs);
	pr_info("one that runs already\n");
	ask(queue_work(queue, &long_work));
	complete(&go_on);
	wait_for_completion(&started);
	complete(&go_on);
	flush_work(&long_work);
	pr_info("one that is idle\n");
	ask(flush_work(&long_work));
	ask(queue_work(queue, &count_work));
	flush_workqueue(queue);
	ask(runs);
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
	pr_info("an ordered workqueue runs %d%d%d%d%d%d%d%d\n", order[0], order[1], order[2], order[3], order[4],
		order[5], order[6], order[7]);
	for (i = 0; i < 8; i++)
		destroy_work_on_stack(&works[i].work);
}

static void ask_delayed(void)
{
	runs = 0;
	ask(queue_delayed_work(system_wq, &delayed_work, 3600 * HZ));
	ask(queue_delayed_work(system_wq, &delayed_work, 1));
	ask(delayed_work_pending(&delayed_work));
	ask(cancel_delayed_work(&delayed_work));
	ask(cancel_delayed_work(&delayed_work));
	ask(mod_delayed_work(system_wq, &delayed_work, 3600 * HZ));
	ask(mod_delayed_work(system_wq, &delayed_work, 3600 * HZ));
	flush_delayed_work(&delayed_work);
	pr_info("flush_delayed_work runs it at once\n");
	ask(runs);
	ask(flush_delayed_work(&delayed_work));
	schedule_delayed_work(&delayed_work, 3600 * HZ);
	ask(cancel_delayed_work_sync(&delayed_work));
	ask(cancel_delayed_work_sync(&delayed_work));
	ask(schedule_delayed_work(&delayed_work, 0));
	flush_delayed_work(&delayed_work);
	ask(runs);
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
