/*
 * map_exhaustion.c: a process that has used up its mappings (vm.max_map_count) goes on allocating and freeing.
 *
 * Broken if this fails: growth, large blocks or giving back need a new mapping, or split one; malloc gives NULL, free
 * aborts, or memory stays lost after mappings are there again.
 *
 * Blocks with mappings of their own lie side by side, and the kernel makes one mapping of them: to unmap one in the middle
 * would split it. Its memory must go back all the same.
 *
 * Maps single pages of alternating rights until the kernel has no more, then allocates and frees blocks of all sizes, and
 * in the end gives the mappings back and does so again.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1024 * 1024ul)
#define NR_HELD 400
#define NR_LARGE 16
#define LARGE_BYTES (8 * MIB)
#define MAX_MAPS 2000000ul /* with more allowed, this test would need too much memory for page tables */

static long rounds = 2, full_rounds = 50, hold_mib = 200, largest_mib = 64, seed_option;

/* One page in two readable in one range: each makes a mapping of its own. Returns the number of pages that were. */
static size_t use_up_mappings(char **range, size_t *size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), nr = 0;

	*size = MAX_MAPS * 2 * page;
	*range = mmap(NULL, *size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(*range != MAP_FAILED, "mmap of %zu MiB", *size / MIB);
	while (nr < MAX_MAPS && !mprotect(*range + (2 * nr + 1) * page, page, PROT_READ))
		nr++;
	return nr;
}

/* One page that merges with no neighbour. */
static bool map_one(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

/* Mostly small ones; one in 32 up to the largest. */
static size_t next_size(struct rng *rng)
{
	if (rng_below(rng, 32) == 0)
		return STAMP_MIN + rng_below(rng, (uint64_t)largest_mib * MIB);
	return STAMP_MIN + rng_size(rng, 300000);
}

static void replace(struct rng *rng, void **slot, size_t *held)
{
	size_t size = next_size(rng);

	if (*slot) {
		*held -= stamp_check(*slot);
		free(*slot);
		*slot = NULL;
	}
	if (*held + size > (size_t)hold_mib * MIB)
		return;
	*slot = malloc(size);
	require(*slot, "malloc(%zu) gave NULL with errno %d: %zu MiB are held", size, errno, *held / MIB);
	stamp_write(*slot, size);
	*held += size;
}

static void churn(struct rng *rng, const char *when)
{
	static void *held[NR_HELD];
	size_t bytes = 0, nr = 0;

	for (long round = 0; round < rounds; round++) {
		for (int i = 0; i < NR_HELD; i++)
			replace(rng, &held[rng_below(rng, NR_HELD)], &bytes);
		nr += NR_HELD;
	}
	for (int i = 0; i < NR_HELD; i++) {
		if (held[i])
			stamp_check(held[i]);
		free(held[i]);
		held[i] = NULL;
	}
	printf("  %s: %zu blocks\n", when, nr);
}

static void *large[NR_LARGE];

static void allocate_large(void)
{
	for (int i = 0; i < NR_LARGE; i++) {
		large[i] = malloc(LARGE_BYTES);
		require(large[i], "malloc(%lu) gave NULL", LARGE_BYTES);
		memset(large[i], 1, LARGE_BYTES);
	}
}

/* Every second one first. Freed mappings may be kept for a while, until somebody asks for them. */
static void free_large(void)
{
	size_t before = status_bytes("VmRSS:"), after;

	for (int i = 1; i < NR_LARGE; i += 2)
		free(large[i]);
	malloc_trim(0);
	after = status_bytes("VmRSS:");
	printf("  half of %lu MiB in large blocks freed: %zu MiB less are resident\n", NR_LARGE * LARGE_BYTES / MIB,
		(before - after) / MIB);
	fflush(stdout);
	require(harness_is_peer() || before - after >= NR_LARGE / 2 * LARGE_BYTES * 9 / 10,
		"large blocks that were freed stay resident");
	for (int i = 0; i < NR_LARGE; i += 2)
		free(large[i]);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--rounds", &rounds, false, "rounds of 400 blocks"},
		{"--full", &full_rounds, false, "the same with FLAGSTONE_PROBES=full"},
		{"--hold", &hold_mib, false, "MiB held at most"},
		{"--largest", &largest_mib, false, "MiB of the largest block"},
		{"--seed", &seed_option, false, "seed; 0: from the clock"},
	};
	size_t size, nr;
	uint64_t seed;
	struct rng rng;
	char *range;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	rounds = harness_count(rounds, full_rounds);
	seed = harness_seed(seed_option);
	rng = rng_stream(seed, 0);
	printf("map_exhaustion: %s, --seed %lu\n", harness_allocator(), (unsigned long)seed);
	if (skip_emulated(NO_LIMITS))
		return STATUS_SKIPPED;
	churn(&rng, "with mappings to be had");
	allocate_large();
	nr = use_up_mappings(&range, &size);
	if (nr == MAX_MAPS) {
		skip_part("vm.max_map_count is too high to be used up");
		return STATUS_SKIPPED;
	}
	/* A page in the middle takes two: the last one may be left. */
	require(!map_one() || !map_one(), "%zu mappings are used, and there still are some: nothing is tested", 2 * nr);
	free_large();
	churn(&rng, "without");
	require(!munmap(range, size), "munmap: %s", strerror(errno));
	churn(&rng, "with them again");
	printf("PASS: map_exhaustion: %zu mappings used up\n", 2 * nr);
	return 0;
}
