/*
 * affinity.c: a process that may not use all CPUs, and whose CPUs change while it allocates.
 *
 * Broken if this fails: CPU numbers have holes that the library does not expect, or an operation begun on one CPU ends on
 * another's magazines.
 *
 * It first runs on the last CPU only, from before its first allocation (the numbers below are a hole); then threads that
 * allocate, and free each other's blocks, are moved from CPU to CPU without pause.
 */
#include "tests/stress/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define NR_THREADS 4
#define NR_SLOTS 512
#define LEAST_MOVES 100
#define LEAST_STEPS 1000 /* of all threads while they are moved */
#define PATIENCE 60 /* seconds for that, on a host that is busy with others */

static long seconds_option;
static void *slots[NR_SLOTS]; /* Synchronization: atomic exchange; each block is stamped */
static int stop; /* Synchronization: atomic */
static cpu_set_t allowed; /* Synchronization: const after main() has set it */
static unsigned long nr_moves; /* Synchronization: main thread */
static unsigned long nr_steps; /* Synchronization: atomic */

/* The nth allowed CPU, counted in a circle. */
static int nth_cpu(size_t n)
{
	int cpu = -1;

	for (n %= (size_t)CPU_COUNT(&allowed), n++; n > 0; n--)
		do
			cpu++;
		while (!CPU_ISSET(cpu, &allowed));
	return cpu;
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	require(!pthread_setaffinity_np(thread, sizeof(one), &one), "no affinity to CPU %d", cpu);
}

static void step(struct rng *rng)
{
	void *mine = NULL, *theirs;

	if (rng_below(rng, 4)) {
		size_t size = STAMP_MIN + rng_size(rng, 20000);

		mine = malloc(size);
		require(mine, "malloc(%zu) gave NULL", size);
		stamp_write(mine, size);
	}
	theirs = __atomic_exchange_n(&slots[rng_below(rng, NR_SLOTS)], mine, __ATOMIC_ACQ_REL);
	if (theirs) {
		stamp_check(theirs);
		free(theirs);
	}
}

static void *thread_main(void *argument)
{
	struct rng rng = rng_stream(3, (uintptr_t)argument);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 64; i++)
			step(&rng);
		__atomic_add_fetch(&nr_steps, 64, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool is_enough(void)
{
	return nr_moves > LEAST_MOVES && __atomic_load_n(&nr_steps, __ATOMIC_RELAXED) > LEAST_STEPS;
}

/* For so long, and until something was tested. */
static void move_about(pthread_t *threads, double seconds)
{
	double start = now_seconds();
	struct rng rng = rng_stream(3, 100);

	for (; now_seconds() < start + seconds || (!is_enough() && now_seconds() < start + seconds + PATIENCE);
		nr_moves++)
		pin(threads[rng_below(&rng, NR_THREADS)], nth_cpu(rng_next(&rng)));
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--seconds", &seconds_option, false, "time to run; 0: FLAGSTONE_SOAK_SECONDS or 4"},
	};
	struct rng rng = rng_stream(3, 200);
	pthread_t threads[NR_THREADS];

	harness_options(argc, argv, options, 1);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	pin(pthread_self(), nth_cpu((size_t)CPU_COUNT(&allowed) - 1));
	for (int i = 0; i < 100000; i++)
		step(&rng);
	printf("affinity: %s, %d CPUs\n", harness_allocator(), CPU_COUNT(&allowed));
	fflush(stdout);
	for (size_t i = 0; i < NR_THREADS; i++)
		require(!pthread_create(&threads[i], NULL, thread_main, (void *)i), "pthread_create");
	move_about(threads, harness_seconds(seconds_option, 4));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	require(is_enough(), "%lu moves, %lu steps: nothing was tested", nr_moves, nr_steps);
	printf("PASS: affinity: %lu moves, %lu steps\n", nr_moves, nr_steps);
	return 0;
}
