/*
 * local_lock.c: the checks of local locks.
 *
 * Calls printk.c for reports. The header masks preemption and interrupts, which is all that these locks do.
 */
#include <linux/bug.h>
#include <linux/local_lock.h>
#include <linux/might_sleep.h>

#include "runtime/sched/internal.h"

/* One of each kind. Synchronization: atomic */
static uint32_t told_twice, told_other;

static bool first(uint32_t *told)
{
	return !__atomic_exchange_n(told, 1, __ATOMIC_RELAXED);
}

void flagstone_local_lock(local_lock_t *here, const char *file, int line)
{
	if (likely(!sched_debug))
		return;
	if (unlikely(here->owner) && first(&told_twice))
		flagstone_warn(file, line, "local_lock", "local_lock: held on this CPU already, by %s/%d\n",
			here->owner->comm, here->owner->pid);
	here->owner = current;
}

void flagstone_local_unlock(local_lock_t *here, const char *file, int line)
{
	if (likely(!sched_debug))
		return;
	if (unlikely(here->owner != current) && first(&told_other))
		flagstone_warn(file, line, "local_unlock", "local_lock: not held by this task\n");
	here->owner = NULL;
}
