/*
 * mutex.c: mutexes.
 *
 * Calls waiter.c to sleep, lockdep.c for checks. Knows nothing of what they protect.
 *
 * owner is NULL, or the task that has it. Whoever unlocks it while others wait makes the first of them the owner, so that nobody who
 * comes later gets in between.
 */
#include <errno.h>
#include <linux/mutex.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"

void __mutex_init(struct mutex *lock, const char *name, const struct lock_class_key *key)
{
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
	lock->wait_lock = 0;
	lock->nr_waiters = 0;
	lock->recursions = 0;
	INIT_LIST_HEAD(&lock->waiters);
	lockdep_init(&lock->dep_map, name, key);
}

void mutex_destroy(struct mutex *lock)
{
	if (mutex_is_locked(lock))
		report_bug("mutex_destroy: %s is locked", lock->dep_map.name);
}

static struct task_struct *owner_of(struct mutex *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);
}

static bool take(struct mutex *lock)
{
	struct task_struct *nobody = NULL;

	/* Pairs with let_go(): what the last owner wrote is visible; and with its look at nr_waiters. */
	return __atomic_compare_exchange_n(&lock->owner, &nobody, current, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void set_nr_waiters(struct mutex *lock, int change)
{
	/* Pairs with let_go(): it sees this waiter, or this waiter sees that it let go. */
	__atomic_fetch_add(&lock->nr_waiters, (uint32_t)change, __ATOMIC_SEQ_CST);
}

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	text_printf(text, "a mutex");
	__wait_print_task(text, __atomic_load_n(&((const struct mutex *)wait->what)->owner, __ATOMIC_RELAXED));
}

/* Sleeps until this task is the owner. 0 or -EINTR. */
static int take_sleeping(struct mutex *lock, unsigned int state)
{
	const struct sched_wait wait = {print_wait, lock};
	struct lock_waiter waiter;
	host_sigmask_t mask = inner_lock(&lock->wait_lock);
	long left;

	set_nr_waiters(lock, 1);
	if (take(lock)) {
		set_nr_waiters(lock, -1);
		inner_unlock(&lock->wait_lock, mask);
		return 0;
	}
	sched_waits_for(&wait);
	left = waiter_sleep(&lock->wait_lock, mask, &lock->waiters, &waiter, state, MAX_SCHEDULE_TIMEOUT);
	sched_waits_for(NULL);
	set_nr_waiters(lock, -1);
	return left < 0 ? (int)left : 0;
}

/* The inner lock is held: the first waiter becomes the owner, instead of from. */
static bool __hand_over(struct mutex *lock, struct task_struct *from)
{
	struct lock_waiter *waiter;

	if (list_empty(&lock->waiters))
		return false;
	waiter = list_first_entry(&lock->waiters, struct lock_waiter, list);
	if (!__atomic_compare_exchange_n(&lock->owner, &from, waiter->task, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__waiter_grant(waiter);
	return true;
}

static void let_go(struct mutex *lock)
{
	host_sigmask_t mask;

	if (__atomic_load_n(&lock->nr_waiters, __ATOMIC_RELAXED)) {
		bool handed;

		mask = inner_lock(&lock->wait_lock);
		handed = __hand_over(lock, current);
		inner_unlock(&lock->wait_lock, mask);
		if (handed)
			return;
	}
	/* Pairs with take(), and with set_nr_waiters(): one that came meanwhile is seen. */
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&lock->nr_waiters, __ATOMIC_SEQ_CST)) {
		mask = inner_lock(&lock->wait_lock);
		__hand_over(lock, NULL);
		inner_unlock(&lock->wait_lock, mask);
	}
}

/* Whether it is taken by this task already, which was or is now reported. */
static bool is_recursion(struct mutex *lock, bool reported)
{
	if (likely(owner_of(lock) != current))
		return false;
	if (!reported)
		report_bug(
			"mutex %s is locked again by its owner %s/%d", lock->dep_map.name, current->comm, current->pid);
	lock->recursions++;
	return true;
}

static int lock_in_state(struct mutex *lock, unsigned int state, unsigned int subclass)
{
	bool fine;
	int error;

	might_sleep();
	fine = lockdep_acquire(&lock->dep_map, subclass, HOW_WRITE);
	if (take(lock))
		return 0;
	if (unlikely(is_recursion(lock, !fine)))
		return 0;
	error = take_sleeping(lock, state);
	if (error)
		lockdep_release(&lock->dep_map);
	return error;
}

void mutex_lock(struct mutex *lock)
{
	lock_in_state(lock, TASK_UNINTERRUPTIBLE, 0);
}

void mutex_lock_nested(struct mutex *lock, unsigned int subclass)
{
	lock_in_state(lock, TASK_UNINTERRUPTIBLE, subclass);
}

void mutex_lock_io(struct mutex *lock)
{
	lock_in_state(lock, TASK_UNINTERRUPTIBLE, 0);
}

int mutex_lock_interruptible(struct mutex *lock)
{
	return lock_in_state(lock, TASK_INTERRUPTIBLE, 0);
}

int mutex_lock_interruptible_nested(struct mutex *lock, unsigned int subclass)
{
	return lock_in_state(lock, TASK_INTERRUPTIBLE, subclass);
}

int mutex_lock_killable(struct mutex *lock)
{
	return lock_in_state(lock, TASK_KILLABLE, 0);
}

int mutex_lock_killable_nested(struct mutex *lock, unsigned int subclass)
{
	return lock_in_state(lock, TASK_KILLABLE, subclass);
}

int mutex_trylock(struct mutex *lock)
{
	if (!take(lock))
		return 0;
	lockdep_acquire(&lock->dep_map, 0, HOW_WRITE | HOW_TRY);
	return 1;
}

void mutex_unlock(struct mutex *lock)
{
	if (!lockdep_release(&lock->dep_map))
		return;
	if (unlikely(owner_of(lock) != current)) {
		report_bug("mutex %s is unlocked by %s/%d, which does not hold it", lock->dep_map.name, current->comm,
			current->pid);
		return;
	}
	if (unlikely(lock->recursions)) {
		lock->recursions--;
		return;
	}
	let_go(lock);
}
