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
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

static DECLARE_COMPLETION(answer);

/* Runs fn(data) in a thread of its own, to its end. */
static void elsewhere(int (*fn)(void *), void *data)
{
	reinit_completion(&answer);
	kthread_run(fn, data, "elsewhere");
	wait_for_completion(&answer);
}

static void ask_completions(void)
{
	struct completion done;

	init_completion(&done);
	pr_info("completion: done at first %d, try_wait %d\n", completion_done(&done), try_wait_for_completion(&done));
	pr_info("wait_for_completion_timeout(2) that runs out: %lu\n", wait_for_completion_timeout(&done, 2));
	complete(&done);
	complete(&done);
	pr_info("completed twice: done %d, try_wait %d %d %d\n", completion_done(&done), try_wait_for_completion(&done),
		try_wait_for_completion(&done), try_wait_for_completion(&done));
	complete(&done);
	pr_info("wait_for_completion_timeout(100) of a completed one: %lu\n", wait_for_completion_timeout(&done, 100));
	complete_all(&done);
	wait_for_completion(&done);
	wait_for_completion(&done);
	pr_info("after complete_all and two waits: done %d, try_wait %d\n", completion_done(&done),
		try_wait_for_completion(&done));
	reinit_completion(&done);
	pr_info("after reinit_completion: done %d\n", completion_done(&done));
	complete(&done);
	pr_info("wait_for_completion_interruptible: %d, ", wait_for_completion_interruptible(&done));
	pr_cont("_timeout that runs out: %ld, ", wait_for_completion_interruptible_timeout(&done, 1));
	pr_cont("_killable_timeout that runs out: %ld\n", wait_for_completion_killable_timeout(&done, 1));
}

static void ask_wait_queues(void)
{
	DECLARE_WAIT_QUEUE_HEAD(queue);
	int condition = 0;

	pr_info("wait_event_timeout that runs out: %ld\n", wait_event_timeout(queue, condition, 2));
	pr_info("wait_event_interruptible_timeout that runs out: %ld\n",
		wait_event_interruptible_timeout(queue, condition, 2));
	condition = 1;
	pr_info("wait_event_timeout(50) of what is true: %ld\n", wait_event_timeout(queue, condition, 50));
	pr_info("wait_event_timeout(0) of what is true: %ld\n", wait_event_timeout(queue, condition, 0));
	pr_info("wait_event_interruptible_timeout(50) of what is true: %ld\n",
		wait_event_interruptible_timeout(queue, condition, 50));
	pr_info("wait_event_interruptible of what is true: %d\n", wait_event_interruptible(queue, condition));
	pr_info("waitqueue_active: %d\n", waitqueue_active(&queue));
}

static DEFINE_MUTEX(mutex);
static DEFINE_SEMAPHORE(semaphore);
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
	pr_info("mutex: locked %d, trylock %d, locked %d\n", mutex_is_locked(&mutex), mutex_trylock(&mutex),
		mutex_is_locked(&mutex));
	elsewhere(try_mutex, NULL);
	pr_info("mutex_trylock by its owner: %d\n", mutex_trylock(&mutex));
	mutex_unlock(&mutex);
	pr_info("mutex_lock_interruptible: %d\n", mutex_lock_interruptible(&mutex));
	mutex_unlock(&mutex);
	pr_info("mutex_lock_killable: %d\n", mutex_lock_killable(&mutex));
	mutex_unlock(&mutex);
}

static void ask_semaphores(void)
{
	struct semaphore three;

	pr_info("down_trylock: %d, again %d\n", down_trylock(&semaphore), down_trylock(&semaphore));
	pr_info("down_timeout(2) that runs out: %d\n", down_timeout(&semaphore, 2));
	up(&semaphore);
	pr_info("down_interruptible: %d\n", down_interruptible(&semaphore));
	up(&semaphore);
	sema_init(&three, 3);
	down(&three);
	down(&three);
	pr_info("of 3, after 2: down_timeout %d, down_trylock %d\n", down_timeout(&three, 2), down_trylock(&three));
}

static int try_rwsem(void *unused)
{
	int got = down_read_trylock(&rwsem);

	pr_info("elsewhere: down_read_trylock %d, down_write_trylock %d\n", got, down_write_trylock(&rwsem));
	if (got)
		up_read(&rwsem);
	complete(&answer);
	return 0;
}

static void ask_rwsems(void)
{
	down_read(&rwsem);
	pr_info("a reader: rwsem_is_locked %d\n", rwsem_is_locked(&rwsem));
	elsewhere(try_rwsem, NULL);
	up_read(&rwsem);
	down_write(&rwsem);
	elsewhere(try_rwsem, NULL);
	downgrade_write(&rwsem);
	elsewhere(try_rwsem, NULL);
	up_read(&rwsem);
}

static void ask_spinlocks(void)
{
	pr_info("spinlock: locked %d, trylock %d, locked %d\n", spin_is_locked(&lock), spin_trylock(&lock),
		spin_is_locked(&lock));
	pr_info("spin_trylock of a locked one: %d\n", spin_trylock(&lock));
	spin_unlock(&lock);
	pr_info("unlocked: locked %d\n", spin_is_locked(&lock));
}

static void ask_sleeps(void)
{
	unsigned long before = jiffies;

	msleep(1);
	pr_info("msleep(1) takes at least a jiffy: %d\n", time_after(jiffies, before));
	pr_info("msleep_interruptible(1): %lu\n", msleep_interruptible(1));
	set_current_state(TASK_UNINTERRUPTIBLE);
	pr_info("schedule_timeout(3): %ld, state after it %d\n", schedule_timeout(3), current->__state);
	pr_info("schedule_timeout_interruptible(1): %ld\n", schedule_timeout_interruptible(1));
	pr_info("schedule_timeout(5) while running: at most 5 %d\n", schedule_timeout(5) <= 5);
	usleep_range(10, 20);
	pr_info("msecs_to_jiffies(1000) is HZ: %d, jiffies_to_msecs(HZ) %u\n", msecs_to_jiffies(1000) == HZ,
		jiffies_to_msecs(HZ));
	pr_info("cond_resched does not fail: %d\n", cond_resched() >= 0);
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
