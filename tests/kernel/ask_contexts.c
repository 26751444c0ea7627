// SPDX-License-Identifier: MIT
/*
 * ask_contexts.c: what do in_task(), in_atomic() and their like say in every context? Does GFP_ATOMIC work there?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
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
static DEFINE_SPINLOCK(lock);
static DEFINE_RWLOCK(rwlock);
static DEFINE_MUTEX(mutex);

/* What an interrupt came upon, a softirq or a task with preemption off, is chance: that is left out. */
static void say(const char *where)
{
	void *object = kmalloc(100, GFP_ATOMIC);
	unsigned int seen = in_hardirq() ? HARDIRQ_MASK : in_serving_softirq() ? SOFTIRQ_MASK : ~0U;

	pr_info("%s: in_task %d, in_interrupt %d, in_hardirq %d, in_softirq %d, in_serving_softirq %d\n", where,
		!!in_task(), !!in_interrupt(), !!in_hardirq(), !in_hardirq() && in_softirq(),
		!in_hardirq() && in_serving_softirq());
	pr_info("%s: in_atomic %d, irqs_disabled %d, preemptible %d, preempt_count %x, kmalloc(GFP_ATOMIC) %d\n", where,
		!!in_atomic(), !!irqs_disabled(), !!preemptible(), preempt_count() & seen, object != NULL);
	kfree(object);
}

static void ask_sections(void)
{
	unsigned long flags;

	say("task");
	preempt_disable();
	say("preempt_disable");
	preempt_disable();
	say("preempt_disable twice");
	preempt_enable();
	preempt_enable();
	local_irq_disable();
	say("local_irq_disable");
	local_irq_enable();
	local_irq_save(flags);
	local_irq_restore(flags);
	local_bh_disable();
	say("local_bh_disable");
	local_bh_disable();
	say("local_bh_disable twice");
	local_bh_enable();
	local_bh_enable();
	get_cpu();
	say("get_cpu");
	put_cpu();
	say("task again");
}

static void ask_locks(void)
{
	unsigned long flags;

	spin_lock(&lock);
	say("spin_lock");
	spin_unlock(&lock);
	spin_lock_irq(&lock);
	say("spin_lock_irq");
	spin_unlock_irq(&lock);
	spin_lock_irqsave(&lock, flags);
	say("spin_lock_irqsave");
	spin_unlock_irqrestore(&lock, flags);
	spin_lock_bh(&lock);
	say("spin_lock_bh");
	spin_unlock_bh(&lock);
	read_lock(&rwlock);
	say("read_lock");
	read_unlock(&rwlock);
	write_lock_irqsave(&rwlock, flags);
	say("write_lock_irqsave");
	write_unlock_irqrestore(&rwlock, flags);
	mutex_lock(&mutex);
	say("mutex_lock");
	mutex_unlock(&mutex);
	say("no lock");
}

static void tasklet_body(struct tasklet_struct *tasklet)
{
	say("tasklet");
	complete(&done);
}

static void timer_body(struct timer_list *timer)
{
	say("timer");
	complete(&done);
}

static enum hrtimer_restart hrtimer_body(struct hrtimer *timer)
{
	say("hrtimer");
	complete(&done);
	return HRTIMER_NORESTART;
}

static void work_body(struct work_struct *work)
{
	say("work");
	complete(&done);
}

static DECLARE_TASKLET(tasklet, tasklet_body);
static DEFINE_TIMER(timer, timer_body);
static DECLARE_WORK(work, work_body);

static void ask_deferred(void)
{
	struct hrtimer hrtimer;

	tasklet_schedule(&tasklet);
	wait_for_completion(&done);
	mod_timer(&timer, jiffies + 1);
	wait_for_completion(&done);
	hrtimer_init_on_stack(&hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer.function = hrtimer_body;
	hrtimer_start(&hrtimer, ns_to_ktime(1000000), HRTIMER_MODE_REL);
	wait_for_completion(&done);
	hrtimer_cancel(&hrtimer);
	destroy_hrtimer_on_stack(&hrtimer);
	schedule_work(&work);
	wait_for_completion(&done);
	flush_work(&work);
}

static int thread_body(void *data)
{
	say("kthread");
	complete(&done);
	return 0;
}

/* Keeps its CPU busy, so that an interrupt from another CPU really interrupts something. */
static int busy_body(void *data)
{
	complete(&done);
	while (!kthread_should_stop())
		cond_resched();
	return 0;
}

static void call_body(void *where)
{
	say(where);
}

static void ask_calls(void)
{
	struct task_struct *busy;
	int cpu = get_cpu(), other = cpu ? 0 : 1;

	smp_call_function_single(cpu, call_body, "smp_call_function_single here", 1);
	put_cpu();
	busy = kthread_create(busy_body, NULL, "busy");
	kthread_bind(busy, other);
	wake_up_process(busy);
	wait_for_completion(&done);
	smp_call_function_single(other, call_body, "smp_call_function_single elsewhere", 1);
	kthread_stop(busy);
	pr_info("smp_call_function_single on a CPU that is not there: %d\n",
		smp_call_function_single(nr_cpu_ids, call_body, "nowhere", 1));
}

static int __init ask_init(void)
{
	struct task_struct *thread;

	ask_sections();
	ask_locks();
	ask_deferred();
	thread = begin(thread_body, NULL, "asker");
	wait_for_completion(&done);
	finish(thread);
	ask_calls();
	return 0;
}

static void __exit ask_exit(void)
{
	tasklet_kill(&tasklet);
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks what each context looks like");
