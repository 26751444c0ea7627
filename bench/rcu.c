/*
 * rcu.c: one sample of deferred frees against the clock: kfree_rcu() beside kfree(), and beside liburcu's call_rcu() with jemalloc's free
 * in it; a reader's pair beside liburcu's own; how long a grace period takes; and what memory a flood of frees takes.
 *
 * A hosted program of threads. Calls the rcu and slab rooms, liburcu through rcu_peer.c, and jemalloc that it loads. Prints lines of a
 * name and values; rcu.py calls this again and again, and knows what the values are compared with.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "alloc.h"
#include "rcu_peer.h"

#define SLOTS 1024 /* of the table whose nodes are replaced */
#define UPDATES 2000000l
#define PAIRS 10000000l
#define MAX_THREADS 16
#define SECTION_LOOKUPS 100

struct node {
	union {
		struct rcu_head rcu;
		struct peer_head peer;
	};
	unsigned long value;
	char rest[40];
};

static void *(*peer_malloc)(size_t size);
static void (*peer_free)(void *block);
static volatile size_t node_size = sizeof(struct node); /* the compiler must not choose the cache */

/* ---- the three ways to free ---- */

static void free_now(struct node *node)
{
	kfree(node);
}

static void free_deferred(struct node *node)
{
	kfree_rcu(node, rcu);
}

static void peer_release(struct peer_head *head)
{
	peer_free((char *)head - offsetof(struct node, peer));
}

static void peer_free_deferred(struct node *node)
{
	peer_call(&node->peer, peer_release);
}

static void *own_alloc(size_t size)
{
	return kmalloc(size, GFP_KERNEL);
}

static void nothing(void)
{
}

static const struct way {
	const char *name;
	void (*free)(struct node *node);
	void (*settle)(void); /* until all is free */
	bool is_peer;
} ways[] = {
	{"kfree", free_now, nothing, false},
	{"kfree_rcu", free_deferred, kvfree_rcu_barrier, false},
	{"call_rcu", peer_free_deferred, peer_barrier, true},
};
#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

static uint64_t clock_ns(clockid_t id)
{
	struct timespec time;

	clock_gettime(id, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* ---- the table: each writer replaces the nodes of its own slots ---- */

static struct node *table[SLOTS];

static inline __attribute__((always_inline)) void replace(long nr, void *(*alloc)(size_t size),
	void (*release)(struct node *node), unsigned int first, unsigned int slots)
{
	unsigned int at = 0;

	for (long i = 0; i < nr; i++) {
		struct node *node = alloc(node_size), *old;
		struct node **slot = &table[first + at];

		at = at + 1 == slots ? 0 : at + 1;

		node->value = (unsigned long)i;
		old = *slot;
		rcu_assign_pointer(*slot, node);
		if (old)
			release(old);
	}
}

static void replace_by(const struct way *way, long nr, unsigned int first, unsigned int slots)
{
	if (way->is_peer)
		replace(nr, peer_malloc, way->free, first, slots);
	else
		replace(nr, own_alloc, way->free, first, slots);
}

static void clear(const struct way *way)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (table[i])
			way->free(table[i]);
		table[i] = NULL;
	}
	way->settle();
}

/* ---- readers that are always inside a section, but for an instant ---- */

static bool stop; /* Synchronization: atomic */
static unsigned int nr_reading; /* Synchronization: atomic */
static volatile unsigned long value_seen;
static pthread_t readers[MAX_THREADS];

static void *read_always(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&nr_reading, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		rcu_read_lock();
		for (unsigned int i = 0; i < SECTION_LOOKUPS; i++) {
			struct node *node = rcu_dereference(table[i * 7 % SLOTS]);

			value_seen = node ? node->value : 0;
		}
		rcu_read_unlock();
	}
	return NULL;
}

static void readers_start(unsigned int nr)
{
	stop = false;
	nr_reading = 0;
	for (unsigned int i = 0; i < nr; i++)
		pthread_create(&readers[i], NULL, read_always, NULL);
	while (__atomic_load_n(&nr_reading, __ATOMIC_RELAXED) != nr)
		sched_yield();
}

static void readers_end(unsigned int nr)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(readers[i], NULL);
}

/* ---- samples ---- */

/* A replaced node: by the clock, and by all threads' time together; until all is free. */
static void sample_frees(void)
{
	for (const struct way *way = ways; way < ways + NR_WAYS; way++) {
		uint64_t begin, cpu_begin;

		if (way->is_peer && !peer_malloc)
			continue;
		replace_by(way, UPDATES / 8, 0, SLOTS);
		begin = clock_ns(CLOCK_MONOTONIC);
		cpu_begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		replace_by(way, UPDATES, 0, SLOTS);
		way->settle();
		printf("%s %.3f\n%s-cpu %.3f\n", way->name, (double)(clock_ns(CLOCK_MONOTONIC) - begin) / UPDATES,
			way->name, (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin) / UPDATES);
		clear(way);
	}
}

static void own_lock_pairs(long nr)
{
	while (nr--) {
		rcu_read_lock();
		rcu_read_unlock();
	}
}

static void sample_pair(const char *name, void (*run)(long nr))
{
	uint64_t begin;

	run(PAIRS / 8);
	begin = clock_ns(CLOCK_MONOTONIC);
	run(PAIRS);
	printf("%s %.4f\n", name, (double)(clock_ns(CLOCK_MONOTONIC) - begin) / PAIRS);
}

/* Microseconds, beside one reader; taken in turn. */
static void sample_periods(unsigned int nr)
{
	double own[1000], peer[1000];

	readers_start(1);
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t begin = clock_ns(CLOCK_MONOTONIC), middle;

		synchronize_rcu();
		middle = clock_ns(CLOCK_MONOTONIC);
		peer_synchronize();
		own[i] = (double)(middle - begin) / 1000;
		peer[i] = (double)(clock_ns(CLOCK_MONOTONIC) - middle) / 1000;
	}
	readers_end(1);
	printf("period");
	for (unsigned int i = 0; i < nr; i++)
		printf(" %.2f", own[i]);
	printf("\nperiod-peer");
	for (unsigned int i = 0; i < nr; i++)
		printf(" %.2f", peer[i]);
	putchar('\n');
}

struct flood {
	const struct way *way;
	long nr;
	unsigned int first, slots;
};

static void *write_flood(void *arg)
{
	const struct flood *flood = arg;

	replace_by(flood->way, flood->nr, flood->first, flood->slots);
	return NULL;
}

/* Nanoseconds an object, and the most MiB that the process ever had resident. */
static void sample_flood(const struct way *way, long nr, unsigned int nr_writers, unsigned int nr_readers)
{
	struct flood floods[MAX_THREADS];
	pthread_t writers[MAX_THREADS];
	struct rusage usage;
	uint64_t begin;

	readers_start(nr_readers);
	begin = clock_ns(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < nr_writers; i++) {
		floods[i] = (struct flood){way, nr / nr_writers, i * (SLOTS / nr_writers), SLOTS / nr_writers};
		pthread_create(&writers[i], NULL, write_flood, &floods[i]);
	}
	for (unsigned int i = 0; i < nr_writers; i++)
		pthread_join(writers[i], NULL);
	way->settle();
	begin = clock_ns(CLOCK_MONOTONIC) - begin;
	readers_end(nr_readers);
	getrusage(RUSAGE_SELF, &usage);
	printf("flood-%s %.3f\nflood-%s-peak %.1f\n", way->name, (double)begin / (double)nr, way->name,
		(double)usage.ru_maxrss / 1024);
	clear(way);
}

static void load_peer(void)
{
	const struct alloc *peer = alloc_load_peer(ALLOC_JEMALLOC);

	if (!peer)
		return;
	peer_malloc = peer->malloc;
	peer_free = peer->free;
}

static const struct way *way_of(const char *name)
{
	for (const struct way *way = ways; way < ways + NR_WAYS; way++)
		if (!strcmp(way->name, name) && (!way->is_peer || peer_malloc))
			return way;
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long number = argc >= 3 ? strtoul(argv[argc - 1], NULL, 10) : 0;

	alloc_reserve_tls(argv);
	load_peer();
	if (argc == 2 && !strcmp(argv[1], "frees")) {
		sample_frees();
	} else if (argc == 2 && !strcmp(argv[1], "readers")) {
		sample_pair("reader", own_lock_pairs);
		sample_pair("reader-peer", peer_lock_pairs);
	} else if (argc == 3 && !strcmp(argv[1], "periods") && number && number <= 1000) {
		sample_periods((unsigned int)number);
	} else if (argc == 4 && !strcmp(argv[1], "flood") && way_of(argv[2]) && number) {
		sample_flood(way_of(argv[2]), (long)number, 2, 2);
	} else {
		fputs("usage: flagstone-bench-rcu frees | readers | periods NUMBER | flood kfree_rcu|call_rcu "
		      "OBJECTS\n",
			stderr);
		return 2;
	}
	return 0;
}
