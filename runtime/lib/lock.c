/*
 * lock.c: a spinlock that goes to sleep, and the check of lock order in debug builds.
 *
 * Calls host for futexes, report for broken order. Refuses to know what its locks protect, and who forks.
 */
#include "runtime/lib/lock.h"

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"

#define PATIENCE_NS 10000000
#define SPINS 100 /* turns before sleeping: a few times a short critical section */
#define SPINS_BRIEFLY 25 /* about a microsecond */

enum { FREE, HELD, CONTENDED };

/*
 * What this thread holds: for each rank four bits that count its locks, and in the highest bit whether it is between
 * lock_fork_begin() and lock_fork_end(). Debug builds only; others do not touch it, so that it takes no space in them.
 *
 * Synchronization: this thread and its signal handlers, which leave it as they found it.
 */
static __thread uint64_t held_ranks;

#define RANK_BITS 4
#define RANK_ONE(rank) ((uint64_t)1 << ((rank)*RANK_BITS))
#define RANK_MASK(rank) (RANK_ONE(rank) * 15)
#define FORKING ((uint64_t)1 << 63)

static_assert(NR_LOCK_RANKS * RANK_BITS < 64, "four bits a rank, one for fork");

/* The highest rank of a set. */
static unsigned int rank_highest(uint64_t ranks)
{
	return (63 - (unsigned int)__builtin_clzll(ranks)) / RANK_BITS;
}

/*
 * Called before waiting. A DEPOT or FAKE_CPU lock that is held blocks nobody, since it is only tried: a signal handler that
 * interrupted its holder may wait for lower ranks. To wait for one while holding others is the mistake.
 */
static void ranks_check(const struct lock *lock)
{
	const uint64_t tried_only = RANK_MASK(LOCK_DEPOT) | RANK_MASK(LOCK_FAKE_CPU);
	uint64_t held = held_ranks;
	uint64_t above;

	if (held & FORKING)
		return;
	above = lock->rank == LOCK_DEPOT ? held : held & ~tried_only & ~(RANK_ONE(lock->rank) - 1);
	if (above)
		report_bug("lock order: waiting for rank %u while holding rank %u", lock->rank, rank_highest(above));
}

static void ranks_add(const struct lock *lock)
{
	if (CONFIG_DEBUG && !(held_ranks & FORKING))
		held_ranks += RANK_ONE(lock->rank);
}

static void ranks_remove(const struct lock *lock)
{
	if (!CONFIG_DEBUG || held_ranks & FORKING)
		return;
	if (held_ranks & RANK_MASK(lock->rank))
		held_ranks -= RANK_ONE(lock->rank);
	else
		report_bug("lock order: releasing rank %u, which this thread does not hold", lock->rank);
}

void lock_fork_begin(void)
{
	if (CONFIG_DEBUG)
		held_ranks |= FORKING;
}

void lock_fork_end(void)
{
	if (CONFIG_DEBUG)
		held_ranks &= ~FORKING;
}

void lock_init(struct lock *lock, enum lock_rank rank)
{
	lock->rank = rank;
	__atomic_store_n(&lock->state, FREE, __ATOMIC_RELAXED);
}

static bool take(struct lock *lock)
{
	uint32_t expected = FREE;

	/* Pairs with lock_release(): what the last holder wrote is visible to this one. */
	return __atomic_compare_exchange_n(&lock->state, &expected, HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Looks before it takes, so that the waiting does not move the holder's cache line about. */
static bool take_within(struct lock *lock, int spins)
{
	for (; spins; spins--) {
		if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == FREE && take(lock))
			return true;
		host_relax();
	}
	return false;
}

/* Whoever was asleep takes the lock as CONTENDED: it cannot know whether it was alone. That costs one wake at most. */
static void take_sleeping(struct lock *lock)
{
	/* Pairs with lock_release(): what the last holder wrote is visible here, and it wakes who left CONTENDED. */
	while (__atomic_exchange_n(&lock->state, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
		host_futex_wait(&lock->state, CONTENDED);
}

void lock_acquire(struct lock *lock)
{
	if (CONFIG_DEBUG)
		ranks_check(lock);
	if (!take(lock) && !take_within(lock, SPINS))
		take_sleeping(lock);
	ranks_add(lock);
}

void lock_release(struct lock *lock)
{
	ranks_remove(lock);
	/* Pairs with take() and take_sleeping(): the next holder sees what this one wrote. */
	if (__atomic_exchange_n(&lock->state, FREE, __ATOMIC_RELEASE) == CONTENDED)
		host_futex_wake(&lock->state, 1);
}

bool lock_try(struct lock *lock)
{
	if (!take(lock))
		return false;
	ranks_add(lock);
	return true;
}

bool lock_try_briefly(struct lock *lock)
{
	if (!take(lock) && !take_within(lock, SPINS_BRIEFLY))
		return false;
	ranks_add(lock);
	return true;
}

bool lock_try_patiently(struct lock *lock)
{
	uint64_t end;

	if (lock_try_briefly(lock))
		return true;
	end = host_clock_ns() + PATIENCE_NS;
	do {
		host_yield();
		if (lock_try_briefly(lock))
			return true;
	} while (host_clock_ns() < end);
	return false;
}

void lock_reinit(struct lock *lock)
{
	__atomic_store_n(&lock->state, FREE, __ATOMIC_RELAXED);
}

void lock_assert_held(const struct lock *lock)
{
	if (!CONFIG_DEBUG || held_ranks & FORKING)
		return;
	if (!(held_ranks & RANK_MASK(lock->rank)))
		report_bug("lock order: rank %u is not held here", lock->rank);
}
