/*
 * linux/cpumask.h: sets of simulated CPUs.
 *
 * Semantics: Linux, Documentation/core-api/cpu_hotplug.rst and the kernel's header of this name. Context: any.
 * Functions that change one CPU's bit are atomic, unless their name begins with __. Those on whole masks are not.
 */
#ifndef FLAGSTONE_LINUX_CPUMASK_H
#define FLAGSTONE_LINUX_CPUMASK_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NR_CPUS 256 /* most simulated CPUs */
#define nr_cpumask_bits ((unsigned int)NR_CPUS)
#define FLAGSTONE_CPUMASK_WORDS (NR_CPUS / 64)

typedef struct cpumask {
	unsigned long bits[FLAGSTONE_CPUMASK_WORDS]; /* CPU c: bit c % 64 of word c / 64 */
} cpumask_t;

#define cpumask_bits(mask) ((mask)->bits)

/* CPU numbers of the machine that runs are below this; 0 when none does. Synchronization: const while a machine runs. */
extern unsigned int nr_cpu_ids;

/* CPUs that the machine may ever have, that it has, and that run tasks. Synchronization: atomic words */
extern struct cpumask __cpu_possible_mask, __cpu_present_mask, __cpu_online_mask;
#define cpu_possible_mask ((const struct cpumask *)&__cpu_possible_mask)
#define cpu_present_mask ((const struct cpumask *)&__cpu_present_mask)
#define cpu_online_mask ((const struct cpumask *)&__cpu_online_mask)

/* The mask of one CPU alone, cpu < NR_CPUS. It is constant. */
const struct cpumask *cpumask_of(unsigned int cpu);

/* ---- one CPU: cpu < NR_CPUS ---- */

static inline unsigned long flagstone_cpumask_word(const struct cpumask *mask, unsigned int word)
{
	return __atomic_load_n(&mask->bits[word], __ATOMIC_RELAXED);
}

/* Adds or removes a CPU. */
static inline void cpumask_set_cpu(unsigned int cpu, struct cpumask *mask)
{
	__atomic_fetch_or(&mask->bits[cpu / 64], 1ul << cpu % 64, __ATOMIC_RELAXED);
}

static inline void cpumask_clear_cpu(unsigned int cpu, struct cpumask *mask)
{
	__atomic_fetch_and(&mask->bits[cpu / 64], ~(1ul << cpu % 64), __ATOMIC_RELAXED);
}

static inline void __cpumask_set_cpu(unsigned int cpu, struct cpumask *mask)
{
	mask->bits[cpu / 64] |= 1ul << cpu % 64;
}

static inline void __cpumask_clear_cpu(unsigned int cpu, struct cpumask *mask)
{
	mask->bits[cpu / 64] &= ~(1ul << cpu % 64);
}

/* Whether it is in the mask. */
static inline bool cpumask_test_cpu(unsigned int cpu, const struct cpumask *mask)
{
	return flagstone_cpumask_word(mask, cpu / 64) >> cpu % 64 & 1;
}

/* Adds or removes it; returns whether it was there. Full barriers. */
static inline bool cpumask_test_and_set_cpu(unsigned int cpu, struct cpumask *mask)
{
	return __atomic_fetch_or(&mask->bits[cpu / 64], 1ul << cpu % 64, __ATOMIC_SEQ_CST) >> cpu % 64 & 1;
}

static inline bool cpumask_test_and_clear_cpu(unsigned int cpu, struct cpumask *mask)
{
	return __atomic_fetch_and(&mask->bits[cpu / 64], ~(1ul << cpu % 64), __ATOMIC_SEQ_CST) >> cpu % 64 & 1;
}

/* ---- search ---- */

/* The first CPU after n (an int; -1: from the start) in the mask. Returns NR_CPUS or more where there is none. */
static inline unsigned int cpumask_next(int n, const struct cpumask *mask)
{
	unsigned int cpu = (unsigned int)(n + 1);

	while (cpu < NR_CPUS) {
		unsigned long rest = flagstone_cpumask_word(mask, cpu / 64) >> cpu % 64;

		if (rest)
			return cpu + (unsigned int)__builtin_ctzl(rest);
		cpu = (cpu / 64 + 1) * 64;
	}
	return NR_CPUS;
}

static inline unsigned int cpumask_first(const struct cpumask *mask)
{
	return cpumask_next(-1, mask);
}

/* As cpumask_next, for CPUs that are in both. */
static inline unsigned int cpumask_next_and(int n, const struct cpumask *a, const struct cpumask *b)
{
	unsigned int cpu = cpumask_next(n, a);

	while (cpu < NR_CPUS && !cpumask_test_cpu(cpu, b))
		cpu = cpumask_next((int)cpu, a);
	return cpu;
}

static inline unsigned int cpumask_first_and(const struct cpumask *a, const struct cpumask *b)
{
	return cpumask_next_and(-1, a, b);
}

/* The highest CPU; NR_CPUS or more where there is none. */
static inline unsigned int cpumask_last(const struct cpumask *mask)
{
	for (unsigned int word = FLAGSTONE_CPUMASK_WORDS; word-- > 0;) {
		unsigned long bits = flagstone_cpumask_word(mask, word);

		if (bits)
			return word * 64 + 63 - (unsigned int)__builtin_clzl(bits);
	}
	return NR_CPUS;
}

/* The first that is not in the mask; the first of those after n: nr_cpu_ids or more where there is none. */
static inline unsigned int cpumask_next_zero(int n, const struct cpumask *mask)
{
	unsigned int cpu = (unsigned int)(n + 1);

	while (cpu < nr_cpu_ids && cpumask_test_cpu(cpu, mask))
		cpu++;
	return cpu;
}

static inline unsigned int cpumask_first_zero(const struct cpumask *mask)
{
	return cpumask_next_zero(-1, mask);
}

/* The cpu-th of the mask, from 0; NR_CPUS or more where there are not so many. */
static inline unsigned int cpumask_nth(unsigned int cpu, const struct cpumask *mask)
{
	unsigned int found = cpumask_first(mask);

	while (cpu-- && found < NR_CPUS)
		found = cpumask_next((int)found, mask);
	return found;
}

#define cpumask_any(mask) cpumask_first(mask)
#define cpumask_any_and(a, b) cpumask_first_and(a, b)
/* One of the mask that is not cpu. */
static inline unsigned int cpumask_any_but(const struct cpumask *mask, unsigned int cpu)
{
	unsigned int other = cpumask_first(mask);

	return other == cpu ? cpumask_next((int)cpu, mask) : other;
}

/* For each_cpu_wrap(): the next of a walk that began at start, and went on from NR_CPUS at 0; NR_CPUS at its end. */
static inline unsigned int flagstone_cpumask_wrap(int n, const struct cpumask *mask, unsigned int start)
{
	bool again = (unsigned int)(n + 1) <= start; /* began from 0 already */
	unsigned int cpu = cpumask_next(n, mask);

	if (!again && cpu >= NR_CPUS) {
		again = true;
		cpu = cpumask_first(mask);
	}
	return again && cpu >= start ? NR_CPUS : cpu;
}

/*
 * The i-th CPU, from 0, of those that are online, the ones of a node first (NUMA_NO_NODE: none first); they are counted round. So the
 * queues of a device are spread over CPUs near it.
 */
unsigned int cpumask_local_spread(unsigned int i, int node);

/* Each CPU of a mask, ascending. cpu: an unsigned int; after the loop, not below nr_cpu_ids. */
#define for_each_cpu(cpu, mask) \
	for ((cpu) = cpumask_first(mask); (cpu) < NR_CPUS; (cpu) = cpumask_next((int)(cpu), mask))
#define for_each_cpu_and(cpu, a, b) \
	for ((cpu) = cpumask_first_and(a, b); (cpu) < NR_CPUS; (cpu) = cpumask_next_and((int)(cpu), a, b))
/* Each below nr_cpu_ids that is not in it. */
#define for_each_cpu_not(cpu, mask) \
	for ((cpu) = cpumask_first_zero(mask); (cpu) < nr_cpu_ids; (cpu) = cpumask_next_zero((int)(cpu), mask))
/* Each of a mask, ascending from start on, and then those below it. */
#define for_each_cpu_wrap(cpu, mask, start)                                                            \
	for ((cpu) = cpumask_next((int)(start)-1, mask),                                               \
	    (cpu) = (cpu) < NR_CPUS ? (cpu) : flagstone_cpumask_wrap(-1, mask, (unsigned int)(start)); \
		(cpu) < NR_CPUS; (cpu) = flagstone_cpumask_wrap((int)(cpu), mask, (unsigned int)(start)))
#define for_each_possible_cpu(cpu) for_each_cpu(cpu, cpu_possible_mask)
#define for_each_present_cpu(cpu) for_each_cpu(cpu, cpu_present_mask)
#define for_each_online_cpu(cpu) for_each_cpu(cpu, cpu_online_mask)

/* ---- whole masks ---- */

/* Number of CPUs in it. */
static inline unsigned int cpumask_weight(const struct cpumask *mask)
{
	unsigned int weight = 0;

	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		weight += (unsigned int)__builtin_popcountl(flagstone_cpumask_word(mask, word));
	return weight;
}

/* Of those that are in both. */
static inline unsigned int cpumask_weight_and(const struct cpumask *a, const struct cpumask *b)
{
	unsigned int weight = 0;

	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		weight += (unsigned int)__builtin_popcountl(
			flagstone_cpumask_word(a, word) & flagstone_cpumask_word(b, word));
	return weight;
}

static inline bool cpumask_empty(const struct cpumask *mask)
{
	return cpumask_first(mask) >= NR_CPUS;
}

/* All CPUs below nr_cpu_ids. */
static inline bool cpumask_full(const struct cpumask *mask)
{
	return cpumask_weight(mask) >= nr_cpu_ids;
}

static inline void cpumask_clear(struct cpumask *mask)
{
	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		mask->bits[word] = 0;
}

/* Adds every CPU below nr_cpu_ids; removes others. */
static inline void cpumask_setall(struct cpumask *mask)
{
	cpumask_clear(mask);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		__cpumask_set_cpu(cpu, mask);
}

static inline void cpumask_copy(struct cpumask *to, const struct cpumask *from)
{
	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		to->bits[word] = flagstone_cpumask_word(from, word);
}

/* to = a & b, a & ~b: returns whether that is not empty; to = a | b, a ^ b. to may be a or b. */
static inline bool cpumask_and(struct cpumask *to, const struct cpumask *a, const struct cpumask *b)
{
	unsigned long any = 0;

	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		any |= to->bits[word] = flagstone_cpumask_word(a, word) & flagstone_cpumask_word(b, word);
	return any != 0;
}

static inline bool cpumask_andnot(struct cpumask *to, const struct cpumask *a, const struct cpumask *b)
{
	unsigned long any = 0;

	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		any |= to->bits[word] = flagstone_cpumask_word(a, word) & ~flagstone_cpumask_word(b, word);
	return any != 0;
}

static inline void cpumask_or(struct cpumask *to, const struct cpumask *a, const struct cpumask *b)
{
	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		to->bits[word] = flagstone_cpumask_word(a, word) | flagstone_cpumask_word(b, word);
}

static inline void cpumask_xor(struct cpumask *to, const struct cpumask *a, const struct cpumask *b)
{
	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		to->bits[word] = flagstone_cpumask_word(a, word) ^ flagstone_cpumask_word(b, word);
}

static inline bool cpumask_equal(const struct cpumask *a, const struct cpumask *b)
{
	unsigned long differ = 0;

	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		differ |= flagstone_cpumask_word(a, word) ^ flagstone_cpumask_word(b, word);
	return !differ;
}

/* Whether some CPU is in both; whether every CPU of a is in b. */
static inline bool cpumask_intersects(const struct cpumask *a, const struct cpumask *b)
{
	return cpumask_first_and(a, b) < NR_CPUS;
}

static inline bool cpumask_subset(const struct cpumask *a, const struct cpumask *b)
{
	unsigned long left = 0;

	for (unsigned int word = 0; word < FLAGSTONE_CPUMASK_WORDS; word++)
		left |= flagstone_cpumask_word(a, word) & ~flagstone_cpumask_word(b, word);
	return !left;
}

/* ---- masks as local variables ---- */

/* Bytes of a mask. */
static inline unsigned int cpumask_size(void)
{
	return sizeof(struct cpumask);
}

/* Masks are small: nothing is allocated, and alloc_ always returns true. */
typedef struct cpumask cpumask_var_t[1];

static inline bool alloc_cpumask_var(cpumask_var_t *mask, gfp_t gfp)
{
	(void)mask;
	(void)gfp;
	return true;
}

static inline bool zalloc_cpumask_var(cpumask_var_t *mask, gfp_t gfp)
{
	(void)gfp;
	cpumask_clear(*mask);
	return true;
}

static inline bool alloc_cpumask_var_node(cpumask_var_t *mask, gfp_t gfp, int node)
{
	(void)node;
	return alloc_cpumask_var(mask, gfp);
}

static inline bool zalloc_cpumask_var_node(cpumask_var_t *mask, gfp_t gfp, int node)
{
	(void)node;
	return zalloc_cpumask_var(mask, gfp);
}

static inline bool cpumask_available(const struct cpumask *mask)
{
	(void)mask;
	return true;
}

static inline void free_cpumask_var(cpumask_var_t mask)
{
	(void)mask;
}

/* ---- the machine's CPUs ---- */

#define num_possible_cpus() cpumask_weight(cpu_possible_mask)
#define num_present_cpus() cpumask_weight(cpu_present_mask)
#define num_online_cpus() cpumask_weight(cpu_online_mask)

static inline bool cpu_possible(unsigned int cpu)
{
	return cpumask_test_cpu(cpu, cpu_possible_mask);
}

static inline bool cpu_present(unsigned int cpu)
{
	return cpumask_test_cpu(cpu, cpu_present_mask);
}

static inline bool cpu_online(unsigned int cpu)
{
	return cpumask_test_cpu(cpu, cpu_online_mask);
}

static inline bool cpu_is_offline(unsigned int cpu)
{
	return !cpu_online(cpu);
}

#ifdef __cplusplus
}
#endif

#endif
