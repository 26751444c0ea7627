/*
 * test_subject.c: a program for flagstone-stat to look at: linked with the allocator, with a known number of objects.
 *
 * usage: test_subject hold | churn | signals
 *	hold     holds SUBJECT_LIVE objects of a cache and one mapping, prints its own view of them, waits for end of input
 *	churn    the same, while a thread makes and destroys caches
 *	signals  collects statistics in a signal handler, while threads allocate, for a second
 */
#include <linux/slab.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <flagstone/stats.h>

#define SUBJECT_LIVE 900
#define NR_ALLOCATED 1000
#define MAPPING_SIZE (64ul << 20)
#define NR_THREADS 3
#define INTERVAL_US 500
#define NR_COLLECTIONS 1000
#define SIZES 4000

static const char cache_name[] = "a \"quoted\\\" name";

static void hold(void)
{
	static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};
	struct kmem_cache *cache = kmem_cache_create(cache_name, 200, 0, 0, NULL);
	void *objects[NR_ALLOCATED];
	volatile char *mapping = malloc(MAPPING_SIZE);

	if (!cache || !mapping || kmem_cache_alloc_bulk(cache, GFP_KERNEL, NR_ALLOCATED, objects) != NR_ALLOCATED)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < MAPPING_SIZE; i += 4096)
		mapping[i] = 1;
	kmem_cache_free_bulk(cache, NR_ALLOCATED - SUBJECT_LIVE, objects + SUBJECT_LIVE);
	if (flagstone_stats_get(&stats))
		exit(EXIT_FAILURE);
	for (uint32_t i = 0; i < stats.nr_caches; i++)
		if (!strcmp(stats.cache[i].name, cache_name))
			printf("%llu %llu %llu\n", (unsigned long long)stats.cache[i].live,
				(unsigned long long)stats.cache[i].objects, (unsigned long long)stats.mapped_bytes);
	fflush(stdout);
}

static void *make_caches(void *arg)
{
	for (;;) {
		struct kmem_cache *caches[4];

		for (int i = 0; i < 4; i++)
			caches[i] = kmem_cache_create("short-lived", 64, 0, 0, NULL);
		for (int i = 0; i < 4; i++)
			kmem_cache_destroy(caches[i]);
	}
	return arg;
}

static volatile sig_atomic_t nr_collections, failed;

static void collect(int signal)
{
	static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};
	static int busy; /* another thread's handler has the struct */

	(void)signal;
	if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return;
	if (flagstone_stats_get(&stats) || stats.nr_caches < 50 || !stats.online_bytes)
		failed = 1;
	nr_collections++;
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

static void *allocate(void *arg)
{
	unsigned int seed = (unsigned int)(size_t)arg;
	void *blocks[64] = {NULL};

	while (nr_collections < NR_COLLECTIONS && !failed) {
		unsigned int i = (unsigned int)rand_r(&seed) % 64;

		free(blocks[i]);
		blocks[i] = malloc((size_t)rand_r(&seed) % SIZES);
	}
	for (int i = 0; i < 64; i++)
		free(blocks[i]);
	return NULL;
}

static int signals(void)
{
	const struct itimerval interval = {{0, INTERVAL_US}, {0, INTERVAL_US}};
	struct sigaction action = {.sa_handler = collect, .sa_flags = SA_RESTART};
	pthread_t threads[NR_THREADS];

	kfree(kmalloc(1, GFP_KERNEL)); /* the first allocation boots: before it there is nothing to collect */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
	for (size_t i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, allocate, (void *)(i + 1)))
			return EXIT_FAILURE;
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	pthread_t thread;

	if (!strcmp(what, "signals"))
		return signals();
	setvbuf(stdin, NULL, _IONBF, 0); /* waiting for input allocates nothing */
	hold();
	if (!strcmp(what, "churn") && pthread_create(&thread, NULL, make_caches, NULL))
		return EXIT_FAILURE;
	while (getchar() != EOF)
		;
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}
