/*
 * test_percpu_vars.c: linux/percpu.h as kernel-style code uses it, in a program and in a library that comes later.
 *
 * argv[1]: the library's path. Links with the machine's rooms.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "percpu/vars.h"
#include "runtime/sched/sched.h"
#include "tests/api/percpu_lib.h"
#include "tests/unit/cpus.h"

#define CPUS 8

struct statistics {
	u_int64_t packets;
	u_int32_t errors;
};

static DEFINE_PER_CPU(struct statistics, statistics);
static DEFINE_PER_CPU_SHARED_ALIGNED(int, shared) = 4;
static DEFINE_PER_CPU_READ_MOSTLY(int, mostly) = 3;
DECLARE_PER_CPU(int[4], array);
DEFINE_PER_CPU(int[4], array) = {1, 2, 3, 4};
EXPORT_PER_CPU_SYMBOL_GPL(array);

static const char *library; /* Synchronization: const after start */

static void get_and_put_keep_preemption_off(void **state)
{
	struct statistics *mine;

	(void)state;
	vars_use_cpu(5);
	get_cpu_var(shared)++;
	assert_int_equal(preempt_count(), 1);
	put_cpu_var(shared);
	mine = get_cpu_ptr(&statistics);
	mine->packets += 3;
	assert_int_equal(preempt_count(), 1);
	put_cpu_ptr(&statistics);
	assert_int_equal(preempt_count(), 0);
	assert_int_equal(per_cpu(shared, 5), 5);
	assert_int_equal(per_cpu(shared, 4), 4);
	assert_int_equal(per_cpu(statistics, 5).packets, 3);
}

static void elements_and_members_are_reached(void **state)
{
	struct statistics *p = alloc_percpu(struct statistics);
	unsigned int cpu;
	int n = 0;

	(void)state;
	for_each_online_cpu(cpu)
	{
		vars_use_cpu(cpu);
		this_cpu_inc(statistics.packets);
		this_cpu_add(p->errors, cpu);
		this_cpu_add(array[2], 10);
		assert_int_equal(this_cpu_read(array[2]), 13);
		assert_int_equal(this_cpu_add_return(mostly, (int)cpu), 3 + (int)cpu);
		assert_int_equal((*per_cpu_ptr(&array, cpu))[3], 4);
		assert_int_equal(per_cpu(array, cpu)[2], 13);
	}
	for_each_possible_cpu(cpu) n += (int)per_cpu_ptr(p, cpu)->errors;
	assert_int_equal(n, CPUS * (CPUS - 1) / 2);
	free_percpu(p);
	p = alloc_percpu_gfp(struct statistics, GFP_ATOMIC);
	assert_non_null(p);
	assert_int_equal(this_cpu_read(p->errors), 0);
	free_percpu(p);
}

/* Returns the handle. The library's variables are used through it. */
static void *library_load(percpu_lib_add_fn **add, percpu_lib_value_fn **value)
{
	void *handle = dlopen(library, RTLD_NOW);

	if (!handle)
		fail_msg("%s", dlerror());
	*add = (percpu_lib_add_fn *)(uintptr_t)dlsym(handle, "percpu_lib_add");
	*value = (percpu_lib_value_fn *)(uintptr_t)dlsym(handle, "percpu_lib_value");
	assert_true(*add && *value);
	return handle;
}

static void use_library(percpu_lib_add_fn *add, percpu_lib_value_fn *value)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
	{
		assert_int_equal(value(cpu), 100);
		vars_use_cpu(cpu);
		add((long)cpu);
	}
	for_each_possible_cpu(cpu) assert_int_equal(value(cpu), 100 + 2 * (long)cpu);
}

static void a_library_loaded_before_boot_has_its_own_variables(void **state)
{
	percpu_lib_value_fn *value;
	percpu_lib_add_fn *add;
	void *handle = library_load(&add, &value);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vars_boot(CPUS), 0);
		use_library(add, value);
		vars_shutdown();
	}
	dlclose(handle);
}

static void a_library_loaded_after_boot_has_them_too(void **state)
{
	struct vars_stats before, after;
	percpu_lib_value_fn *value;
	percpu_lib_add_fn *add;
	void *handle;

	(void)state;
	vars_stats_read(&before);
	for (int i = 0; i < 2; i++) {
		handle = library_load(&add, &value);
		use_library(add, value);
		dlclose(handle);
		vars_stats_read(&after);
		assert_int_equal(after.static_bytes, before.static_bytes);
	}
}

static int boot(void **state)
{
	(void)state;
	return vars_boot(CPUS);
}

static int shut_down(void **state)
{
	(void)state;
	vars_shutdown();
	return 0;
}

/* ---- tasks ---- */

#define TASKS 12
#define INCREMENTS 100000

static DEFINE_PER_CPU(unsigned long, events);
static DEFINE_PER_CPU(unsigned int, number);

static unsigned int nr_done; /* Synchronization: atomic */

static int count_events(void *on_wrong_cpu)
{
	for (int i = 0; i < INCREMENTS; i++) {
		this_cpu_inc(events);
		this_cpu_add(statistics.packets, 2);
		if (i % 16)
			continue;
		if (get_cpu_var(number) != (unsigned int)raw_smp_processor_id())
			__atomic_store_n((int *)on_wrong_cpu, 1, __ATOMIC_RELAXED);
		(*this_cpu_ptr(&events))++;
		put_cpu_var(number);
		if (i % 1024 == 0)
			sched_move_to((unsigned int)(i / 1024) % nr_cpu_ids);
	}
	__atomic_fetch_add(&nr_done, 1, __ATOMIC_RELAXED);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void nothing_is_lost_by_tasks_that_are_preempted_and_moved(void **state)
{
	struct task_struct *tasks[TASKS];
	unsigned long sum = 0, packets = 0;
	int on_wrong_cpu = 0;
	unsigned int cpu;

	(void)state;
	for_each_possible_cpu(cpu) per_cpu(number, cpu) = cpu;
	assert_int_equal(preempt_force(100, 1), 0);
	for (int i = 0; i < TASKS; i++) {
		tasks[i] = kthread_run(count_events, &on_wrong_cpu, "counts");
		assert_false(IS_ERR(tasks[i]));
	}
	/* A thread that is stopped before it ran never runs. */
	while (READ_ONCE(nr_done) < TASKS)
		schedule_timeout_interruptible(1);
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(kthread_stop(tasks[i]), 0);
	assert_int_equal(preempt_force(0, 0), 0);
	for_each_possible_cpu(cpu)
	{
		sum += per_cpu(events, cpu);
		packets += per_cpu(statistics, cpu).packets;
	}
	assert_int_equal(on_wrong_cpu, 0);
	assert_int_equal(sum, TASKS * (INCREMENTS + INCREMENTS / 16));
	assert_int_equal(packets, TASKS * 2 * INCREMENTS);
}

static void use_cpu(unsigned int cpu)
{
	vars_use_cpu(cpu);
}

static int boot_tasks(void **state)
{
	(void)state;
	sched_use_cpu_hook = use_cpu;
	return vars_boot(test_cpus(CPUS)) ? -1 : sched_boot(nr_cpu_ids);
}

static int shut_down_tasks(void **state)
{
	(void)state;
	if (sched_shutdown())
		return -1;
	sched_use_cpu_hook = NULL;
	vars_shutdown();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(get_and_put_keep_preemption_off, boot, shut_down),
		cmocka_unit_test_setup_teardown(elements_and_members_are_reached, boot, shut_down),
		cmocka_unit_test_setup_teardown(
			nothing_is_lost_by_tasks_that_are_preempted_and_moved, boot_tasks, shut_down_tasks),
		cmocka_unit_test(a_library_loaded_before_boot_has_its_own_variables),
		cmocka_unit_test_setup_teardown(a_library_loaded_after_boot_has_them_too, boot, shut_down),
	};

	if (argc != 2)
		return 2;
	library = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
