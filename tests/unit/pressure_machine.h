/*
 * pressure_machine.h: a small machine whose memory can run out, for tests of the pressure room.
 *
 * Calls the rooms' own boot functions.
 */
#ifndef TESTS_UNIT_PRESSURE_MACHINE_H
#define TESTS_UNIT_PRESSURE_MACHINE_H

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kthread.h>

#include "runtime/pressure/pressure.h"
#include "tests/unit/machine.h"

static const struct alloc_hooks pressure_hooks = {.retry = pressure_retry, .report_zones = pressure_report_zones};

static inline int pressure_machine_boot_config(
	unsigned int nr_cpus, struct page_machine *machine, const struct pressure_config *config)
{
	int error = test_machine_boot_config(nr_cpus, machine);

	if (error)
		return error;
	slab_set_hooks(&pressure_hooks);
	return pressure_boot(config);
}

static inline int pressure_machine_boot(unsigned int nr_cpus, size_t ram, const struct pressure_config *config)
{
	struct page_machine machine = {.nr_nodes = 1, .node_bytes = {ram}};

	return pressure_machine_boot_config(nr_cpus, &machine, config);
}

/* Pages that are neither free nor on page lists, after all caches were drained; and that all counts agree. */
static inline size_t pages_in_use(void)
{
	struct page_zone_info info;
	size_t used = 0;

	slab_trim(0);
	page_check();
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		used += info.managed - info.free - info.in_lists;
	}
	return used;
}

static inline int pressure_machine_shutdown(void)
{
	pressure_shutdown();
	return test_machine_shutdown();
}

/* Runs function(data) in a kernel thread, held until thread_join(). */
static inline struct task_struct *thread_start(int (*function)(void *data), void *data, const char *name)
{
	struct task_struct *task = kthread_create(function, data, "%s", name);

	if (IS_ERR(task))
		abort();
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static inline bool thread_has_ended(struct task_struct *task)
{
	return sched_has_ended(to_sched(task));
}

static inline int thread_join(struct task_struct *task)
{
	int result;

	while (!thread_has_ended(task))
		schedule_timeout_uninterruptible(1);
	result = kthread_stop(task);
	put_task_struct(task);
	return result;
}

#endif
