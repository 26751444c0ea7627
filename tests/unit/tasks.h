/*
 * tasks.h: kernel threads that run a function each, until all have returned.
 *
 * Calls the sched room.
 */
#ifndef TESTS_UNIT_TASKS_H
#define TESTS_UNIT_TASKS_H

#include <linux/jiffies.h>
#include <linux/kthread.h>

#include "runtime/sched/sched.h"

#define TASKS_MOST 64

static struct task_struct *tasks[TASKS_MOST];
static unsigned int nr_tasks;

/* Starts function((void *)i), i counted from 0 over all that run. */
static inline void task_start(int (*function)(void *))
{
	struct task_struct *task = kthread_create(function, (void *)(uintptr_t)nr_tasks, "task/%u", nr_tasks);

	if (IS_ERR(task) || nr_tasks == TASKS_MOST)
		abort();
	tasks[nr_tasks++] = get_task_struct(task);
	wake_up_process(task);
}

/* Waits until all have returned. */
static inline void tasks_join(void)
{
	while (nr_tasks) {
		struct task_struct *task = tasks[--nr_tasks];

		while (!sched_has_ended(to_sched(task)))
			schedule_timeout_uninterruptible(1);
		put_task_struct(task);
	}
}

static inline void tasks_run(int (*function)(void *), unsigned int nr)
{
	while (nr--)
		task_start(function);
	tasks_join();
}

#endif
