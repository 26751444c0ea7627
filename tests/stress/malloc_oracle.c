/*
 * malloc_oracle.c: the oracle on malloc; and, with --self-test, on allocators that are broken on purpose.
 *
 * Broken if this fails: malloc gives out memory twice, changes it, or does not take it back.
 * --self-test: each way of being broken must be found, with the right status, or the oracle proves nothing.
 */
#include "tests/stress/harness.h"
#include "tests/stress/oracle.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *zeroed(size_t size)
{
	return calloc(1, size);
}

static void *aligned(size_t align, size_t size)
{
	return memalign(align, size);
}

static const struct allocator_ops malloc_ops = {
	.name = "malloc",
	.alloc = malloc,
	.release = free,
	.alloc_zeroed = zeroed,
	.resize = realloc,
	.alloc_aligned = aligned,
	.usable = malloc_usable_size,
};

/* ---- broken allocators: one call in INTERVAL misbehaves, towards the block given out last ---- */

#define INTERVAL 1000

static struct {
	pthread_mutex_t lock;
	unsigned char *victim; /* Synchronization: lock. The block given out last, NULL once it has been freed */
	size_t size; /* Synchronization: lock */
	unsigned long calls; /* Synchronization: lock */
	long live; /* Synchronization: lock */
} broken = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Allocates, with one of the faults now and then. */
static void *broken_alloc(size_t size, void *(*fault)(size_t size))
{
	unsigned char *block = NULL;

	pthread_mutex_lock(&broken.lock);
	if (broken.victim && ++broken.calls % INTERVAL == 0)
		block = fault(size);
	broken.live++;
	pthread_mutex_unlock(&broken.lock);
	if (!block)
		block = malloc(size);
	pthread_mutex_lock(&broken.lock);
	broken.victim = block;
	broken.size = size;
	pthread_mutex_unlock(&broken.lock);
	return block;
}

static void broken_release(void *block)
{
	pthread_mutex_lock(&broken.lock);
	if (broken.victim == block)
		broken.victim = NULL;
	broken.live--;
	pthread_mutex_unlock(&broken.lock);
	free(block);
}

static void *fault_twice(size_t size)
{
	return size <= broken.size ? broken.victim : NULL;
}

static void *fault_inside(size_t size)
{
	return size + 32 <= broken.size ? broken.victim + 32 : NULL;
}

static void *fault_first_byte(size_t size)
{
	(void)size;
	broken.victim[0] ^= 0x10;
	return NULL;
}

static void *fault_last_byte(size_t size)
{
	(void)size;
	broken.victim[broken.size - 1] ^= 0x80;
	return NULL;
}

static void *alloc_twice(size_t size)
{
	return broken_alloc(size, fault_twice);
}

static void *alloc_inside(size_t size)
{
	return broken_alloc(size, fault_inside);
}

static void *alloc_first_byte(size_t size)
{
	return broken_alloc(size, fault_first_byte);
}

static void *alloc_last_byte(size_t size)
{
	return broken_alloc(size, fault_last_byte);
}

static unsigned long tick(void)
{
	static unsigned long calls;

	return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
}

static void *alloc_misaligned(size_t size)
{
	unsigned char *block = malloc(size + 8);

	return tick() % INTERVAL == 0 && size > 8 ? block + 8 : block;
}

static void release_lost(void *block)
{
	if (tick() % 8)
		free(block);
}

static long counted_live; /* Synchronization: atomic */

static void *alloc_counted(size_t size)
{
	__atomic_add_fetch(&counted_live, 1, __ATOMIC_RELAXED);
	return malloc(size);
}

static void release_counted(void *block)
{
	if (tick() % INTERVAL == 0)
		return;
	__atomic_sub_fetch(&counted_live, 1, __ATOMIC_RELAXED);
	free(block);
}

static size_t nr_counted(void)
{
	return (size_t)__atomic_load_n(&counted_live, __ATOMIC_RELAXED);
}

static void *zeroed_dirty(size_t size)
{
	unsigned char *block = calloc(1, size);

	if (block && tick() % INTERVAL == 0)
		block[size - 1] = 1;
	return block;
}

static void *resize_short(void *block, size_t size)
{
	size_t old = malloc_usable_size(block);
	unsigned char *moved = realloc(block, size);

	if (moved && size > 1 && old > 1)
		moved[(old < size ? old : size) / 2 - 1] ^= 1;
	return moved;
}

static size_t usable_short(void *block)
{
	return malloc_usable_size(block) / 4;
}

static void *alloc_null(size_t size)
{
	return tick() % INTERVAL ? malloc(size) : NULL;
}

static const struct trial {
	enum oracle_fault expected; /* 0: nothing wrong */
	struct allocator_ops ops;
} trials[] = {
	{0, {.name = "honest", .alloc = malloc, .release = free, .alloc_zeroed = zeroed, .resize = realloc}},
	{ORACLE_OVERLAP, {.name = "double hand-out", .alloc = alloc_twice, .release = broken_release}},
	{ORACLE_OVERLAP, {.name = "block inside a block", .alloc = alloc_inside, .release = broken_release}},
	{ORACLE_CORRUPT, {.name = "first byte corrupted", .alloc = alloc_first_byte, .release = broken_release}},
	{ORACLE_CORRUPT, {.name = "last byte corrupted", .alloc = alloc_last_byte, .release = broken_release}},
	{ORACLE_CORRUPT, {.name = "realloc loses a byte", .alloc = malloc, .release = free, .resize = resize_short}},
	{ORACLE_LOST,
		{.name = "lost objects, by memory", .max_size = 1 << 20, .alloc = malloc, .release = release_lost}},
	{ORACLE_LOST, {.name = "lost objects, by count",
			      .alloc = alloc_counted,
			      .release = release_counted,
			      .nr_live = nr_counted}},
	{ORACLE_MISALIGNED, {.name = "misaligned", .alloc = alloc_misaligned, .release = free}},
	{ORACLE_NOT_ZERO, {.name = "calloc not zero", .alloc = malloc, .release = free, .alloc_zeroed = zeroed_dirty}},
	{ORACLE_NULL, {.name = "NULL", .alloc = alloc_null, .release = free}},
	{ORACLE_SHORT, {.name = "usable size short", .alloc = malloc, .release = free, .usable = usable_short}},
};

/* Runs one trial in a child, quietly. Returns its exit status, -1 if it crashed or hung. */
static int trial_run(const struct trial *trial, uint64_t seed)
{
	struct oracle_config config = {.ops = &trial->ops,
		.nr_threads = 4,
		.seed = seed,
		.live_bytes = 8 << 20,
		.resident_slop = trial->expected == ORACLE_LOST ? 24 << 20 : SIZE_MAX};
	struct oracle_result result;
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (trial->expected && !freopen("/dev/null", "w", stderr))
			_exit(99);
		config.seconds = trial->ops.nr_live || !trial->expected ? 1 : 15;
		oracle_run(&config, &result);
		_exit(0);
	}
	if (child < 0 || !wait_child(child, 60, &status) || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int self_test(uint64_t seed)
{
	int failures = 0;

	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		int status = trial_run(&trials[i], seed + i);
		int good = status == (int)trials[i].expected;

		printf("%s: self-test: %s: exit status %d, expected %d\n", good ? "ok" : "FAIL", trials[i].ops.name,
			status, (int)trials[i].expected);
		failures += !good;
	}
	return failures;
}

int main(int argc, char **argv)
{
	long threads = 8, seconds = 0, seed = 0, live = 192, self = 0, slop = 96, max_align = 0;
	struct allocator_ops ops = malloc_ops;
	const struct test_option options[] = {
		{"--threads", &threads, false, "threads, 1 to 256"},
		{"--seconds", &seconds, false, "time to run; 0: FLAGSTONE_SOAK_SECONDS or 5"},
		{"--seed", &seed, false, "seed; 0: from the clock"},
		{"--live", &live, false, "MiB live at once, all threads together"},
		{"--slop", &slop, false, "MiB resident beyond 4 times that and one big block; -1: no limit"},
		{"--max-align", &max_align, false, "largest alignment to ask for; 0: 1 MiB (mimalloc 2.0.9: 128)"},
		{"--self-test", &self, true, "run on broken allocators instead"},
	};
	struct oracle_config config = {.ops = &ops};
	struct oracle_result result;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	ops.max_align = (size_t)max_align;
	config.nr_threads = (unsigned int)threads;
	config.seconds = harness_seconds(seconds, 5);
	config.seed = harness_seed(seed);
	config.live_bytes = (size_t)live << 20;
	config.resident_slop = slop < 0 || harness_is_peer() ? SIZE_MAX : (size_t)slop << 20;
	printf("malloc_oracle: %s, %ld threads, %.0f s, --seed %lu\n", harness_allocator(), threads, config.seconds,
		(unsigned long)config.seed);
	fflush(stdout);
	if (self)
		return self_test(config.seed) ? 1 : 0;
	watchdog_start(config.seconds + 60, "malloc_oracle");
	oracle_run(&config, &result);
	watchdog_stop();
	printf("PASS: malloc_oracle: %lu blocks, %lu resizes, %lu freed by another thread, %zu MiB live, %zu MiB "
	       "resident\n",
		result.nr_allocs, result.nr_resizes, result.nr_crossed, result.peak_live >> 20,
		result.peak_resident >> 20);
	return 0;
}
