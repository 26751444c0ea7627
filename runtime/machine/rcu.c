/*
 * rcu.c: grace periods in a machine: tasks that wait for one sleep, and a task of its own calls and frees what has waited.
 *
 * Calls the rcu room, sched and irq. As with a kernel whose callbacks are offloaded (rcu_nocbs=all), call_rcu()'s functions run in this
 * task, with softirqs off; objects are freed with them on.
 */
#include <linux/bottom_half.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/wait.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/rcu/rcu.h"
#include "runtime/sched/sched.h"

static DECLARE_WAIT_QUEUE_HEAD(waiters); /* for a grace period, or for what is served after one */
static struct task_struct *server;

static void wait(bool (*is_over)(unsigned long period), unsigned long period)
{
	wait_event(waiters, is_over(period));
}

static void changed(void)
{
	host_sigmask_t mask = host_signals_block();

	wake_up_all(&waiters);
	wake_up_process(server);
	host_signals_restore(mask);
}

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

static const struct rcu_hooks hooks = {
	.wait = wait, .changed = changed, .callbacks_begin = local_bh_disable, .callbacks_end = local_bh_enable};

int machine_rcu_boot(void)
{
	int error;

	server = kthread_create(serve, NULL, "rcuo");
	if (IS_ERR(server))
		return (int)PTR_ERR(server);
	error = rcu_boot_machine(&hooks);
	if (error)
		kthread_stop(server);
	else
		wake_up_process(server);
	rcu_serve_slabs(!error);
	sched_rcu_depth_hook = error ? NULL : rcu_read_lock_held; /* it counts them */
	return error;
}

void machine_rcu_shutdown(void)
{
	unsigned int left;

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
	sched_rcu_depth_hook = NULL;
	server = NULL;
}
