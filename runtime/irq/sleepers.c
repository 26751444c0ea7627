/*
 * sleepers.c: tasks that wait for something of this room's, which is known by its address.
 *
 * Calls sched for sleeping and waking. Never touches what is at the address: it may be gone once it is woken.
 */
#include "runtime/irq/internal.h"

#define NR_BUCKETS 64

struct sleeper {
	struct list_head list; /* Synchronization: the bucket's lock */
	const void *key;
	struct task_struct *task;
};

static struct {
	struct lock lock; /* rank CLOCK: taken inside this room's others */
	struct list_head list;
	unsigned int nr; /* length(list). Synchronization: atomic, written under lock */
} buckets[NR_BUCKETS];

static unsigned int bucket_of(const void *key)
{
	uintptr_t bits = (uintptr_t)key;

	return (unsigned int)((bits >> 4 ^ bits >> 10 ^ bits >> 17) % NR_BUCKETS);
}

static void __enter(unsigned int bucket, struct sleeper *sleeper)
{
	list_add_tail(&sleeper->list, &buckets[bucket].list);
	/* Pairs with wake_on(): either it finds this sleeper, or the sleeper finds what was made true before. */
	__atomic_fetch_add(&buckets[bucket].nr, 1, __ATOMIC_SEQ_CST);
}

void sleep_on(const void *key, bool (*done)(void *arg), void *arg)
{
	struct sleeper sleeper = {.key = key, .task = current};
	unsigned int bucket = bucket_of(key);
	host_sigmask_t mask = lock_acquire_masked(&buckets[bucket].lock);

	__enter(bucket, &sleeper);
	lock_release_masked(&buckets[bucket].lock, mask);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (done(arg))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	mask = lock_acquire_masked(&buckets[bucket].lock);
	list_del(&sleeper.list);
	__atomic_fetch_sub(&buckets[bucket].nr, 1, __ATOMIC_RELAXED);
	lock_release_masked(&buckets[bucket].lock, mask);
}

void wake_on(const void *key)
{
	unsigned int bucket = bucket_of(key);
	struct sleeper *sleeper;
	host_sigmask_t mask;

	/* Pairs with __enter(). */
	if (!__atomic_fetch_add(&buckets[bucket].nr, 0, __ATOMIC_SEQ_CST))
		return;
	mask = lock_acquire_masked(&buckets[bucket].lock);
	list_for_each_entry(sleeper, &buckets[bucket].list, list)
		if (sleeper->key == key)
			wake_up_process(sleeper->task);
	lock_release_masked(&buckets[bucket].lock, mask);
}

void sleepers_boot(void)
{
	for (unsigned int i = 0; i < NR_BUCKETS; i++) {
		lock_init(&buckets[i].lock, LOCK_CLOCK);
		list_init(&buckets[i].list);
		buckets[i].nr = 0;
	}
}
