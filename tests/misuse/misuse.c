/*
 * misuse.c: one wrong use of the malloc family a run. See run_misuse.py, which knows the report that each must give.
 *
 * Usage: misuse CASE; "misuse --list" prints the cases. Prints "address 0x..." of the block that it is about to misuse,
 * then does it, then everything that may make a deferred check notice. Exit status 0: nothing noticed.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/misuse/cases.h"

#define MIB (1024 * 1024ul)

/* Volatile: the compiler must not see that a free is wrong. */
static void (*volatile do_free)(void *block) = free;
static void *(*volatile do_malloc)(size_t size) = malloc;
static void *(*volatile do_realloc)(void *block, size_t size) = realloc;

static char static_bytes[64] __attribute__((aligned(16)));

static void announce(const void *address)
{
	char text[40];
	int length = snprintf(text, sizeof(text), "address 0x%lx\n", (unsigned long)address);

	if (write(STDOUT_FILENO, text, (size_t)length) != length)
		_exit(9);
}

/* Returns all free objects of this size to their slabs: a double free shows there at the latest. */
static void return_to_slabs(size_t size)
{
	static void *blocks[6000];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 6000; i++)
			blocks[i] = size > 4096 && i >= 200 ? NULL : do_malloc(size);
		for (int i = 0; i < 6000; i++)
			do_free(blocks[i]);
		malloc_trim(0);
	}
}

static void *touched(size_t size)
{
	return memset(do_malloc(size), 0x5a, size);
}

/* A block whose slab stays in use, whatever happens to the block: it has live neighbours on both sides. */
static void *touched_among_others(size_t size)
{
	void *block;

	for (int i = 0; i < 100 && size <= 32768; i++)
		touched(size);
	block = touched(size);
	for (int i = 0; i < 100 && size <= 32768; i++)
		touched(size);
	return block;
}

static void free_twice(size_t size)
{
	void *block = touched_among_others(size);

	announce(block);
	do_free(block);
	do_free(block);
	return_to_slabs(size);
}

static void double_free_8(void)
{
	free_twice(8);
}

static void double_free_64(void)
{
	free_twice(64);
}

static void double_free_3000(void)
{
	free_twice(3000);
}

static void double_free_20000(void)
{
	free_twice(20000);
}

static void double_free_pages(void)
{
	free_twice(200000);
}

static void double_free_mapping(void)
{
	free_twice(40 * MIB);
}

/* The first free has reached the slab long before the second. */
static void double_free_later(void)
{
	void *block = touched_among_others(64);

	announce(block);
	do_free(block);
	return_to_slabs(200);
	malloc_trim(0);
	do_free(block);
	return_to_slabs(64);
}

static void *free_argument(void *block)
{
	do_free(block);
	return NULL;
}

static void double_free_other_thread(void)
{
	void *block = touched_among_others(100);
	pthread_t thread;

	announce(block);
	do_free(block);
	pthread_create(&thread, NULL, free_argument, block);
	pthread_join(thread, NULL);
	return_to_slabs(100);
}

static void free_wrong(void *address, size_t size)
{
	announce(address);
	do_free(address);
	return_to_slabs(size);
}

static void interior_small(void)
{
	free_wrong((char *)touched_among_others(256) + 64, 256);
}

static void interior_misaligned(void)
{
	free_wrong((char *)touched_among_others(64) + 1, 64);
}

static void interior_8(void)
{
	free_wrong((char *)touched_among_others(48) + 8, 48);
}

static void interior_pages(void)
{
	free_wrong((char *)touched(300000) + 8192, 300000);
}

static void interior_pages_odd(void)
{
	free_wrong((char *)touched(300000) + 24, 300000);
}

static void interior_mapping(void)
{
	free_wrong((char *)touched(40 * MIB) + 65536, 64);
}

static void foreign_stack(void)
{
	char bytes[64] __attribute__((aligned(16)));

	free_wrong(bytes, 64);
}

static void foreign_static(void)
{
	do_free(do_malloc(10));
	free_wrong(static_bytes, 64);
}

static void foreign_first_call(void)
{
	free_wrong(static_bytes, 64);
}

static void foreign_mapping(void)
{
	char *mapped = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	do_free(do_malloc(10));
	free_wrong(mapped + 4096, 64);
}

static void foreign_low(void)
{
	free_wrong((void *)0x10, 64);
}

static void foreign_noncanonical(void)
{
	free_wrong((void *)0xdead000000000100, 64);
}

static void foreign_unused_heap(void)
{
	uintptr_t block = (uintptr_t)touched(64);

	free_wrong((void *)((block & ~(4 * MIB - 1)) + 1024 * MIB), 64);
}

static void realloc_foreign(void)
{
	announce(static_bytes);
	do_free(do_realloc(static_bytes, 100));
}

/* The report must end the process even if it does not want to. */
static void ignore_signal(int signal)
{
	(void)signal;
}

static void abort_blocked(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGABRT, ignore_signal);
	free_wrong(static_bytes, 64);
}

/* Control: everything that is right, which must not be reported. */
static void correct(void)
{
	announce(static_bytes);
	do_free(NULL);
	for (size_t size = 0; size < 60 * MIB; size = size * 2 + 1) {
		void *block = do_malloc(size), *aligned = memalign(4096, size);

		do_free(do_realloc(block, size + 100));
		do_free(aligned);
		if (size < 10000)
			return_to_slabs(size);
	}
}

static const struct misuse_case cases[] = {ROW(correct), ROW(double_free_8), ROW(double_free_64), ROW(double_free_3000),
	ROW(double_free_20000), ROW(double_free_pages), ROW(double_free_mapping), ROW(double_free_later),
	ROW(double_free_other_thread), ROW(interior_small), ROW(interior_misaligned), ROW(interior_8),
	ROW(interior_pages), ROW(interior_pages_odd), ROW(interior_mapping), ROW(foreign_stack), ROW(foreign_static),
	ROW(foreign_first_call), ROW(foreign_mapping), ROW(foreign_low), ROW(foreign_noncanonical),
	ROW(foreign_unused_heap), ROW(realloc_foreign), ROW(abort_blocked)};

int main(int argc, char **argv)
{
	return cases_run(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
