/*
 * test_address_limit.c: life under RLIMIT_AS.
 *
 * Broken if this fails: the library does not start under 32 MiB of address space; or a process that ran into its limit
 * with blocks of one size does not get its memory back, after freeing them, for blocks of another.
 *
 * Usage: test_address_limit [--small MiB] [--limit MiB]. It runs itself again under each limit.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024ul)

#define RESULT_FD 9
#define NR_SIZES 5

enum child_case { SMALL_FIRST, LARGE_FIRST, START, FRESH };

static const size_t series[][NR_SIZES] = {
	[SMALL_FIRST] = {64, 20 * MIB, 1000, MIB, 48},
	[LARGE_FIRST] = {20 * MIB, 64, 300000, 4096, 20 * MIB},
};

static long small_limit = 32, big_limit = 1024, child_case = -1, child_size;

/* Blocks are chained through their first word, so that the test itself needs no memory. */
struct link {
	struct link *next;
};

/* Allocates blocks of size bytes until NULL or until limit bytes. Returns the bytes it got. */
static size_t fill(struct link **list, size_t size, size_t limit)
{
	size_t bytes = 0;

	while (bytes < limit) {
		struct link *link = malloc(size);

		if (!link) {
			require(errno == ENOMEM, "malloc(%zu) failed with errno %d, not ENOMEM", size, errno);
			break;
		}
		memset(link, 0x11, size < 4096 ? size : 4096);
		link->next = *list;
		*list = link;
		bytes += size;
	}
	return bytes;
}

static void drain(struct link **list)
{
	while (*list) {
		struct link *link = *list;

		*list = link->next;
		free(link);
	}
}

/* Runs into the limit with blocks of each size in turn, and tells the parent how far it came each time. */
static void run_into_limit(const size_t *sizes, size_t nr_sizes, size_t limit)
{
	struct link *list = NULL;

	for (size_t i = 0; i < nr_sizes; i++) {
		size_t bytes = fill(&list, sizes[i], 4 * limit);

		require(bytes < 4 * limit, "%zu MiB under a limit of %zu MiB: it does not bind", bytes / MIB,
			limit / MIB);
		drain(&list);
		require(write(RESULT_FD, &bytes, sizeof(bytes)) == sizeof(bytes), "write");
	}
}

static void *thread_main(void *unused)
{
	for (int i = 0; i < 500; i++)
		free(memset(malloc((size_t)i * 13 % 5000 + 1), 1, (size_t)i * 13 % 5000 + 1));
	return unused;
}

/* Under the small limit: a program with some threads and some memory. */
static void start_small(void)
{
	struct link *list = NULL;
	pthread_attr_t attr;
	pthread_t threads[4];
	size_t bytes = fill(&list, 100, 4 * MIB);

	require(bytes >= 4 * MIB, "only %zu KiB to be had at the start", bytes / 1024);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	for (int i = 0; i < 4; i++)
		require(!pthread_create(&threads[i], &attr, thread_main, NULL), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	drain(&list);
	bytes = fill(&list, 100000, 4 * MIB);
	require(bytes >= 4 * MIB, "only %zu KiB to be had after freeing", bytes / 1024);
	drain(&list);
	require(fopen("/dev/null", "r"), "stdio has no memory");
}

static int child_main(void)
{
	const size_t one = (size_t)child_size;

	if (child_case == START)
		start_small();
	else if (child_case == FRESH)
		run_into_limit(&one, 1, (size_t)big_limit * MIB);
	else
		run_into_limit(series[child_case], NR_SIZES, (size_t)big_limit * MIB);
	return 0;
}

/* Runs this program again under a limit. Returns how many results came back. */
static size_t run_case(enum child_case number, long limit_mib, size_t size, size_t results[NR_SIZES])
{
	struct rlimit limit = {(size_t)limit_mib * MIB, (size_t)limit_mib * MIB};
	char case_text[24], limit_text[24], size_text[24];
	char *arguments[] = {
		"test_address_limit", "--case", case_text, "--limit", limit_text, "--size", size_text, NULL};
	int status, ends[2];
	ssize_t length;
	pid_t child;

	snprintf(case_text, sizeof(case_text), "%d", (int)number);
	snprintf(limit_text, sizeof(limit_text), "%ld", limit_mib);
	snprintf(size_text, sizeof(size_text), "%zu", size);
	require(!pipe(ends), "pipe");
	child = fork();
	if (child == 0) {
		dup2(ends[1], RESULT_FD);
		setrlimit(RLIMIT_AS, &limit);
		execv("/proc/self/exe", arguments);
		_exit(126);
	}
	close(ends[1]);
	require(child > 0 && wait_child(child, 120, &status), "case %d: hangs", (int)number);
	require(status == 0, "case %d, RLIMIT_AS %ld MiB: wait status %#x", (int)number, limit_mib,
		(unsigned int)status);
	length = read(ends[0], results, NR_SIZES * sizeof(size_t));
	close(ends[0]);
	return length < 0 ? 0 : (size_t)length / sizeof(size_t);
}

/* In a series, each size must get nearly as much as in a process that has done nothing else before. */
static void check_series(enum child_case number, const char *what)
{
	size_t got[NR_SIZES], fresh[NR_SIZES];

	printf("%s, RLIMIT_AS %ld MiB\n", what, big_limit);
	require(run_case(number, big_limit, 0, got) == NR_SIZES, "%s: results are missing", what);
	for (size_t i = 0; i < NR_SIZES; i++) {
		size_t size = series[number][i];

		require(run_case(FRESH, big_limit, size, fresh) == 1, "%s: results are missing", what);
		printf("  %4zu of %4zu MiB in blocks of %zu\n", got[i] / MIB, fresh[0] / MIB, size);
		require(harness_is_peer() || got[i] >= fresh[0] / 10 * 9,
			"memory does not come back: %zu MiB for blocks of "
			"%zu, a fresh process gets %zu",
			got[i] / MIB, size, fresh[0] / MIB);
		require(harness_is_peer() || fresh[0] >= (size_t)big_limit * MIB / 2, "only %zu MiB for blocks of %zu",
			fresh[0] / MIB, size);
	}
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--small", &small_limit, false, "MiB under which a program must start"},
		{"--limit", &big_limit, false, "MiB to run into"},
		{"--case", &child_case, false, "(internal) run one case"},
		{"--size", &child_size, false, "(internal) size for it"},
	};
	size_t none[NR_SIZES];

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	if (child_case >= 0)
		return child_main();
	if (skip_emulated(NO_LIMITS))
		return STATUS_SKIPPED;
	printf("test_address_limit: %s\n", harness_allocator());
	printf("start, RLIMIT_AS %ld MiB\n", small_limit);
	run_case(START, small_limit, 0, none);
	check_series(SMALL_FIRST, "small blocks, then large");
	check_series(LARGE_FIRST, "large blocks, then small");
	puts("PASS: test_address_limit");
	return 0;
}
