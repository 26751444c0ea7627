/*
 * linux/kref.h: objects that go when nobody refers to them any more.
 *
 * Semantics: Linux, Documentation/core-api/kref.rst. Any context, unless release() sleeps. Mistakes are those of a refcount_t.
 */
#ifndef FLAGSTONE_LINUX_KREF_H
#define FLAGSTONE_LINUX_KREF_H

#include <linux/compiler.h>
#include <linux/refcount.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kref {
	refcount_t refcount; /* Synchronization: atomic */
};

/* clang-format off */
#define KREF_INIT(n) { .refcount = REFCOUNT_INIT(n) }
/* clang-format on */

/* One reference: the caller's. */
static inline void kref_init(struct kref *kref)
{
	refcount_set(&kref->refcount, 1);
}

/* How many references there are: a hint. */
static inline unsigned int kref_read(const struct kref *kref)
{
	return refcount_read(&kref->refcount);
}

/* One more. The caller has one. */
static inline void kref_get(struct kref *kref)
{
	refcount_inc(&kref->refcount);
}

/* One more, unless there is none: for objects that are found by a lookup which keeps their memory. Returns whether there was. */
static inline int __must_check kref_get_unless_zero(struct kref *kref)
{
	return refcount_inc_not_zero(&kref->refcount);
}

/*
 * One less: the caller's. The last one calls release(kref), after everything that others did with the object. Returns 1 then, else 0: then
 * the object may be gone all the same.
 */
static inline int kref_put(struct kref *kref, void (*release)(struct kref *kref))
{
	if (!refcount_dec_and_test(&kref->refcount))
		return 0;
	release(kref);
	return 1;
}

/* The same; release() is called with the lock held, and lets it go. _mutex: task context, may sleep. */
static inline int kref_put_mutex(struct kref *kref, void (*release)(struct kref *kref), struct mutex *lock)
{
	if (!refcount_dec_and_mutex_lock(&kref->refcount, lock))
		return 0;
	release(kref);
	return 1;
}

static inline int kref_put_lock(struct kref *kref, void (*release)(struct kref *kref), struct spinlock *lock)
{
	if (!refcount_dec_and_lock(&kref->refcount, lock))
		return 0;
	release(kref);
	return 1;
}

#ifdef __cplusplus
}
#endif

#endif
