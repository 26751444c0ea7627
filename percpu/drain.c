/*
 * drain.c: taking magazines out of CPUs that others are using, and this room's part in fork.
 *
 * With rseq, a remote CPU's threads write their pairs without any lock. The protocol:
 *
 *	1. stopped = 1: install sections that begin now fail, so no new magazine comes into the area;
 *	2. compare-and-swap each pair to {0, 0}: threads of that CPU find empty-and-full and go on to the slabs;
 *	3. one membarrier: every section that was under way has committed or is restarted, and will see 1 and 2;
 *	4. a pair that is {0, 0} still is ours. If it is not, the section that was under way had read the pair before 2:
 *	   - a pop or push wrote its top back, into the same main magazine, with the spare now 0: the CPU keeps the main,
 *	     the spare is ours;
 *	   - an install wrote a whole pair, another main: it owns what it replaced, nothing is ours.
 *
 * At most one section can be under way on a CPU, so there is no third case. That the two can be told apart is a duty of
 * area_install()'s callers: the main that they install is a magazine, and not the one that it replaces. That an install
 * that compared with {0, 0} did so before 2, when there was nothing to take, is a duty of the section: it reads the pair
 * before `stopped`.
 */
#include "ops.h"
#include "percpu/modes.h"
#include "percpu/thread.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"

struct lock percpu_lock = LOCK_INIT(LOCK_AREA);
area_sink percpu_exit_sink;

void percpu_set_exit_sink(area_sink sink)
{
	percpu_exit_sink = sink;
}

static struct area *area_of(unsigned int cpu)
{
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + cpu;
}

/* Step 2. Returns whether anything was taken. */
static bool rseq_take(struct area *area, unsigned int first, unsigned int end, struct magazine_pair *taken)
{
	bool any = false;

	for (unsigned int slot = first; slot < end; slot++) {
		struct magazine_pair none = {0, 0};

		taken[slot].top = __atomic_load_n(&area->pair[slot].top, __ATOMIC_RELAXED);
		taken[slot].spare = __atomic_load_n(&area->pair[slot].spare, __ATOMIC_RELAXED);
		if (!taken[slot].top && !taken[slot].spare)
			continue;
		inject_delay(INJECT_DRAIN);
		if (!pair_compare_swap(&area->pair[slot], &taken[slot], none))
			taken[slot] = none; /* busy there: the next drain's */
		any = any || taken[slot].top || taken[slot].spare;
	}
	return any;
}

/* Step 4. */
static struct magazine_pair rseq_settle(struct area *area, unsigned int slot, struct magazine_pair taken)
{
	magazine_top top = __atomic_load_n(&area->pair[slot].top, __ATOMIC_RELAXED);
	magazine_top spare = __atomic_load_n(&area->pair[slot].spare, __ATOMIC_RELAXED);

	if (!top && !spare)
		return taken;
	if (!spare && taken.top && magazine_of(top) == magazine_of(taken.top))
		return (struct magazine_pair){0, taken.spare};
	return (struct magazine_pair){0, 0};
}

static void rseq_drain_area(struct area *area, unsigned int first, unsigned int end, area_sink sink)
{
	struct magazine_pair taken[AREA_SLOTS];

	__atomic_store_n(&area->stopped, 1, __ATOMIC_SEQ_CST);
	inject_delay(INJECT_DRAIN + 1);
	if (!rseq_take(area, first, end, taken))
		goto out;
	inject_delay(INJECT_DRAIN + 2);
	/* Without a barrier nothing is safe to touch: what was taken is lost rather than handed out twice. */
	if (CONFIG_DRAIN_BARRIER && host_membarrier_rseq())
		goto out;
	inject_delay(INJECT_DRAIN + 3);
	for (unsigned int slot = first; slot < end; slot++) {
		struct magazine_pair ours;

		if (!taken[slot].top && !taken[slot].spare)
			continue;
		ours = rseq_settle(area, slot, taken[slot]);
		if (ours.top || ours.spare)
			sink(slot, ours);
	}
out:
	/* Pairs with the install section: who may install again sees the pairs as settled. */
	__atomic_store_n(&area->stopped, 0, __ATOMIC_RELEASE);
}

static void rseq_drain(unsigned int first, unsigned int end, area_sink sink)
{
	unsigned int nr_cpus = percpu_nr_used();

	/* Step 3 must not fail halfway: it works now and from now on, or nothing is taken. */
	if (host_membarrier_rseq() && (host_membarrier_register() || host_membarrier_rseq()))
		return;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		rseq_drain_area(area_of(cpu), first, end, sink);
}

void area_drain(unsigned int first, unsigned int end, area_sink sink)
{
	host_sigmask_t mask = host_signals_block();

	if (percpu_mode == PERCPU_LOCKED) {
		locked_drain(first, end, sink);
	} else if (percpu_mode != PERCPU_BOOTING) {
		lock_acquire(&percpu_lock);
		if (percpu_mode == PERCPU_THREAD)
			thread_drain(first, end, sink);
		else
			rseq_drain(first, end, sink);
		lock_release(&percpu_lock);
	}
	host_signals_restore(mask);
}

void percpu_fork_prepare(void)
{
	lock_acquire(&percpu_lock);
	if (percpu_mode == PERCPU_LOCKED)
		locked_fork_prepare();
}

void percpu_fork_parent(void)
{
	if (percpu_mode == PERCPU_LOCKED)
		locked_fork_parent();
	lock_release(&percpu_lock);
}

void percpu_fork_child(void)
{
	lock_reinit(&percpu_lock);
	if (percpu_mode == PERCPU_LOCKED)
		locked_fork_child();
	if (percpu_mode == PERCPU_THREAD)
		thread_fork_child(percpu_exit_sink);
}
