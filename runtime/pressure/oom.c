/*
 * oom.c: placeholder.
 */
#include <linux/sched.h>

int fatal_signal_pending(struct task_struct *task)
{
	return __atomic_load_n(&task->oom_reserve_access, __ATOMIC_RELAXED) != NULL;
}
