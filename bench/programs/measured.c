/*
 * measured.c: runs one command and tells what it took: the small parent that a measured program needs.
 *
 * A process inherits the peak resident size of the one that forked it, so that a child of a large program (a Python,
 * say) looks as large as that. This one has little of its own, and allocates nothing. Calls fork, exec and wait4.
 * Refuses to know what allocators are: NAME=VALUE before the command goes into the command's environment only.
 *
 * usage: flagstone-measured FD [NAME=VALUE...] PROGRAM [ARG...]
 *
 * Writes to FD, a line each: "pid N" at once; "wall S", "cpu S", "peak KIB", "status N" at the end, where status is
 * minus the signal's number if one ended it. Peak is the largest of the command and of those of its descendants that
 * were waited for; cpu is the sum of them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_NO_PROGRAM 127

static double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "flagstone-measured: %s: %s\n", what, strerror(errno));
	exit(EXIT_NO_PROGRAM);
}

static _Noreturn void become(char **argv)
{
	while (*argv && strchr(*argv, '='))
		putenv(*argv++);
	if (!*argv) {
		fputs("flagstone-measured: which program?\n", stderr);
		_exit(EXIT_USAGE);
	}
	execvp(*argv, argv);
	fail(*argv);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double start;
	int fd, status;
	pid_t pid;

	if (argc < 3 || (fd = atoi(argv[1])) <= 0) {
		fputs("usage: flagstone-measured FD [NAME=VALUE...] PROGRAM [ARG...]\n", stderr);
		return EXIT_USAGE;
	}
	signal(SIGTERM, SIG_IGN); /* meant for the program, where the whole group is signalled */
	signal(SIGINT, SIG_IGN);
	start = now_seconds();
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		close(fd);
		become(argv + 2);
	}
	dprintf(fd, "pid %d\n", (int)pid);
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			fail("wait4");
	dprintf(fd, "wall %.6f\ncpu %.6f\npeak %ld\nstatus %d\n", now_seconds() - start,
		seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss,
		WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
	return EXIT_SUCCESS;
}
