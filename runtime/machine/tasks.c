/*
 * tasks.c: which tasks are the machine's own, and which the program forgot.
 *
 * Calls sched. Knows nothing of what tasks do.
 */
#include <linux/sched.h>

#include "runtime/lib/report.h"
#include "runtime/machine/tasks.h"
#include "runtime/pressure/pressure.h"
#include "runtime/sched/sched.h"

static int last_own; /* the last pid of boot. Synchronization: boot and shutdown */

struct count {
	unsigned int nr;
	bool report;
};

static void find_last(struct sched_task *task, void *arg)
{
	(void)arg;
	if (task->task.pid > last_own)
		last_own = task->task.pid;
	task->is_machines = task != sched_current();
}

void tasks_mark_own(void)
{
	last_own = 0;
	sched_for_each_task(find_last, NULL);
}

static bool is_own(const struct sched_task *task)
{
	return task == sched_current() || task->task.pid <= last_own || task->serves || pressure_owns(&task->task);
}

static void count_task(struct sched_task *task, void *arg)
{
	struct count *count = arg;

	if (is_own(task) || sched_has_ended(task))
		return;
	count->nr++;
	if (count->report)
		sched_report_left(task);
}

static struct count count_others(bool report)
{
	struct count count = {.report = report};

	/* That room's references are nobody's task. */
	oom_forget_ended();
	sched_for_each_task(count_task, &count);
	return count;
}

unsigned int tasks_count_others(void)
{
	return count_others(false).nr;
}

unsigned int tasks_report_others(void)
{
	struct count count = count_others(true);

	if (!count.nr)
		sched_wait_for_ends();
	return count.nr;
}
