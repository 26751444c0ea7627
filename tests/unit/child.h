/*
 * child.h: runs a function in a forked child and keeps what it writes to stderr.
 *
 * Calls libc. Knows no room.
 */
#ifndef TESTS_UNIT_CHILD_H
#define TESTS_UNIT_CHILD_H

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends a child whose parent had threads: a sanitizer would report those that it finds neither running nor joined. */
static inline void child_end(int status)
{
	syscall(SYS_exit_group, status);
}

/* Runs body(argument), then _exit(0). Returns the wait status; output holds what fits of stderr, terminated. */
static inline int child_run(void (*body)(void *), void *argument, char *output, size_t size)
{
	size_t length = 0;
	ssize_t part;
	char rest[256];
	int pipes[2], status = 0;
	pid_t child;

	if (pipe(pipes) != 0)
		abort();
	child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		/* cmocka's handler would go on with the next test, in the child. */
		signal(SIGSEGV, SIG_DFL);
		body(argument);
		_exit(0);
	}
	close(pipes[1]);
	while (length < size - 1 && (part = read(pipes[0], output + length, size - 1 - length)) > 0)
		length += (size_t)part;
	while (read(pipes[0], rest, sizeof(rest)) > 0)
		;
	output[length] = '\0';
	close(pipes[0]);
	waitpid(child, &status, 0);
	return status;
}

#endif
