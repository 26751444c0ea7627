// SPDX-License-Identifier: MIT
/*
 * ask_reports.c: the first lines of the kernel's reports of mistakes, and whether it goes on after them.
 *
 * Keep: (scheduling while atomic: asker/)\d+(/0x[0-9a-f]+)
 * Keep: (kmem_cache_destroy ask_live: Slab cache still has objects when called from)
 * Keep: (BUG ask_live) .*(: Objects remaining in ask_live on __kmem_cache_shutdown\(\))
 * Keep: (Wrong slab cache. ask_one but object is from ask_two)
 * Keep: (asker: page allocation failure: order:10, mode):0x[0-9a-f]+(\(GFP_NOWAIT\|__GFP_COMP\))
 * Keep: (huh, entered softirq 6 TASKLET) \S+ (with preempt_count [0-9a-f]+, exited with [0-9a-f]+)
 * Keep: (preempt leak: )
 * Keep: (WARNING: CPU: )\d+( PID: )\d+( at )\S*(ask_reports.c):\d+
 * Keep: (WARNING: CPU: )\d+( PID: )\d+( at )(mm/page_alloc.c)
 * Keep: (kmem_cache_free of ).*( to cache ask_one, which it does not belong to)
 * Keep: (kmem_cache_destroy: cache ask_\S+ still has 1 objects; it is kept)
 * Keep: (a warning of our own about \d+)
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timer.h>
#if __has_include(<linux/sched/task.h>)
#include <linux/sched/task.h>
#endif

/* Runs fn(data) in a thread of that name; to be ended with finish(), which waits until it has returned. */
static struct task_struct *begin(int (*fn)(void *data), void *data, const char *name)
{
	struct task_struct *thread = kthread_create(fn, data, "%s", name);

	get_task_struct(thread);
	wake_up_process(thread);
	return thread;
}

static void finish(struct task_struct *thread)
{
	kthread_stop(thread);
	put_task_struct(thread);
}

static DECLARE_COMPLETION(done);

/* A loop may be unrolled, and have a place for each turn. */
static noinline bool warn_once(int turn)
{
	return WARN_ON_ONCE(turn >= 0);
}

static void ask_warn(void)
{
	int i, warned;

	pr_info("WARN_ON\n");
	pr_info("it was %d\n", WARN_ON(done.done != 7));
	pr_info("WARN_ON of what is false: %d\n", WARN_ON(done.done == 7));
	pr_info("WARN\n");
	warned = WARN(1, "a warning of our own about %d\n", 17);
	pr_info("it was %d\n", warned);
	pr_info("WARN_ON_ONCE, three times\n");
	for (i = warned = 0; i < 3; i++)
		warned += warn_once(i);
	pr_info("it was true %d times\n", warned);
}

static int sleep_in_atomic(void *data)
{
	preempt_disable();
	schedule_timeout_uninterruptible(1);
	/* The report set the count right. */
	if (preempt_count())
		preempt_enable();
	complete(&done);
	return 0;
}

static void ask_atomic(void)
{
	struct task_struct *thread;

	pr_info("sleeping with preemption off\n");
	thread = begin(sleep_in_atomic, NULL, "asker");
	wait_for_completion(&done);
	finish(thread);
	pr_info("it goes on\n");
}

static void construct(void *object)
{
}

/* Caches with constructors are not merged with others. */
static void ask_caches(void)
{
	struct kmem_cache *one = kmem_cache_create("ask_one", 96, 0, 0, construct);
	struct kmem_cache *two = kmem_cache_create("ask_two", 80, 0, 0, construct);
	struct kmem_cache *live = kmem_cache_create("ask_live", 72, 0, 0, construct);
	void *object = kmem_cache_alloc(two, GFP_KERNEL);

	pr_info("kmem_cache_free into the wrong cache\n");
	kmem_cache_free(one, object);
	pr_info("it goes on\n");
	kmem_cache_destroy(one);
	kmem_cache_destroy(two);
	pr_info("kmem_cache_destroy with an object left\n");
	object = kmem_cache_alloc(live, GFP_KERNEL);
	kmem_cache_destroy(live);
	pr_info("it goes on\n");
}

static int exhaust(void *data)
{
	static struct page *pages[1000];
	unsigned int nr = 0;

	while (nr < ARRAY_SIZE(pages) && (pages[nr] = alloc_pages(GFP_NOWAIT | __GFP_COMP | __GFP_NOWARN, 10)))
		nr++;
	pr_info("alloc_pages without NOWARN when there are no more of order 10\n");
	pages[nr] = alloc_pages(GFP_NOWAIT | __GFP_COMP, 10);
	pr_info("a page %d\n", pages[nr] != NULL);
	while (nr)
		__free_pages(pages[--nr], 10);
	complete(&done);
	return 0;
}

static void ask_pages(void)
{
	struct task_struct *thread;

	pr_info("alloc_pages of order 11 without NOWARN\n");
	pr_info("a page %d\n", alloc_pages(GFP_KERNEL, 11) != NULL);
	pr_info("and again\n");
	pr_info("a page %d\n", alloc_pages(GFP_KERNEL, 11) != NULL);
	thread = begin(exhaust, NULL, "asker");
	wait_for_completion(&done);
	finish(thread);
}

static void leaking_tasklet(struct tasklet_struct *tasklet)
{
	preempt_disable();
	complete(&done);
}

static void leaking_timer(struct timer_list *timer)
{
	preempt_disable();
	complete(&done);
}

static DECLARE_TASKLET(tasklet, leaking_tasklet);
static DEFINE_TIMER(timer, leaking_timer);

static void ask_leaks(void)
{
	pr_info("a tasklet that leaves preemption off\n");
	local_bh_disable();
	tasklet_schedule(&tasklet);
	local_bh_enable();
	wait_for_completion(&done);
	tasklet_kill(&tasklet);
	pr_info("a timer that leaves preemption off\n");
	mod_timer(&timer, jiffies + 1);
	wait_for_completion(&done);
	del_timer_sync(&timer);
	msleep(50);
	pr_info("it goes on\n");
}

static int __init ask_init(void)
{
	ask_warn();
	ask_atomic();
	ask_caches();
	ask_pages();
	ask_leaks();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks for reports of mistakes");
