/*
 * linux/percpu_counter.h: counters that each CPU adds to by itself, and that are told roughly at once, or exactly with some work.
 *
 * Semantics: Linux, the kernel's header of this name. Context: any, where nothing is said. A CPU keeps what it has added until that is a
 * batch, and then adds it to the count under its lock; of a CPU that goes offline what it kept is added, too. So percpu_counter_read() is
 * wrong by less than a batch for each online CPU. Numbers wrap.
 */
#ifndef FLAGSTONE_LINUX_PERCPU_COUNTER_H
#define FLAGSTONE_LINUX_PERCPU_COUNTER_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct percpu_counter {
	raw_spinlock_t lock;
	s64 count; /* Synchronization: lock to write, atomic */
	struct list_head list; /* of all counters. Synchronization: that list's lock */
	s32 __percpu *counters; /* what each CPU keeps; NULL: not initialised */
};

/* The usual batch: 32, or twice as many as there are CPUs if that is more. Synchronization: const while a machine runs */
extern int percpu_counter_batch;

int flagstone_percpu_counter_init(
	struct percpu_counter *fbc, s64 amount, gfp_t gfp, const char *name, const struct lock_class_key *key);
/* Before the first use. 0, or -ENOMEM. Context: by the flags. */
#define percpu_counter_init(fbc, amount, gfp)                                        \
	({                                                                           \
		static struct lock_class_key __key;                                  \
		flagstone_percpu_counter_init((fbc), (amount), (gfp), #fbc, &__key); \
	})
/* After the last; one that is not initialised, but cleared, is a no-op. */
void percpu_counter_destroy(struct percpu_counter *fbc);
static inline bool percpu_counter_initialized(struct percpu_counter *fbc)
{
	return fbc->counters != NULL;
}

/* Makes it amount. Who adds meanwhile may be lost. */
void percpu_counter_set(struct percpu_counter *fbc, s64 amount);
/* Adds. batch: what a CPU may keep, above 0; see above. */
void percpu_counter_add_batch(struct percpu_counter *fbc, s64 amount, s32 batch);
static inline void percpu_counter_add(struct percpu_counter *fbc, s64 amount)
{
	percpu_counter_add_batch(fbc, amount, percpu_counter_batch);
}

static inline void percpu_counter_sub(struct percpu_counter *fbc, s64 amount)
{
	percpu_counter_add(fbc, -amount);
}

static inline void percpu_counter_inc(struct percpu_counter *fbc)
{
	percpu_counter_add(fbc, 1);
}

static inline void percpu_counter_dec(struct percpu_counter *fbc)
{
	percpu_counter_add(fbc, -1);
}

/* Adds what this CPU keeps to the count. */
void percpu_counter_sync(struct percpu_counter *fbc);

/* The sum of everything, but of who adds meanwhile. _positive: 0 instead of what is below it. */
s64 __percpu_counter_sum(struct percpu_counter *fbc);
#define percpu_counter_sum(fbc) __percpu_counter_sum(fbc)
static inline s64 percpu_counter_sum_positive(struct percpu_counter *fbc)
{
	s64 sum = __percpu_counter_sum(fbc);

	return sum < 0 ? 0 : sum;
}

/* The count, without what CPUs keep. _positive: as above. */
static inline s64 percpu_counter_read(struct percpu_counter *fbc)
{
	return READ_ONCE(fbc->count);
}

static inline s64 percpu_counter_read_positive(struct percpu_counter *fbc)
{
	s64 count = READ_ONCE(fbc->count);

	return count < 0 ? 0 : count;
}

/* Whether it is above (1), below (-1) or exactly rhs (0): adds up only where the count is too near to tell. */
int __percpu_counter_compare(struct percpu_counter *fbc, s64 rhs, s32 batch);
static inline int percpu_counter_compare(struct percpu_counter *fbc, s64 rhs)
{
	return __percpu_counter_compare(fbc, rhs, percpu_counter_batch);
}

#ifdef __cplusplus
}
#endif

#endif
