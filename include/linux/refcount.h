/*
 * linux/refcount.h: reference counts that do not wrap.
 *
 * Semantics: Linux, Documentation/core-api/refcount-vs-atomic.rst. A count that overflows, or is used when it is 0, is a report
 * ("refcount_t: ..."), and stays saturated from then on: the object leaks. With tracking=1 or slub_debug=U the report says what object
 * the count lies in, or lay in, and who allocated and freed it. Any context.
 */
#ifndef FLAGSTONE_LINUX_REFCOUNT_H
#define FLAGSTONE_LINUX_REFCOUNT_H

#include <linux/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mutex;
struct spinlock;

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

#define REFCOUNT_INIT(n)       \
	{                      \
		ATOMIC_INIT(n) \
	}
#define REFCOUNT_MAX 0x7fffffff
#define REFCOUNT_SATURATED (-0x40000000)

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

/* All accesses before come before it. Of an object whose cache has SLAB_TYPESAFE_BY_RCU: pairs with refcount_inc_not_zero_acquire(). */
static inline void refcount_set_release(refcount_t *r, int n)
{
	atomic_set_release(&r->refs, n);
}

static inline unsigned int refcount_read(const refcount_t *r)
{
	return (unsigned int)atomic_read(&r->refs);
}

/* No order. _not_zero: whether it was not 0, and was incremented. */
void refcount_inc(refcount_t *r);
void refcount_add(int i, refcount_t *r);
bool refcount_inc_not_zero(refcount_t *r);
bool refcount_add_not_zero(int i, refcount_t *r);
/* As these, and all accesses after come after it, if it was not 0. */
bool refcount_inc_not_zero_acquire(refcount_t *r);
bool refcount_add_not_zero_acquire(int i, refcount_t *r);
/* All accesses before are done before it; and what follows, if it is 0 now, comes after what the other owners did. */
bool refcount_dec_and_test(refcount_t *r);
bool refcount_sub_and_test(int i, refcount_t *r);
/* It does not become 0. */
void refcount_dec(refcount_t *r);
/* 1 becomes 0; else false. */
bool refcount_dec_if_one(refcount_t *r);
/* Decrements unless it is 1. Whether it did. */
bool refcount_dec_not_one(refcount_t *r);
/* Decrements; if that makes it 0, returns true with the lock held. Task context for the mutex, which may sleep. */
bool refcount_dec_and_mutex_lock(refcount_t *r, struct mutex *lock);
bool refcount_dec_and_lock(refcount_t *r, struct spinlock *lock);
/* With interrupts off then; *flags receives what they were. */
bool refcount_dec_and_lock_irqsave(refcount_t *r, struct spinlock *lock, unsigned long *flags);

#ifdef __cplusplus
}
#endif

#endif
