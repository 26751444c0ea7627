/*
 * test_nodes.c: each memory node has its slabs: CPUs take from their own, and objects go home wherever they are freed.
 *
 * Broken if this fails: a node's memory ends up serving another's CPUs for good, or a last-level cache's depot only its own.
 * Run with two nodes and three last-level caches that are played: CPUs 0 and 1 share neither.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/slab/internal.h"
#include "tests/emulated.h"

#define SIZE 96
#define NR 500

static struct kmem_cache *cache;
static void *objects[2 * NR];
static host_sigmask_t mask;

static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void pin_to(int node)
{
	assert_true(pin(node));
	assert_int_equal(topology_node(percpu_host_cpu()), node);
}

static struct slabs *slabs_on(unsigned int node)
{
	return node ? &slabs_of_nodes[node][cache->slot] : &cache->slabs;
}

static void take(unsigned int first)
{
	for (unsigned int got = first; got < first + NR;)
		got += slabs_alloc(cache, objects + got, first + NR - got);
}

static int setup(void **state)
{
	(void)state;
	cache = &kmalloc_caches[size_to_class(SIZE)];
	mask = host_signals_block();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	slabs_shrink(cache, 0);
	slabs_check(cache);
	assert_int_equal(slabs_on(0)->nr_slabs, 0);
	assert_int_equal(slabs_on(1)->nr_slabs, 0);
	host_signals_restore(mask);
	return 0;
}

static void a_cpu_takes_from_its_own_node(void **state)
{
	(void)state;
	for (int node = 0; node < 2; node++) {
		pin_to(node);
		take(0);
		for (unsigned int i = 0; i < NR; i++)
			assert_int_equal(slab_of(objects[i])->node, node);
		assert_int_equal(slabs_on(!node)->nr_slabs, 0);
		slabs_free(cache, objects, NR);
		slabs_shrink(cache, 0);
	}
}

/* A batch of both nodes' objects, freed on one of them: each is free at home, and comes from there again. */
static void objects_go_home(void **state)
{
	size_t live;

	(void)state;
	pin_to(0);
	take(0);
	pin_to(1);
	take(NR);
	for (unsigned int i = 0; i < NR; i += 2) {
		void *object = objects[i];

		objects[i] = objects[NR + i];
		objects[NR + i] = object;
	}
	slabs_free(cache, objects, NR);
	slabs_check(cache);
	for (unsigned int node = 0; node < 2; node++) {
		live = slabs_on(node)->nr_slabs * cache->nr_objects - slabs_on(node)->nr_free;
		assert_int_equal(live, NR / 2);
	}
	slabs_free(cache, objects + NR, NR);
}

/* An empty slab goes from the node it is on, though it was emptied from another. */
static void slabs_emptied_from_afar_go_back(void **state)
{
	size_t nr_slabs, nr_free;

	(void)state;
	pin_to(1);
	take(0);
	pin_to(0);
	slabs_free(cache, objects, NR);
	slabs_count(cache, &nr_slabs, &nr_free);
	assert_int_equal(nr_free, nr_slabs * cache->nr_objects);
	assert_int_equal(slabs_on(0)->nr_slabs, 0);
}

/* ---- depots ---- */

static struct magazine_pair drained;

static void keep_drained(unsigned int slot, struct magazine_pair pair)
{
	assert_int_equal(slot, cache->slot);
	drained = pair;
}

/* Else what one side frees could reach the other, which allocates, through slabs only. */
static void a_full_magazine_is_found_in_another_shard(void **state)
{
	struct magazine *full = magazine_get(4);
	struct swap swap = {.keep = 0};

	(void)state;
	take(0);
	for (unsigned int i = 0; i < 4; i++)
		magazine_objects(full)[i] = objects[i];
	pin_to(0);
	assert_true(depot_give(cache, magazine_top_at(full, 4, 4)));
	assert_int_equal(cache->depot.nr_objects, 4);
	pin_to(1);
	assert_int_equal(topology_shard(percpu_host_cpu()), 1);
	do
		assert_true(area_snapshot(cache->slot, &swap.view));
	while (!depot_swap_full(cache, &swap));
	assert_int_equal(cache->depot.nr_objects, 0);
	area_drain(cache->slot, cache->slot + 1, keep_drained);
	assert_ptr_equal(magazine_of(drained.top), full);
	magazine_put(full);
	slabs_free(cache, objects, NR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cpu_takes_from_its_own_node, setup, teardown),
		cmocka_unit_test_setup_teardown(objects_go_home, setup, teardown),
		cmocka_unit_test_setup_teardown(slabs_emptied_from_afar_go_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_magazine_is_found_in_another_shard, setup, teardown),
	};

	if (!slab_boot())
		return 1;
	if (percpu_mode != PERCPU_RSEQ || !pin(0) || !pin(1)) {
		skip_part("memory nodes: need rseq, and CPUs 0 and 1");
		return STATUS_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
