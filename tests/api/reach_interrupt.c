/*
 * reach_interrupt.c: what a driver has by <linux/interrupt.h> alone, and by <linux/sched.h>.
 */
#include <linux/interrupt.h>
#include <linux/sched.h>
#include "reach.h"

int reach_interrupt(void)
{
	struct hrtimer timer;
	struct kref kref;
	refcount_t count = REFCOUNT_INIT(2);
	spinlock_t lock;
	unsigned long bits = 0, flags;
	ktime_t time = ms_to_ktime(5);

	kref_init(&kref);
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	spin_lock_init(&lock);
	spin_lock_irqsave(&lock, flags);
	set_bit(3, &bits);
	spin_unlock_irqrestore(&lock, flags);
	rcu_read_lock();
	rcu_read_unlock();
	return ktime_to_ns(time) == 5000000 && bits == 8 && refcount_read(&count) == 2 && kref_read(&kref) == 1 &&
			       time_after(jiffies + 1, jiffies)
		       ? 0
		       : -EINVAL;
}
