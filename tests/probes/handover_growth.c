/*
 * handover_growth.c: one thread allocates, another frees, and the process does not grow.
 *
 * Broken if this fails: what a thread frees is not found by the one that allocates, so that memory grows with time and not
 * with what is live.
 *
 * Blocks go through a queue that the consumer keeps nearly full, so that the live set is the queue, and does not change.
 * Resident memory may be 1.2 times that, and what the process had before. The live set must be large against what CPUs
 * cache, which does not grow with it: 100 MiB and more.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB (1024 * 1024ul)
#define MAX_SLOTS (1ul << 20)

static long nr_slots = 65536, rounds = 40, full_rounds = 4000, max_size = 4096, percent = 120;
static size_t lag; /* the consumer leaves so many in the queue. Synchronization: const after main() has set it */
static void
	*queue[MAX_SLOTS]; /* Synchronization: its slots belong to the producer or the consumer, by the two counts */
static size_t nr_produced, nr_consumed; /* Synchronization: atomic; one thread writes each */
static size_t live_bytes; /* Synchronization: atomic */
static size_t peak_live, peak_resident; /* Synchronization: producer */
static size_t base; /* Synchronization: const after main() has set it */

static void *produce(struct rng *rng)
{
	size_t size = STAMP_MIN + rng_below(rng, (uint64_t)max_size - STAMP_MIN);
	void *block = malloc(size);

	require(block, "malloc(%zu) gave NULL", size);
	stamp_write(block, size);
	__atomic_add_fetch(&live_bytes, size, __ATOMIC_RELAXED);
	return block;
}

static void look(void)
{
	size_t resident = status_bytes("VmRSS:") - base;
	size_t live = __atomic_load_n(&live_bytes, __ATOMIC_RELAXED);

	peak_resident = resident > peak_resident ? resident : peak_resident;
	peak_live = live > peak_live ? live : peak_live;
}

static void *producer_main(void *unused)
{
	struct rng rng = rng_stream(9, 1);
	size_t last = (size_t)(rounds * nr_slots);

	(void)unused;
	for (size_t n = 0; n < last; n++) {
		/* Pairs with consumer_main(): the slot is free again. */
		while (n - __atomic_load_n(&nr_consumed, __ATOMIC_ACQUIRE) == (size_t)nr_slots)
			sched_yield();
		queue[n % (size_t)nr_slots] = produce(&rng);
		/* Pairs with consumer_main(): the block is in its slot. */
		__atomic_store_n(&nr_produced, n + 1, __ATOMIC_RELEASE);
		if (n % ((size_t)nr_slots / 16) == 0)
			look();
	}
	look();
	return NULL;
}

static void *consumer_main(void *unused)
{
	size_t last = (size_t)(rounds * nr_slots) - lag;

	(void)unused;
	for (size_t n = 0; n < last; n++) {
		void *block;

		/* Pairs with producer_main(). */
		while (__atomic_load_n(&nr_produced, __ATOMIC_ACQUIRE) - n <= lag)
			sched_yield();
		block = queue[n % (size_t)nr_slots];
		__atomic_sub_fetch(&live_bytes, stamp_check(block), __ATOMIC_RELAXED);
		free(block);
		/* Pairs with producer_main(). */
		__atomic_store_n(&nr_consumed, n + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--slots", &nr_slots, false, "length of the queue, at most 2^20"},
		{"--rounds", &rounds, false, "times the length of the queue"},
		{"--full", &full_rounds, false, "the same with FlagSTONE_PROBES=full"},
		{"--max-size", &max_size, false, "bytes of the largest block"},
		{"--percent", &percent, false, "of the live set that may be resident"},
	};
	pthread_t producer, consumer;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	require(nr_slots >= 16 && nr_slots <= (long)MAX_SLOTS, "16 to %lu slots", MAX_SLOTS);
	rounds = harness_count(rounds, full_rounds);
	lag = (size_t)(nr_slots - nr_slots / 16);
	if (skip_emulated(NO_RESIDENT))
		return STATUS_SKIPPED;
	printf("handover_growth: %s\n", harness_allocator());
	fflush(stdout);
	free(malloc(1));
	base = status_bytes("VmRSS:");
	require(!pthread_create(&producer, NULL, producer_main, NULL), "pthread_create");
	require(!pthread_create(&consumer, NULL, consumer_main, NULL), "pthread_create");
	pthread_join(producer, NULL);
	pthread_join(consumer, NULL);
	printf("  %ld rounds: %.1f MiB live at most, %.1f MiB resident at most: %.3f\n", rounds,
		(double)peak_live / MIB, (double)peak_resident / MIB, (double)peak_resident / (double)peak_live);
	fflush(stdout);
	require(peak_live > 100 * MIB, "only %zu MiB were live: nothing was measured", peak_live / MIB);
	require(harness_is_peer() || peak_resident * 100 <= peak_live * (size_t)percent,
		"%zu MiB resident for %zu MiB live; %ld%% may be", peak_resident / MIB, peak_live / MIB, percent);
	puts("PASS: handover_growth");
	return 0;
}
