/*
 * linux/percpu-refcount.h: a count of references that CPUs keep apart until it is killed.
 *
 * Semantics: Linux, the kernel's header of this name. While it lives, getting and putting changes a counter of this CPU only, and nobody
 * knows how many there are. percpu_ref_kill() drops the first reference and makes it one counter, after a grace period; when that is 0,
 * release() is called, once, in the context of who put the last one or of an RCU callback: it must not sleep. Any context unless a
 * function says otherwise.
 */
#ifndef FLAGSTONE_LINUX_PERCPU_REFCOUNT_H
#define FLAGSTONE_LINUX_PERCPU_REFCOUNT_H

#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct percpu_ref;
typedef void(percpu_ref_func_t)(struct percpu_ref *ref);

/* How it begins: as one counter; killed, with no reference; _ALLOW_REINIT: it may live again (which needs no flag here). */
enum {
	PERCPU_REF_INIT_ATOMIC = 1 << 0,
	PERCPU_REF_INIT_DEAD = 1 << 1,
	PERCPU_REF_ALLOW_REINIT = 1 << 2,
};

#define FLAGSTONE_REF_ATOMIC 1u /* it is one counter */
#define FLAGSTONE_REF_DEAD 2u

/*
 * References == count + the sum of counters, the latter only without FLAGSTONE_REF_ATOMIC, less a bias in count from then until they have
 * been added to it: so that count is not 0 meanwhile.
 */
struct percpu_ref {
	unsigned int state; /* Synchronization: the switches' lock; readers under rcu_read_lock() */
	unsigned int switching; /* a grace period has not ended. Synchronization: lock; waited for without */
	unsigned int wants_atomic; /* percpu_ref_switch_to_atomic(). Synchronization: lock */
	unsigned long __percpu *counters; /* Synchronization: const from init to exit */
	atomic_long_t count;
	percpu_ref_func_t *release; /* Synchronization: const after init */
	percpu_ref_func_t *confirm; /* of the switch that is going on. Synchronization: lock */
	struct rcu_head rcu;
};

/* One reference, which percpu_ref_kill() drops. 0 or -ENOMEM. Context: by gfp. */
int __must_check percpu_ref_init(struct percpu_ref *ref, percpu_ref_func_t *release, unsigned int flags, gfp_t gfp);
/* Nobody uses it any more, and no switch is going on. */
void percpu_ref_exit(struct percpu_ref *ref);

/* Drops the first reference: percpu_ref_tryget_live() fails from now on; on all CPUs once confirm() is called, by an RCU callback. Killed
 * twice: a warning. */
void percpu_ref_kill_and_confirm(struct percpu_ref *ref, percpu_ref_func_t *confirm);
static inline void percpu_ref_kill(struct percpu_ref *ref)
{
	percpu_ref_kill_and_confirm(ref, NULL);
}

/* Makes it one counter, killed or not, and, unless it is dead, none again. confirm may be NULL; _sync waits, and may sleep, as _to_percpu
 * does until a switch that is going on has ended. */
void percpu_ref_switch_to_atomic(struct percpu_ref *ref, percpu_ref_func_t *confirm);
void percpu_ref_switch_to_atomic_sync(struct percpu_ref *ref);
void percpu_ref_switch_to_percpu(struct percpu_ref *ref);
/* Lives again, with a reference more, of which reinit() says that it is the first one. Context: task, may sleep. */
void percpu_ref_resurrect(struct percpu_ref *ref);
void percpu_ref_reinit(struct percpu_ref *ref);

/* Whether there is none: only a killed one can say so. Whether it was killed. */
bool percpu_ref_is_zero(struct percpu_ref *ref);
static inline bool percpu_ref_is_dying(const struct percpu_ref *ref)
{
	return READ_ONCE(ref->state) & FLAGSTONE_REF_DEAD;
}

/* Who holds one may get more. */
static inline void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr)
{
	/* The section pairs with the grace period of a switch to one counter, the acquire with the switch back. */
	rcu_read_lock();
	if (smp_load_acquire(&ref->state) & FLAGSTONE_REF_ATOMIC)
		atomic_long_add((long)nr, &ref->count);
	else
		this_cpu_add(*ref->counters, nr);
	rcu_read_unlock();
}

static inline void percpu_ref_get(struct percpu_ref *ref)
{
	percpu_ref_get_many(ref, 1);
}

/* Unless there is none; _live: unless it was killed. */
static inline bool percpu_ref_tryget_many(struct percpu_ref *ref, unsigned long nr)
{
	bool got = true;

	rcu_read_lock();
	if (!(smp_load_acquire(&ref->state) & FLAGSTONE_REF_ATOMIC))
		this_cpu_add(*ref->counters, nr);
	else
		got = atomic_long_add_unless(&ref->count, (long)nr, 0);
	rcu_read_unlock();
	return got;
}

static inline bool percpu_ref_tryget(struct percpu_ref *ref)
{
	return percpu_ref_tryget_many(ref, 1);
}

static inline bool percpu_ref_tryget_live(struct percpu_ref *ref)
{
	bool got = false;
	unsigned int state;

	rcu_read_lock();
	state = smp_load_acquire(&ref->state);
	if (!(state & FLAGSTONE_REF_ATOMIC)) {
		this_cpu_add(*ref->counters, 1);
		got = true;
	} else if (!(state & FLAGSTONE_REF_DEAD)) {
		got = atomic_long_add_unless(&ref->count, 1, 0);
	}
	rcu_read_unlock();
	return got;
}

static inline void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr)
{
	rcu_read_lock();
	if (!(smp_load_acquire(&ref->state) & FLAGSTONE_REF_ATOMIC))
		this_cpu_sub(*ref->counters, nr);
	else if (atomic_long_sub_and_test((long)nr, &ref->count))
		ref->release(ref);
	rcu_read_unlock();
}

static inline void percpu_ref_put(struct percpu_ref *ref)
{
	percpu_ref_put_many(ref, 1);
}

#ifdef __cplusplus
}
#endif

#endif
