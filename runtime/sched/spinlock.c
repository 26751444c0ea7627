/*
 * spinlock.c: spinlocks in all their forms.
 *
 * Calls host to sleep when the holder does not let go soon, lockdep.c for checks. Knows nothing of what locks protect.
 */
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"

#define SPINS 100 /* turns before sleeping: a few times a short critical section */
#define LOOK_NS 50000 /* between looks for interrupts, where no signal ends a sleep */

enum { FREE, HELD, CONTENDED };

unsigned int flagstone_fence_word;

/* ---- words ---- */

bool word_try(uint32_t *word)
{
	uint32_t expected = FREE;

	/* Pairs with word_release(): what the last holder wrote is visible to this one. */
	return __atomic_compare_exchange_n(word, &expected, HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void word_wait(uint32_t *word, uint32_t value)
{
	if (!CONFIG_SANITIZED) {
		host_futex_wait(word, value);
		return;
	}
	host_futex_wait_for(word, value, LOOK_NS);
	cpu_look();
}

void word_acquire(uint32_t *word)
{
	for (int spins = SPINS; spins; spins--) {
		if (__atomic_load_n(word, __ATOMIC_RELAXED) == FREE && word_try(word))
			return;
		host_relax();
		if (CONFIG_SANITIZED)
			cpu_look();
	}
	/* Pairs with word_release(), which wakes who left CONTENDED. */
	while (__atomic_exchange_n(word, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
		word_wait(word, CONTENDED);
}

bool word_release(uint32_t *word)
{
	/* Pairs with word_try() and word_acquire(). */
	uint32_t was = __atomic_exchange_n(word, FREE, __ATOMIC_RELEASE);

	if (was == CONTENDED)
		host_futex_wake(word, 1);
	return was != FREE;
}

/* ---- spinlocks ---- */

void flagstone_spin_lock_init(spinlock_t *lock, const char *name, const struct lock_class_key *key)
{
	__atomic_store_n(&lock->state, FREE, __ATOMIC_RELAXED);
	lock->recursions = 0;
	lock->owner = NULL;
	lockdep_init(&lock->dep_map, name, key);
}

static void complain(const char *what)
{
	report_bug("spinlock %s on CPU#%d, %s/%d", what, raw_smp_processor_id(), current ? current->comm : "?",
		current ? current->pid : -1);
}

static void *owner_of(spinlock_t *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);
}

static void set_owner(spinlock_t *lock, void *owner)
{
	if (records_owners())
		__atomic_store_n(&lock->owner, owner, __ATOMIC_RELAXED);
}

/* Preemption is off. */
static void acquire(spinlock_t *lock, unsigned int subclass)
{
	bool fine = lockdep_acquire(&lock->dep_map, subclass, HOW_WRITE);

	if (unlikely(sched_debug) && unlikely(!lock->dep_map.name))
		complain("bad magic");
	if (fine && unlikely(sched_debug) && current && unlikely(owner_of(lock) == current)) {
		complain("recursion");
		fine = false;
	}
	if (!fine && owner_of(lock) == current) {
		lock->recursions++;
		return;
	}
	if (!word_try(&lock->state))
		word_acquire(&lock->state);
	set_owner(lock, current);
}

/* Returns false if it was not this task's to let go, which was reported: then it is as before. */
static bool release(spinlock_t *lock)
{
	if (!lockdep_release(&lock->dep_map))
		return false;
	if (unlikely(sched_debug) && unlikely(owner_of(lock) != current)) {
		complain(spin_is_locked(lock) ? "wrong owner" : "already unlocked");
		return false;
	}
	if (unlikely(lock->recursions)) {
		lock->recursions--;
		return true;
	}
	set_owner(lock, NULL);
	word_release(&lock->state);
	return true;
}

static bool try(spinlock_t *lock)
{
	if (!word_try(&lock->state))
		return false;
	lockdep_acquire(&lock->dep_map, 0, HOW_WRITE | HOW_TRY);
	set_owner(lock, current);
	return true;
}

void spin_lock_nested(spinlock_t *lock, int subclass)
{
	preempt_disable();
	acquire(lock, (unsigned int)subclass);
}

void spin_lock(spinlock_t *lock)
{
	preempt_disable();
	acquire(lock, 0);
}

void spin_lock_irq(spinlock_t *lock)
{
	local_irq_disable();
	preempt_disable();
	acquire(lock, 0);
}

void spin_lock_bh(spinlock_t *lock)
{
	local_bh_disable();
	preempt_disable();
	acquire(lock, 0);
}

unsigned long flagstone_spin_lock_irqsave(spinlock_t *lock, int subclass)
{
	unsigned long flags = flagstone_irq_save();

	preempt_disable();
	acquire(lock, (unsigned int)subclass);
	return flags;
}

void spin_unlock(spinlock_t *lock)
{
	if (release(lock))
		preempt_enable();
}

void spin_unlock_irq(spinlock_t *lock)
{
	bool held = release(lock);

	local_irq_enable();
	if (held)
		preempt_enable();
}

void spin_unlock_bh(spinlock_t *lock)
{
	if (!release(lock))
		return;
	preempt_enable_no_resched();
	local_bh_enable();
}

void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	bool held = release(lock);

	flagstone_irq_restore(flags);
	if (held)
		preempt_enable();
}

int spin_trylock(spinlock_t *lock)
{
	preempt_disable();
	if (try(lock))
		return 1;
	preempt_enable();
	return 0;
}

int spin_trylock_irq(spinlock_t *lock)
{
	local_irq_disable();
	if (spin_trylock(lock))
		return 1;
	local_irq_enable();
	return 0;
}

int spin_trylock_bh(spinlock_t *lock)
{
	local_bh_disable();
	if (spin_trylock(lock))
		return 1;
	local_bh_enable();
	return 0;
}

int flagstone_spin_trylock_irqsave(spinlock_t *lock, unsigned long *flags)
{
	*flags = flagstone_irq_save();
	if (spin_trylock(lock))
		return 1;
	flagstone_irq_restore(*flags);
	return 0;
}

void flagstone_assert_spin_locked(spinlock_t *lock, const char *file, int line)
{
	if (!spin_is_locked(lock))
		report_bug("assert_spin_locked at %s:%d: %s is not locked", file, line, lock->dep_map.name);
}
