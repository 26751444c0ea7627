/*
 * test_wait.c: wait queues and completions: nobody is forgotten, all wake in the order in which they came, times are kept.
 *
 * Broken if this fails: a task sleeps for ever though what it waits for is true, or wakes out of turn.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/cpus.h"
#include "tests/unit/tasks.h"

#define NR_TASKS 16
#define ROUNDS 150
#define CHOICES 4000
#define MOST_TURNS 100 /* of delay: longer than who chooses takes to see who arrives */

static DECLARE_WAIT_QUEUE_HEAD(queue);
static wait_queue_head_t other;
static DECLARE_COMPLETION(done);
static DEFINE_SPINLOCK(lock);
static atomic_t mistakes, arrived, tokens, woken;
static unsigned int order[NR_TASKS]; /* Synchronization: atomic; slots are those of woken */
static bool open; /* Synchronization: lock, or atomic */

static int boot(void **state)
{
	(void)state;
	init_waitqueue_head(&other);
	reinit_completion(&done);
	atomic_set(&mistakes, 0);
	atomic_set(&arrived, 0);
	atomic_set(&tokens, 0);
	atomic_set(&woken, 0);
	WRITE_ONCE(open, false);
	return sched_boot(test_cpus(8));
}

static int shut_down(void **state)
{
	(void)state;
	return sched_shutdown();
}

static void note_turn(uintptr_t number)
{
	WRITE_ONCE(order[atomic_fetch_inc(&woken)], (unsigned int)number);
}

static unsigned int nr_on(wait_queue_head_t *wq)
{
	unsigned long flags;
	unsigned int nr;

	spin_lock_irqsave(&wq->lock, flags);
	nr = (unsigned int)list_count_nodes(&wq->head);
	spin_unlock_irqrestore(&wq->lock, flags);
	return nr;
}

static void wait_until_queued(unsigned int nr)
{
	while (nr_on(&queue) < nr)
		schedule_timeout_uninterruptible(1);
}

/* ---- order ---- */

static int wait_exclusive(void *number)
{
	DEFINE_WAIT(wait);

	while (atomic_read(&arrived) != (int)(uintptr_t)number)
		schedule_timeout_uninterruptible(1);
	prepare_to_wait_exclusive(&queue, &wait, TASK_UNINTERRUPTIBLE);
	atomic_inc(&arrived);
	schedule();
	note_turn((uintptr_t)number);
	finish_wait(&queue, &wait);
	return 0;
}

static void exclusive_waiters_wake_one_by_one_in_order(void **state)
{
	(void)state;
	assert_false(wq_has_sleeper(&queue));
	for (unsigned int i = 0; i < NR_TASKS; i++)
		task_start(wait_exclusive);
	wait_until_queued(NR_TASKS);
	assert_true(waitqueue_active(&queue));
	for (int i = 0; i < NR_TASKS; i++) {
		assert_int_equal(atomic_read(&woken), i);
		if (i % 2)
			wake_up(&queue);
		else
			wake_up_nr(&queue, 1);
		while (atomic_read(&woken) == i)
			schedule_timeout_uninterruptible(1);
	}
	tasks_join();
	for (unsigned int i = 0; i < NR_TASKS; i++)
		assert_int_equal(order[i], i);
	assert_false(waitqueue_active(&queue));
}

/* On one CPU, so that those woken run in the order in which they were. */
static int wait_in_order(void *number)
{
	DEFINE_WAIT(wait);

	sched_move_to(1 % test_cpus(8));
	while (atomic_read(&arrived) != (int)(uintptr_t)number)
		schedule_timeout_uninterruptible(1);
	if ((uintptr_t)number % 4 == 3)
		prepare_to_wait_exclusive(&queue, &wait, TASK_INTERRUPTIBLE);
	else
		prepare_to_wait(&queue, &wait, TASK_INTERRUPTIBLE);
	atomic_inc(&arrived);
	schedule();
	note_turn((uintptr_t)number);
	finish_wait(&queue, &wait);
	return 0;
}

static void the_others_wake_first(void **state)
{
	unsigned int nr = 0;

	(void)state;
	for (unsigned int i = 0; i < NR_TASKS; i++)
		task_start(wait_in_order);
	wait_until_queued(NR_TASKS);
	while (atomic_read(&arrived) < NR_TASKS)
		schedule_timeout_uninterruptible(1);
	/* Not those that sleep otherwise. */
	__wake_up(&queue, TASK_UNINTERRUPTIBLE, 0, NULL);
	assert_int_equal(nr_on(&queue), NR_TASKS);
	wake_up_interruptible_all(&queue);
	tasks_join();
	for (unsigned int i = 0; i < NR_TASKS; i++)
		if (i % 4 != 3)
			assert_int_equal(order[nr++], i);
	for (unsigned int i = 3; i < NR_TASKS; i += 4)
		assert_int_equal(order[nr++], i);
}

/* ---- nobody is forgotten ---- */

static bool take_token(void)
{
	return atomic_dec_if_positive(&tokens) >= 0;
}

static int consume(void *number)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		long left = 1;

		switch (((uintptr_t)number / 2 + i) % 6) {
		case 0:
			wait_event(queue, take_token());
			break;
		case 1:
			left = wait_event_timeout(queue, take_token(), 60 * HZ);
			break;
		case 2:
			left = !wait_event_interruptible(queue, take_token());
			break;
		case 3:
			left = !wait_event_killable(queue, take_token());
			break;
		case 4:
			wait_event_cmd(queue, take_token(), cond_resched(), (void)0);
			break;
		default:
			left = wait_event_interruptible_timeout(queue, take_token(), 60 * HZ);
		}
		if (left <= 0)
			atomic_inc(&mistakes);
	}
	return 0;
}

static int produce_or_consume(void *number)
{
	if ((uintptr_t)number % 2)
		return consume(number);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		atomic_inc(&tokens);
		wake_up(&queue);
		if (i % 3 == 0)
			yield();
	}
	return 0;
}

static void no_wake_up_is_lost(void **state)
{
	(void)state;
	tasks_run(produce_or_consume, NR_TASKS);
	assert_int_equal(atomic_read(&mistakes), 0);
	assert_int_equal(atomic_read(&tokens), 0);
}

static void no_wake_up_is_lost_under_preemption(void **state)
{
	assert_int_equal(preempt_force(50, 8), 0);
	no_wake_up_is_lost(state);
	assert_int_equal(preempt_force(0, 0), 0);
}

/* ---- times, and the OOM killer's choice ---- */

static void times_are_kept(void **state)
{
	unsigned long before = jiffies;

	(void)state;
	assert_int_equal(wait_event_timeout(queue, false, 3), 0);
	assert_true(jiffies - before >= 3);
	assert_true(wait_event_timeout(queue, true, 3) >= 1);
	assert_int_equal(wait_event_interruptible_timeout(queue, false, 1), 0);
	assert_int_equal(wait_for_completion_timeout(&done, 2), 0);
	complete(&done);
	assert_true(wait_for_completion_timeout(&done, 2) >= 1);
	assert_int_equal(wait_for_completion_killable_timeout(&done, 1), 0);
}

static int sleep_long(void *number)
{
	unsigned long before = jiffies;

	(void)number;
	atomic_inc(&arrived);
	if (msleep_interruptible(jiffies_to_msecs(20)) || jiffies - before < 20)
		atomic_inc(&mistakes);
	return 0;
}

static void a_stray_wake_up_does_not_end_msleep(void **state)
{
	(void)state;
	task_start(sleep_long);
	for (int i = 0; i < 5; i++) {
		while (!atomic_read(&arrived))
			schedule_timeout_uninterruptible(1);
		wake_up_process(tasks[0]);
		schedule_timeout_uninterruptible(1);
	}
	tasks_join();
	assert_int_equal(atomic_read(&mistakes), 0);
}

static int be_chosen(void *number)
{
	unsigned long word = 1;

	(void)number;
	WRITE_ONCE(current->oom_reserve_access, (void *)&queue);
	if (wait_event_killable(queue, false) != -ERESTARTSYS ||
		wait_event_interruptible(queue, false) != -ERESTARTSYS ||
		wait_event_interruptible_timeout(queue, false, 100) != -ERESTARTSYS ||
		wait_for_completion_killable(&done) != -ERESTARTSYS ||
		wait_for_completion_interruptible(&done) != -ERESTARTSYS)
		atomic_inc(&mistakes);
	/* Sleeps without a look before them. */
	if (wait_on_bit(&word, 0, TASK_KILLABLE) != -EINTR ||
		!schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT / 2) || !msleep_interruptible(1000000000))
		atomic_inc(&mistakes);
	/* What is true already is told all the same. */
	if (wait_event_killable(queue, true))
		atomic_inc(&mistakes);
	return 0;
}

static void chosen_tasks_do_not_wait(void **state)
{
	(void)state;
	tasks_run(be_chosen, 2);
	assert_int_equal(atomic_read(&mistakes), 0);
	assert_false(waitqueue_active(&queue));
}

/* Each time it is chosen it comes back, and says so. */
static int be_chosen_often(void *number)
{
	(void)number;
	for (unsigned int round = 1; round <= CHOICES; round++) {
		long error;

		atomic_set_release(&arrived, (int)round);
		for (unsigned int turn = 0; turn < round % MOST_TURNS; turn++)
			cpu_relax();
		error = round % 2 ? wait_event_killable(queue, false) : wait_for_completion_killable(&done);
		if (error != -ERESTARTSYS)
			atomic_inc(&mistakes);
		WRITE_ONCE(current->oom_reserve_access, NULL);
	}
	return 0;
}

/* As the OOM killer does, at any moment of the way to sleep. */
static void a_choice_meets_every_moment_of_going_to_sleep(void **state)
{
	struct task_struct *victim;

	(void)state;
	task_start(be_chosen_often);
	victim = tasks[0];
	for (unsigned int round = 1; round <= CHOICES; round++) {
		for (unsigned int turn = 0; atomic_read_acquire(&arrived) != (int)round; turn++)
			if (turn > MOST_TURNS)
				schedule_timeout_uninterruptible(0);
		smp_store_mb(victim->oom_reserve_access, (void *)&queue);
		wake_up_state(victim, TASK_INTERRUPTIBLE | TASK_WAKEKILL);
	}
	tasks_join();
	assert_int_equal(atomic_read(&mistakes), 0);
}

/* ---- with a lock, without a macro ---- */

static int wait_with_lock(void *number)
{
	spin_lock_irq(&lock);
	wait_event_lock_irq(other, open, lock);
	if (!irqs_disabled() || !spin_is_locked(&lock) || !open)
		atomic_inc(&mistakes);
	spin_unlock_irq(&lock);
	note_turn((uintptr_t)number);
	return 0;
}

static void a_lock_is_let_go_to_sleep(void **state)
{
	(void)state;
	for (int i = 0; i < NR_TASKS; i++)
		task_start(wait_with_lock);
	while (nr_on(&other) < NR_TASKS)
		schedule_timeout_uninterruptible(1);
	spin_lock_irq(&lock);
	open = true;
	spin_unlock_irq(&lock);
	wake_up_all(&other);
	tasks_join();
	assert_int_equal(atomic_read(&woken), NR_TASKS);
	assert_int_equal(atomic_read(&mistakes), 0);
}

static int wait_by_hand(void *number)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	(void)number;
	add_wait_queue(&queue, &wait);
	while (!take_token())
		wait_woken(&wait, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	remove_wait_queue(&queue, &wait);
	return 0;
}

static void waiting_by_hand_forgets_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < NR_TASKS; i++)
		task_start(wait_by_hand);
	for (int i = 0; i < NR_TASKS; i++) {
		atomic_inc(&tokens);
		wake_up_interruptible(&queue);
		yield();
	}
	tasks_join();
	assert_int_equal(atomic_read(&tokens), 0);
}

static int wait_when_to_stop(void *number)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	(void)number;
	atomic_inc(&arrived);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	add_wait_queue(&queue, &wait);
	wait_woken(&wait, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	remove_wait_queue(&queue, &wait);
	return 0;
}

static void who_is_to_stop_does_not_wait_by_hand(void **state)
{
	struct task_struct *task = kthread_run(wait_when_to_stop, NULL, "stopped");

	(void)state;
	assert_false(IS_ERR(task));
	while (!atomic_read(&arrived)) /* one that never ran is not asked */
		schedule_timeout_uninterruptible(1);
	assert_int_equal(kthread_stop(task), 0);
}

/* ---- completions ---- */

static int complete_or_wait(void *number)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if ((uintptr_t)number % 2)
			complete(&done);
		else if (i % 4 || !try_wait_for_completion(&done))
			wait_for_completion(&done);
	}
	return 0;
}

static void each_complete_lets_one_go_on(void **state)
{
	(void)state;
	tasks_run(complete_or_wait, NR_TASKS);
	assert_false(completion_done(&done));
	assert_false(try_wait_for_completion(&done));
}

static int wait_for_all(void *number)
{
	wait_for_completion(&done);
	note_turn((uintptr_t)number);
	return 0;
}

static void complete_all_is_for_ever(void **state)
{
	DECLARE_COMPLETION_ONSTACK(here);

	(void)state;
	for (int i = 0; i < NR_TASKS; i++)
		task_start(wait_for_all);
	yield();
	complete_all(&done);
	tasks_join();
	assert_int_equal(atomic_read(&woken), NR_TASKS);
	assert_true(completion_done(&done));
	wait_for_completion(&done);
	assert_true(completion_done(&done));
	complete(&here);
	wait_for_completion(&here);
	assert_false(completion_done(&here));
}

static int complete_the_stack(void *number)
{
	(void)number;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		DECLARE_COMPLETION_ONSTACK(mine);

		complete(&mine);
		wait_for_completion(&mine);
		wake_up(&queue);
	}
	return 0;
}

static void completions_under_preemption(void **state)
{
	assert_int_equal(preempt_force(50, 15), 0);
	each_complete_lets_one_go_on(state);
	tasks_run(complete_the_stack, NR_TASKS);
	assert_int_equal(preempt_force(0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exclusive_waiters_wake_one_by_one_in_order, boot, shut_down),
		cmocka_unit_test_setup_teardown(the_others_wake_first, boot, shut_down),
		cmocka_unit_test_setup_teardown(no_wake_up_is_lost, boot, shut_down),
		cmocka_unit_test_setup_teardown(no_wake_up_is_lost_under_preemption, boot, shut_down),
		cmocka_unit_test_setup_teardown(times_are_kept, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_stray_wake_up_does_not_end_msleep, boot, shut_down),
		cmocka_unit_test_setup_teardown(chosen_tasks_do_not_wait, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_choice_meets_every_moment_of_going_to_sleep, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_lock_is_let_go_to_sleep, boot, shut_down),
		cmocka_unit_test_setup_teardown(waiting_by_hand_forgets_nobody, boot, shut_down),
		cmocka_unit_test_setup_teardown(who_is_to_stop_does_not_wait_by_hand, boot, shut_down),
		cmocka_unit_test_setup_teardown(each_complete_lets_one_go_on, boot, shut_down),
		cmocka_unit_test_setup_teardown(complete_all_is_for_ever, boot, shut_down),
		cmocka_unit_test_setup_teardown(completions_under_preemption, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
