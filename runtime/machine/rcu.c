/*
 * rcu.c: grace periods in a machine: tasks that wait for one sleep, and a task of its own calls and frees what has waited.
 *
 * Calls the rcu room, sched and irq. As with a kernel whose callbacks are offloaded (rcu_nocbs=all), call_rcu()'s functions run in this
 * task, with softirqs off; objects are freed with them on.
 */
#include <linux/bottom_half.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/wait.h>
#include <stdio.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/rcu/rcu.h"
#include "runtime/sched/sched.h"
#include "runtime/slab/slab.h"

#define SHRINK_NS 100000000 /* that who reclaims waits for readers */
#define OOM_NS 1000000000 /* that who would go on to the OOM killer does */

static DECLARE_WAIT_QUEUE_HEAD(waiters); /* for a grace period, or for what is served after one */
static struct task_struct *server;

static bool wait(bool (*is_over)(unsigned long arg), unsigned long arg, uint64_t ns)
{
	long timeout = ns == RCU_FOREVER ? MAX_SCHEDULE_TIMEOUT : (long)usecs_to_jiffies((unsigned int)(ns / 1000)) + 1;

	return wait_event_timeout(waiters, is_over(arg), timeout) > 0;
}

static void changed(void)
{
	host_sigmask_t mask = host_signals_block();

	wake_up_all(&waiters);
	wake_up_process(server);
	host_signals_restore(mask);
}

/* ---- pressure ---- */

static unsigned long count_deferred(struct shrinker *shrinker, struct shrink_control *sc)
{
	size_t bytes = rcu_deferred_bytes();

	(void)shrinker;
	(void)sc;
	return bytes ? bytes / PAGE_SIZE + 1 : SHRINK_EMPTY;
}

/* Returns about how many pages that made free: from slabs and magazines, too. */
static unsigned long reclaim(uint64_t ns)
{
	size_t bytes = rcu_reclaim(ns);

	if (bytes)
		slab_trim(0);
	return bytes ? bytes / PAGE_SIZE + 1 : 0;
}

/* The period is of everything, however much is asked for. */
static unsigned long free_deferred(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long nr = reclaim(SHRINK_NS);

	(void)shrinker;
	(void)sc;
	return nr ? nr : SHRINK_STOP;
}

static struct shrinker deferred_shrinker = {
	.count_objects = count_deferred, .scan_objects = free_deferred}; /* seeks 0: they cost nothing to make again */

static int on_oom(struct notifier_block *nb, unsigned long action, void *freed)
{
	(void)nb;
	(void)action;
	*(unsigned long *)freed += reclaim(OOM_NS);
	return NOTIFY_OK;
}

static struct notifier_block oom_notifier = {.notifier_call = on_oom};

/* ---- the task ---- */

static int serve(void *arg)
{
	(void)arg;
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (rcu_needs_service()) {
			__set_current_state(TASK_RUNNING);
			rcu_serve();
		} else {
			schedule();
		}
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

struct search {
	uint32_t tid;
	char *name;
	size_t size;
	bool found;
};

static void name_if(struct sched_task *task, void *arg)
{
	struct search *search = arg;

	if (__atomic_load_n(&task->tid, __ATOMIC_RELAXED) != search->tid)
		return;
	snprintf(search->name, search->size, "task %s/%d", task->task.comm, task->task.pid);
	search->found = true;
}

static bool task_name(uint32_t tid, char *name, size_t size)
{
	struct search search = {tid, name, size, false};

	sched_for_each_task(name_if, &search);
	return search.found;
}

static void signal_taken(int number)
{
	__atomic_fetch_or(&sched_own_signals, 1ull << (number - 1), __ATOMIC_RELAXED);
}

static const struct rcu_hooks hooks = {.task_name = task_name,
	.signal_taken = signal_taken,
	.wait = wait,
	.changed = changed,
	.callbacks_begin = local_bh_disable,
	.callbacks_end = local_bh_enable};

int machine_rcu_boot(void)
{
	int error;

	server = kthread_create(serve, NULL, "rcuo");
	if (IS_ERR(server))
		return (int)PTR_ERR(server);
	error = register_shrinker(&deferred_shrinker, "kfree_rcu");
	if (!error)
		error = rcu_boot_machine(&hooks);
	if (error) {
		unregister_shrinker(&deferred_shrinker);
		kthread_stop(server);
		return error;
	}
	register_oom_notifier(&oom_notifier);
	wake_up_process(server);
	/* The clock's thread may look at any time. */
	__atomic_store_n(&sched_resting_hook, rcu_nr_resting, __ATOMIC_RELEASE);
	rcu_serve_slabs(true);
	sched_rcu_leave_hook = rcu_read_unlock;
	/* Pairs with sched_rcu_depth(). It counts them. */
	__atomic_store_n(&sched_rcu_depth_hook, rcu_read_lock_held, __ATOMIC_RELEASE);
	return 0;
}

void machine_rcu_shutdown(void)
{
	unsigned int left;

	__atomic_store_n(&sched_resting_hook, NULL, __ATOMIC_RELEASE);
	unregister_oom_notifier(&oom_notifier);
	unregister_shrinker(&deferred_shrinker);
	kvfree_rcu_barrier();
	rcu_barrier();
	/* There are no readers any more. What the frees above left to wait goes before the memory of the machine does. */
	rcu_serve_slabs(false);
	rcu_barrier();
	/* Before the task, which it wakes. */
	rcu_stop_machine();
	kthread_stop(server);
	left = rcu_shutdown_machine();
	if (left)
		report_note(
			"machine: %u functions that call_rcu() was given were not called: they call it again and again",
			left);
	__atomic_store_n(&sched_rcu_depth_hook, NULL, __ATOMIC_RELEASE);
	server = NULL;
}
