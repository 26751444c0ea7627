/*
 * linux/rwlock.h: spinlocks that many readers or one writer hold.
 *
 * Semantics: Linux, Documentation/locking/spinlocks.rst. Readers in task context queue behind a writer that waits, so they must not take
 * one twice; readers in interrupts do not. Include <linux/spinlock.h>.
 */
#ifndef FLAGSTONE_LINUX_RWLOCK_H
#define FLAGSTONE_LINUX_RWLOCK_H

#include <linux/bottom_half.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rwlock {
	uint32_t state; /* readers, writers that wait, a writer. Synchronization: atomic */
	uint32_t sleepers; /* threads that sleep until state changes. Synchronization: atomic */
	uint32_t recursions; /* takings by its holder, which were reported and let through. Synchronization: atomic */
	void *owner; /* the task that writes, where mistakes are looked for. Synchronization: atomic, written by the holder */
	struct lockdep_map dep_map;
} rwlock_t;

#define __RW_LOCK_INITIALIZER(lockname)                        \
	{                                                      \
		0, 0, 0, NULL, FLAGSTONE_LOCKDEP_MAP(lockname) \
	}
#define __RW_LOCK_UNLOCKED(lockname) (rwlock_t) __RW_LOCK_INITIALIZER(lockname)
#define DEFINE_RWLOCK(x) rwlock_t x = __RW_LOCK_INITIALIZER(x)

void flagstone_rwlock_init(rwlock_t *lock, const char *name, const struct lock_class_key *key);
/* Makes a free lock. Each place that has this is a class of locks. */
#define rwlock_init(lock)                                     \
	do {                                                  \
		static struct lock_class_key __key;           \
		flagstone_rwlock_init((lock), #lock, &__key); \
	} while (0)

/* As the spinlocks' functions of the same ending. */
void read_lock(rwlock_t *lock);
void read_lock_irq(rwlock_t *lock);
void read_lock_bh(rwlock_t *lock);
unsigned long flagstone_read_lock_irqsave(rwlock_t *lock);
#define read_lock_irqsave(lock, flags) ((void)((flags) = flagstone_read_lock_irqsave(lock)))
void read_unlock(rwlock_t *lock);
void read_unlock_irq(rwlock_t *lock);
void read_unlock_bh(rwlock_t *lock);
void read_unlock_irqrestore(rwlock_t *lock, unsigned long flags);
int read_trylock(rwlock_t *lock);

void write_lock(rwlock_t *lock);
void write_lock_nested(rwlock_t *lock, int subclass);
void write_lock_irq(rwlock_t *lock);
void write_lock_bh(rwlock_t *lock);
unsigned long flagstone_write_lock_irqsave(rwlock_t *lock);
#define write_lock_irqsave(lock, flags) ((void)((flags) = flagstone_write_lock_irqsave(lock)))
void write_unlock(rwlock_t *lock);
void write_unlock_irq(rwlock_t *lock);
void write_unlock_bh(rwlock_t *lock);
void write_unlock_irqrestore(rwlock_t *lock, unsigned long flags);
int write_trylock(rwlock_t *lock);
int flagstone_write_trylock_irqsave(rwlock_t *lock, unsigned long *flags);
#define write_trylock_irqsave(lock, flags) flagstone_write_trylock_irqsave((lock), &(flags))

/* Whether anybody holds it: a hint. */
static inline int rwlock_is_locked(rwlock_t *lock)
{
	return (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) & 0x8000ffffu) != 0;
}

#ifdef __cplusplus
}
#endif

#endif
