/*
 * test_dlopen.c: the library opened with dlopen(RTLD_LOCAL), beside the program's own malloc.
 *
 * Usage: test_dlopen LIBRARY [--keep]. --keep: no dlclose (peers that can be unloaded do not survive it).
 * Broken if this fails: the library needs more static thread-local storage than a late library gets, relies on its
 * constructor or on being first, or goes away at dlclose while its blocks and threads live.
 */
#include "tests/stress/harness.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#define NR_THREADS 16
#define NR_SLOTS 512

static void *(*their_malloc)(size_t size);
static void *(*their_calloc)(size_t count, size_t size);
static void *(*their_realloc)(void *block, size_t size);
static void *(*their_memalign)(size_t align, size_t size);
static void (*their_free)(void *block);
static size_t (*their_usable)(void *block);
static void *slots[NR_SLOTS]; /* Synchronization: atomic exchange; each block is stamped */
static pthread_barrier_t closed; /* all threads pass it after dlclose */

static void *resolve(void *library, const char *name)
{
	void *symbol = dlsym(library, name);

	require(symbol, "dlsym(%s): %s", name, dlerror());
	return symbol;
}

static void *stamped(struct rng *rng)
{
	size_t size = STAMP_MIN + rng_size(rng, 2 << 20);
	uint64_t dice = rng_below(rng, 6);
	void *block;

	if (dice == 0)
		block = their_calloc(1, size);
	else if (dice == 1)
		block = their_memalign(64, size);
	else if (dice == 2)
		block = their_realloc(their_malloc(size / 3), size);
	else
		block = their_malloc(size);
	require(block && their_usable(block) >= size, "allocation of %zu bytes: %p", size, block);
	stamp_write(block, size);
	return block;
}

static void release(void *block)
{
	stamp_check(block);
	their_free(block);
}

static void churn(struct rng *rng, int steps)
{
	for (int i = 0; i < steps; i++) {
		void *mine = rng_below(rng, 3) ? stamped(rng) : NULL;
		void *theirs = __atomic_exchange_n(&slots[rng_below(rng, NR_SLOTS)], mine, __ATOMIC_ACQ_REL);

		if (theirs)
			release(theirs);
		free(malloc(100)); /* the program's own allocator goes on beside it */
	}
}

static void *thread_main(void *argument)
{
	struct rng rng = rng_stream(77, (uintptr_t)argument);

	churn(&rng, 3000);
	pthread_barrier_wait(&closed);
	pthread_barrier_wait(&closed);
	churn(&rng, 3000);
	return NULL;
}

static void fork_once(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rng rng = rng_stream(99, (uint64_t)getpid());

		churn(&rng, 2000);
		_exit(0);
	}
	require(child > 0 && wait_child(child, 20, &status) && status == 0, "a forked child hung or crashed");
}

int main(int argc, char **argv)
{
	bool keep = argc == 3 && !strcmp(argv[2], "--keep");
	pthread_t threads[NR_THREADS], late;
	void *library;

	require(argc >= 2, "usage: %s LIBRARY [--keep]", argv[0]);
	watchdog_start(120, "test_dlopen");
	library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	require(library, "dlopen: %s", dlerror());
	their_malloc = (void *(*)(size_t))resolve(library, "malloc");
	their_calloc = (void *(*)(size_t, size_t))resolve(library, "calloc");
	their_realloc = (void *(*)(void *, size_t))resolve(library, "realloc");
	their_memalign = (void *(*)(size_t, size_t))resolve(library, "memalign");
	their_free = (void (*)(void *))resolve(library, "free");
	their_usable = (size_t(*)(void *))resolve(library, "malloc_usable_size");
	require(their_malloc != malloc, "dlopen gave the program's own malloc: nothing is tested");
	pthread_barrier_init(&closed, NULL, NR_THREADS + 1);
	for (int i = 0; i < NR_THREADS; i++)
		require(!pthread_create(&threads[i], NULL, thread_main, (void *)(uintptr_t)i), "pthread_create");
	pthread_barrier_wait(&closed);
	require(keep || !dlclose(library), "dlclose: %s", dlerror());
	pthread_barrier_wait(&closed);
	fork_once();
	require(!pthread_create(&late, NULL, thread_main, (void *)1000), "pthread_create");
	pthread_detach(late); /* waits at the barrier for ever: alive when the program ends */
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < NR_SLOTS; i++) {
		void *left = __atomic_exchange_n(&slots[i], NULL, __ATOMIC_ACQ_REL);

		if (left)
			release(left);
	}
	watchdog_stop();
	printf("PASS: test_dlopen: %s in %d threads, %s\n", argv[1], NR_THREADS,
		keep ? "kept open" : "closed half-way");
	return 0;
}
