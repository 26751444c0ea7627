/*
 * test_vars_alloc.c: alloc_percpu() and its kind against an oracle: where objects lie, that they are clear, what is counted.
 *
 * Links with the variables, lib and host.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/percpu.h>

#include "percpu/vars.h"
#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/cpus.h"
#include "tests/unit/random.h"

#define OBJECTS 400
#define ROUNDS (nr_cpus > 8 ? 2000 : 8000) /* each fills and compares the object of every CPU */
#define BIGGEST 4000

static unsigned int nr_cpus; /* Synchronization: const after boot() */

static int boot(void **state)
{
	(void)state;
	nr_cpus = test_cpus(3);
	assert_int_equal(vars_boot(nr_cpus), 0);
	vars_use_cpu(0);
	return 0;
}

static int shut_down(void **state)
{
	(void)state;
	vars_shutdown();
	return 0;
}

struct object {
	char *name;
	size_t size;
	unsigned char fill; /* differs from CPU to CPU by one */
};

static struct object objects[OBJECTS]; /* Synchronization: main thread */

static void object_check_and_fill(struct object *object, int before, unsigned char fill)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
	{
		unsigned char *bytes = (unsigned char *)per_cpu_ptr(object->name, cpu);
		unsigned char expected = (unsigned char)(before < 0 ? 0 : before + (int)cpu);

		for (size_t i = 0; i < object->size; i++)
			if (bytes[i] != expected)
				fail_msg("byte %zu of %zu on CPU %u is %u, not %u", i, object->size, cpu, bytes[i],
					expected);
		memset(bytes, fill + (int)cpu, object->size);
	}
	object->fill = fill;
}

static size_t rounded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static void expect_counts(size_t nr, size_t bytes)
{
	struct vars_stats stats;

	vars_stats_read(&stats);
	assert_int_equal(stats.nr_allocations, nr);
	assert_int_equal(stats.allocated_bytes, bytes);
	assert_true(stats.populated_bytes >= bytes);
}

/* What is written to one object, and found there when it is freed, is proof that no other overlaps it. */
static void objects_are_clear_aligned_apart_and_counted(void **state)
{
	size_t nr = 0, bytes = 0;
	uint32_t seed = 7;

	(void)state;
	memset(objects, 0, sizeof(objects));
	for (int i = 0; i < ROUNDS; i++) {
		struct object *object = &objects[random_below(&seed, OBJECTS)];
		size_t align = (size_t)1 << random_below(&seed, 13);

		if (object->name) {
			object_check_and_fill(object, object->fill, 0xff);
			free_percpu(object->name);
			nr--;
			bytes -= rounded(object->size);
			object->name = NULL;
			continue;
		}
		object->size = 1 + random_below(&seed, random_below(&seed, 8) ? 100 : BIGGEST);
		object->name = __alloc_percpu(object->size, align);
		assert_non_null(object->name);
		assert_int_equal((uintptr_t)object->name % align, 0);
		assert_int_equal((uintptr_t)per_cpu_ptr(object->name, nr_cpus - 1) % align, 0);
		assert_true(vars_is_percpu_pointer(object->name));
		object_check_and_fill(object, -1, (unsigned char)random_next(&seed));
		bytes += rounded(object->size);
		expect_counts(++nr, bytes);
	}
	for (int i = 0; i < OBJECTS; i++) {
		if (objects[i].name)
			object_check_and_fill(&objects[i], objects[i].fill, 0xff);
		free_percpu(objects[i].name);
	}
	expect_counts(0, 0);
}

static void sizes_and_alignments_that_make_no_sense_give_null(void **state)
{
	(void)state;
	assert_null(__alloc_percpu(0, 8));
	assert_null(__alloc_percpu(PCPU_MIN_UNIT_SIZE + 1, 8));
	assert_null(__alloc_percpu(8, 0));
	assert_null(__alloc_percpu(8, 24));
	assert_null(__alloc_percpu(8, 8192));
	assert_null(__alloc_percpu((size_t)-1, 8));
	expect_counts(0, 0);
	free_percpu(NULL);
	free_percpu(__alloc_percpu(PCPU_MIN_UNIT_SIZE, 4096));
	expect_counts(0, 0);
}

static int nr_sleep_checks; /* Synchronization: main thread */

static void sleep_check(void)
{
	nr_sleep_checks++;
}

/* An atomic request finds what is mapped; one that may sleep maps more, and then the atomic one finds that. */
static void only_requests_that_may_sleep_map_memory(void **state)
{
	struct vars_stats before, after;
	size_t nr = 0, nr_atomic = 0;

	(void)state;
	nr_sleep_checks = 0;
	vars_set_sleep_check(sleep_check);
	vars_stats_read(&before);
	assert_true(before.populated_bytes > 0);
	while (__alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE / 2, 64, GFP_ATOMIC | __GFP_NOWARN))
		nr_atomic++;
	assert_int_equal(nr_atomic, before.populated_bytes / (PCPU_MIN_UNIT_SIZE / 2));
	assert_int_equal(nr_sleep_checks, 0);
	assert_non_null(__alloc_percpu_gfp(8, 8, GFP_KERNEL));
	assert_int_equal(nr_sleep_checks, 1);
	vars_stats_read(&after);
	assert_true(after.populated_bytes > before.populated_bytes);
	assert_non_null(__alloc_percpu_gfp(8, 8, GFP_NOWAIT));
	while (__alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, 8, GFP_KERNEL | __GFP_NOWARN))
		nr++;
	assert_true(nr >= 100); /* and then memory was out, without a crash */
	expect_counts(nr + nr_atomic + 2, (nr + nr_atomic / 2) * PCPU_MIN_UNIT_SIZE + 16);
}

static void nothing_survives_a_shutdown(void **state)
{
	unsigned long *first;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vars_boot(nr_cpus), 0);
		vars_use_cpu(nr_cpus - 1);
		expect_counts(0, 0);
		first = alloc_percpu(unsigned long);
		assert_int_equal(this_cpu_inc_return(*first), 1);
		vars_shutdown();
		assert_false(vars_is_percpu_pointer(first));
	}
}

static void touch(void *address)
{
	(*(volatile unsigned long *)address)++;
}

static void a_raw_dereference_faults(void **state)
{
	unsigned long *name = alloc_percpu(unsigned long);
	char output[4096];
	int status;

	(void)state;
	status = child_run(touch, name, output, sizeof(output));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(child_run(touch, per_cpu_ptr(name, nr_cpus - 1), output, sizeof(output)), 0);
}

static void free_it(void *pointer)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	free_percpu(pointer);
}

static void expect_report(void *pointer)
{
	char output[4096];

	assert_int_equal(child_run(free_it, pointer, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: BUG: free_percpu of "));
}

static void foreign_and_double_frees_are_reported(void **state)
{
	static DEFINE_PER_CPU(int, variable);
	char *name = (char *)__alloc_percpu(64, 8);
	char output[4096];

	(void)state;
	expect_report(output);
	expect_report(&variable);
	expect_report(name + 8);
	expect_report(name + 1);
	expect_report(per_cpu_ptr(name, nr_cpus - 1));
	expect_report(name + (16 << 20));
	assert_int_equal(child_run(free_it, name, output, sizeof(output)), 0);
	assert_string_equal(output, "");
	free_percpu(name);
	expect_report(name);
}

#define LEAST_THREADS 4
#define PAIRS 2000 /* of all threads */

static unsigned int nr_threads; /* Synchronization: const while they run */

static void *churn(void *cpu)
{
	unsigned int mine = (unsigned int)(uintptr_t)cpu;

	vars_use_cpu(mine % nr_cpus);
	for (unsigned int i = 0; i < PAIRS / nr_threads; i++) {
		unsigned long *a = alloc_percpu(unsigned long);
		char *b = (char *)__alloc_percpu_gfp(200, 64, GFP_ATOMIC);

		if (a && b && (this_cpu_add_return(*a, 5) != 5 || *per_cpu_ptr(b, mine % nr_cpus)))
			return churn;
		free_percpu(a);
		free_percpu(b);
	}
	return NULL;
}

static void threads_allocate_at_the_same_time(void **state)
{
	pthread_t threads[TEST_CPUS_MOST];
	void *result;

	(void)state;
	nr_threads = nr_cpus > LEAST_THREADS ? nr_cpus : LEAST_THREADS;
	for (uintptr_t i = 0; i < nr_threads; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (unsigned int i = 0; i < nr_threads; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
	expect_counts(0, 0);
}

#define BOOTED(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED(objects_are_clear_aligned_apart_and_counted),
		BOOTED(sizes_and_alignments_that_make_no_sense_give_null),
		BOOTED(only_requests_that_may_sleep_map_memory),
		cmocka_unit_test(nothing_survives_a_shutdown),
		BOOTED(a_raw_dereference_faults),
		BOOTED(foreign_and_double_frees_are_reported),
		BOOTED(threads_allocate_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
