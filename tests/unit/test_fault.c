/*
 * test_fault.c: fault attributes: each knob, the numbers that decide, and what a failure prints.
 *
 * Broken if this fails: a knob does something else than the kernel's of that name, or the same seed gives other failures.
 */
#include <errno.h>
#include <linux/fault-inject.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/fault/fault.h"
#include "runtime/sched/sched.h"
#include "tests/unit/child.h"
#include "tests/unit/cpus.h"

#define NR_CALLS 400

static unsigned int nr_cpus; /* Synchronization: const after boot() */
static char output[65536];

static DECLARE_FAULT_ATTR(fail_test);
static const struct fault_attr pristine = FLAGSTONE_FAULT_ATTR("fail_test", 2);

static int boot(void **state)
{
	(void)state;
	fault_boot(1, "seed=1");
	fail_test = pristine;
	fail_test.verbose = 0;
	nr_cpus = test_cpus(8);
	return sched_boot(nr_cpus);
}

static int shut_down(void **state)
{
	(void)state;
	fault_shutdown();
	return sched_shutdown();
}

/* One letter a call: F or -. */
static const char *play(unsigned int nr, ssize_t size)
{
	static char letters[NR_CALLS + 1];

	for (unsigned int i = 0; i < nr; i++)
		letters[i] = should_fail(&fail_test, size) ? 'F' : '-';
	letters[nr] = '\0';
	return letters;
}

static void nothing_fails_unasked(void **state)
{
	(void)state;
	assert_string_equal(play(8, 1), "--------");
	fail_test.probability = 100;
	fail_test.times = 0;
	assert_string_equal(play(8, 1), "--------");
}

static void interval_is_every_nth(void **state)
{
	(void)state;
	fail_test.probability = 100;
	fail_test.times = -1;
	assert_string_equal(play(4, 1), "FFFF");
	fail_test.interval = 3;
	assert_string_equal(play(9, 1), "--F--F--F");
}

static void times_run_out(void **state)
{
	(void)state;
	fail_test.probability = 100;
	fail_test.times = 2;
	assert_string_equal(play(5, 1), "FF---");
}

static void space_succeeds_first(void **state)
{
	(void)state;
	fail_test.probability = 100;
	fail_test.times = -1;
	fail_test.space = 100;
	assert_string_equal(play(5, 40), "--FFF");
	assert_int_equal(fail_test.space, 20);
}

static void the_task_filter_is_this_task(void **state)
{
	(void)state;
	fail_test.probability = 100;
	fail_test.times = -1;
	fail_test.task_filter = true;
	assert_string_equal(play(3, 1), "---");
	current->make_it_fail = true;
	assert_string_equal(play(3, 1), "FFF");
	/* Not in an interrupt, whatever the task it runs on. */
	flagstone_this.preempt_count += HARDIRQ_OFFSET;
	assert_string_equal(play(3, 1), "---");
	flagstone_this.preempt_count -= HARDIRQ_OFFSET;
}

/* Where the function below lies, alone: the linker's names. */
extern const char __start_filtered[], __stop_filtered[];

static noinline __attribute__((section("filtered"))) void calls_from_here(const char *expected)
{
	assert_string_equal(play(2, 1), expected);
	__asm__ __volatile__("");
}

static void the_stack_filters_look_at_callers(void **state)
{
	const unsigned long here = (unsigned long)__start_filtered, end = (unsigned long)__stop_filtered;

	(void)state;
	fail_test.probability = 100;
	fail_test.times = -1;
	fail_test.require_start = here;
	fail_test.require_end = end;
	calls_from_here("FF");
	assert_string_equal(play(2, 1), "--");
	fail_test.stacktrace_depth = 0;
	calls_from_here("--");
	fail_test.stacktrace_depth = MAX_STACK_TRACE_DEPTH;
	fail_test.require_start = 0;
	fail_test.require_end = ~0ul;
	fail_test.reject_start = here;
	fail_test.reject_end = end;
	calls_from_here("--");
	assert_string_equal(play(2, 1), "FF");
}

static void fail_nth_is_one_call_and_goes_first(void **state)
{
	(void)state;
	current->fail_nth = 3;
	assert_string_equal(play(6, 1), "--F---");
	assert_int_equal(current->fail_nth, 0);
	fail_test.probability = 100;
	fail_test.times = -1;
	current->fail_nth = 3;
	assert_string_equal(play(6, 1), "--FFFF");
}

static void texts_set_four_numbers(void **state)
{
	char good[] = "10,50,4096,-1", few[] = "10,50,0", word[] = "10,50,x,1", more[] = "1,2,3,4,5",
	     range[] = "1,200,0,1";

	(void)state;
	assert_int_equal(setup_fault_attr(&fail_test, good), 1);
	assert_int_equal(fail_test.interval, 10);
	assert_int_equal(fail_test.probability, 50);
	assert_int_equal(fail_test.space, 4096);
	assert_int_equal(fail_test.times, -1);
	assert_int_equal(setup_fault_attr(&fail_test, few), 0);
	assert_int_equal(setup_fault_attr(&fail_test, word), 0);
	assert_int_equal(setup_fault_attr(&fail_test, more), 0);
	assert_int_equal(setup_fault_attr(&fail_test, range), 0);
	assert_int_equal(fail_test.interval, 10);
}

static void knobs_have_the_kernels_names(void **state)
{
	(void)state;
	assert_int_equal(fault_set("failslab", "probability", "100"), 0);
	assert_int_equal(fault_slab_attr.probability, 100);
	assert_int_equal(fault_set("failslab", "task-filter", "Y"), 0);
	assert_true(fault_slab_attr.task_filter);
	assert_int_equal(fault_set("failslab", "require-start", "0x1000"), 0);
	assert_int_equal(fault_slab_attr.require_start, 0x1000);
	assert_int_equal(fault_set("failslab", "times", "-1"), 0);
	assert_int_equal(fault_set("failslab", "times", "-2"), -EINVAL);
	assert_int_equal(fault_set("failslab", "min-order", "1"), -ENOENT);
	assert_int_equal(fault_set("fail_page_alloc", "min-order", "0"), 0);
	assert_int_equal(fault_set("fail_page_alloc", "nothing", "0"), -ENOENT);
	assert_int_equal(fault_set("fail_futex", "times", "1"), -ENOENT);
	assert_int_equal(fault_set("failslab", "probability", ""), -EINVAL);
}

static void memory_has_filters_of_its_own(void **state)
{
	const char *bad;

	(void)state;
	assert_true(fault_setup("failslab", "1:100:0:-1:verbose=0", &bad));
	assert_true(fault_slab(GFP_ATOMIC, 64, 0, NULL));
	assert_false(fault_slab(GFP_KERNEL, 64, 0, NULL));
	assert_false(fault_slab(GFP_ATOMIC | __GFP_NOFAIL, 64, 0, NULL));
	assert_int_equal(fault_set("failslab", "ignore-gfp-wait", "N"), 0);
	assert_true(fault_slab(GFP_KERNEL, 64, 0, NULL));
	assert_int_equal(fault_set("failslab", "cache-filter", "Y"), 0);
	assert_false(fault_slab(GFP_ATOMIC, 64, 0, NULL));
	assert_false(fault_slab(GFP_ATOMIC, 64, SLAB_PANIC, NULL));
	assert_true(fault_slab(GFP_ATOMIC, 64, SLAB_FAILSLAB | SLAB_PANIC, NULL));
	assert_int_equal(fault_set("fail_page_alloc", "cache-filter", "Y"), -ENOENT);
	assert_true(fault_setup("fail_page_alloc", "1:100:0:-1:verbose=0:ignore-gfp-wait=N", &bad));
	assert_false(fault_pages(GFP_KERNEL, 0, NULL));
	assert_true(fault_pages(GFP_KERNEL, 1, NULL));
	assert_false(fault_pages(GFP_HIGHUSER, 1, NULL));
	assert_int_equal(fault_set("fail_page_alloc", "ignore-gfp-highmem", "N"), 0);
	assert_int_equal(fault_set("fail_page_alloc", "min-order", "0"), 0);
	assert_true(fault_pages(GFP_HIGHUSER, 0, NULL));
	/* A numbered failure asks no filter but __GFP_NOFAIL. */
	fault_shutdown();
	fault_slab_attr.verbose = 0;
	current->fail_nth = 1;
	assert_false(fault_slab(GFP_KERNEL | __GFP_NOFAIL, 64, 0, NULL));
	assert_true(fault_slab(GFP_KERNEL, 64, 0, NULL));
}

/* ---- the same again ---- */

static char played[TEST_CPUS_MOST][NR_CALLS + 1];

static int play_in_task(void *data)
{
	char *letters = data;

	for (unsigned int i = 0; i < NR_CALLS; i++) {
		letters[i] = should_fail(&fail_test, 1) ? 'F' : '-';
		if (i % 7 == 0)
			_cond_resched();
	}
	return 0;
}

/* What the tasks of all CPUs see, one after the other. */
static void play_on_all(uint64_t seed, char *all)
{
	struct task_struct *tasks[TEST_CPUS_MOST];

	fault_boot(seed, "");
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		tasks[cpu] = kthread_create_on_cpu(play_in_task, played[cpu], cpu, "player/%u");
		get_task_struct(tasks[cpu]);
		wake_up_process(tasks[cpu]);
	}
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		while (!sched_has_ended((struct sched_task *)tasks[cpu]))
			schedule_timeout_uninterruptible(1);
		kthread_stop(tasks[cpu]);
		put_task_struct(tasks[cpu]);
		memcpy(all + cpu * NR_CALLS, played[cpu], NR_CALLS);
	}
}

static void the_same_seed_fails_the_same_calls(void **state)
{
	static char first[TEST_CPUS_MOST * NR_CALLS], again[TEST_CPUS_MOST * NR_CALLS];
	size_t length = (size_t)nr_cpus * NR_CALLS;
	unsigned int failures = 0;

	(void)state;
	fail_test.probability = 25;
	fail_test.times = -1;
	play_on_all(42, first);
	for (int round = 0; round < 5; round++) {
		play_on_all(42, again);
		assert_memory_equal(first, again, length);
	}
	play_on_all(43, again);
	assert_memory_not_equal(first, again, length);
	/* No two tasks see the same. */
	for (unsigned int cpu = 1; cpu < nr_cpus; cpu++)
		assert_memory_not_equal(first, first + cpu * NR_CALLS, NR_CALLS);
	for (size_t i = 0; i < length; i++)
		failures += first[i] == 'F';
	/* A quarter; the numbers are the same in every run. */
	assert_in_range(failures, length / 5, length / 3);
}

static unsigned int nr_failed; /* Synchronization: atomic */

static int fail_all(void *unused)
{
	(void)unused;
	while (READ_ONCE(fault_slab_attr.times)) {
		if (should_fail(&fault_slab_attr, 1))
			__atomic_fetch_add(&nr_failed, 1, __ATOMIC_RELAXED);
		_cond_resched();
	}
	return 0;
}

static void a_knob_is_turned_while_calls_fail(void **state)
{
	struct task_struct *task;

	(void)state;
	nr_failed = 0;
	assert_int_equal(fault_set("failslab", "probability", "100"), 0);
	assert_int_equal(fault_set("failslab", "verbose", "0"), 0);
	assert_int_equal(fault_set("failslab", "times", "50000"), 0);
	task = kthread_create_on_cpu(fail_all, NULL, nr_cpus - 1, "failing/%u");
	get_task_struct(task);
	wake_up_process(task);
	while (!sched_has_ended((struct sched_task *)task)) {
		assert_int_equal(fault_set("failslab", "interval", "1"), 0);
		_cond_resched();
	}
	put_task_struct(task);
	assert_int_equal(nr_failed, 50000);
}

static void fail_once(void *unused)
{
	(void)unused;
	fault_boot(7, "cpus=8,seed=7");
	fail_test = pristine;
	fail_test.probability = 100;
	fail_test.verbose = 1;
	should_fail(&fail_test, 1);
	fail_test.times = 1;
	should_fail_ex(&fail_test, 1, FAULT_NOWARN);
}

static void a_failure_says_how_to_repeat_it(void **state)
{
	(void)state;
	assert_int_equal(child_run(fail_once, NULL, output, sizeof(output)), 0);
	assert_string_equal(output,
		"flagstone: FAULT_INJECTION: forcing a failure.\n"
		"name fail_test, interval 1, probability 100, space 0, times 1\n"
		"interrupt on CPU -2, its call 1, seed 7, replay: FLAGSTONE_MACHINE=cpus=8,seed=7\n");
}

#define IN_MACHINE(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MACHINE(nothing_fails_unasked),
		IN_MACHINE(interval_is_every_nth),
		IN_MACHINE(times_run_out),
		IN_MACHINE(space_succeeds_first),
		IN_MACHINE(the_task_filter_is_this_task),
		IN_MACHINE(the_stack_filters_look_at_callers),
		IN_MACHINE(fail_nth_is_one_call_and_goes_first),
		IN_MACHINE(texts_set_four_numbers),
		IN_MACHINE(knobs_have_the_kernels_names),
		IN_MACHINE(memory_has_filters_of_its_own),
		IN_MACHINE(the_same_seed_fails_the_same_calls),
		IN_MACHINE(a_knob_is_turned_while_calls_fail),
		cmocka_unit_test(a_failure_says_how_to_repeat_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
