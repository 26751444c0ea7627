/*
 * random.c: random numbers that a run with the same seed has again.
 *
 * Calls sched for the task. A number follows from the seed, who asks, and how often it has asked: not from what other tasks and CPUs did
 * meanwhile, whose order differs from run to run.
 */
#include <linux/preempt.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <string.h>

#include "runtime/sched/sched.h"
#include "runtime/support/internal.h"

static u64 seed = 1; /* Synchronization: const after boot */

/* Of interrupts, CPU by CPU; of threads that are no tasks, the last one. Synchronization: atomic */
static unsigned long cpu_counts[SCHED_MAX_CPUS + 1];

/* Its steps are those of SplitMix64 (Steele, Lea and Flood, 2014): the next state, mixed. */
static u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static u64 nth_of(u64 start, u64 nth)
{
	return mix(mix(start) + nth);
}

void random_boot(unsigned long start)
{
	seed = start;
	memset(cpu_counts, 0, sizeof(cpu_counts));
}

u64 get_random_u64(void)
{
	struct task_struct *task = in_task() ? current : NULL;
	int cpu = flagstone_this.cpu;
	unsigned long *count = &cpu_counts[cpu >= 0 && cpu < SCHED_MAX_CPUS ? cpu : SCHED_MAX_CPUS];
	u64 who = ~(u64)(cpu + 1);

	if (task) {
		count = &task->nr_randoms;
		who = (u64)task->pid;
	}
	return nth_of(seed ^ mix(who), __atomic_add_fetch(count, 1, __ATOMIC_RELAXED));
}

void get_random_bytes(void *to, size_t length)
{
	for (char *at = to; length;) {
		u64 number = get_random_u64();
		size_t part = length < sizeof(number) ? length : sizeof(number);

		memcpy(at, &number, part);
		at += part;
		length -= part;
	}
}

u32 get_random_u32_below(u32 ceiling)
{
	u64 product;

	if (!ceiling)
		return 0;
	/* Lemire, "Fast random integer generation in an interval", 2019: the few numbers that would make some likelier are drawn again. */
	do
		product = (u64)get_random_u32() * ceiling;
	while ((u32)product < (0 - ceiling) % ceiling);
	return (u32)(product >> 32);
}

u32 prandom_u32_state(struct rnd_state *state)
{
	return (u32)nth_of(state->seed, ++state->count);
}

void prandom_bytes_state(struct rnd_state *state, void *to, size_t length)
{
	for (char *at = to; length;) {
		u32 number = prandom_u32_state(state);
		size_t part = length < sizeof(number) ? length : sizeof(number);

		memcpy(at, &number, part);
		at += part;
		length -= part;
	}
}
