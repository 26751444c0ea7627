/*
 * lock.h: the lock of all central structures, and the order in which they are taken.
 *
 * A spinlock that turns into a futex wait when the holder does not let go soon, since hosted threads are preempted
 * while they hold it. Holders have their signals blocked (host_signals_block) or, for DEPOT and FAKE_CPU, may be
 * interrupted: those ranks are only ever tried, never waited for. So no signal handler can wait for a lock of the thread
 * that it interrupted.
 */
#ifndef RUNTIME_LIB_LOCK_H
#define RUNTIME_LIB_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/host/host.h"

/* A thread takes locks in ascending rank only, and at most one of each rank except in fork. Debug
 * builds check. Fork takes all of them, those that are only tried first. */
enum lock_rank {
	LOCK_BOOT,
	LOCK_CACHE_LIST, /* the list of all caches */
	LOCK_AREA, /* drains, and the list of thread areas; per-CPU variables */
	LOCK_DEPOT, /* tried only */
	LOCK_SLABS, /* the slabs of one cache */
	LOCK_MAGAZINE_POOL,
	LOCK_LARGE, /* the table of direct OS mappings */
	LOCK_PCP, /* one CPU's page lists */
	LOCK_ZONE, /* buddy lists of a zone */
	LOCK_MEMORY, /* growth of the direct map */
	LOCK_TASKS, /* the list of all tasks */
	LOCK_CLOCK, /* the machine's deadlines */
	LOCK_RUNQUEUE, /* one simulated CPU's tasks; never two */
	LOCK_REPORT,
	LOCK_FAKE_CPU, /* a fake CPU's area (locked magazines); tried only, like DEPOT */
	NR_LOCK_RANKS,
};

struct lock {
	uint32_t state; /* 0 free, 1 held, 2 held and someone may sleep on it */
	uint32_t rank; /* Synchronization: const after init */
};

#define LOCK_INIT(r) ((struct lock){.state = 0, .rank = (r)})

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
/* The same with this thread's signals (in a machine: interrupts) off for as long. The second takes what the first returned. */
static inline host_sigmask_t lock_acquire_masked(struct lock *lock)
{
	host_sigmask_t mask = host_signals_block();

	lock_acquire(lock);
	return mask;
}
static inline void lock_release_masked(struct lock *lock, host_sigmask_t mask)
{
	lock_release(lock);
	host_signals_restore(mask);
}
/* Takes the lock if that needs no waiting. */
bool lock_try(struct lock *lock);
/* Spins for about a microsecond, then gives up: for structures that their users can do without. */
bool lock_try_briefly(struct lock *lock);
/*
 * Tries for about ten milliseconds, then gives up: for those who need a lock that is else only tried. Its holder may be
 * this very thread, interrupted by the handler that we are in, or one whose handler jumped out and left it held.
 */
bool lock_try_patiently(struct lock *lock);
/* In a fork child: whatever the state was, the lock is free now. */
void lock_reinit(struct lock *lock);
/* Around the taking and letting go of all locks for fork, in parent and child: the order is not checked between. */
void lock_fork_begin(void);
void lock_fork_end(void);
/* Debug builds: BUG unless held by this thread (best effort: by rank). */
void lock_assert_held(const struct lock *lock);

#endif
