/*
 * percpu_ref.c: makes the counters of a reference count one, and many again.
 *
 * Calls rcu for grace periods, percpu for counters, sched for those that wait for a switch. Refuses to know what is counted.
 */
#include <linux/bug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/percpu-refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#define BIAS (1l << 62) /* more than there are references */

/* Of all: a count may be freed by its last reference, and so has no lock of its own. */
static DEFINE_SPINLOCK(switch_lock);
static DECLARE_WAIT_QUEUE_HEAD(switch_wait);

int percpu_ref_init(struct percpu_ref *ref, percpu_ref_func_t *release, unsigned int flags, gfp_t gfp)
{
	*ref = (struct percpu_ref){.release = release};
	ref->counters = alloc_percpu_gfp(unsigned long, gfp);
	if (!ref->counters)
		return -ENOMEM;
	ref->wants_atomic = !!(flags & PERCPU_REF_INIT_ATOMIC);
	if (flags & PERCPU_REF_INIT_DEAD)
		ref->state = FLAGSTONE_REF_ATOMIC | FLAGSTONE_REF_DEAD;
	else if (ref->wants_atomic)
		ref->state = FLAGSTONE_REF_ATOMIC;
	atomic_long_set(&ref->count, ref->state & FLAGSTONE_REF_DEAD ? 0 : ref->state ? 1 : BIAS + 1);
	return 0;
}

void percpu_ref_exit(struct percpu_ref *ref)
{
	WARN_ON_ONCE(ref->switching);
	free_percpu(ref->counters);
	ref->counters = NULL;
	ref->state = FLAGSTONE_REF_ATOMIC | FLAGSTONE_REF_DEAD;
}

/* ---- one counter ---- */

/* Nobody changes the counters any more. The last thing that is done with the count: it may end by it. */
static void switch_done(struct rcu_head *head)
{
	struct percpu_ref *ref = container_of(head, struct percpu_ref, rcu);
	unsigned long flags, sum = 0;
	percpu_ref_func_t *confirm;
	unsigned int cpu;

	for_each_possible_cpu(cpu) sum += READ_ONCE(*per_cpu_ptr(ref->counters, cpu));
	atomic_long_add((long)sum - BIAS, &ref->count);
	spin_lock_irqsave(&switch_lock, flags);
	confirm = ref->confirm;
	ref->confirm = NULL;
	spin_unlock_irqrestore(&switch_lock, flags);
	if (confirm)
		confirm(ref);
	spin_lock_irqsave(&switch_lock, flags);
	WRITE_ONCE(ref->switching, 0);
	spin_unlock_irqrestore(&switch_lock, flags);
	wake_up_all(&switch_wait);
	percpu_ref_put(ref);
}

/* The lock is held, and let go while a switch has not ended. */
static void __wait_switched(struct percpu_ref *ref, unsigned long *flags)
{
	while (ref->switching) {
		spin_unlock_irqrestore(&switch_lock, *flags);
		wait_event(switch_wait, !READ_ONCE(ref->switching));
		spin_lock_irqsave(&switch_lock, *flags);
	}
}

/* Returns whether it was one counter already, and so is nothing to wait for. */
static bool __switch_to_atomic(struct percpu_ref *ref, percpu_ref_func_t *confirm)
{
	if (ref->state & FLAGSTONE_REF_ATOMIC)
		return true;
	percpu_ref_get(ref); /* switch_done() puts it */
	ref->switching = 1;
	ref->confirm = confirm;
	smp_store_release(&ref->state, ref->state | FLAGSTONE_REF_ATOMIC);
	call_rcu(&ref->rcu, switch_done);
	return false;
}

void percpu_ref_switch_to_atomic(struct percpu_ref *ref, percpu_ref_func_t *confirm)
{
	unsigned long flags;
	bool was;

	spin_lock_irqsave(&switch_lock, flags);
	__wait_switched(ref, &flags);
	ref->wants_atomic = 1;
	was = __switch_to_atomic(ref, confirm);
	spin_unlock_irqrestore(&switch_lock, flags);
	if (was && confirm)
		confirm(ref);
}

void percpu_ref_switch_to_atomic_sync(struct percpu_ref *ref)
{
	percpu_ref_switch_to_atomic(ref, NULL);
	wait_event(switch_wait, !READ_ONCE(ref->switching));
}

void percpu_ref_kill_and_confirm(struct percpu_ref *ref, percpu_ref_func_t *confirm)
{
	unsigned long flags;
	bool was;

	spin_lock_irqsave(&switch_lock, flags);
	__wait_switched(ref, &flags);
	WARN_ONCE(ref->state & FLAGSTONE_REF_DEAD, "percpu_ref_kill_and_confirm called more than once!\n");
	WRITE_ONCE(ref->state, ref->state | FLAGSTONE_REF_DEAD);
	was = __switch_to_atomic(ref, confirm);
	spin_unlock_irqrestore(&switch_lock, flags);
	if (was && confirm)
		confirm(ref);
	percpu_ref_put(ref);
}

bool percpu_ref_is_zero(struct percpu_ref *ref)
{
	return smp_load_acquire(&ref->state) & FLAGSTONE_REF_ATOMIC && !atomic_long_read(&ref->count);
}

/* ---- many ---- */

static void __switch_to_percpu(struct percpu_ref *ref)
{
	unsigned int cpu;

	if (!(ref->state & FLAGSTONE_REF_ATOMIC) || ref->state & FLAGSTONE_REF_DEAD || ref->wants_atomic)
		return;
	atomic_long_add(BIAS, &ref->count);
	for_each_possible_cpu(cpu) WRITE_ONCE(*per_cpu_ptr(ref->counters, cpu), 0);
	/* Pairs with who gets and puts: the counters are 0 for them. */
	smp_store_release(&ref->state, ref->state & ~FLAGSTONE_REF_ATOMIC);
}

void percpu_ref_switch_to_percpu(struct percpu_ref *ref)
{
	unsigned long flags;

	spin_lock_irqsave(&switch_lock, flags);
	__wait_switched(ref, &flags);
	ref->wants_atomic = 0;
	__switch_to_percpu(ref);
	spin_unlock_irqrestore(&switch_lock, flags);
}

void percpu_ref_resurrect(struct percpu_ref *ref)
{
	unsigned long flags;

	spin_lock_irqsave(&switch_lock, flags);
	WARN_ON_ONCE(!(ref->state & FLAGSTONE_REF_DEAD));
	__wait_switched(ref, &flags);
	WRITE_ONCE(ref->state, ref->state & ~FLAGSTONE_REF_DEAD);
	percpu_ref_get(ref);
	__switch_to_percpu(ref);
	spin_unlock_irqrestore(&switch_lock, flags);
}

void percpu_ref_reinit(struct percpu_ref *ref)
{
	WARN_ON_ONCE(!percpu_ref_is_zero(ref));
	percpu_ref_resurrect(ref);
}
