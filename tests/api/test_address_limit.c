/*
 * test_address_limit.c: life under RLIMIT_AS.
 *
 * Broken if this fails: the library does not start under 32 MiB of address space; or a process that ran into its limit
 * with blocks of one size does not get its memory back, after freeing them, for blocks of another.
 *
 * Usage: test_address_limit [--small MiB] [--limit MiB]. It runs itself again under each limit.
 */
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

static long small_limit = 32, big_limit = 1024, child_case;

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

/* Runs into the limit with blocks of each size in turn; everything must come back each time. */
static void recover(const size_t *sizes, size_t nr_sizes, size_t limit)
{
	struct link *list = NULL;

	for (size_t i = 0; i < nr_sizes; i++) {
		size_t bytes = fill(&list, sizes[i], 4 * limit);

		require(bytes < 4 * limit, "%zu MiB under a limit of %zu MiB: it does not bind", bytes / MIB,
			limit / MIB);
		require(harness_is_peer() || bytes >= limit * 3 / 4,
			"only %zu of %zu MiB to be had in blocks of %zu, "
			"after %zu other sizes",
			bytes / MIB, limit / MIB, sizes[i], i);
		printf("  %zu MiB in blocks of %zu\n", bytes / MIB, sizes[i]);
		drain(&list);
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
	static const size_t small_first[] = {64, 20 * MIB, 1000, MIB, 48};
	static const size_t large_first[] = {20 * MIB, 64, 300000, 4096, 20 * MIB};

	if (child_case == 1)
		start_small();
	else if (child_case == 2)
		recover(small_first, 5, (size_t)big_limit * MIB);
	else
		recover(large_first, 5, (size_t)big_limit * MIB);
	return 0;
}

static void run_case(const char *what, char *number, long limit_mib)
{
	struct rlimit limit = {(size_t)limit_mib * MIB, (size_t)limit_mib * MIB};
	char text[24];
	char *arguments[] = {"test_address_limit", "--case", number, "--limit", text, NULL};
	int status;
	pid_t child;

	printf("%s, RLIMIT_AS %ld MiB\n", what, limit_mib);
	fflush(stdout);
	snprintf(text, sizeof(text), "%ld", limit_mib);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_AS, &limit);
		execv("/proc/self/exe", arguments);
		_exit(126);
	}
	require(child > 0 && wait_child(child, 120, &status), "%s: hangs", what);
	require(status == 0, "%s: wait status %#x", what, (unsigned int)status);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--small", &small_limit, false, "MiB under which a program must start"},
		{"--limit", &big_limit, false, "MiB to run into"},
		{"--case", &child_case, false, "(internal) run one case"},
	};

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	if (child_case)
		return child_main();
	printf("test_address_limit: %s\n", harness_allocator());
	run_case("start", "1", small_limit);
	run_case("small blocks, then large", "2", big_limit);
	run_case("large blocks, then small", "3", big_limit);
	puts("PASS: test_address_limit");
	return 0;
}
