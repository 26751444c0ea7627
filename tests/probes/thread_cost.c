/*
 * thread_cost.c: what a thread that has allocated 1 KiB and sleeps costs.
 *
 * Broken if this fails: the allocator keeps something for each thread. The limit is what the thread costs without any
 * allocator (two pages of stack, of which one holds its control block), its 1 KiB, and 0.6 KiB for all else.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 4000

static long nr_threads = 1000, limit_bytes = 9830; /* 9.6 KiB */
static pthread_barrier_t allocated, done;

static void *thread_main(void *unused)
{
	void *block = malloc(1024);

	(void)unused;
	require(block, "malloc(1024) gave NULL");
	memset(block, 1, 1024);
	pthread_barrier_wait(&allocated);
	pthread_barrier_wait(&done);
	free(block);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--threads", &nr_threads, false, "sleeping threads"},
		{"--limit", &limit_bytes, false, "bytes that each may cost"},
	};
	static pthread_t threads[MAX_THREADS];
	size_t before, each;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	require(nr_threads >= 1 && nr_threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	if (skip_emulated(NO_RESIDENT))
		return STATUS_SKIPPED;
	printf("thread_cost: %s\n", harness_allocator());
	pthread_barrier_init(&allocated, NULL, (unsigned int)nr_threads + 1);
	pthread_barrier_init(&done, NULL, (unsigned int)nr_threads + 1);
	memset(threads, 1, sizeof(threads));
	before = status_bytes("VmRSS:");
	for (long i = 0; i < nr_threads; i++)
		require(!pthread_create(&threads[i], NULL, thread_main, NULL), "pthread_create %ld", i);
	pthread_barrier_wait(&allocated);
	each = (status_bytes("VmRSS:") - before) / (size_t)nr_threads;
	printf("  %.2f KiB a thread\n", (double)each / 1024);
	fflush(stdout);
	require(each > 4096, "%zu bytes a thread: that is less than its stack, nothing was measured", each);
	require(harness_is_peer() || each <= (size_t)limit_bytes, "%zu bytes a thread; %ld may be", each, limit_bytes);
	pthread_barrier_wait(&done);
	for (long i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	puts("PASS: thread_cost");
	return 0;
}
