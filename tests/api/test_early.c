/*
 * test_early.c: malloc in a preinit function of the executable, before any constructor; works static and dynamic.
 *
 * --static: built with the static archive: libc's own malloc must not have been linked.
 * Broken if this fails: the first call needs something that constructors, or a library's own start, set up.
 */
#include "tests/stress/harness.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_EARLY 400

extern void *__libc_malloc(size_t size) __attribute__((weak));

static unsigned char *early[NR_EARLY];
static size_t early_sizes[NR_EARLY];
static int nr_rounds; /* start functions that ran */

static void allocate_early(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	(void)envp;
	for (int i = 0; i < NR_EARLY; i++) {
		size_t size = (size_t)i * (size_t)i * 11 + 1;
		unsigned char *block = malloc(size);

		if (!block)
			_exit(9);
		memset(block, i, size);
		free(early[i]);
		early[i] = block;
		early_sizes[i] = size;
	}
	nr_rounds++;
}

/* The loader calls it before it calls any constructor. */
static void (*const preinit)(int, char **, char **) __attribute__((section(".preinit_array"), used)) = allocate_early;

static void __attribute__((constructor(101))) first_constructor(void)
{
	allocate_early(0, NULL, NULL);
}

static void __attribute__((destructor(101))) last_destructor(void)
{
	static const char text[] = "PASS: test_early: after main\n";

	for (int i = 0; i < NR_EARLY; i++)
		free(early[i]);
	free(malloc(1000));
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(9);
}

static void *thread_main(void *argument)
{
	for (int i = 0; i < 2000; i++)
		free(memset(malloc((size_t)i * 29 % 70000), 1, (size_t)i * 29 % 70000));
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];
	int status;
	pid_t child;

	require(nr_rounds == 2, "%d start functions ran, not 2", nr_rounds);
	for (int i = 0; i < NR_EARLY; i++)
		require(early[i][0] == (i & 255) && early[i][early_sizes[i] - 1] == (i & 255), "a block has changed");
	for (int i = 0; i < 4; i++)
		require(!pthread_create(&threads[i], NULL, thread_main, NULL), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	child = fork();
	if (child == 0) {
		thread_main(NULL);
		_exit(0);
	}
	require(child > 0 && wait_child(child, 20, &status) && status == 0, "a forked child hung or crashed");
	/* Weak, so that asking does not link it. */
	require(argc < 2 || strcmp(argv[1], "--static") || !__libc_malloc, "libc's malloc is linked in as well");
	puts("test_early: main");
	fflush(stdout);
	return 0;
}
