// SPDX-License-Identifier: MIT
/*
 * ask_waits.c: what do completions, wait queues, mutexes, semaphores and sleeps return?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
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

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static DECLARE_COMPLETION(answer);

/* Runs fn(data) in a thread of its own, to its end. */
static void elsewhere(int (*fn)(void *), void *data)
{
	struct task_struct *thread;

	reinit_completion(&answer);
	thread = begin(fn, data, "elsewhere");
	wait_for_completion(&answer);
	finish(thread);
}

static void ask_completions(void)
{
	struct completion done;

	init_completion(&done);
	ask(completion_done(&done));
	ask(try_wait_for_completion(&done));
	ask(wait_for_completion_timeout(&done, 2));
	complete(&done);
	complete(&done);
	pr_info("completed twice\n");
	ask(completion_done(&done));
	ask(try_wait_for_completion(&done));
	ask(try_wait_for_completion(&done));
	ask(try_wait_for_completion(&done));
	complete(&done);
	pr_info("completed\n");
	ask(wait_for_completion_timeout(&done, 100));
	complete_all(&done);
	wait_for_completion(&done);
	wait_for_completion(&done);
	pr_info("complete_all, and two waits\n");
	ask(completion_done(&done));
	ask(try_wait_for_completion(&done));
	reinit_completion(&done);
	pr_info("reinit_completion\n");
	ask(completion_done(&done));
	complete(&done);
	ask(wait_for_completion_interruptible(&done));
	ask(wait_for_completion_interruptible_timeout(&done, 1));
	ask(wait_for_completion_killable_timeout(&done, 1));
}

static void ask_wait_queues(void)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(queue);
	int condition = 0;

	ask(wait_event_timeout(queue, condition, 2));
	ask(wait_event_interruptible_timeout(queue, condition, 2));
	condition = 1;
	pr_info("the condition is true\n");
	ask(wait_event_timeout(queue, condition, 50));
	ask(wait_event_timeout(queue, condition, 0));
	ask(wait_event_interruptible_timeout(queue, condition, 50));
	ask(wait_event_interruptible(queue, condition));
	ask(waitqueue_active(&queue));
}

static DEFINE_MUTEX(mutex);
static DECLARE_RWSEM(rwsem);
static DEFINE_SPINLOCK(lock);

static int try_mutex(void *unused)
{
	pr_info("mutex_trylock elsewhere: %d\n", mutex_trylock(&mutex));
	complete(&answer);
	return 0;
}

static void ask_mutexes(void)
{
	ask(mutex_is_locked(&mutex));
	ask(mutex_trylock(&mutex));
	ask(mutex_is_locked(&mutex));
	elsewhere(try_mutex, NULL);
	mutex_unlock(&mutex);
	ask(mutex_lock_interruptible(&mutex));
	mutex_unlock(&mutex);
	ask(mutex_lock_killable(&mutex));
	mutex_unlock(&mutex);
}

static void ask_semaphores(void)
{
	struct semaphore semaphore, three;

	sema_init(&semaphore, 1);
	ask(down_trylock(&semaphore));
	ask(down_trylock(&semaphore));
	ask(down_timeout(&semaphore, 2));
	up(&semaphore);
	ask(down_interruptible(&semaphore));
	up(&semaphore);
	ask(down_killable(&semaphore));
	up(&semaphore);
	sema_init(&three, 3);
	down(&three);
	down(&three);
	ask(down_timeout(&three, 2));
	ask(down_trylock(&three));
}

static int try_rwsem(void *unused)
{
	int got = down_read_trylock(&rwsem);

	pr_info("down_read_trylock elsewhere: %d\n", got);
	if (got)
		up_read(&rwsem);
	pr_info("down_write_trylock elsewhere: %d\n", down_write_trylock(&rwsem));
	complete(&answer);
	return 0;
}

static void ask_rwsems(void)
{
	down_read(&rwsem);
	pr_info("down_read\n");
	ask(rwsem_is_locked(&rwsem));
	elsewhere(try_rwsem, NULL);
	up_read(&rwsem);
	down_write(&rwsem);
	pr_info("down_write\n");
	elsewhere(try_rwsem, NULL);
	downgrade_write(&rwsem);
	pr_info("downgrade_write\n");
	elsewhere(try_rwsem, NULL);
	up_read(&rwsem);
}

static void ask_spinlocks(void)
{
	ask(spin_is_locked(&lock));
	ask(spin_trylock(&lock));
	ask(spin_is_locked(&lock));
	spin_unlock(&lock);
	ask(spin_is_locked(&lock));
}

static void ask_sleeps(void)
{
	ktime_t before = ktime_get();

	msleep(1);
	pr_info("msleep(1) takes at least a millisecond: %d\n", ktime_to_ns(ktime_sub(ktime_get(), before)) >= 1000000);
	ask(msleep_interruptible(1));
	set_current_state(TASK_UNINTERRUPTIBLE);
	ask(schedule_timeout(3));
	ask(task_is_running(current));
	ask(schedule_timeout_interruptible(1));
	ask(schedule_timeout_uninterruptible(1));
	ask(schedule_timeout(5) <= 5);
	usleep_range(10, 20);
	ask(msecs_to_jiffies(1000) == HZ);
	ask(jiffies_to_msecs(HZ));
	ask(cond_resched() >= 0);
}

static int __init ask_init(void)
{
	ask_completions();
	ask_wait_queues();
	ask_mutexes();
	ask_semaphores();
	ask_rwsems();
	ask_spinlocks();
	ask_sleeps();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks what waiting returns");
