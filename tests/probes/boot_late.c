/*
 * boot_late.c: the first allocation of a process, wherever it comes from, brings the library up.
 *
 * Broken if this fails: something that boot does must have been done before: in the child of a fork, in a signal handler,
 * in a new thread, under a limit of address space that the program has set itself. Or boot is not late any more, and every
 * process pays for it.
 *
 * Main allocates nothing before it has forked a child for each case, not even by stdio. FLAGSTONE_CONF must not be set.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024ul)
#define BOOTED_BYTES (1024 * MIB) /* of address space: the direct map is larger, everything else smaller */

static void allocate(void)
{
	void *blocks[100];

	for (size_t i = 0; i < 100; i++) {
		size_t size = STAMP_MIN + i * i * 7;

		blocks[i] = malloc(size);
		require(blocks[i], "malloc(%zu) gave NULL", size);
		stamp_write(blocks[i], size);
	}
	for (size_t i = 0; i < 100; i++) {
		stamp_check(blocks[i]);
		free(blocks[i]);
	}
}

static void on_signal(int signal)
{
	(void)signal;
	allocate();
}

static void in_handler(void)
{
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	allocate();
}

static void *thread_main(void *unused)
{
	allocate();
	return unused;
}

static void in_threads(void)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		require(!pthread_create(&threads[i], NULL, thread_main, NULL), "pthread_create");
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

static void under_limit(void)
{
	struct rlimit limit = {64 * MIB, 64 * MIB};

	setrlimit(RLIMIT_AS, &limit);
	allocate();
	require(status_bytes("VmSize:") <= 64 * MIB, "%zu MiB of address space under a limit of 64",
		status_bytes("VmSize:") / MIB);
}

static void in_grandchild(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		allocate();
		_exit(0);
	}
	require(wait_child(child, 20, &status) && status == 0, "a grandchild hung or crashed");
	allocate();
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"in the child of a fork", allocate},
	{"in a signal handler", in_handler},
	{"in threads", in_threads},
	{"under RLIMIT_AS", under_limit},
	{"in the child of a child", in_grandchild},
};

static void run_case(size_t i)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		require(status_bytes("VmSize:") < BOOTED_BYTES, "the child is booted before it allocates");
		cases[i].run();
		_exit(0);
	}
	require(child > 0 && wait_child(child, 20, &status), "first allocation %s: hangs", cases[i].name);
	require(status == 0, "first allocation %s: wait status %#x", cases[i].name, (unsigned int)status);
}

int main(void)
{
	if (emulated())
		return skip_emulated(NO_LIMITS) ? STATUS_SKIPPED : 0;
	require(status_bytes("VmSize:") < BOOTED_BYTES, "the process is booted before it allocates");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(i);
	allocate();
	require(status_bytes("VmSize:") > BOOTED_BYTES,
		"the process has allocated, and is not booted: nothing was tested");
	printf("PASS: boot_late: %s, %zu cases\n", harness_allocator(), sizeof(cases) / sizeof(cases[0]));
	return 0;
}
