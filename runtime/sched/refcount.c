/*
 * refcount.c: reference counts that saturate instead of wrapping, and tell.
 *
 * Calls report, once for each kind of mistake, and a hook for the history of the memory that the count lies in.
 */
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"
#include "runtime/sched/sched.h"

#define NR_FRAMES 16

void (*sched_history_hook)(const void *p);

enum mistake { ADD_OVERFLOW, ADD_NOT_ZERO_OVERFLOW, ADD_USED_FREE, SUB_UNDERFLOW, DEC_TO_ZERO, NR_MISTAKES };

/* The object that has the count may be free already, and those who allocated and freed it be far away. */
static void report(const refcount_t *r, const char *mistake)
{
	uintptr_t frames[NR_FRAMES];
	unsigned int nr = sched_stack(frames, NR_FRAMES);

	if (!nr || !sched_history_hook) {
		report_bug("refcount_t: %s", mistake);
		return;
	}
	report_note("BUG: refcount_t: %s", mistake);
	report_stack(frames, nr);
	sched_history_hook(r);
	report_bug_end();
}

/* The count stays where no further mistake brings it near 0. */
static void saturate(refcount_t *r, enum mistake mistake)
{
	static const char *const texts[NR_MISTAKES] = {
		[ADD_OVERFLOW] = "saturated; leaking memory",
		[ADD_NOT_ZERO_OVERFLOW] = "saturated; leaking memory",
		[ADD_USED_FREE] = "addition on 0; use-after-free",
		[SUB_UNDERFLOW] = "underflow; use-after-free",
		[DEC_TO_ZERO] = "decrement hit 0; leaking memory",
	};
	static uint32_t told[NR_MISTAKES]; /* Synchronization: atomic */

	atomic_set(&r->refs, REFCOUNT_SATURATED);
	if (!__atomic_exchange_n(&told[mistake], 1, __ATOMIC_RELAXED))
		report(r, texts[mistake]);
}

/* Whether old, or what i made of it, is out of range. */
static bool overflows(int old, int i)
{
	return old < 0 || (int)((unsigned int)old + (unsigned int)i) < 0;
}

void refcount_add(int i, refcount_t *r)
{
	int old = atomic_fetch_add_relaxed(i, &r->refs);

	if (unlikely(!old))
		saturate(r, ADD_USED_FREE);
	else if (unlikely(overflows(old, i)))
		saturate(r, ADD_OVERFLOW);
}

void refcount_inc(refcount_t *r)
{
	refcount_add(1, r);
}

static inline bool try_change(refcount_t *r, int *old, int fresh, bool acquire)
{
	return acquire ? atomic_try_cmpxchg_acquire(&r->refs, old, fresh)
		       : atomic_try_cmpxchg_relaxed(&r->refs, old, fresh);
}

static inline bool add_not_zero(int i, refcount_t *r, bool acquire)
{
	int old = atomic_read(&r->refs);

	while (old && !try_change(r, &old, (int)((unsigned int)old + (unsigned int)i), acquire))
		;
	if (unlikely(old && overflows(old, i)))
		saturate(r, ADD_NOT_ZERO_OVERFLOW);
	return old;
}

bool refcount_add_not_zero(int i, refcount_t *r)
{
	return add_not_zero(i, r, false);
}

bool refcount_inc_not_zero(refcount_t *r)
{
	return refcount_add_not_zero(1, r);
}

bool refcount_add_not_zero_acquire(int i, refcount_t *r)
{
	return add_not_zero(i, r, true);
}

bool refcount_inc_not_zero_acquire(refcount_t *r)
{
	return refcount_add_not_zero_acquire(1, r);
}

bool refcount_sub_and_test(int i, refcount_t *r)
{
	/* Pairs with itself: what the other owners did comes before what the last one does. */
	int old = atomic_fetch_sub(i, &r->refs);

	if (old == i && old > 0)
		return true;
	if (unlikely(old < 0 || old - i < 0))
		saturate(r, SUB_UNDERFLOW);
	return false;
}

bool refcount_dec_and_test(refcount_t *r)
{
	return refcount_sub_and_test(1, r);
}

void refcount_dec(refcount_t *r)
{
	if (unlikely(atomic_fetch_sub_release(1, &r->refs) <= 1))
		saturate(r, DEC_TO_ZERO);
}

bool refcount_dec_if_one(refcount_t *r)
{
	int one = 1;

	return atomic_try_cmpxchg(&r->refs, &one, 0);
}

bool refcount_dec_not_one(refcount_t *r)
{
	int old = atomic_read(&r->refs);

	do {
		if (old == 1)
			return false;
		if (unlikely(old == REFCOUNT_SATURATED)) /* which was told */
			return true;
		if (unlikely(old <= 0)) {
			saturate(r, SUB_UNDERFLOW);
			return true;
		}
	} while (!atomic_try_cmpxchg_release(&r->refs, &old, old - 1));
	return true;
}

bool refcount_dec_and_mutex_lock(refcount_t *r, struct mutex *lock)
{
	if (refcount_dec_not_one(r))
		return false;
	mutex_lock(lock);
	if (refcount_dec_and_test(r))
		return true;
	mutex_unlock(lock);
	return false;
}

bool refcount_dec_and_lock(refcount_t *r, struct spinlock *lock)
{
	if (refcount_dec_not_one(r))
		return false;
	spin_lock(lock);
	if (refcount_dec_and_test(r))
		return true;
	spin_unlock(lock);
	return false;
}

bool refcount_dec_and_lock_irqsave(refcount_t *r, struct spinlock *lock, unsigned long *flags)
{
	if (refcount_dec_not_one(r))
		return false;
	spin_lock_irqsave(lock, *flags);
	if (refcount_dec_and_test(r))
		return true;
	spin_unlock_irqrestore(lock, *flags);
	return false;
}
