/*
 * freed.c: looks through the heaps of timers and the lists of work items for those in memory that is freed.
 *
 * Calls nothing but the locks of both. Items beyond max_active, which wait on lists of their queues, are not found.
 */
#include "runtime/irq/freed.h"

#include <string.h>

#include "runtime/irq/timer.h"
#include "runtime/irq/wq.h"

uint32_t freed_counts[FREED_COUNTS];

struct range {
	const char *from;
	size_t size;
};

static bool is_inside(const struct range *range, const void *address)
{
	return (size_t)((const char *)address - range->from) < range->size;
}

static bool may_hold_any(const struct range *range)
{
	uintptr_t page = (uintptr_t)range->from >> FREED_SHIFT;
	uintptr_t last = ((uintptr_t)range->from + range->size - 1) >> FREED_SHIFT;

	for (; page <= last; page++)
		if (__atomic_load_n(&freed_counts[page % FREED_COUNTS], __ATOMIC_RELAXED))
			return true;
	return false;
}

static void report(const struct range *range, const char *type, const void *what, uintptr_t function)
{
	report_bug("ODEBUG: free active (active state 0) object type: %s %p hint: %p, in %zu bytes at %p", type, what,
		(void *)function, range->size, (const void *)range->from);
}

static void check_timers(const struct range *range, struct timer_base *base)
{
	host_sigmask_t mask = lock_acquire_masked(&base->lock);
	struct flagstone_due *due = due_find(base->timers, range->from, range->size);
	struct flagstone_due *hr = due_find(base->hrtimers, range->from, range->size);
	const void *timer = due ? container_of(due, struct timer_list, due) : NULL;
	const void *hrtimer = hr ? container_of(hr, struct hrtimer, due) : NULL;
	uintptr_t function = due ? (uintptr_t)((const struct timer_list *)timer)->function : 0;
	uintptr_t hr_function = hr ? (uintptr_t)((const struct hrtimer *)hrtimer)->function : 0;

	lock_release_masked(&base->lock, mask);
	if (due)
		report(range, "timer_list", timer, function);
	if (hr)
		report(range, "hrtimer", hrtimer, hr_function);
}

static void check_works(const struct range *range, struct worker_pool *pool)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	const struct work_struct *found = NULL;
	struct work_struct *work;
	uintptr_t function = 0;

	list_for_each_entry(work, &pool->works, entry) {
		if (!is_inside(range, work))
			continue;
		found = work;
		function = (uintptr_t)work->func;
	}
	lock_release_masked(&pool->lock, mask);
	if (found)
		report(range, "work_struct", found, function);
}

void irq_check_freed(const void *from, size_t size)
{
	const struct range range = {from, size};

	if (likely(!may_hold_any(&range)))
		return;
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		check_timers(&range, &timer_bases[cpu]);
	for (unsigned int i = 0; i < NR_POOLS; i++)
		if (worker_pools[i].works.next)
			check_works(&range, &worker_pools[i]);
}

void freed_boot(void)
{
	memset(freed_counts, 0, sizeof(freed_counts));
}
