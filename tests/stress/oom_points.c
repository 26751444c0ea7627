/*
 * oom_points.c: running out of memory at every point.
 *
 * Broken if this fails: the library does not start, crashes or hangs under some small limit; malloc fails without
 * ENOMEM; a failure half-way through a slow path leaves something behind, so that freed memory cannot be had again.
 *
 * For each limit of a series, this program runs itself again under that limit (RLIMIT_AS, so that the start is tested
 * too; or, with --data, RLIMIT_DATA, which also stops an allocator that reserved its addresses in advance). The child
 * allocates a mix until NULL, checks, frees, and must get most of it again, also in other sizes.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024ul)
#define CAP (400 * MIB) /* the child stops here, if the limit does not stop it */
#define NEVER_STARTED 127 /* the dynamic loader's own status when it has no memory */
#define MUST_START 32 /* MiB of address space under which the library has to start, and give out memory */

static long first = 4, last = 160, step = 2, data_limit, seed_option, child_limit;

/* Blocks (of 17 bytes and more) are chained through their first words: the test itself must not need memory. */
struct link {
	struct link *next;
	size_t size;
};

struct hoard {
	struct link *list;
	size_t bytes;
	size_t nr;
};

static void touch(void *block, size_t size)
{
	memset(block, 0xa5, size < 4096 ? size : 4096);
	((unsigned char *)block)[size - 1] = 0xa5;
}

static void hoard_push(struct hoard *hoard, void *block, size_t size)
{
	struct link *link = block;

	require((uintptr_t)block % 16 == 0, "block %p of size %zu is misaligned", block, size);
	touch(block, size);
	*link = (struct link){hoard->list, size};
	hoard->list = link;
	hoard->bytes += size;
	hoard->nr++;
}

static void hoard_pop(struct hoard *hoard)
{
	struct link *link = hoard->list;
	unsigned char *bytes = (unsigned char *)link;
	size_t size = link->size;

	require(bytes[size - 1] == 0xa5 && (size <= 32 || bytes[size / 2 < 4096 ? size / 2 : 4095] == 0xa5),
		"corruption: block %p of size %zu", (void *)link, size);
	hoard->list = link->next;
	hoard->bytes -= size;
	hoard->nr--;
	free(link);
}

static void hoard_free(struct hoard *hoard)
{
	while (hoard->list)
		hoard_pop(hoard);
	require(hoard->bytes == 0 && hoard->nr == 0, "the test itself has lost a block");
}

/* One allocation in one of the ways there are; NULL must come with ENOMEM, success must leave errno alone. */
static void *allocate(struct rng *rng, size_t size)
{
	uint64_t dice = rng_below(rng, 8);
	void *block;

	errno = EDOM;
	if (dice == 0)
		block = calloc(1, size);
	else if (dice == 1)
		block = memalign((size_t)16 << rng_below(rng, 9), size);
	else if (dice == 2)
		block = realloc(malloc(size / 2 + 1), size);
	else
		block = malloc(size);
	if (!block)
		require(errno == ENOMEM, "allocation of %zu bytes failed with errno %d, not ENOMEM", size, errno);
	return block;
}

/* Allocates a mix until every size, from large to small, has been refused. */
static void fill_mixed(struct hoard *hoard, struct rng *rng)
{
	for (size_t max = 8 * MIB; max >= 32; max /= 4) {
		int refused = 0;

		while (refused < 3 && hoard->bytes < CAP) {
			size_t size = 16 + rng_size(rng, max);
			void *block = allocate(rng, size);

			if (block)
				hoard_push(hoard, block, size);
			else
				refused++;
		}
	}
}

static void fill_sized(struct hoard *hoard, size_t size, size_t limit)
{
	while (hoard->bytes < limit) {
		void *block = malloc(size);

		if (!block) {
			require(errno == ENOMEM, "malloc(%zu) failed with errno %d, not ENOMEM", size, errno);
			return;
		}
		hoard_push(hoard, block, size);
	}
}

/* realloc that fails must keep the block. */
static void check_failing_realloc(struct hoard *hoard)
{
	struct link *link = hoard->list;
	void *moved;

	if (!link)
		return;
	errno = 0;
	moved = realloc(link, 1ul << 45);
	require(!moved && errno == ENOMEM, "realloc to 32 TiB: %p, errno %d", moved, errno);
	touch((char *)link + sizeof(*link), link->size - sizeof(*link));
}

/* Returns the bytes that the first filling got. */
static size_t child_work(struct rng *rng)
{
	struct hoard hoard = {0}, again = {0};
	size_t first_bytes, half;

	fill_mixed(&hoard, rng);
	first_bytes = hoard.bytes;
	check_failing_realloc(&hoard);
	half = hoard.nr / 2;
	while (hoard.nr > half)
		hoard_pop(&hoard);
	fill_mixed(&hoard, rng);
	hoard_free(&hoard);
	for (size_t size = 64; size <= 64 * 1024; size *= 32) {
		fill_sized(&again, size, first_bytes / 2);
		require(harness_is_peer() || again.bytes + MIB >= first_bytes / 2,
			"%zu KiB were allocated and freed; now only %zu KiB are to be had in blocks of %zu",
			first_bytes / 1024, again.bytes / 1024, size);
		hoard_free(&again);
	}
	fill_mixed(&again, rng);
	/* Slack: near the smallest limits one block more or less of up to 8 MiB decides. */
	require(harness_is_peer() || again.bytes + 8 * MIB >= first_bytes / 4 * 3,
		"the same mix got %zu KiB, then only %zu KiB", first_bytes / 1024, again.bytes / 1024);
	hoard_free(&again);
	return first_bytes;
}

static int child_main(uint64_t seed)
{
	struct rng rng = rng_stream(seed, (uint64_t)child_limit);
	struct rlimit limit;
	size_t bytes;

	if (data_limit) {
		limit.rlim_cur = limit.rlim_max = status_bytes("VmData:") + (size_t)child_limit * MIB;
		setrlimit(RLIMIT_DATA, &limit);
	}
	bytes = child_work(&rng);
	/* Written with write(): there may be no memory for stdio. */
	return write(STDOUT_FILENO, &bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : 3;
}

/* ---- the parent ---- */

static void exec_child(const char *self, long limit_mib, uint64_t seed, int output)
{
	struct rlimit limit = {(size_t)limit_mib * MIB, (size_t)limit_mib * MIB};
	char limit_text[24], seed_text[24];
	char *arguments[] = {
		(char *)self, "--child", limit_text, "--seed", seed_text, data_limit ? "--data" : NULL, NULL};

	snprintf(limit_text, sizeof(limit_text), "%ld", limit_mib);
	snprintf(seed_text, sizeof(seed_text), "%lu", (unsigned long)seed);
	dup2(output, STDOUT_FILENO);
	if (!data_limit)
		setrlimit(RLIMIT_AS, &limit);
	execv("/proc/self/exe", arguments);
	_exit(NEVER_STARTED);
}

/* Runs one limit. Returns the bytes that the child got, 0 if its loader did not even start it. */
static size_t run_limit(const char *self, long limit_mib, uint64_t seed)
{
	int status, ends[2];
	size_t bytes = 0;
	bool reported;
	pid_t child;

	require(!pipe(ends), "pipe");
	child = fork();
	if (child == 0)
		exec_child(self, limit_mib, seed, ends[1]);
	close(ends[1]);
	require(child > 0 && wait_child(child, 60, &status), "limit %ld MiB: hangs", limit_mib);
	reported = read(ends[0], &bytes, sizeof(bytes)) == sizeof(bytes);
	close(ends[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && reported)
		return bytes;
	/* The loader says 127; the kernel kills what has no room for its own image or stack. */
	if (limit_mib < MUST_START &&
		(harness_is_peer() || (WIFEXITED(status) && WEXITSTATUS(status) == NEVER_STARTED) ||
			(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)))
		return 0;
	fail("limit %ld MiB, --seed %lu: wait status %#x", limit_mib, (unsigned long)seed, (unsigned int)status);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--first", &first, false, "MiB of the first limit"},
		{"--last", &last, false, "MiB of the last limit"},
		{"--step", &step, false, "MiB from one limit to the next"},
		{"--data", &data_limit, true, "limit RLIMIT_DATA of the running child, not RLIMIT_AS of its start"},
		{"--seed", &seed_option, false, "seed; 0: from the clock"},
		{"--child", &child_limit, false, "(internal) run the workload"},
	};
	size_t bytes = 0, started = 0, points = 0;
	uint64_t seed;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	seed = harness_seed(seed_option);
	if (child_limit)
		return child_main(seed);
	if (skip_emulated(NO_LIMITS))
		return STATUS_SKIPPED;
	printf("oom_points: %s, %ld to %ld MiB, --seed %lu\n", harness_allocator(), first, last, (unsigned long)seed);
	fflush(stdout);
	for (long limit = first; limit <= last; limit += step) {
		bytes = run_limit(argv[0], limit, seed);
		points++;
		started += bytes > 0;
		require(limit < MUST_START || data_limit || harness_is_peer() || bytes >= MIB,
			"limit %ld MiB: only %zu KiB to be had", limit, bytes / 1024);
	}
	require(started > 0, "no limit let the program start: nothing was tested");
	printf("PASS: oom_points: %zu limits, %zu started; %zu MiB allocated under the last\n", points, started,
		bytes / MIB);
	return 0;
}
