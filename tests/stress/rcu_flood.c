/*
 * rcu_flood.c: kfree_rcu() at full speed in a hosted program, with readers that are always inside a section but for an instant.
 *
 * Environment: FLAGSTONE_FLOOD_OBJECTS (1000000), FLAGSTONE_FLOOD_WRITERS (2), FLAGSTONE_FLOOD_READERS (2).
 *
 * Broken if this fails: what waits grows beyond what the pressure logic allows, or is not all freed at the end.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "runtime/rcu/rcu.h"
#include "runtime/slab/internal.h"
#include "tests/stress/variable.h"

#define MAX_THREADS 64
/* Twice what producers are slowed down at: what passes nevertheless is 124 objects in 10 ms and writer, as long as a reader stays. */
#define BOUND (64ul << 20)

struct node {
	unsigned long value;
	struct rcu_head rcu;
	char rest[40];
};

static struct kmem_cache *cache;
static unsigned long nr_objects; /* of each writer. Synchronization: const */
static size_t most[MAX_THREADS]; /* bytes that each writer saw waiting. Synchronization: its own, then pthread_join() */
static bool stop; /* Synchronization: atomic */

static void *read_always(void *arg)
{
	volatile unsigned int i;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		rcu_read_lock();
		for (i = 0; i < 100; i++)
			;
		rcu_read_unlock();
	}
	return NULL;
}

static void *write_at_full_speed(void *arg)
{
	size_t *seen = arg;

	for (unsigned long i = 0; i < nr_objects; i++) {
		struct node *node = kmem_cache_alloc(cache, GFP_KERNEL);

		node->value = i;
		kfree_rcu(node, rcu);
		if (i % 1000 == 0 && rcu_deferred_bytes() > *seen)
			*seen = rcu_deferred_bytes();
	}
	return NULL;
}

static size_t live_objects(void)
{
	size_t nr_slabs, nr_free;

	slab_trim(0);
	slabs_count(cache, &nr_slabs, &nr_free);
	return nr_slabs * cache->nr_objects - nr_free;
}

int main(void)
{
	unsigned long nr_writers = variable("FLAGSTONE_FLOOD_WRITERS", 2),
		      nr_readers = variable("FLAGSTONE_FLOOD_READERS", 2);
	pthread_t readers[MAX_THREADS], writers[MAX_THREADS];
	size_t peak = 0, left;

	if (!nr_writers || nr_writers > MAX_THREADS || nr_readers > MAX_THREADS) {
		fprintf(stderr, "rcu_flood: 1 to %d writers, and as many readers at most\n", MAX_THREADS);
		return 2;
	}
	nr_objects = variable("FLAGSTONE_FLOOD_OBJECTS", 1000000) / nr_writers;
	cache = kmem_cache_create("rcu_flood", sizeof(struct node), 0, 0, NULL);
	for (unsigned long i = 0; i < nr_readers; i++)
		pthread_create(&readers[i], NULL, read_always, NULL);
	for (unsigned long i = 0; i < nr_writers; i++)
		pthread_create(&writers[i], NULL, write_at_full_speed, &most[i]);
	for (unsigned long i = 0; i < nr_writers; i++) {
		pthread_join(writers[i], NULL);
		peak = most[i] > peak ? most[i] : peak;
	}
	kvfree_rcu_barrier();
	left = live_objects();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned long i = 0; i < nr_readers; i++)
		pthread_join(readers[i], NULL);
	kmem_cache_destroy(cache);
	printf("%lu objects, %lu writers, %lu readers: at most %zu KiB waited, %zu objects are left\n",
		nr_objects * nr_writers, nr_writers, nr_readers, peak >> 10, left);
	return peak > BOUND || left ? 1 : 0;
}
