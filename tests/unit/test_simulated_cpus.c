/*
 * test_simulated_cpus.c: a machine's CPUs: each has an area of its own, which whoever is on the CPU finds as the last
 * one left it.
 *
 * Links with the percpu room and those below only.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "percpu/thread.h"
#include "runtime/host/host.h"
#include "tests/unit/cpus.h"
#include "tests/unit/percpu_fixture.h"

#define SLOT 7
#define NR_THREADS 8
#define NR_TURNS 2000
#define CAPACITY 8

static int setup(void **state)
{
	(void)state;
	return fixture_memory();
}

static unsigned int nr_cpus, nr_nodes; /* Synchronization: const after boot() */

static int boot(void **state)
{
	(void)state;
	nr_cpus = test_cpus(6);
	nr_nodes = nr_cpus < 3 ? nr_cpus : 3;
	fixture_boot_machine(nr_cpus, nr_nodes);
	nr_deliveries = 0;
	return 0;
}

static int shut_down(void **state)
{
	(void)state;
	percpu_shutdown();
	return 0;
}

static void test_without_a_cpu_a_thread_does_without_magazines(void **state)
{
	struct area_view view = {0};

	(void)state;
	assert_true(percpu_this_cpu() < 0);
	assert_null(area_pop(SLOT));
	assert_false(area_push(SLOT, token(0)));
	assert_false(area_snapshot(SLOT, &view));
	assert_int_equal(percpu_set_cpu((int)nr_cpus), -EINVAL);
	assert_int_equal(percpu_this_cpu(), PERCPU_NO_CPU);
}

static void test_each_cpu_has_magazines_of_its_own(void **state)
{
	(void)state;
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++) {
		assert_int_equal(percpu_set_cpu(cpu), 0);
		assert_int_equal(percpu_this_cpu(), cpu);
		assert_int_equal(percpu_cpu_hint(), cpu);
		assert_int_equal(percpu_host_cpu(), cpu);
		install(SLOT, filled((unsigned int)cpu, CAPACITY, 0, 0), 0);
		assert_true(area_push(SLOT, token((unsigned long)cpu)));
	}
	for (int cpu = (int)nr_cpus; cpu-- > 0;) {
		assert_int_equal(percpu_set_cpu(cpu), 0);
		assert_ptr_equal(area_pop(SLOT), token((unsigned long)cpu));
		assert_null(area_pop(SLOT));
	}
}

static void test_a_view_of_another_cpu_is_refused(void **state)
{
	struct area_view view = {0};

	(void)state;
	if (percpu_mode != PERCPU_RSEQ)
		skip(); /* in locked mode it is installed there */
	if (skip_below(2, nr_cpus, "another CPU's view"))
		return;
	assert_int_equal(percpu_set_cpu(0), 0);
	assert_true(area_snapshot(SLOT, &view));
	assert_int_equal(percpu_set_cpu(1), 0);
	assert_false(area_install(SLOT, &view, (struct magazine_pair){filled(0, CAPACITY, 0, 0), 0}));
}

static void test_cpus_belong_to_nodes_in_equal_parts(void **state)
{
	(void)state;
	assert_int_equal(topology_nr_nodes(), nr_nodes);
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		assert_int_equal(topology_node(cpu), cpu * nr_nodes / nr_cpus);
	topology_read();
	assert_int_equal(topology_nr_nodes(), nr_nodes);
}

static void test_drain_reaches_every_cpu(void **state)
{
	(void)state;
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++) {
		percpu_set_cpu(cpu);
		install(SLOT, filled((unsigned int)cpu, CAPACITY, 3, 0), 0);
	}
	percpu_set_cpu(PERCPU_NO_CPU);
	assert_int_equal(count_areas(), nr_cpus);
	area_drain(SLOT, SLOT + 1, remember);
	assert_int_equal(nr_deliveries, nr_cpus);
}

static void test_after_shutdown_it_is_as_before_boot(void **state)
{
	assert_int_equal(percpu_set_cpu((int)nr_cpus - 1), 0);
	install(SLOT, filled(0, CAPACITY, 1, 0), 0);
	shut_down(state);
	assert_int_equal(percpu_mode, PERCPU_BOOTING);
	assert_null(area_pop(SLOT));
	assert_int_equal(topology_nr_nodes(), 1);
	assert_int_equal(percpu_set_cpu(0), -EINVAL);
	boot(state);
	assert_int_equal(percpu_set_cpu((int)nr_cpus - 1), 0);
	assert_null(area_pop(SLOT));
}

/* CPUs that nobody is on. Synchronization: atomic */
static uint32_t taken[TEST_CPUS_MOST];

static void *take_turns(void *arg)
{
	unsigned int first = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; i < NR_TURNS; i++) {
		unsigned int cpu = (first + i) % nr_cpus;
		void *object;

		/* Pairs with the release below: the area is as the last one left it. */
		while (__atomic_exchange_n(&taken[cpu], 1, __ATOMIC_ACQUIRE))
			sched_yield();
		assert_int_equal(percpu_set_cpu((int)cpu), 0);
		while (!(object = area_pop(SLOT)))
			;
		while (!area_push(SLOT, object))
			;
		percpu_set_cpu(PERCPU_NO_CPU);
		__atomic_store_n(&taken[cpu], 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void test_threads_taking_turns_on_a_cpu_lose_nothing(void **state)
{
	pthread_t thread[NR_THREADS];

	(void)state;
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++) {
		percpu_set_cpu(cpu);
		install(SLOT, filled((unsigned int)cpu, CAPACITY, 4, 4ul * (unsigned int)cpu), 0);
	}
	percpu_set_cpu(PERCPU_NO_CPU);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_turns, (void *)(uintptr_t)i), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++) {
		percpu_set_cpu(cpu);
		for (unsigned long i = 4; i-- > 0;)
			assert_ptr_equal(area_pop(SLOT), token(4ul * (unsigned int)cpu + i));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, shut_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_cpu_a_thread_does_without_magazines),
		TEST(test_each_cpu_has_magazines_of_its_own),
		TEST(test_a_view_of_another_cpu_is_refused),
		TEST(test_cpus_belong_to_nodes_in_equal_parts),
		TEST(test_drain_reaches_every_cpu),
		TEST(test_after_shutdown_it_is_as_before_boot),
		TEST(test_threads_taking_turns_on_a_cpu_lose_nothing),
	};

	return test_status(fixture_status(cmocka_run_group_tests(tests, setup, NULL)));
}
