// SPDX-License-Identifier: MIT
/*
 * ask_timers.c: what do timers, high resolution timers and tasklets return when started, moved and stopped?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/atomic.h>
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/timer.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static DECLARE_COMPLETION(fired);
static unsigned int runs;

static void timer_body(struct timer_list *timer)
{
	pr_info("in a timer: timer_pending of itself %d\n", timer_pending(timer));
	runs++;
	complete(&fired);
}

static DEFINE_TIMER(timer, timer_body);

static void ask_timers(void)
{
	unsigned long later = jiffies + 3600 * HZ;

	ask(timer_pending(&timer));
	ask(mod_timer(&timer, later));
	ask(mod_timer(&timer, later + HZ));
	ask(timer_pending(&timer));
	ask(timer.expires == later + HZ);
	ask(del_timer(&timer));
	ask(del_timer(&timer));
	ask(del_timer_sync(&timer));
	ask(mod_timer_pending(&timer, later));
	ask(timer_pending(&timer));
	timer.expires = jiffies;
	add_timer(&timer);
	wait_for_completion(&fired);
	pr_info("it fired\n");
	ask(del_timer_sync(&timer));
	ask(runs);
	mod_timer(&timer, later);
	ask(del_timer_sync(&timer));
	mod_timer(&timer, jiffies - 10);
	wait_for_completion(&fired);
	pr_info("a timer for the past fired\n");
	ask(runs);
	ask(del_timer_sync(&timer));
}

static unsigned int turns;

static enum hrtimer_restart hrtimer_body(struct hrtimer *hrtimer)
{
	if (++turns < 3) {
		hrtimer_forward_now(hrtimer, ms_to_ktime(1));
		return HRTIMER_RESTART;
	}
	complete(&fired);
	return HRTIMER_NORESTART;
}

static void ask_hrtimers(void)
{
	struct hrtimer hrtimer;

	hrtimer_init_on_stack(&hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer.function = hrtimer_body;
	ask(hrtimer_active(&hrtimer));
	ask(hrtimer_cancel(&hrtimer));
	hrtimer_start(&hrtimer, ms_to_ktime(3600 * 1000), HRTIMER_MODE_REL);
	pr_info("hrtimer_start\n");
	ask(hrtimer_active(&hrtimer));
	ask(hrtimer_is_queued(&hrtimer));
	ask(hrtimer_try_to_cancel(&hrtimer));
	ask(hrtimer_try_to_cancel(&hrtimer));
	ask(hrtimer_active(&hrtimer));
	hrtimer_start(&hrtimer, ms_to_ktime(1), HRTIMER_MODE_REL);
	wait_for_completion(&fired);
	pr_info("HRTIMER_RESTART twice\n");
	ask(turns);
	ask(hrtimer_cancel(&hrtimer));
	destroy_hrtimer_on_stack(&hrtimer);
}

static atomic_t tasklet_runs = ATOMIC_INIT(0);

static void tasklet_body(struct tasklet_struct *tasklet)
{
	atomic_inc(&tasklet_runs);
	complete(&fired);
}

static DECLARE_TASKLET(tasklet, tasklet_body);

static void ask_tasklets(void)
{
	local_bh_disable();
	tasklet_schedule(&tasklet);
	tasklet_schedule(&tasklet);
	pr_info("tasklet scheduled twice with bottom halves off: ran %d times\n", atomic_read(&tasklet_runs));
	local_bh_enable();
	wait_for_completion(&fired);
	tasklet_unlock_wait(&tasklet);
	pr_info("with bottom halves on: ran %d times\n", atomic_read(&tasklet_runs));
	tasklet_disable(&tasklet);
	tasklet_schedule(&tasklet);
	pr_info("disabled and scheduled: wait_for_completion_timeout(5) %lu\n", wait_for_completion_timeout(&fired, 5));
	tasklet_enable(&tasklet);
	wait_for_completion(&fired);
	tasklet_unlock_wait(&tasklet);
	pr_info("enabled: ran %d times\n", atomic_read(&tasklet_runs));
	tasklet_hi_schedule(&tasklet);
	tasklet_kill(&tasklet);
	pr_info("tasklet_kill waits for what is scheduled: ran %d times\n", atomic_read(&tasklet_runs));
}

static int __init ask_init(void)
{
	ask_timers();
	ask_hrtimers();
	ask_tasklets();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about timers and tasklets");
