/*
 * boot_cost.c: what the library adds to the start and end of a process, in what can be counted: system calls, page faults.
 *
 * Broken if this fails: the library does work in processes that do not need it, or more of it than the budgets below allow.
 * Time is not looked at: that is start_time.py's.
 *
 * Usage: boot_cost LIBRARY. Runs itself as a child that allocates nothing, and as one that allocates once; each without
 * the library and with it.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)

struct cost {
	long calls, faults;
};

/*
 * Calls: the dynamic linker takes 8 to load a library of two segments and zeroed data (openat, read, fstat, three mmap,
 * close, mprotect). Boot takes 10: signals blocked and restored, RLIMIT_AS, RAM, one mapping, its rights, its policy for huge
 * pages, CPUs, two for membarrier; the first memory 5: its rights, and
 * signals blocked and restored twice. glibc's malloc, which is not called, would take 3. A fifth more is allowed.
 *
 * Faults: 17 and 41 when this was written, of which boot's caches take 8 and its page structs 8. A fifth more is allowed, since
 * the kernel maps more or fewer pages of a file around the one that is asked for.
 */
static const struct {
	const char *what, *argument;
	struct cost budget; /* more than without the library */
} children[] = {
	{"no allocation", "--nothing", {10, 20}},
	{"one malloc and free", "--one", {24, 48}},
};

static void trace_me(const char *library, const char *argument)
{
	char *arguments[] = {"boot_cost", (char *)argument, NULL};

	if (library)
		setenv("LD_PRELOAD", library, 1);
	else
		unsetenv("LD_PRELOAD");
	unsetenv("FLAGSTONE_CONF");
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	execv("/proc/self/exe", arguments);
	_exit(126);
}

/* Stops twice at each system call, once going in and once coming out; exit_group only goes in. */
static long count_stops(pid_t child, struct rusage *usage)
{
	long stops = 0;
	int status = 0;

	while (!ptrace(PTRACE_SYSCALL, child, NULL, NULL)) {
		require(wait4(child, &status, 0, usage) == child, "wait4");
		if (!WIFSTOPPED(status))
			break;
		stops += WSTOPSIG(status) == SYSCALL_STOP;
	}
	require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with wait status %#x",
		(unsigned int)status);
	return stops;
}

static struct cost run(const char *library, const char *argument)
{
	struct rusage usage;
	struct cost cost;
	pid_t child = fork();
	int status;

	if (child == 0)
		trace_me(library, argument);
	require(child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status), "the child did not stop");
	require(!ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)), "ptrace");
	cost.calls = count_stops(child, &usage) / 2;
	cost.faults = usage.ru_minflt;
	return cost;
}

/* The least of some runs: faults depend on which pages of a file the kernel maps around the one that is asked for. */
static struct cost measure(const char *library, const char *argument)
{
	struct cost least = run(library, argument);

	for (int i = 0; i < 4; i++) {
		struct cost cost = run(library, argument);

		least.calls = cost.calls < least.calls ? cost.calls : least.calls;
		least.faults = cost.faults < least.faults ? cost.faults : least.faults;
	}
	return least;
}

static void check(size_t i, const char *library)
{
	struct cost alone = measure(NULL, children[i].argument);
	struct cost with = measure(library, children[i].argument);
	struct cost more = {with.calls - alone.calls, with.faults - alone.faults};

	printf("  %s: %ld system calls and %ld faults without, %ld and %ld more with the library\n", children[i].what,
		alone.calls, alone.faults, more.calls, more.faults);
	fflush(stdout);
	require(more.calls > 3, "%s: only %ld system calls more: the library was not loaded", children[i].what,
		more.calls);
	require(more.calls <= children[i].budget.calls, "%s: %ld system calls more; the budget is %ld",
		children[i].what, more.calls, children[i].budget.calls);
	require(more.faults <= children[i].budget.faults, "%s: %ld faults more; the budget is %ld", children[i].what,
		more.faults, children[i].budget.faults);
}

int main(int argc, char **argv)
{
	require(argc == 2, "usage: %s LIBRARY", argv[0]);
	if (!strcmp(argv[1], "--nothing"))
		return 0;
	if (!strcmp(argv[1], "--one")) {
		void *volatile block = malloc(100);

		free(block);
		return 0;
	}
	if (skip_emulated(NO_EXEC))
		return STATUS_SKIPPED;
	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++)
		check(i, argv[1]);
	puts("PASS: boot_cost");
	return 0;
}
