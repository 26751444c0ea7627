/*
 * rwlock.c: spinlocks for many readers or one writer.
 *
 * Calls spinlock.c's waiting and lockdep.c's checks.
 *
 * state: WRITER is set while one writes; WAITER times the writers that wait; the rest are the readers.
 */
#include <linux/rwlock.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"

#define WRITER 0x80000000u
#define WAITER 0x00010000u
#define WAITERS 0x7fff0000u
#define READERS 0x0000ffffu /* that hold it */
#define SPINS 100

void flagstone_rwlock_init(rwlock_t *lock, const char *name, const struct lock_class_key *key)
{
	__atomic_store_n(&lock->state, 0, __ATOMIC_RELAXED);
	lock->sleepers = 0;
	lock->recursions = 0;
	lock->owner = NULL;
	lockdep_init(&lock->dep_map, name, key);
}

static void complain(const char *what)
{
	report_bug("rwlock %s on CPU#%d, %s/%d", what, raw_smp_processor_id(), current ? current->comm : "?",
		current ? current->pid : -1);
}

static uint32_t state_of(rwlock_t *lock)
{
	return __atomic_load_n(&lock->state, __ATOMIC_RELAXED);
}

/* Waits for any change of the state. */
static void wait_for_change(rwlock_t *lock, uint32_t seen, int *spins)
{
	if (*spins) {
		--*spins;
		host_relax();
		if (CONFIG_SANITIZED)
			cpu_look();
		return;
	}
	/* Pairs with changed(): either it sees this sleeper, or the host sees the new state. */
	__atomic_add_fetch(&lock->sleepers, 1, __ATOMIC_SEQ_CST);
	word_wait(&lock->state, seen);
	__atomic_sub_fetch(&lock->sleepers, 1, __ATOMIC_RELAXED);
}

/* After a change that somebody may wait for. */
static void changed(rwlock_t *lock)
{
	/* Pairs with wait_for_change(). */
	if (__atomic_load_n(&lock->sleepers, __ATOMIC_SEQ_CST))
		host_futex_wake(&lock->state, INT32_MAX);
}

/* Takes it if the state has none of the bits that keep this one away: it becomes state + change. seen: the state that kept it away. */
static bool take(rwlock_t *lock, uint32_t away, uint32_t change, uint32_t *seen)
{
	*seen = state_of(lock);
	/* Pairs with read_release() and write_release(): what the last holders did is visible. */
	while (!(*seen & away))
		if (__atomic_compare_exchange_n(
			    &lock->state, seen, *seen + change, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Readers in interrupts take it even where writers wait: they may have interrupted one of its readers. */
static unsigned int how_to_read(void)
{
	return in_interrupt() ? HOW_RECURSIVE : HOW_READ;
}

/* Preemption is off. */
static void read_acquire(rwlock_t *lock)
{
	unsigned int how = how_to_read();
	uint32_t away = how == HOW_RECURSIVE ? WRITER : WRITER | WAITERS, seen;
	int spins = SPINS;

	/* One that was reported and would wait for ever goes in as if it were recursive. */
	if (!lockdep_acquire(&lock->dep_map, 0, how))
		away = __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == current ? 0 : WRITER;
	while (!take(lock, away, 1, &seen))
		wait_for_change(lock, seen, &spins);
}

static bool read_release(rwlock_t *lock)
{
	if (!lockdep_release(&lock->dep_map))
		return false;
	if (unlikely(!(state_of(lock) & READERS))) {
		complain("already unlocked");
		return false;
	}
	/* Pairs with take(). */
	__atomic_sub_fetch(&lock->state, 1, __ATOMIC_SEQ_CST);
	changed(lock);
	return true;
}

static void set_owner(rwlock_t *lock, void *owner)
{
	if (records_owners())
		__atomic_store_n(&lock->owner, owner, __ATOMIC_RELAXED);
}

/* Preemption is off. */
static void write_acquire(rwlock_t *lock, unsigned int subclass)
{
	int spins = SPINS;
	uint32_t seen;
	bool fine = lockdep_acquire(&lock->dep_map, subclass, HOW_WRITE);

	if (fine && unlikely(sched_debug) && current && __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == current) {
		complain("recursion");
		fine = false;
	}
	/* One that was reported and would wait for itself goes in. */
	if (!fine) {
		__atomic_add_fetch(&lock->recursions, 1, __ATOMIC_RELAXED);
		return;
	}
	if (take(lock, WRITER | READERS, WRITER, &seen)) {
		set_owner(lock, current);
		return;
	}
	__atomic_add_fetch(&lock->state, WAITER, __ATOMIC_RELAXED);
	while (!take(lock, WRITER | READERS, WRITER - WAITER, &seen))
		wait_for_change(lock, seen, &spins);
	set_owner(lock, current);
}

static bool write_release(rwlock_t *lock)
{
	if (!lockdep_release(&lock->dep_map))
		return false;
	if (unlikely(__atomic_load_n(&lock->recursions, __ATOMIC_RELAXED))) {
		__atomic_sub_fetch(&lock->recursions, 1, __ATOMIC_RELAXED);
		return true;
	}
	if (unlikely(!(state_of(lock) & WRITER))) {
		complain("already unlocked");
		return false;
	}
	set_owner(lock, NULL);
	/* Pairs with take(). */
	__atomic_and_fetch(&lock->state, ~WRITER, __ATOMIC_SEQ_CST);
	changed(lock);
	return true;
}

/* ---- reading ---- */

void read_lock(rwlock_t *lock)
{
	preempt_disable();
	read_acquire(lock);
}

void read_lock_irq(rwlock_t *lock)
{
	local_irq_disable();
	preempt_disable();
	read_acquire(lock);
}

void read_lock_bh(rwlock_t *lock)
{
	local_bh_disable();
	preempt_disable();
	read_acquire(lock);
}

unsigned long flagstone_read_lock_irqsave(rwlock_t *lock)
{
	unsigned long flags = flagstone_irq_save();

	preempt_disable();
	read_acquire(lock);
	return flags;
}

void read_unlock(rwlock_t *lock)
{
	if (read_release(lock))
		preempt_enable();
}

void read_unlock_irq(rwlock_t *lock)
{
	bool held = read_release(lock);

	local_irq_enable();
	if (held)
		preempt_enable();
}

void read_unlock_bh(rwlock_t *lock)
{
	if (!read_release(lock))
		return;
	preempt_enable_no_resched();
	local_bh_enable();
}

void read_unlock_irqrestore(rwlock_t *lock, unsigned long flags)
{
	bool held = read_release(lock);

	flagstone_irq_restore(flags);
	if (held)
		preempt_enable();
}

int read_trylock(rwlock_t *lock)
{
	uint32_t seen;

	preempt_disable();
	if (take(lock, WRITER, 1, &seen)) {
		lockdep_acquire(&lock->dep_map, 0, how_to_read() | HOW_TRY);
		return 1;
	}
	preempt_enable();
	return 0;
}

/* ---- writing ---- */

void write_lock_nested(rwlock_t *lock, int subclass)
{
	preempt_disable();
	write_acquire(lock, (unsigned int)subclass);
}

void write_lock(rwlock_t *lock)
{
	preempt_disable();
	write_acquire(lock, 0);
}

void write_lock_irq(rwlock_t *lock)
{
	local_irq_disable();
	preempt_disable();
	write_acquire(lock, 0);
}

void write_lock_bh(rwlock_t *lock)
{
	local_bh_disable();
	preempt_disable();
	write_acquire(lock, 0);
}

unsigned long flagstone_write_lock_irqsave(rwlock_t *lock)
{
	unsigned long flags = flagstone_irq_save();

	preempt_disable();
	write_acquire(lock, 0);
	return flags;
}

void write_unlock(rwlock_t *lock)
{
	if (write_release(lock))
		preempt_enable();
}

void write_unlock_irq(rwlock_t *lock)
{
	bool held = write_release(lock);

	local_irq_enable();
	if (held)
		preempt_enable();
}

void write_unlock_bh(rwlock_t *lock)
{
	if (!write_release(lock))
		return;
	preempt_enable_no_resched();
	local_bh_enable();
}

void write_unlock_irqrestore(rwlock_t *lock, unsigned long flags)
{
	bool held = write_release(lock);

	flagstone_irq_restore(flags);
	if (held)
		preempt_enable();
}

int write_trylock(rwlock_t *lock)
{
	uint32_t seen;

	preempt_disable();
	if (take(lock, WRITER | READERS, WRITER, &seen)) {
		lockdep_acquire(&lock->dep_map, 0, HOW_WRITE | HOW_TRY);
		set_owner(lock, current);
		return 1;
	}
	preempt_enable();
	return 0;
}

int flagstone_write_trylock_irqsave(rwlock_t *lock, unsigned long *flags)
{
	*flags = flagstone_irq_save();
	if (write_trylock(lock))
		return 1;
	flagstone_irq_restore(*flags);
	return 0;
}
