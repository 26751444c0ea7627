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
 *
 * A barrier interrupts every CPU that runs a thread of the process, so that one serves a whole batch of areas.
 */
#include <string.h>

#include "ops.h"
#include "percpu/modes.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"

#define BATCH 8 /* areas that one barrier serves */

struct lock percpu_lock = LOCK_INIT(LOCK_AREA);
area_sink percpu_exit_sink;
struct area_digest area_digests[CONFIG_NR_CPUS];

/* An area in the hands of a drain. */
struct victim {
	struct area *area; /* NULL: there was nothing to take */
	struct magazine_pair taken[AREA_SLOTS];
};
static struct victim victims[BATCH]; /* Synchronization: percpu_lock */

void percpu_set_exit_sink(area_sink sink)
{
	percpu_exit_sink = sink;
}

static struct area *area_of(unsigned int cpu)
{
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + cpu;
}

static struct magazine_pair pair_read(const struct magazine_pair *pair)
{
	return (struct magazine_pair){
		__atomic_load_n(&pair->top, __ATOMIC_RELAXED), __atomic_load_n(&pair->spare, __ATOMIC_RELAXED)};
}

static uint16_t pair_digest(struct magazine_pair pair)
{
	uint64_t mixed = pair.top * 0x9e3779b97f4a7c15ul + pair.spare;

	return (uint16_t)(mixed * 0x9e3779b97f4a7c15ul >> 48);
}

bool drain_select(struct drain *drain, const struct area *area, struct area_digest *digest, struct slot_set *set)
{
	bool any = false;

	memset(set, 0, sizeof(*set));
	for (unsigned int slot = drain->first; slot < drain->end; slot++) {
		struct magazine_pair pair = pair_read(&area->pair[slot]);
		uint16_t now = pair_digest(pair);
		bool taken = (pair.top || pair.spare) && (!drain->idle || now == digest->pair[slot]);

		if (drain->idle)
			digest->pair[slot] = now;
		drain->left |= (pair.top || pair.spare) && !taken;
		set->bits[slot / 64] |= (uint64_t)taken << slot % 64;
		any |= taken;
	}
	return any;
}

/* Step 2. Returns whether anything was taken. */
static bool rseq_take(struct drain *drain, struct area *area, const struct slot_set *set, struct magazine_pair *taken)
{
	bool any = false;

	for (unsigned int slot = 1; slot < AREA_SLOTS; slot++) {
		struct magazine_pair none = {0, 0};

		taken[slot] = slot_set_has(set, slot) ? pair_read(&area->pair[slot]) : none;
		if (!taken[slot].top && !taken[slot].spare)
			continue;
		inject_delay(INJECT_DRAIN);
		if (!pair_compare_swap(&area->pair[slot], &taken[slot], none)) {
			taken[slot] = none; /* busy there: the next drain's */
			drain->left = true;
		}
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

/* Steps 1 and 2 of one area. */
static void victim_take(struct drain *drain, struct victim *victim, struct area *area, const struct slot_set *set)
{
	__atomic_store_n(&area->stopped, 1, __ATOMIC_SEQ_CST);
	inject_delay(INJECT_DRAIN + 1);
	victim->area = area;
	if (rseq_take(drain, area, set, victim->taken))
		return;
	victim->area = NULL;
	/* Pairs with the install section: as in victim_settle(). */
	__atomic_store_n(&area->stopped, 0, __ATOMIC_RELEASE);
}

/* Without a barrier nothing is safe to touch: what was taken is lost rather than handed out twice. */
static void victim_settle(struct drain *drain, struct victim *victim, bool safe)
{
	for (unsigned int slot = 1; safe && slot < AREA_SLOTS; slot++) {
		struct magazine_pair ours;

		if (!victim->taken[slot].top && !victim->taken[slot].spare)
			continue;
		ours = rseq_settle(victim->area, slot, victim->taken[slot]);
		drain->left |= ours.top != victim->taken[slot].top;
		if (ours.top || ours.spare)
			drain->sink(slot, ours);
	}
	/* Pairs with the install section: who may install again sees the pairs as settled. */
	__atomic_store_n(&victim->area->stopped, 0, __ATOMIC_RELEASE);
}

/* Steps 3 and 4 of a batch. */
static void victims_settle(struct drain *drain, unsigned int nr)
{
	bool any = false, safe;

	for (unsigned int i = 0; i < nr; i++)
		any |= victims[i].area != NULL;
	if (!any)
		return;
	inject_delay(INJECT_DRAIN + 2);
	safe = !CONFIG_DRAIN_BARRIER || !host_membarrier_rseq();
	inject_delay(INJECT_DRAIN + 3);
	for (unsigned int i = 0; i < nr; i++) {
		if (victims[i].area)
			victim_settle(drain, &victims[i], safe);
	}
}

/* Step 3 must not fail halfway: it works now and from now on, or nothing is taken. */
static bool barrier_works(void)
{
	return !host_membarrier_rseq() || (!host_membarrier_register() && !host_membarrier_rseq());
}

static void rseq_drain(struct drain *drain)
{
	unsigned int nr_cpus = percpu_nr_used(), nr = 0;
	bool works = false;
	struct slot_set set;

	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		if (!drain_select(drain, area_of(cpu), &area_digests[cpu], &set))
			continue;
		works = works || barrier_works();
		if (!works)
			return;
		victim_take(drain, &victims[nr++], area_of(cpu), &set);
		if (nr == BATCH) {
			victims_settle(drain, nr);
			nr = 0;
		}
	}
	victims_settle(drain, nr);
}

static void drain_areas(struct drain *drain)
{
	host_sigmask_t mask = host_signals_block();

	if (percpu_mode != PERCPU_BOOTING) {
		lock_acquire(&percpu_lock);
		if (percpu_mode == PERCPU_LOCKED)
			locked_drain(drain);
		else if (percpu_mode == PERCPU_THREAD)
			thread_drain(drain);
		else
			rseq_drain(drain);
		lock_release(&percpu_lock);
	}
	host_signals_restore(mask);
}

void area_drain(unsigned int first, unsigned int end, area_sink sink)
{
	struct drain drain = {.first = first, .end = end, .sink = sink};

	drain_areas(&drain);
}

bool area_drain_idle(area_sink sink)
{
	struct drain drain = {.first = 1, .end = AREA_SLOTS, .idle = true, .sink = sink};

	drain_areas(&drain);
	return drain.left;
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
