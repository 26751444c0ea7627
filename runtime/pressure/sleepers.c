/*
 * sleepers.c: the line of tasks that wait for memory.
 *
 * Calls the page room for what is free, and kswapd, which looks for it. Knows nothing of who frees it.
 *
 * The first in line is woken when its request can be met, and the next only after it: a small request does not
 * overtake a large one for ever. Who was woken takes down to a lower watermark than who comes new, and so gets its
 * memory first.
 */
#include <linux/jiffies.h>

#include "runtime/pressure/internal.h"

#define MOST_A_TIME 4 /* woken at once: what is free is for one of them at least */

/* The line is sorted by ticket. */
struct sleeper {
	struct waiter waiter;
	unsigned long ticket; /* Synchronization: const */
	struct page_request request; /* Synchronization: const */
	unsigned int order; /* Synchronization: const */
};

static struct lock sleepers_lock = {.rank = LOCK_PRESSURE};
static struct list_head line = LIST_HEAD_INIT(line); /* Synchronization: sleepers_lock */
static unsigned long last_ticket; /* Synchronization: sleepers_lock */
static unsigned int nr_sleepers; /* == length(line). Synchronization: sleepers_lock; a hint without */

static bool can_be_met(const struct sleeper *sleeper)
{
	const struct page_request *request = &sleeper->request;

	return zones_suffice(request->this_node ? request->node : -1, sleeper->order,
		(enum page_zone_type)request->type, (enum page_level)request->level);
}

static void __set_nr(unsigned int nr)
{
	__atomic_store_n(&nr_sleepers, nr, __ATOMIC_RELAXED);
}

bool sleepers_any(void)
{
	/* Pairs with sleepers_wait(): what was freed before is seen there, or the sleeper here. */
	return __atomic_load_n(&nr_sleepers, __ATOMIC_SEQ_CST) > 0;
}

static struct sleeper *sleeper_of(struct list_head *node)
{
	return container_of(container_of(node, struct waiter, list), struct sleeper, waiter);
}

/* Behind those with lower tickets. */
static void __stand_in_line(struct sleeper *sleeper)
{
	struct list_head *before = line.prev;

	while (before != &line && sleeper_of(before)->ticket > sleeper->ticket)
		before = before->prev;
	__waiter_enter(before->next, &sleeper->waiter);
	__set_nr(nr_sleepers + 1);
}

void sleepers_wait(const struct page_request *request, unsigned int order, long timeout, unsigned long *ticket)
{
	struct sleeper sleeper = {.request = *request, .order = order};
	host_sigmask_t mask = lock_acquire_masked(&sleepers_lock);

	vmstat_add(VMSTAT_direct_sleeps, 1);
	if (!*ticket)
		*ticket = ++last_ticket;
	sleeper.ticket = *ticket;
	__stand_in_line(&sleeper);
	/* Wakes, which is a barrier: it pairs with sleepers_any() in sleepers_wake(). Who freed and found nobody there is found here. */
	kswapd_watch();
	if (sleeper_of(line.next) != &sleeper || !can_be_met(&sleeper))
		__waiter_sleep(&sleepers_lock, &mask, &sleeper.waiter, timeout, true);
	if (!__waiter_leave(&sleeper.waiter))
		__set_nr(nr_sleepers - 1);
	lock_release_masked(&sleepers_lock, mask);
}

void sleepers_wake(void)
{
	host_sigmask_t mask;

	if (!sleepers_any())
		return;
	mask = lock_acquire_masked(&sleepers_lock);
	for (unsigned int i = 0; i < MOST_A_TIME && !list_empty(&line); i++) {
		struct sleeper *first = sleeper_of(line.next);

		if (!can_be_met(first))
			break;
		__waiter_wake(&first->waiter, NULL);
		__set_nr(nr_sleepers - 1);
	}
	lock_release_masked(&sleepers_lock, mask);
}

void sleepers_reset(void)
{
	list_init(&line);
	nr_sleepers = 0;
	last_ticket = 0;
}

void sleepers_forget(void)
{
	lock_reinit(&sleepers_lock);
	sleepers_reset();
}
