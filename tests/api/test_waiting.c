/*
 * test_waiting.c: <linux/swait.h>, <linux/wait_bit.h>, <linux/local_lock.h>, and times that are rounded, on a machine.
 *
 * Broken if this fails: a task sleeps for ever though what it waits for is true, wakes out of turn, or two have what only one may have.
 */
#include <flagstone/machine.h>
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/local_lock.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/swait.h>
#include <linux/timer.h>
#include <linux/wait_bit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/api/booted.h"

#define CPUS 4
#define TASKS 6
#define TURNS 200

static atomic_t ended; /* of the tasks below */

struct job {
	int (*body)(uintptr_t number);
	uintptr_t number;
};
static struct job jobs[TASKS];

static int run_job(void *data)
{
	struct job *job = data;
	int result = job->body(job->number);

	atomic_inc_return_release(&ended); /* Pairs with finish() */
	return result;
}

static void begin(int (*body)(uintptr_t number))
{
	atomic_set(&ended, 0);
	for (unsigned int i = 0; i < TASKS; i++) {
		struct task_struct *task;

		jobs[i] = (struct job){body, i};
		task = kthread_create_on_cpu(run_job, &jobs[i], i % CPUS, "waiter/%u");
		assert_false(IS_ERR(task));
		wake_up_process(task);
	}
}

static void finish(void)
{
	while (atomic_read_acquire(&ended) < TASKS)
		schedule_timeout_uninterruptible(1);
}

/* ---- simple wait queues ---- */

static DECLARE_SWAIT_QUEUE_HEAD(queue);
static atomic_t arrived, woken;
static unsigned int order[TASKS]; /* Synchronization: one is woken at a time; woken */
static bool open; /* Synchronization: atomic */

static unsigned int nr_queued(void)
{
	unsigned long flags;
	unsigned int nr;

	raw_spin_lock_irqsave(&queue.lock, flags);
	nr = (unsigned int)list_count_nodes(&queue.task_list);
	raw_spin_unlock_irqrestore(&queue.lock, flags);
	return nr;
}

/* They come one after the other. */
static int sleeps_once(uintptr_t number)
{
	DECLARE_SWAITQUEUE(wait);

	while (atomic_read(&arrived) != (int)number)
		schedule_timeout_uninterruptible(1);
	prepare_to_swait_exclusive(&queue, &wait, TASK_UNINTERRUPTIBLE);
	atomic_inc(&arrived);
	schedule();
	order[atomic_read(&woken)] = (unsigned int)number;
	atomic_inc_return_release(&woken); /* Pairs with the acquire below */
	finish_swait(&queue, &wait);
	return 0;
}

static void simple_waiters_wake_one_by_one_in_order(void **state)
{
	(void)state;
	atomic_set(&arrived, 0);
	atomic_set(&woken, 0);
	assert_false(swq_has_sleeper(&queue));
	swake_up_one(&queue); /* nobody: not kept */
	begin(sleeps_once);
	while (nr_queued() < TASKS)
		schedule_timeout_uninterruptible(1);
	for (int i = 0; i < TASKS; i++) {
		assert_true(swait_active(&queue));
		assert_int_equal(atomic_read(&woken), i);
		swake_up_one(&queue);
		while (atomic_read_acquire(&woken) == i)
			schedule_timeout_uninterruptible(1);
		assert_int_equal(order[i], i);
	}
	finish();
	assert_false(swait_active(&queue));
}

static int waits_until_open(uintptr_t number)
{
	if (number % 2)
		swait_event_exclusive(queue, READ_ONCE(open));
	else
		swait_event_idle_exclusive(queue, READ_ONCE(open));
	return 0;
}

static void all_simple_waiters_wake(void **state)
{
	(void)state;
	WRITE_ONCE(open, false);
	begin(waits_until_open);
	while (nr_queued() < TASKS)
		schedule_timeout_uninterruptible(1);
	swake_up_all(&queue); /* of no use: it is not open */
	while (nr_queued() < TASKS)
		schedule_timeout_uninterruptible(1);
	assert_int_equal(atomic_read(&ended), 0);
	WRITE_ONCE(open, true);
	swake_up_all(&queue);
	finish();
	assert_int_equal(nr_queued(), 0);
}

static void simple_waits_end_in_time(void **state)
{
	DECLARE_SWAIT_QUEUE_HEAD_ONSTACK(own);
	unsigned long began = jiffies;
	bool condition = false;

	(void)state;
	assert_int_equal(swait_event_timeout_exclusive(own, condition, 2), 0);
	assert_int_equal(swait_event_interruptible_timeout_exclusive(own, condition, 2), 0);
	assert_int_equal(swait_event_idle_timeout_exclusive(own, condition, 2), 0);
	assert_true(jiffies - began >= 6);
	condition = true;
	assert_int_equal(swait_event_timeout_exclusive(own, condition, 50), 50);
	assert_int_equal(swait_event_timeout_exclusive(own, condition, 0), 1);
	assert_int_equal(swait_event_interruptible_exclusive(own, condition), 0);
	assert_false(swait_active(&own));
}

/* ---- bits ---- */

#define BITS 3

static DECLARE_BITMAP(bits, 128);
static unsigned long counts[BITS]; /* plain: each behind its bit */

/* Bits that lie in two words, as locks. */
static int bit_of(unsigned int i)
{
	return i == 2 ? 70 : (int)i;
}

static int adds_under_bits(uintptr_t number)
{
	for (unsigned int i = 0; i < TURNS; i++) {
		unsigned int which = (unsigned int)(number + i) % BITS;

		if (wait_on_bit_lock(bits, bit_of(which), TASK_UNINTERRUPTIBLE))
			return -1;
		counts[which]++;
		if (i % 4 == 0)
			cond_resched();
		if (which == 1) {
			clear_bit_unlock(bit_of(which), bits);
			smp_mb__after_atomic();
			wake_up_bit(bits, bit_of(which));
		} else {
			clear_and_wake_up_bit(bit_of(which), bits);
		}
	}
	return 0;
}

static void a_bit_is_had_by_one_at_a_time(void **state)
{
	unsigned long sum = 0;

	(void)state;
	begin(adds_under_bits);
	finish();
	for (unsigned int i = 0; i < BITS; i++)
		sum += counts[i];
	assert_int_equal(sum, TASKS * TURNS);
	assert_int_equal(find_first_bit(bits, 128), 128);
}

static unsigned long answer; /* plain: written before bit 5 is cleared */
static atomic_t seen;

static int waits_for_bit_5(uintptr_t number)
{
	int error = number % 2 ? wait_on_bit(bits, 5, TASK_UNINTERRUPTIBLE) : wait_on_bit_io(bits, 5, TASK_KILLABLE);

	if (!error)
		atomic_add((int)answer, &seen);
	return 0;
}

static void a_cleared_bit_wakes_all(void **state)
{
	(void)state;
	atomic_set(&seen, 0);
	set_bit(5, bits);
	begin(waits_for_bit_5);
	while (!waitqueue_active(bit_waitqueue(bits, 5)))
		schedule_timeout_uninterruptible(1);
	wake_up_bit(bits, 5); /* of no use: it is set */
	answer = 7;
	clear_and_wake_up_bit(5, bits);
	finish();
	assert_int_equal(atomic_read(&seen), 7 * TASKS);
}

static int fails(struct wait_bit_key *key, int mode)
{
	(void)mode;
	return key->bit_nr == 6 ? -EIO : 0;
}

static void waits_for_bits_end_in_time(void **state)
{
	unsigned long began;

	(void)state;
	assert_int_equal(wait_on_bit(bits, 6, TASK_UNINTERRUPTIBLE), 0);
	assert_int_equal(wait_on_bit_timeout(bits, 6, TASK_UNINTERRUPTIBLE, 0), 0);
	set_bit(6, bits);
	began = jiffies;
	assert_int_equal(wait_on_bit_timeout(bits, 6, TASK_UNINTERRUPTIBLE, 3), -EAGAIN);
	assert_true(jiffies - began >= 3);
	assert_int_equal(wait_on_bit_action(bits, 6, fails, TASK_UNINTERRUPTIBLE), -EIO);
	assert_int_equal(wait_on_bit_lock_action(bits, 6, fails, TASK_UNINTERRUPTIBLE), -EIO);
	clear_bit(6, bits);
	assert_int_equal(wait_on_bit_lock(bits, 6, TASK_KILLABLE), 0);
	assert_true(test_bit(6, bits));
	clear_and_wake_up_bit(6, bits);
}

/* ---- variables ---- */

static atomic_t users;

static int leaves(uintptr_t number)
{
	msleep((unsigned int)number);
	if (atomic_dec_and_test(&users))
		wake_up_var(&users);
	return 0;
}

static void the_last_user_is_waited_for(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		atomic_set(&users, TASKS);
		begin(leaves);
		wait_var_event(&users, !atomic_read(&users));
		assert_int_equal(atomic_read(&users), 0);
		finish();
	}
	assert_int_equal(wait_var_event_timeout(&users, atomic_read(&users), 2), 0);
	assert_int_equal(wait_var_event_timeout(&users, !atomic_read(&users), 9), 9);
	assert_int_equal(wait_var_event_killable(&users, !atomic_read(&users)), 0);
	assert_int_equal(wait_var_event_interruptible(&users, !atomic_read(&users)), 0);
}

/* ---- local locks ---- */

struct numbers {
	local_lock_t lock;
	unsigned long first, second; /* the same outside of the lock. Synchronization: lock */
};
static DEFINE_PER_CPU(struct numbers, numbers) = {.lock = INIT_LOCAL_LOCK(lock)};
static atomic_t differed;

static void count_here(void *unused)
{
	struct numbers *here;
	unsigned long flags;

	(void)unused;
	local_lock_irqsave(&numbers.lock, flags);
	here = this_cpu_ptr(&numbers);
	if (here->first++ != here->second++)
		atomic_inc(&differed);
	local_unlock_irqrestore(&numbers.lock, flags);
}

static int counts_on_all_cpus(uintptr_t number)
{
	for (unsigned int i = 0; i < TURNS; i++) {
		count_here(NULL);
		if (i % 8 == 0)
			smp_call_function_single((int)((number + i) % CPUS), count_here, NULL, 1);
	}
	return 0;
}

static void a_local_lock_keeps_others_of_its_cpu_out(void **state)
{
	unsigned long sum = 0;
	unsigned int cpu;

	(void)state;
	begin(counts_on_all_cpus);
	finish();
	for_each_possible_cpu(cpu)
	{
		assert_int_equal(per_cpu(numbers, cpu).first, per_cpu(numbers, cpu).second);
		sum += per_cpu(numbers, cpu).first;
	}
	assert_int_equal(sum, TASKS * (TURNS + TURNS / 8));
	assert_int_equal(atomic_read(&differed), 0);
	local_lock(&numbers.lock);
	assert_true(in_atomic() && !irqs_disabled());
	local_unlock(&numbers.lock);
	local_lock_irq(&numbers.lock);
	assert_true(irqs_disabled());
	local_unlock_irq(&numbers.lock);
	assert_false(in_atomic() || irqs_disabled());
}

/* ---- times ---- */

static void sleeps_are_long_enough(void **state)
{
	static const unsigned long times[] = {0, 5, 10, 11, 900, 20000, 20001};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(times); i++) {
		ktime_t began = ktime_get();

		fsleep(times[i]);
		assert_true(ktime_us_delta(ktime_get(), began) >= (long)times[i]);
	}
}

static void rounded_jiffies_are_full_seconds(void **state)
{
	unsigned long later = jiffies + 100000, rounded;

	(void)state;
	for (int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned long j = later; j < later + 2 * HZ; j++) {
			rounded = __round_jiffies(j, cpu);
			assert_int_equal((rounded + 3 * (unsigned long)cpu) % HZ, 0);
			assert_true(rounded > j - HZ / 4 && rounded <= j + HZ - HZ / 4);
			rounded = __round_jiffies_up(j, cpu);
			assert_int_equal((rounded + 3 * (unsigned long)cpu) % HZ, 0);
			assert_true(rounded > j && rounded <= j + HZ);
		}
	assert_int_equal(__round_jiffies_up(later - 200000, 0), later - 200000); /* gone by */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_waiters_wake_one_by_one_in_order),
		cmocka_unit_test(all_simple_waiters_wake),
		cmocka_unit_test(simple_waits_end_in_time),
		cmocka_unit_test(a_bit_is_had_by_one_at_a_time),
		cmocka_unit_test(a_cleared_bit_wakes_all),
		cmocka_unit_test(waits_for_bits_end_in_time),
		cmocka_unit_test(the_last_user_is_waited_for),
		cmocka_unit_test(a_local_lock_keeps_others_of_its_cpu_out),
		cmocka_unit_test(sleeps_are_long_enough),
		cmocka_unit_test(rounded_jiffies_are_full_seconds),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, boot, shut_down);
}
