/*
 * linux/bit_spinlock.h: one bit of a word as a spinlock.
 *
 * Semantics: Linux, the kernel's header of this name. As a spinlock, without its checks, and slower where CPUs wait: for what has no room
 * for one. Any context; interrupts that take it, too, have to be off.
 */
#ifndef FLAGSTONE_LINUX_BIT_SPINLOCK_H
#define FLAGSTONE_LINUX_BIT_SPINLOCK_H

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/preempt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One turn of waiting for a bit, with preemption as the caller has it. */
void flagstone_bit_spin_wait(int nr, unsigned long *word);

static inline void bit_spin_lock(int nr, unsigned long *word)
{
	preempt_disable();
	while (test_and_set_bit_lock(nr, word)) {
		preempt_enable();
		flagstone_bit_spin_wait(nr, word);
		preempt_disable();
	}
}

static inline int bit_spin_trylock(int nr, unsigned long *word)
{
	preempt_disable();
	if (!test_and_set_bit_lock(nr, word))
		return 1;
	preempt_enable();
	return 0;
}

static inline void bit_spin_unlock(int nr, unsigned long *word)
{
	BUG_ON(!test_bit(nr, word));
	clear_bit_unlock(nr, word);
	preempt_enable();
}

/* Where nobody else changes a bit of that word while the lock is held. */
static inline void __bit_spin_unlock(int nr, unsigned long *word)
{
	BUG_ON(!test_bit(nr, word));
	__clear_bit_unlock(nr, word);
	preempt_enable();
}

static inline int bit_spin_is_locked(int nr, unsigned long *word)
{
	return test_bit(nr, word);
}

#ifdef __cplusplus
}
#endif

#endif
