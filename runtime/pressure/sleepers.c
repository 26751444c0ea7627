/*
 * sleepers.c: the line of tasks that wait for memory.
 *
 * Calls the page room for what is free. Knows nothing of who frees it.
 *
 * The first in line is woken when its request can be met, and the next only after it: a small request does not overtake a
 * large one for ever. Who was woken takes down to a lower watermark than who comes new, and so gets its memory first.
 */
#include <linux/jiffies.h>

#include "runtime/pressure/internal.h"

#define MOST_A_TIME 4 /* woken at once: what is free is for one of them at least */

struct sleeper {
	struct waiter waiter; /* first: the line is of waiters */
	struct page_request request; /* Synchronization: const */
	unsigned int order; /* Synchronization: const */
};

static struct lock sleepers_lock = {.rank = LOCK_PRESSURE};
static struct list_head line = LIST_HEAD_INIT(line); /* Synchronization: sleepers_lock */
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
	return __atomic_load_n(&nr_sleepers, __ATOMIC_RELAXED) > 0;
}

void sleepers_wait(const struct page_request *request, unsigned int order, long timeout)
{
	struct sleeper sleeper = {.request = *request, .order = order};
	host_sigmask_t mask = guard_acquire(&sleepers_lock);

	vmstat_add(VMSTAT_direct_sleeps, 1);
	__waiter_enter(&line, &sleeper.waiter);
	__set_nr(nr_sleepers + 1);
	/* Somebody who freed just before this found nobody. */
	if (nr_sleepers > 1 || !can_be_met(&sleeper))
		__waiter_sleep(&sleepers_lock, &mask, &sleeper.waiter, timeout, true);
	if (!__waiter_leave(&sleeper.waiter))
		__set_nr(nr_sleepers - 1);
	guard_release(&sleepers_lock, mask);
}

void sleepers_wake(void)
{
	host_sigmask_t mask;

	if (!sleepers_any())
		return;
	mask = guard_acquire(&sleepers_lock);
	for (unsigned int i = 0; i < MOST_A_TIME && !list_empty(&line); i++) {
		struct waiter *first = list_first_entry(&line, struct waiter, list);

		if (!can_be_met(container_of(first, struct sleeper, waiter)))
			break;
		__waiter_wake(first, NULL);
		__set_nr(nr_sleepers - 1);
	}
	guard_release(&sleepers_lock, mask);
}

void sleepers_reset(void)
{
	list_init(&line);
	nr_sleepers = 0;
}
