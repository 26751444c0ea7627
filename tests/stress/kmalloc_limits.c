/*
 * kmalloc_limits.c: kmalloc, slab caches and pages under every small limit of address space (RLIMIT_AS).
 *
 * Broken if this fails: running out of memory crashes, hangs or loses memory, at whatever point it strikes.
 *
 * Each limit is tried in a process of its own, which executes this program again: allocate until NULL, free a half,
 * allocate that again, free all, and get as much as the first time.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/gfp.h>
#include <linux/slab.h>

#include "tests/sanitized.h"

#define MIB (1024 * 1024ul)
#define NOT_STARTED 127 /* the dynamic linker did not fit */
#define NR_CACHES 40
#define NR_ROUNDS 4

enum workload { SMALL, MIXED, LARGE, CACHES, PAGES, THREADS, NR_WORKLOADS };

static long first_mib = 4, last_mib = 72, step_kib = 1700, child_limit, child_workload;

/* In each block's first bytes. The whole block is not stamped: memory is not what is short. */
struct node {
	struct node *next;
	size_t size;
	uint64_t check;
	struct kmem_cache *cache;
};

static struct kmem_cache *caches[NR_CACHES];
static unsigned int nr_caches;

static uint64_t check_of(const struct node *node)
{
	return ((uintptr_t)node ^ node->size) * 0x9e3779b97f4a7c15u;
}

static size_t choose_size(struct rng *rng, enum workload workload)
{
	switch (workload) {
	case LARGE:
		return MIB + rng_below(rng, 3 * MIB);
	case MIXED:
		return sizeof(struct node) + rng_size(rng, 200000);
	case PAGES:
		return 4096ul << rng_below(rng, 6);
	default:
		return sizeof(struct node) + rng_below(rng, 1000);
	}
}

/* Takes a cache too, as long as there are any to be had. */
static struct kmem_cache *choose_cache(struct rng *rng)
{
	if (nr_caches < NR_CACHES && rng_below(rng, 64) == 0) {
		caches[nr_caches] =
			kmem_cache_create("limits", (unsigned int)(sizeof(struct node) + 40 * nr_caches), 0, 0, NULL);
		nr_caches += caches[nr_caches] != NULL;
	}
	return nr_caches ? caches[rng_below(rng, nr_caches)] : NULL;
}

static struct node *take(struct rng *rng, enum workload workload, size_t size)
{
	struct kmem_cache *cache = workload == CACHES ? choose_cache(rng) : NULL;
	struct node *node;

	if (cache) {
		size = kmem_cache_size(cache);
		node = kmem_cache_alloc(cache, GFP_KERNEL);
	} else if (workload == PAGES) {
		node = alloc_pages_exact(size, GFP_ATOMIC);
	} else {
		node = kmalloc(size, GFP_KERNEL);
	}
	if (!node)
		return NULL;
	memset((char *)node + size - 8, 0x5a, 8);
	node->size = size;
	node->cache = cache;
	node->check = check_of(node);
	return node;
}

static void give(struct node *node, enum workload workload)
{
	require(node->check == check_of(node), "block %p has changed", (void *)node);
	node->check = 0;
	if (node->cache)
		kmem_cache_free(node->cache, node);
	else if (workload == PAGES)
		free_pages_exact(node, node->size);
	else
		kfree(node);
}

/* Until not even the smallest size is to be had. Returns the bytes. */
static size_t take_all(struct rng *rng, enum workload workload, struct node **list)
{
	size_t bytes = 0, cap = SIZE_MAX;

	for (;;) {
		size_t size = choose_size(rng, workload);
		struct node *node;

		size = size > cap ? cap : size;
		node = take(rng, workload, size);
		if (!node && size <= sizeof(struct node) + 1000)
			return bytes;
		if (!node) {
			cap = size / 2 > sizeof(struct node) ? size / 2 : sizeof(struct node);
			continue;
		}
		node->next = *list;
		*list = node;
		bytes += node->size;
	}
}

/* Frees every block, or every second one. */
static void give_some(enum workload workload, struct node **list, bool all)
{
	while (*list) {
		struct node *node = *list;

		*list = node->next;
		give(node, workload);
		if (!all && *list)
			list = &(*list)->next;
	}
}

static size_t bytes_of(const struct node *list)
{
	size_t bytes = 0;

	for (; list; list = list->next)
		bytes += list->size;
	return bytes;
}

static void *thread_main(void *argument)
{
	struct rng rng = rng_stream(3, (uintptr_t)argument);
	struct node *list = NULL;

	for (int round = 0; round < 3; round++) {
		take_all(&rng, SMALL, &list);
		give_some(SMALL, &list, false);
		give_some(SMALL, &list, true);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_attr_t small;
	pthread_t threads[4];
	uintptr_t nr = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 131072);
	while (nr < 4 && !pthread_create(&threads[nr], &small, thread_main, (void *)nr))
		nr++;
	while (nr)
		pthread_join(threads[--nr], NULL);
}

/* Sizes are random and slabs are as large as 256 KiB: not all that is free fits. What is lost is lost each time. */
static bool is_about(size_t bytes, size_t expected)
{
	return bytes + 2 * MIB >= expected - expected / 4;
}

static void check_recovery(struct rng *rng, enum workload workload)
{
	struct node *list = NULL;
	size_t first = take_all(rng, workload, &list);
	size_t half = bytes_of(list), bytes;

	give_some(workload, &list, false);
	half -= bytes_of(list);
	bytes = take_all(rng, workload, &list);
	require(is_about(bytes, half), "limit %ld KiB: %zu bytes freed, %zu to be had again", child_limit, half, bytes);
	give_some(workload, &list, true);
	for (int round = 0; round < NR_ROUNDS; round++) {
		bytes = take_all(rng, workload, &list);
		give_some(workload, &list, true);
	}
	require(is_about(bytes, first), "limit %ld KiB: %zu bytes at first, %zu after all was freed", child_limit,
		first, bytes);
}

/* The process under the limit. */
static int child_main(enum workload workload)
{
	struct rng rng = rng_stream(1, (uint64_t)child_limit);

	if (workload == THREADS) {
		run_threads();
		workload = SMALL;
	}
	check_recovery(&rng, workload);
	while (nr_caches)
		kmem_cache_destroy(caches[--nr_caches]);
	_exit(0);
}

/* Runs this program again, under the limit. Returns its exit status, -1 if it crashed or hung. */
static int run_under(char *program, long kib, enum workload workload)
{
	char limit[16], number[16];
	char *const arguments[] = {program, "--child-limit", limit, "--child-workload", number, NULL};
	struct rlimit as = {(rlim_t)kib << 10, (rlim_t)kib << 10};
	pid_t child;
	int status;

	snprintf(limit, sizeof(limit), "%ld", kib);
	snprintf(number, sizeof(number), "%d", (int)workload);
	child = fork();
	require(child >= 0, "fork");
	if (child == 0) {
		/* What does not fit says so on stderr: not news here. */
		if (!freopen("/dev/null", "w", stderr) || setrlimit(RLIMIT_AS, &as))
			_exit(2);
		execv("/proc/self/exe", arguments);
		_exit(NOT_STARTED);
	}
	if (!wait_child(child, 60, &status) || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--first", &first_mib, false, "smallest limit, MiB"},
		{"--last", &last_mib, false, "largest limit, MiB"},
		{"--step", &step_kib, false, "KiB between limits"},
		{"--child-limit", &child_limit, false, "(internal)"},
		{"--child-workload", &child_workload, false, "(internal)"},
	};
	unsigned int nr_run = 0, nr_started = 0;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	if (skip_sanitized(SANITIZERS_LIMITS) || skip_emulated(NO_LIMITS))
		return STATUS_SKIPPED;
	if (child_limit)
		return child_main((enum workload)child_workload);
	for (long kib = first_mib << 10; kib <= last_mib << 10; kib += step_kib, nr_run++) {
		enum workload workload = (enum workload)(nr_run % NR_WORKLOADS);
		int status = run_under(argv[0], kib, workload);

		require(status == 0 || (status == NOT_STARTED && kib < 16 << 10),
			"limit %ld KiB, workload %d: exit status %d; run with --child-limit %ld --child-workload %d",
			kib, (int)workload, status, kib, (int)workload);
		nr_started += status == 0;
	}
	require(nr_started > nr_run / 2, "only %u of %u limits were large enough to start", nr_started, nr_run);
	printf("PASS: kmalloc_limits: %u limits, %u of them large enough to start\n", nr_run, nr_started);
	return 0;
}
