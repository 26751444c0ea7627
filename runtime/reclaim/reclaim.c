/*
 * reclaim.c: the reclaim thread: when it starts, what it does at each tick, when it ends.
 *
 * It starts when a process that has grown frees memory, ticks twice in each decay time, and ends when there is nothing left
 * to give back: an idle process has no thread. Each tick asks the rooms below, upper ones first, since what they give up is
 * what the lower ones may give back later: magazines of idle CPUs, depots and slabs, pages.
 *
 * libc does not know of the thread (see host_thread_start()), and so does not change its user ids with the others': it ends
 * at the first tick that finds them changed, and the next one has those of the thread that started it.
 *
 * Calls host for the thread, limits.c, and the rooms below. Knows nothing of what they hold.
 */
#include "runtime/reclaim/reclaim.h"

#include "percpu/magazine.h"
#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"
#include "runtime/page/page.h"
#include "runtime/reclaim/limits.h"
#include "runtime/slab/slab.h"

#define TICKS_A_DECAY 2
#define IDLE_TICKS 4 /* without anything left, until the thread ends */
#define RETRY_NS 10000000000u /* after the OS refused a thread */
#define NS_A_MS 1000000u
#define EXIT_TRIES 1000 /* yields granted to a thread that is about to be gone */

struct reclaim reclaim;
static struct limits limits; /* Synchronization: the thread */

/* ---- the thread ---- */

/* Returns whether there is anything left to give back. */
static bool tick(void)
{
	bool left;

	__atomic_store_n(&reclaim.nr_ticks, reclaim.nr_ticks + 1, __ATOMIC_RELAXED);
	left = slab_drain_idle();
	left |= slab_age();
	left |= slab_purge();
	left |= page_age();
	if (limits_scarce(&limits)) {
		__atomic_store_n(&reclaim.nr_trims, reclaim.nr_trims + 1, __ATOMIC_RELAXED);
		left |= slab_trim(0) > 0;
	}
	return left;
}

static void sleep_tick(void)
{
	uint32_t never = 0;

	host_futex_wait_for(&never, 0, tunable_decay * NS_A_MS / TICKS_A_DECAY);
}

/* Ticks until there was nothing to do for a while, or until the thread must not go on. Returns whether it may go on. */
static bool tick_until_idle(void)
{
	unsigned int idle = 0;

	while (idle < IDLE_TICKS) {
		sleep_tick();
		idle = tick() ? 0 : idle + 1;
		if (host_ids_changed())
			return false;
	}
	return true;
}

/*
 * A free that finds nobody active calls for the thread; what was freed before that is seen by the last tick. A call that
 * comes too late for the tick, and too early for the state, has left `again`.
 */
static bool may_end(void)
{
	uint32_t absent = RECLAIM_ABSENT;

	page_reclaim_active(false);
	if (tick())
		return false;
	/* Pairs with reclaim_wake(): it finds the state absent, or we find again. */
	__atomic_store_n(&reclaim.state, RECLAIM_ABSENT, __ATOMIC_SEQ_CST);
	return !__atomic_exchange_n(&reclaim.again, 0, __ATOMIC_SEQ_CST) ||
	       !__atomic_compare_exchange_n(
		       &reclaim.state, &absent, RECLAIM_RUNNING, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void reclaim_run(void)
{
	__atomic_store_n(&reclaim.again, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&reclaim.state, RECLAIM_RUNNING, __ATOMIC_RELAXED);
	limits_find(&limits, "");
	do {
		page_reclaim_active(true);
		if (tick_until_idle())
			continue;
		/* Nobody may come after us for a while. */
		page_reclaim_active(false);
		slab_trim(0);
		/* Pairs with reclaim_wake(). */
		__atomic_store_n(&reclaim.state, RECLAIM_ABSENT, __ATOMIC_SEQ_CST);
		return;
	} while (!may_end());
}

/* ---- the call for it ---- */

static int start(void)
{
	for (int i = 0; i < EXIT_TRIES && host_thread_runs(); i++)
		host_yield();
	return host_thread_start(reclaim_run, percpu_prepare_thread, percpu_thread_reach());
}

/* Signals are blocked: a handler that jumps out must not leave the state at STARTING. */
static bool wake_or_start(void)
{
	uint32_t absent = RECLAIM_ABSENT;
	uint64_t now;
	int err;

	/* Pairs with may_end(). */
	__atomic_store_n(&reclaim.again, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_compare_exchange_n(
		    &reclaim.state, &absent, RECLAIM_STARTING, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return true;
	now = host_clock_ns();
	err = now < __atomic_load_n(&reclaim.not_before, __ATOMIC_RELAXED) ? -1 : start();
	if (err) {
		/* Later, too, no more often than that. */
		if (now >= __atomic_load_n(&reclaim.not_before, __ATOMIC_RELAXED))
			__atomic_store_n(&reclaim.not_before, now + RETRY_NS, __ATOMIC_RELAXED);
		__atomic_store_n(&reclaim.state, RECLAIM_ABSENT, __ATOMIC_RELEASE);
		return false;
	}
	__atomic_store_n(&reclaim.not_before, now + tunable_decay * NS_A_MS, __ATOMIC_RELAXED);
	return true;
}

/* Any context, no lock of rank LOCK_LARGE or above held. Returns whether the thread sees to what was freed. */
static bool reclaim_wake(void)
{
	host_sigmask_t mask;
	bool seen_to;

	if (!tunable_reclaim)
		return false;
	mask = host_signals_block();
	seen_to = wake_or_start();
	host_signals_restore(mask);
	return seen_to;
}

static void reclaim_forget(void)
{
	host_thread_forget();
	__atomic_store_n(&reclaim.again, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&reclaim.not_before, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&reclaim.state, RECLAIM_ABSENT, __ATOMIC_RELAXED);
}

void reclaim_boot(void)
{
	page_set_reclaim(reclaim_wake, reclaim_forget);
}

/* Boots nothing: the first allocation does that, in processes that have one. */
static __attribute__((constructor)) void reclaim_constructor(void)
{
	reclaim_boot();
}
