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

	pr_info("timer: pending at first %d\n", timer_pending(&timer));
	pr_info("mod_timer of an idle one: %d, ", mod_timer(&timer, later));
	pr_cont("of a pending one: %d, pending %d\n", mod_timer(&timer, later + HZ), timer_pending(&timer));
	pr_info("timer.expires is what was asked for: %d\n", timer.expires == later + HZ);
	pr_info("del_timer of a pending one: %d, ", del_timer(&timer));
	pr_cont("of an idle one: %d, del_timer_sync of an idle one: %d\n", del_timer(&timer), del_timer_sync(&timer));
	pr_info("mod_timer_pending of an idle one: %d, pending %d\n", mod_timer_pending(&timer, later), timer_pending(&timer));
	timer.expires = jiffies;
	add_timer(&timer);
	wait_for_completion(&fired);
	pr_info("after it fired: del_timer_sync %d, it ran %u times\n", del_timer_sync(&timer), runs);
	mod_timer(&timer, later);
	pr_info("del_timer_sync of a pending one: %d\n", del_timer_sync(&timer));
	mod_timer(&timer, jiffies - 10);
	wait_for_completion(&fired);
	pr_info("a timer for the past fires: %u\n", runs);
	del_timer_sync(&timer);
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
	pr_info("hrtimer: active %d, hrtimer_cancel of an idle one %d\n", hrtimer_active(&hrtimer), hrtimer_cancel(&hrtimer));
	hrtimer_start(&hrtimer, ms_to_ktime(3600 * 1000), HRTIMER_MODE_REL);
	pr_info("started: active %d, queued %d\n", hrtimer_active(&hrtimer), hrtimer_is_queued(&hrtimer));
	pr_info("hrtimer_try_to_cancel %d, again %d, active %d\n", hrtimer_try_to_cancel(&hrtimer),
		hrtimer_try_to_cancel(&hrtimer), hrtimer_active(&hrtimer));
	hrtimer_start(&hrtimer, ms_to_ktime(1), HRTIMER_MODE_REL);
	wait_for_completion(&fired);
	pr_info("HRTIMER_RESTART: %u turns, hrtimer_cancel %d\n", turns, hrtimer_cancel(&hrtimer));
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
