/*
 * locked.c: fake CPUs, each area under a lock of its own: for sanitizers, and for trials with more CPUs than there are.
 * And a machine's simulated CPUs, where there is no rseq.
 *
 * On fake CPUs, a thread hops between CPUs at random, as a scheduler would move it. A lock is only tried: a signal
 * handler may have interrupted its holder, and whoever does not get it does without a magazine.
 */
#include "percpu/modes.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/tunables.h"

#define HOP_INTERVAL 8 /* operations on one fake CPU, on average */

static bool fork_held[CONFIG_NR_CPUS]; /* which area locks fork has. Synchronization: percpu_lock, which fork holds */

static struct lock *area_lock(struct area *area)
{
	static_assert(sizeof(struct lock) == 2 * sizeof(uint32_t), "the area's last two words are its lock");
	return (struct lock *)&area->lock_state;
}

static struct area *area_of(unsigned int cpu)
{
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + cpu;
}

unsigned int locked_nr_cpus(void)
{
	return machine_nr_cpus ? machine_nr_cpus : (unsigned int)tunable_fake_cpus;
}

void locked_boot(void)
{
	for (unsigned int cpu = 0; cpu < locked_nr_cpus(); cpu++)
		lock_init(area_lock(area_of(cpu)), LOCK_FAKE_CPU);
}

/* The CPU that this thread is on now; negative: none. Fake ones: node_id is free for this: in this mode no kernel
 * writes it. */
static int this_cpu(void)
{
	uint32_t random = percpu_thread.random;

	if (machine_nr_cpus)
		return percpu_this_cpu();
	if (!random)
		random = (uint32_t)((uintptr_t)&percpu_thread >> 12) | 1;
	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	percpu_thread.random = random;
	if (random % HOP_INTERVAL == 0)
		percpu_thread.node_id = random / HOP_INTERVAL;
	return (int)(percpu_thread.node_id % locked_nr_cpus());
}

static struct area *locked_enter(int cpu)
{
	struct area *area = area_of((unsigned int)cpu);

	if (cpu < 0)
		return NULL;
	return lock_try_briefly(area_lock(area)) ? area : NULL;
}

static void locked_leave(struct area *area)
{
	lock_release(area_lock(area));
}

void *locked_pop(unsigned int slot)
{
	struct area *area = locked_enter(this_cpu());
	void *object;

	if (!area)
		return NULL;
	object = generic_pop(area, slot);
	locked_leave(area);
	return object;
}

bool locked_push(unsigned int slot, void *object)
{
	struct area *area = locked_enter(this_cpu());
	bool done;

	if (!area)
		return false;
	done = generic_push(area, slot, object);
	locked_leave(area);
	return done;
}

bool locked_snapshot(unsigned int slot, struct area_view *view)
{
	int cpu = this_cpu();
	struct area *area = locked_enter(cpu);

	if (!area)
		return false;
	view->cpu = cpu;
	view->pair = area->pair[slot];
	locked_leave(area);
	return true;
}

bool locked_install(unsigned int slot, const struct area_view *view, struct magazine_pair new_pair)
{
	struct area *area = locked_enter(view->cpu);
	bool done;

	if (!area)
		return false;
	done = generic_install(area, slot, &view->pair, new_pair);
	locked_leave(area);
	return done;
}

static bool select_locked(struct drain *drain, unsigned int cpu, struct slot_set *set)
{
	bool any;

	if (!lock_try_patiently(area_lock(area_of(cpu)))) {
		drain->left = true;
		return false;
	}
	any = drain_select(drain, area_of(cpu), &area_digests[cpu], set);
	locked_leave(area_of(cpu));
	return any;
}

/* Takes the pairs out under the lock, one slot at a time, so that the sink runs without it. */
static void drain_area(struct drain *drain, struct area *area, const struct slot_set *set)
{
	for (unsigned int slot = 1; slot < AREA_SLOTS; slot++) {
		struct magazine_pair pair;

		if (!slot_set_has(set, slot))
			continue;
		if (!lock_try_patiently(area_lock(area))) {
			drain->left = true;
			break;
		}
		pair = area->pair[slot];
		area->pair[slot] = (struct magazine_pair){0, 0};
		locked_leave(area);
		if (pair.top || pair.spare)
			drain->sink(slot, pair);
	}
}

void locked_drain(struct drain *drain)
{
	struct slot_set set;

	for (unsigned int cpu = 0; cpu < locked_nr_cpus(); cpu++) {
		if (select_locked(drain, cpu, &set))
			drain_area(drain, area_of(cpu), &set);
	}
}

/* So that the child does not get a pair that is half installed. An area whose operation this thread itself interrupted, to
 * fork in a signal handler, stays as it is: that operation goes on in both processes. */
void locked_fork_prepare(void)
{
	for (unsigned int cpu = 0; cpu < locked_nr_cpus(); cpu++)
		fork_held[cpu] = lock_try_patiently(area_lock(area_of(cpu)));
}

void locked_fork_parent(void)
{
	for (unsigned int cpu = 0; cpu < locked_nr_cpus(); cpu++)
		if (fork_held[cpu])
			lock_release(area_lock(area_of(cpu)));
}

void locked_fork_child(void)
{
	for (unsigned int cpu = 0; cpu < locked_nr_cpus(); cpu++)
		lock_reinit(area_lock(area_of(cpu)));
}
