/*
 * idle_resident.c: memory that a program has freed goes back to the OS although nobody calls malloc any more.
 *
 * Broken if this fails: threads that are alive and asleep keep what they freed, in the magazines of their CPUs, depots,
 * slabs or page lists; or giving back needs somebody to allocate.
 *
 * Each thread allocates its share of 512 MiB, touches it, frees it, and sleeps. Main, which does not allocate either,
 * reads the resident size for 12 s. The quick test ends when it is low enough; FLAGSTONE_PROBES=full waits to the end.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024ul)
#define MAX_THREADS 64

static long small, large, nr_threads = 4, total_mib = 512, limit_mib = 20, seconds = 12;
static pthread_barrier_t filled, freed, done;

/* Blocks are chained through their first word, so that the test itself needs no memory. */
struct link {
	struct link *next;
};

static size_t next_size(struct rng *rng)
{
	if (large)
		return MIB;
	if (small)
		return 16 + rng_below(rng, 497);
	return 16 + rng_size(rng, 4 * MIB);
}

static struct link *fill(struct rng *rng, size_t bytes)
{
	struct link *list = NULL;

	for (size_t got = 0; got < bytes;) {
		size_t size = next_size(rng);
		struct link *link = malloc(size);

		require(link, "malloc(%zu) gave NULL", size);
		memset(link, 0x5a, size);
		link->next = list;
		list = link;
		got += size;
	}
	return list;
}

static void *thread_main(void *argument)
{
	struct rng rng = rng_stream(5, (uintptr_t)argument);
	struct link *list = fill(&rng, (size_t)total_mib * MIB / (size_t)nr_threads);

	pthread_barrier_wait(&filled);
	while (list) {
		struct link *link = list;

		list = link->next;
		free(link);
	}
	pthread_barrier_wait(&freed);
	pthread_barrier_wait(&done); /* asleep, and alive, until main has looked */
	return NULL;
}

static size_t wait_until_low(size_t limit)
{
	double start = now_seconds();
	size_t resident = status_bytes("VmRSS:");
	bool all = harness_count(0, 1);
	bool told = false;

	while (now_seconds() < start + (double)seconds && (all || resident > limit)) {
		sleep_ms(50);
		resident = status_bytes("VmRSS:");
		if (resident <= limit && !told)
			printf("  %zu MiB after %.2f s\n", resident / MIB, now_seconds() - start);
		told |= resident <= limit;
	}
	return resident;
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--small", &small, true, "only objects of 16 to 512 bytes"},
		{"--large", &large, true, "only blocks of 1 MiB"},
		{"--threads", &nr_threads, false, "threads"},
		{"--total", &total_mib, false, "MiB in all"},
		{"--limit", &limit_mib, false, "MiB that may stay resident"},
		{"--seconds", &seconds, false, "time for that"},
	};
	pthread_t threads[MAX_THREADS];
	size_t peak, right_after, resident;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	require(nr_threads >= 1 && nr_threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	if (skip_emulated(NO_RESIDENT))
		return STATUS_SKIPPED;
	printf("idle_resident: %s\n", harness_allocator());
	fflush(stdout);
	pthread_barrier_init(&filled, NULL, (unsigned int)nr_threads + 1);
	pthread_barrier_init(&freed, NULL, (unsigned int)nr_threads + 1);
	pthread_barrier_init(&done, NULL, (unsigned int)nr_threads + 1);
	for (long i = 0; i < nr_threads; i++)
		require(!pthread_create(&threads[i], NULL, thread_main, (void *)(uintptr_t)i), "pthread_create");
	peak = status_bytes("VmRSS:");
	while (peak < (size_t)total_mib * MIB) {
		sleep_ms(10);
		peak = status_bytes("VmRSS:");
	}
	pthread_barrier_wait(&filled);
	pthread_barrier_wait(&freed);
	right_after = status_bytes("VmRSS:");
	resident = wait_until_low((size_t)limit_mib * MIB);
	printf("  resident: %zu MiB full, %zu MiB right after, %zu MiB in the end\n", peak / MIB, right_after / MIB,
		resident / MIB);
	fflush(stdout);
	require(harness_is_peer() || resident <= (size_t)limit_mib * MIB,
		"%zu MiB are resident %ld s after %ld MiB were freed; %ld MiB may be", resident / MIB, seconds,
		total_mib, limit_mib);
	pthread_barrier_wait(&done);
	for (long i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	puts("PASS: idle_resident");
	return 0;
}
