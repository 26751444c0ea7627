/*
 * thread_churn.c: thousands of short threads.
 *
 * Broken if this fails: what an ending thread had cached is lost (memory grows with the number of threads that ever
 * lived); malloc in the destructor of thread-specific data, when the thread's own state may be gone already, crashes;
 * or a block does not outlive the thread that allocated it.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_SLOTS 512
#define NR_KEYS 4
#define MAX_TOGETHER 64
#define MIB (1024 * 1024ul)

static void *slots[NR_SLOTS]; /* Synchronization: atomic exchange; each block is stamped */
static long nr_total = 3000, nr_together = 8, nr_parked = 1000, each_kib = 16, seed_option;
static uint64_t seed;
static pthread_key_t keys[NR_KEYS];
static unsigned long nr_destructions; /* Synchronization: atomic */

static void *stamped(struct rng *rng, size_t max)
{
	size_t size = STAMP_MIN + rng_size(rng, max);
	void *block = malloc(size);

	require(block, "malloc(%zu) gave NULL", size);
	stamp_write(block, size);
	return block;
}

static void release(void *block)
{
	stamp_check(block);
	free(block);
}

/* Whether the sizes of this process say something about its allocator. */
static bool sizes_count(void)
{
	return !harness_is_peer() && !emulated();
}

/* What is stored under a key. */
struct legacy {
	pthread_key_t key;
	int rounds; /* how often the destructor still stores a successor */
	void *blocks[8];
	struct rng rng;
};

static struct legacy *legacy_new(pthread_key_t key, int rounds, struct rng *rng)
{
	struct legacy *legacy = malloc(sizeof(*legacy));

	require(legacy, "malloc gave NULL");
	*legacy = (struct legacy){.key = key, .rounds = rounds, .rng = rng_stream(seed, rng_next(rng))};
	for (int i = 0; i < 8; i++)
		legacy->blocks[i] = stamped(&legacy->rng, 20000);
	return legacy;
}

/* Runs while the thread is being torn down; stores a successor, so that libc calls it in several rounds. */
static void legacy_destroy(void *argument)
{
	struct legacy *legacy = argument;

	for (int i = 0; i < 8; i++)
		release(legacy->blocks[i]);
	for (int i = 0; i < 20; i++)
		release(stamped(&legacy->rng, 3000));
	if (legacy->rounds > 0)
		pthread_setspecific(legacy->key, legacy_new(legacy->key, legacy->rounds - 1, &legacy->rng));
	free(legacy);
	__atomic_add_fetch(&nr_destructions, 1, __ATOMIC_RELAXED);
}

static void *short_main(void *argument)
{
	struct rng rng = rng_stream(seed, (uintptr_t)argument);
	void *own[64];

	for (int i = 0; i < 64; i++)
		own[i] = stamped(&rng, i % 16 ? 1000 : 60000);
	for (int i = 0; i < NR_KEYS; i++)
		pthread_setspecific(keys[i], legacy_new(keys[i], i % 4, &rng));
	/* Half of the blocks stay behind for other threads to free; what they left goes now. */
	for (int i = 0; i < 64; i++) {
		void *left = own[i];

		if (i % 2)
			left = __atomic_exchange_n(&slots[rng_below(&rng, NR_SLOTS)], left, __ATOMIC_ACQ_REL);
		if (left)
			release(left);
	}
	return NULL;
}

/* Resident memory once everything is quiet. */
static size_t churn(long first, long count)
{
	pthread_t threads[MAX_TOGETHER];

	for (long i = 0; i < count + nr_together; i++) {
		if (i >= nr_together)
			pthread_join(threads[i % nr_together], NULL);
		if (i < count)
			require(!pthread_create(
					&threads[i % nr_together], NULL, short_main, (void *)(uintptr_t)(first + i)),
				"pthread_create");
	}
	return status_bytes("RssAnon:");
}

/* ---- many threads that each did a little and now sleep ---- */

static pthread_barrier_t parked, leave;

static void *parked_main(void *unused)
{
	void *blocks[16];

	(void)unused;
	for (int i = 0; i < 16; i++) {
		blocks[i] = malloc(64);
		require(blocks[i], "malloc gave NULL");
		stamp_write(blocks[i], 64);
	}
	pthread_barrier_wait(&parked);
	pthread_barrier_wait(&leave);
	for (int i = 0; i < 16; i++)
		release(blocks[i]);
	return NULL;
}

/* Bytes that one sleeping thread with 1 KiB of blocks costs, its touched stack included. */
static size_t park(void)
{
	pthread_t *threads = malloc((size_t)nr_parked * sizeof(*threads));
	size_t before = status_bytes("RssAnon:"), after;
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	pthread_barrier_init(&parked, NULL, (unsigned int)nr_parked + 1);
	pthread_barrier_init(&leave, NULL, (unsigned int)nr_parked + 1);
	for (long i = 0; i < nr_parked; i++)
		require(!pthread_create(&threads[i], &small, parked_main, NULL), "pthread_create");
	pthread_barrier_wait(&parked);
	after = status_bytes("RssAnon:");
	pthread_barrier_wait(&leave);
	for (long i = 0; i < nr_parked; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return after < before ? 0 : (after - before) / (size_t)nr_parked;
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--threads", &nr_total, false, "threads in all"},
		{"--together", &nr_together, false, "threads at once, at most 64"},
		{"--parked", &nr_parked, false, "sleeping threads at once"},
		{"--each", &each_kib, false, "KiB that a sleeping thread may cost (magazines of threads: 64)"},
		{"--seed", &seed_option, false, "seed; 0: from the clock"},
	};
	size_t warm, end, each;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	require(nr_together >= 1 && nr_together <= MAX_TOGETHER, "1 to %d at once", MAX_TOGETHER);
	seed = harness_seed(seed_option);
	printf("thread_churn: %s, %ld threads, --seed %lu\n", harness_allocator(), nr_total, (unsigned long)seed);
	skip_emulated(NO_RESIDENT);
	fflush(stdout);
	watchdog_start(60 + (double)nr_total / 20, "thread_churn");
	for (int i = 0; i < NR_KEYS; i++)
		require(!pthread_key_create(&keys[i], legacy_destroy), "pthread_key_create");
	warm = churn(0, nr_total / 4);
	end = churn(nr_total, nr_total - nr_total / 4);
	require(nr_destructions >= (unsigned long)nr_total * 10, "only %lu destructors ran", nr_destructions);
	require(!sizes_count() || end <= warm + 16 * MIB, "%zu MiB resident after %ld threads, %zu MiB after %ld",
		warm / MIB, nr_total / 4, end / MIB, nr_total);
	require(!sizes_count() || end <= 96 * MIB, "%zu MiB resident, about 2 MiB live", end / MIB);
	each = nr_parked ? park() : 0;
	require(!sizes_count() || each <= (size_t)each_kib * 1024, "%zu bytes for each of %ld sleeping threads", each,
		nr_parked);
	for (int i = 0; i < NR_SLOTS; i++)
		if (slots[i])
			release(slots[i]);
	watchdog_stop();
	printf("PASS: thread_churn: %lu destructors, resident %zu then %zu KiB, %zu bytes a sleeping thread\n",
		nr_destructions, warm / 1024, end / 1024, each);
	return test_status(0);
}
