/*
 * wait_bit.c: waiting for bits and variables on queues that many of them share.
 *
 * Calls wait.c. Knows nothing of what the bits mean.
 */
#include <linux/jiffies.h>
#include <linux/wait_bit.h>

#include "runtime/sched/locks.h"

#define NR_QUEUES 64 /* a power of two */
#define A_VARIABLE (-1) /* as a bit's number */

static struct wait_queue_head queues[NR_QUEUES];

void wait_bit_boot(void)
{
	static struct lock_class_key key;

	for (unsigned int i = 0; i < NR_QUEUES; i++)
		flagstone_init_waitqueue_head(&queues[i], "bit wait queue", &key);
}

static struct wait_queue_head *queue_of(void *address, int bit)
{
	uint64_t hash = ((uintptr_t)address + (uint64_t)(unsigned int)bit) * 0x9e3779b97f4a7c15ull;

	return &queues[hash >> 32 & (NR_QUEUES - 1)];
}

struct wait_queue_head *bit_waitqueue(unsigned long *word, int bit)
{
	return queue_of(word, bit);
}

struct wait_queue_head *__var_waitqueue(void *var)
{
	return queue_of(var, A_VARIABLE);
}

/* ---- entries ---- */

static bool is_for(const struct wait_bit_queue_entry *waiter, const struct wait_bit_key *key)
{
	return waiter->key.flags == key->flags && waiter->key.bit_nr == key->bit_nr;
}

/* Others on the queue wait for something else, and one that will see the bit set again goes on sleeping. */
static int wake_bit(struct wait_queue_entry *entry, unsigned int mode, int flags, void *arg)
{
	struct wait_bit_queue_entry *waiter = container_of(entry, struct wait_bit_queue_entry, wq_entry);
	struct wait_bit_key *key = arg;

	if (!is_for(waiter, key) || test_bit(key->bit_nr, (unsigned long *)key->flags))
		return 0;
	return autoremove_wake_function(entry, mode, flags, NULL);
}

static int wake_var(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	if (!is_for(container_of(entry, struct wait_bit_queue_entry, wq_entry), key))
		return 0;
	return autoremove_wake_function(entry, mode, flags, NULL);
}

static void init_entry(struct wait_bit_queue_entry *waiter, void *address, int bit, wait_queue_func_t func, int flags)
{
	waiter->key = (struct wait_bit_key){.flags = address, .bit_nr = bit};
	init_wait_entry(&waiter->wq_entry, flags);
	waiter->wq_entry.func = func;
}

void init_wait_var_entry(struct wait_bit_queue_entry *entry, void *var, int flags)
{
	init_entry(entry, var, A_VARIABLE, wake_var, flags);
}

/* ---- waiting ---- */

static int interrupted(int mode)
{
	return sleep_is_interrupted((unsigned int)mode) ? -EINTR : 0;
}

int bit_wait(struct wait_bit_key *key, int mode)
{
	(void)key;
	schedule();
	return interrupted(mode);
}

int bit_wait_io(struct wait_bit_key *key, int mode)
{
	(void)key;
	io_schedule();
	return interrupted(mode);
}

int bit_wait_timeout(struct wait_bit_key *key, int mode)
{
	unsigned long now = jiffies;

	if (time_after_eq(now, key->timeout))
		return -EAGAIN;
	schedule_timeout((long)(key->timeout - now));
	return interrupted(mode);
}

int bit_wait_io_timeout(struct wait_bit_key *key, int mode)
{
	return bit_wait_timeout(key, mode);
}

/* take: the bit is set once it is clear. */
static int wait_for(struct wait_bit_key *what, wait_bit_action_f *action, unsigned int mode, bool take)
{
	struct wait_queue_head *queue = bit_waitqueue(what->flags, what->bit_nr);
	struct wait_bit_queue_entry waiter;
	bool clear = false;
	int error = 0;

	init_entry(&waiter, what->flags, what->bit_nr, wake_bit, take ? (int)WQ_FLAG_EXCLUSIVE : 0);
	waiter.key.timeout = what->timeout;
	while (!clear && !error) {
		if (take)
			prepare_to_wait_exclusive(queue, &waiter.wq_entry, (int)mode);
		else
			prepare_to_wait(queue, &waiter.wq_entry, (int)mode);
		if (test_bit(what->bit_nr, what->flags))
			error = action(&waiter.key, (int)mode);
		/* From here on no wake-up is spent on it; of one that was, it makes use below. */
		if (error)
			finish_wait(queue, &waiter.wq_entry);
		/* Pairs with clear_bit_unlock(). */
		if (take)
			clear = !test_and_set_bit_lock(what->bit_nr, what->flags);
		else
			clear = !test_bit_acquire(what->bit_nr, what->flags);
	}
	finish_wait(queue, &waiter.wq_entry);
	return clear ? 0 : error;
}

int out_of_line_wait_on_bit(unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode)
{
	struct wait_bit_key what = {.flags = word, .bit_nr = bit};

	return wait_for(&what, action, mode, false);
}

int out_of_line_wait_on_bit_timeout(
	unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode, unsigned long timeout)
{
	struct wait_bit_key what = {.flags = word, .bit_nr = bit, .timeout = jiffies + timeout};

	return wait_for(&what, action, mode, false);
}

int out_of_line_wait_on_bit_lock(unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode)
{
	struct wait_bit_key what = {.flags = word, .bit_nr = bit};

	return wait_for(&what, action, mode, true);
}

/* ---- waking ---- */

void wake_up_bit(unsigned long *word, int bit)
{
	struct wait_bit_key key = {.flags = word, .bit_nr = bit};
	struct wait_queue_head *queue = bit_waitqueue(word, bit);

	if (waitqueue_active(queue))
		__wake_up(queue, TASK_NORMAL, 1, &key);
}

void clear_and_wake_up_bit(int bit, unsigned long *word)
{
	clear_bit_unlock(bit, word);
	smp_mb__after_atomic(); /* Pairs with prepare_to_wait(): the waiter sees the bit clear, or we see the waiter */
	wake_up_bit(word, bit);
}

void wake_up_var(void *var)
{
	struct wait_bit_key key = {.flags = var, .bit_nr = A_VARIABLE};
	struct wait_queue_head *queue = __var_waitqueue(var);

	if (waitqueue_active(queue))
		__wake_up(queue, TASK_NORMAL, 0, &key);
}
