/*
 * linux/spinlock.h: locks that are waited for without sleeping.
 *
 * Semantics: Linux, Documentation/locking/spinlocks.rst and kernel-hacking/locking.rst. Preemption is off while one is held. Interrupts
 * that are on arrive while it is waited for. Any context where a comment says nothing; whoever holds one must not sleep.
 * A raw_spinlock_t is the same.
 */
#ifndef FLAGSTONE_LINUX_SPINLOCK_H
#define FLAGSTONE_LINUX_SPINLOCK_H

#include <asm/barrier.h>
#include <linux/bottom_half.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/preempt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct spinlock {
	uint32_t state; /* 0 free, 1 held, 2 held and somebody may sleep on it. Synchronization: atomic */
	uint32_t
		recursions; /* takings by its holder, which were reported and let through. Synchronization: the holder */
	void *owner; /* the task, where mistakes are looked for. Synchronization: atomic, written by the holder */
	struct lockdep_map dep_map;
} spinlock_t;
typedef spinlock_t raw_spinlock_t;

#define __SPIN_LOCK_INITIALIZER(lockname)                   \
	{                                                   \
		0, 0, NULL, FLAGSTONE_LOCKDEP_MAP(lockname) \
	}
#define __SPIN_LOCK_UNLOCKED(lockname) (spinlock_t) __SPIN_LOCK_INITIALIZER(lockname)
#define DEFINE_SPINLOCK(x) spinlock_t x = __SPIN_LOCK_INITIALIZER(x)

void flagstone_spin_lock_init(spinlock_t *lock, const char *name, const struct lock_class_key *key);
/* Makes a free lock. Each place that has this is a class of locks. */
#define spin_lock_init(lock)                                     \
	do {                                                     \
		static struct lock_class_key __key;              \
		flagstone_spin_lock_init((lock), #lock, &__key); \
	} while (0)

void spin_lock(spinlock_t *lock);
/* Said by code that takes two locks of a class: they are different ones. subclass: below MAX_LOCKDEP_SUBCLASSES. */
void spin_lock_nested(spinlock_t *lock, int subclass);
/* Interrupts off first. spin_unlock_irq() turns them on. */
void spin_lock_irq(spinlock_t *lock);
/* Softirqs off first. Not in a hard interrupt. */
void spin_lock_bh(spinlock_t *lock);
unsigned long flagstone_spin_lock_irqsave(spinlock_t *lock, int subclass);
/* Interrupts off first; flags receives what they were, for spin_unlock_irqrestore(). */
#define spin_lock_irqsave(lock, flags) ((void)((flags) = flagstone_spin_lock_irqsave((lock), 0)))
#define spin_lock_irqsave_nested(lock, flags, subclass) \
	((void)((flags) = flagstone_spin_lock_irqsave((lock), (subclass))))

/* Undo the above, in the reverse order. A lock that is not held, or not by this task, is a report. */
void spin_unlock(spinlock_t *lock);
void spin_unlock_irq(spinlock_t *lock);
void spin_unlock_bh(spinlock_t *lock);
void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);

/* Take it if that needs no waiting: 1. 0: nothing has changed, nor have preemption and interrupts. */
int spin_trylock(spinlock_t *lock);
int spin_trylock_irq(spinlock_t *lock);
int spin_trylock_bh(spinlock_t *lock);
int flagstone_spin_trylock_irqsave(spinlock_t *lock, unsigned long *flags);
#define spin_trylock_irqsave(lock, flags) flagstone_spin_trylock_irqsave((lock), &(flags))

/* Whether anybody holds it: a hint. */
static inline int spin_is_locked(spinlock_t *lock)
{
	return __atomic_load_n(&lock->state, __ATOMIC_RELAXED) != 0;
}

/* Whether somebody may wait for it: a hint. */
static inline int spin_is_contended(spinlock_t *lock)
{
	return __atomic_load_n(&lock->state, __ATOMIC_RELAXED) == 2;
}

void flagstone_assert_spin_locked(spinlock_t *lock, const char *file, int line);
/* A report if nobody holds it. */
#define assert_spin_locked(lock) flagstone_assert_spin_locked((lock), __FILE__, __LINE__)

#define __RAW_SPIN_LOCK_UNLOCKED(lockname) __SPIN_LOCK_UNLOCKED(lockname)
#define DEFINE_RAW_SPINLOCK(x) DEFINE_SPINLOCK(x)
#define raw_spin_lock_init(lock) spin_lock_init(lock)
#define raw_spin_lock(lock) spin_lock(lock)
#define raw_spin_lock_nested(lock, subclass) spin_lock_nested(lock, subclass)
#define raw_spin_lock_irq(lock) spin_lock_irq(lock)
#define raw_spin_lock_bh(lock) spin_lock_bh(lock)
#define raw_spin_lock_irqsave(lock, flags) spin_lock_irqsave(lock, flags)
#define raw_spin_unlock(lock) spin_unlock(lock)
#define raw_spin_unlock_irq(lock) spin_unlock_irq(lock)
#define raw_spin_unlock_bh(lock) spin_unlock_bh(lock)
#define raw_spin_unlock_irqrestore(lock, flags) spin_unlock_irqrestore(lock, flags)
#define raw_spin_trylock(lock) spin_trylock(lock)
#define raw_spin_trylock_irq(lock) spin_trylock_irq(lock)
#define raw_spin_trylock_bh(lock) spin_trylock_bh(lock)
#define raw_spin_trylock_irqsave(lock, flags) spin_trylock_irqsave(lock, flags)
#define raw_spin_is_locked(lock) spin_is_locked(lock)
#define raw_spin_is_contended(lock) spin_is_contended(lock)

#ifdef __cplusplus
}
#endif

#include <linux/rwlock.h>

#endif
