/*
 * linux/sched.h: tasks: the threads that take turns on simulated CPUs.
 *
 * Semantics: Linux, Documentation/scheduler and kernel-hacking/hacking.rst. A task keeps its CPU until it sleeps, gives it up
 * (cond_resched, yield), or, in a machine booted with preempt, is preempted.
 */
#ifndef FLAGSTONE_LINUX_SCHED_H
#define FLAGSTONE_LINUX_SCHED_H

#include <linux/processor.h>
#include <linux/compiler.h>
#include <linux/preempt.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TASK_RUNNING 0x0000u
#define TASK_INTERRUPTIBLE 0x0001u
#define TASK_UNINTERRUPTIBLE 0x0002u
#define TASK_PARKED 0x0040u
#define TASK_DEAD 0x0080u
#define TASK_WAKEKILL 0x0100u
#define TASK_KILLABLE (TASK_WAKEKILL | TASK_UNINTERRUPTIBLE)
#define TASK_IDLE 0x0402u
#define TASK_NORMAL (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)

#define PF_EXITING 0x00000004u
#define PF_WQ_WORKER 0x00000020u
#define PF_MEMALLOC 0x00000800u /* may use the reserves: what it frees is more */
#define PF_KSWAPD 0x00020000u
#define PF_MEMALLOC_NOFS 0x00040000u
#define PF_MEMALLOC_NOIO 0x00080000u
#define PF_KTHREAD 0x00200000u

#define MAX_SCHEDULE_TIMEOUT ((long)(~0UL >> 1))
#define TASK_COMM_LEN 16

struct kthread;
struct held_locks;

/* Fault injection's count of a task's calls, and of those that pass the filters; one for failslab, fail_page_alloc, others. */
struct fault_counts {
	unsigned long calls[3], passed[3]; /* Synchronization: own task */
};

/* The fields here are those that kernel code uses; what follows them is flagstone's. */
struct task_struct {
	unsigned int __state; /* Synchronization: atomic; see set_current_state() */
	unsigned int flags; /* PF_. Synchronization: own task */
	int pid; /* Synchronization: const */
	char comm[TASK_COMM_LEN]; /* Synchronization: const once it runs */
	unsigned int
		fail_nth; /* fault injection: the allocation from now that fails; 0: none. Synchronization: own task */
	bool make_it_fail; /* fault injection: the task filter. Synchronization: own task */
	struct fault_counts fault;
	unsigned long nr_randoms; /* numbers drawn, linux/random.h. Synchronization: own task */
	struct held_locks *held; /* lock checking. Synchronization: own task */
	void *oom_reserve_access; /* not NULL: chosen by the OOM killer. Synchronization: atomic */
	struct sched_task *sched; /* runtime/sched. Synchronization: const */
};

/* This thread's task; NULL in a thread that is attached to no CPU. Any context: in an interrupt, the task that it interrupted. */
struct task_struct *flagstone_current(void);
#define current flagstone_current()

#define task_is_running(task) (READ_ONCE((task)->__state) == TASK_RUNNING)
#define __set_current_state(state) WRITE_ONCE(current->__state, (state))
/*
 * Says that this task is about to sleep; then it looks at what it waits for, and calls schedule(). A full barrier: pairs with
 * wake_up_process(), whose caller makes true first what is waited for.
 */
#define set_current_state(state) ((void)__atomic_exchange_n(&current->__state, (unsigned int)(state), __ATOMIC_SEQ_CST))

/* Gives the CPU away: for good unless the state is TASK_RUNNING, until somebody wakes this task. Context: task, may sleep. */
void schedule(void);
/* As schedule(), for at most timeout jiffies (MAX_SCHEDULE_TIMEOUT: for ever). Returns the jiffies left; 0: it is over.
 * Set a state first; the second and third do it themselves. Context: task, may sleep. */
long schedule_timeout(long timeout);
long schedule_timeout_interruptible(long timeout);
long schedule_timeout_uninterruptible(long timeout);
/* Sleeps for as long, woken by nothing else; counts as waiting for I/O, like io_schedule(). */
long io_schedule_timeout(long timeout);
void io_schedule(void);
/* Lets the other tasks of this CPU run, once each. Context: task. cond_resched() returns 1 if any did. */
void yield(void);
int _cond_resched(void);
#define cond_resched() _cond_resched()
/* Whether another task waits for this CPU. Any context. */
bool need_resched(void);

/* Makes a sleeping task run again. Returns 1 if it slept. Any context. A full barrier first: pairs with set_current_state(). */
int wake_up_process(struct task_struct *task);
/* As wake_up_process(), if it sleeps in one of these states. */
int wake_up_state(struct task_struct *task, unsigned int state);

/* The CPU that the task is on. A hint unless it is this task with preemption off. Any context. */
unsigned int task_cpu(const struct task_struct *task);

/* A task stays while it is referred to, ended or not. Any context. */
struct task_struct *get_task_struct(struct task_struct *task);
void put_task_struct(struct task_struct *task);

/* Simulated tasks get no signals. */
static inline int signal_pending(struct task_struct *task)
{
	(void)task;
	return 0;
}
/* Whether the OOM killer chose this task: it should end, and may use the reserves until then. Any context. */
int fatal_signal_pending(struct task_struct *task);

#ifdef __cplusplus
}
#endif

/* What kernel code reaches by this header. Behind what they need of it. */
#include <linux/bitops.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#endif
