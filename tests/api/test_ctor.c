/*
 * test_ctor.c: malloc before main and after main: in a program linked with ctor_lib.
 *
 * Broken if this fails: the allocator needs its constructor to have run, or stops working when its destructor has.
 * The last line of a good run is "ctor_lib: end", from the library's destructor: the runner must see it.
 */
#include "tests/api/ctor_lib.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *kept; /* allocated in main, freed by the atexit handler */

static void at_exit(void)
{
	require(kept[0] == 0x33 && kept[99999] == 0x33, "a block changed after main");
	free(kept);
	free(malloc(300));
}

static void __attribute__((destructor)) at_end(void)
{
	free(memset(malloc(70000), 1, 70000));
}

static void *thread_main(void *unused)
{
	for (size_t i = 0; i < NR_EARLY; i += 2)
		free(early_blocks[i]);
	return unused;
}

int main(void)
{
	pthread_t thread;

	require(constructor_ran, "the library's constructor did not run: nothing is tested");
	printf("test_ctor: %s\n", harness_allocator());
	for (size_t i = 0; i < NR_EARLY; i++)
		for (size_t at = 0; at < early_size(i); at++)
			require(early_blocks[i][at] == (i & 255), "a block from before main has changed");
	/* Half is freed by another thread, half here. */
	require(!pthread_create(&thread, NULL, thread_main, NULL), "pthread_create");
	pthread_join(thread, NULL);
	for (size_t i = 1; i < NR_EARLY; i += 2) {
		early_blocks[i] = realloc(early_blocks[i], early_size(i) * 2);
		require(early_blocks[i][0] == (i & 255), "realloc lost a block from before main");
		free(early_blocks[i]);
	}
	kept = malloc(100000);
	memset(kept, 0x33, 100000);
	atexit(at_exit);
	puts("PASS: test_ctor: main");
	return 0;
}
