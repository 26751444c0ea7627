// SPDX-License-Identifier: MIT
/*
 * ask_waiting.c: what do sequence counts, simple wait queues, waits for bits and variables, and rounded jiffies return?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/local_lock.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/swait.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#if __has_include(<linux/sched/task.h>)
#include <linux/sched/task.h>
#endif

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static DEFINE_SEQLOCK(lock);
static DEFINE_SPINLOCK(spinlock);
static seqcount_t count = SEQCNT_ZERO(count);
static seqcount_spinlock_t of_spinlock = SEQCNT_SPINLOCK_ZERO(of_spinlock, &spinlock);
static DEFINE_MUTEX(mutex);
static seqcount_mutex_t of_mutex = SEQCNT_MUTEX_ZERO(of_mutex, &mutex);

static void ask_counts(void)
{
	unsigned int start = read_seqcount_begin(&count);

	ask(start);
	ask(read_seqcount_retry(&count, start));
	preempt_disable();
	write_seqcount_begin(&count);
	ask(raw_read_seqcount(&count));
	ask(raw_seqcount_begin(&count));
	ask(read_seqcount_retry(&count, start));
	write_seqcount_end(&count);
	ask(raw_read_seqcount(&count));
	write_seqcount_invalidate(&count);
	ask(raw_read_seqcount(&count));
	preempt_enable();
	ask(read_seqcount_retry(&count, 0));
	ask(read_seqcount_retry(&count, 4));
	spin_lock(&spinlock);
	write_seqcount_begin(&of_spinlock);
	ask(raw_read_seqcount(&of_spinlock));
	write_seqcount_end(&of_spinlock);
	spin_unlock(&spinlock);
	ask(read_seqcount_begin(&of_spinlock));
	mutex_lock(&mutex);
	write_seqcount_begin(&of_mutex);
	ask(raw_read_seqcount(&of_mutex));
	write_seqcount_end(&of_mutex);
	mutex_unlock(&mutex);
	ask(read_seqcount_begin(&of_mutex));
}

static void ask_seqlocks(void)
{
	unsigned long flags;
	int seq = 0;

	ask(read_seqbegin(&lock));
	write_seqlock(&lock);
	ask(read_seqretry(&lock, 0));
	write_sequnlock(&lock);
	ask(read_seqbegin(&lock));
	write_seqlock_irqsave(&lock, flags);
	ask(irqs_disabled());
	write_sequnlock_irqrestore(&lock, flags);
	write_seqlock_bh(&lock);
	ask(in_softirq() != 0);
	write_sequnlock_bh(&lock);
	ask(read_seqbegin(&lock));
	read_seqlock_excl(&lock);
	ask(read_seqbegin(&lock));
	read_sequnlock_excl(&lock);
	read_seqbegin_or_lock(&lock, &seq);
	ask(seq);
	ask(need_seqretry(&lock, seq));
	write_seqlock(&lock);
	write_sequnlock(&lock);
	ask(need_seqretry(&lock, seq));
	seq = 1;
	read_seqbegin_or_lock(&lock, &seq);
	ask(seq);
	ask(need_seqretry(&lock, seq));
	ask(spin_is_locked(&lock.lock));
	done_seqretry(&lock, seq);
	ask(spin_is_locked(&lock.lock));
}

static void ask_simple_queues(void)
{
	DECLARE_SWAIT_QUEUE_HEAD_ONSTACK(queue);
	int condition = 0;

	ask(swait_active(&queue));
	ask(swq_has_sleeper(&queue));
	swake_up_one(&queue);
	swake_up_all(&queue);
	ask(swait_event_timeout_exclusive(queue, condition, 2));
	ask(swait_event_interruptible_timeout_exclusive(queue, condition, 2));
	ask(swait_event_idle_timeout_exclusive(queue, condition, 2));
	condition = 1;
	ask(swait_event_timeout_exclusive(queue, condition, 50));
	ask(swait_event_timeout_exclusive(queue, condition, 0));
	ask(swait_event_interruptible_exclusive(queue, condition));
	ask(swait_active(&queue));
}

static unsigned long bits[2];
static atomic_t variable;

static int clears(void *unused)
{
	schedule_timeout_uninterruptible(3);
	clear_and_wake_up_bit(70, bits);
	schedule_timeout_uninterruptible(3);
	atomic_set(&variable, 0);
	wake_up_var(&variable);
	return 0;
}

static int fails(struct wait_bit_key *key, int mode)
{
	return key->bit_nr == 70 ? -EIO : 0;
}

static void ask_bits(void)
{
	struct task_struct *thread;

	ask(wait_on_bit(bits, 70, TASK_UNINTERRUPTIBLE));
	ask(wait_on_bit_lock(bits, 70, TASK_UNINTERRUPTIBLE));
	ask(test_bit(70, bits));
	ask(wait_on_bit_timeout(bits, 70, TASK_UNINTERRUPTIBLE, 2));
	ask(wait_on_bit_timeout(bits, 70, TASK_UNINTERRUPTIBLE, 0));
	ask(wait_on_bit_action(bits, 70, fails, TASK_UNINTERRUPTIBLE));
	ask(wait_on_bit_lock_action(bits, 70, fails, TASK_UNINTERRUPTIBLE));
	atomic_set(&variable, 1);
	thread = kthread_create(clears, NULL, "clears");
	get_task_struct(thread);
	wake_up_process(thread);
	ask(wait_on_bit(bits, 70, TASK_UNINTERRUPTIBLE));
	ask(test_bit(70, bits));
	wait_var_event(&variable, !atomic_read(&variable));
	ask(atomic_read(&variable));
	kthread_stop(thread);
	put_task_struct(thread);
	ask(wait_var_event_timeout(&variable, atomic_read(&variable), 2));
	ask(wait_var_event_timeout(&variable, !atomic_read(&variable), 9));
	ask(wait_var_event_killable(&variable, !atomic_read(&variable)));
	ask(bit_waitqueue(bits, 70) == bit_waitqueue(bits, 70));
}

static void ask_rounding(void)
{
	unsigned long second = roundup(jiffies + 10000, HZ), k;
	int cpu;

	for (cpu = 0; cpu < 3; cpu++) {
		long near = 0, up = 0, was_near = -1, was_up = -1;

		for (k = 0; k < 2 * HZ; k++) {
			near = (long)(__round_jiffies(second + k, cpu) - second);
			up = (long)(__round_jiffies_up(second + k, cpu) - second);
			if (near != was_near || up != was_up)
				pr_info("CPU %d: %lu jiffies after a second: %ld, up %ld\n", cpu, k, near, up);
			was_near = near;
			was_up = up;
		}
	}
	k = jiffies;
	ask(__round_jiffies_up(k - 10000, 0) == k - 10000);
	ask(__round_jiffies(k - 10000, 0) == k - 10000);
	ask(round_jiffies_relative(10000) > 10000 - HZ);
}

static DEFINE_PER_CPU(local_lock_t, local) = INIT_LOCAL_LOCK(local);

static void ask_local_locks(void)
{
	unsigned long flags;

	local_lock(&local);
	ask(irqs_disabled());
	local_unlock(&local);
	local_lock_irq(&local);
	ask(irqs_disabled());
	local_unlock_irq(&local);
	local_lock_irqsave(&local, flags);
	ask(irqs_disabled());
	local_unlock_irqrestore(&local, flags);
	ask(irqs_disabled());
}

static int __init ask_init(void)
{
	ask_counts();
	ask_seqlocks();
	ask_simple_queues();
	ask_bits();
	ask_rounding();
	ask_local_locks();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about sequence counts, simple wait queues, bits and rounded jiffies");
