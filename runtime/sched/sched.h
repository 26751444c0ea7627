/*
 * sched.h: simulated CPUs and the tasks that take turns on them: the interface of this room.
 *
 * A CPU is a token: cpu->curr is the one task that may run as it. A task is a host thread; it waits on its own word until it gets
 * the token, and gives it away in schedule(). A CPU without a task to run belongs to its idle task, whose thread sleeps unless
 * there are events to see to. Calls the core and host. Knows nothing of interrupts beyond that a CPU has events pending, which a
 * hook sees to.
 */
#ifndef RUNTIME_SCHED_SCHED_H
#define RUNTIME_SCHED_SCHED_H

#include <linux/sched.h>
#include <pthread.h>

#include "runtime/config.h"
#include "runtime/lib/list.h"
#include "runtime/lib/lock.h"

#define SCHED_MAX_CPUS 256

/* ---- CPUs ---- */

/* What a CPU has to look at as soon as its interrupts are on. Bits of cpu->pending. */
enum cpu_event {
	CPU_RESCHED = 1, /* the task on it should give it away */
	CPU_IRQ = 2, /* the irq room's */
};

struct sched_task;
struct text;

/*
 * Under lock: a task is on queue if and only if its on_queue is set; curr is on no queue.
 * curr is the idle task if and only if nobody else could run when it was last looked.
 */
struct sched_cpu {
	struct lock lock; /* rank RUNQUEUE, interrupts off */
	unsigned int number; /* Synchronization: const */
	bool online; /* Synchronization: lock; a hint without */
	bool idle_awake; /* the idle task's thread runs, or was told to. Synchronization: lock */
	struct sched_task *curr; /* Synchronization: lock; the token's holder itself may read it without */
	struct sched_task *idle; /* Synchronization: const after boot */
	struct list_head queue; /* tasks that wait for their turn. Synchronization: lock */
	unsigned int nr_queued; /* == length(queue). Synchronization: lock; a hint without */
	uint32_t pending; /* enum cpu_event. Synchronization: atomic */
	unsigned long nr_switches; /* to any task, and awakenings of the idle one. Synchronization: lock */
} cache_aligned;

extern struct sched_cpu sched_cpus[SCHED_MAX_CPUS];
extern unsigned int sched_nr_cpus; /* 0: no machine. Synchronization: written while one thread uses the machine */

/* A hint, unless hotplug is held off. Any context. */
static inline bool cpu_is_online(unsigned int cpu)
{
	return cpu < sched_nr_cpus && __atomic_load_n(&sched_cpus[cpu].online, __ATOMIC_RELAXED);
}
unsigned int cpus_online(void);

/* Makes events pending on a CPU and sees to it that it looks at them. Any context. */
void cpu_raise(unsigned int cpu, uint32_t events);
/* An interrupt's handler opens the mask for what may be interrupted in its turn, and closes it again. */
void cpu_mask_open(void);
void cpu_mask_close(void);
/* A point at which an interrupt may come, for loops without any; needed where no signals are used (sanitizers). Any context. */
void cpu_look(void);
/* What looks at CPU_IRQ: called with interrupts off on the CPU, in whatever task it interrupts. Set before boot. */
extern void (*sched_irq_hook)(void);
/* What runs when this CPU's number changed for a thread that takes the token: per-CPU variables. Set before boot; may be NULL. */
extern void (*sched_use_cpu_hook)(unsigned int cpu);
/* A task with PF_WQ_WORKER is about to sleep in schedule(), its state set; or has come back. In that task. Set before
 * boot. */
extern void (*sched_worker_hook)(bool sleeps);

/* Sections of this thread in which it must not sleep, of RCU, and open. Synchronization: atomic; NULL: none. */
extern int (*sched_rcu_depth_hook)(void);
/* Ends one of them, after the report that it was left open. Set before that. */
extern void (*sched_rcu_leave_hook)(void);

/* In how many this thread is. Tasks run while the hook is set and taken back. */
static inline int sched_rcu_depth(void)
{
	/* Pairs with machine_rcu_boot(). */
	int (*hook)(void) = __atomic_load_n(&sched_rcu_depth_hook, __ATOMIC_ACQUIRE);

	return hook ? hook() : 0;
}
/* Reports who allocated and who freed what an address lies in, if that is known. */
extern void (*sched_history_hook)(const void *p);

/* ---- tasks ---- */

/* Synchronization: fields without a word are the own task's. */
struct sched_task {
	struct task_struct task;
	unsigned int cpu; /* Synchronization: the lock of that CPU */
	bool on_queue; /* Synchronization: the CPU's lock */
	bool moving; /* between two CPUs: on no queue, though runnable. Synchronization: the CPU's lock */
	struct list_head queue; /* Synchronization: the CPU's lock */
	uint32_t token; /* 1: the CPU is this task's. Synchronization: atomic; see token_give() */
	uint64_t allowed[SCHED_MAX_CPUS / 64]; /* CPUs that it may be on. Synchronization: atomic words */
	unsigned int host_cpu; /* what the thread is pinned to, + 1 */
	struct flagstone_this *this; /* its thread's. Synchronization: const while it may be curr */
	uint32_t tid; /* of the host. Synchronization: atomic; 0 before it runs */
	pthread_t thread;
	int refs; /* Synchronization: atomic */
	struct list_head all; /* Synchronization: task_list_lock */
	/* kthreads */
	int (*function)(void *data); /* Synchronization: atomic; const once its thread runs */
	void *data;
	bool serves; /* something else, which ends it: it is no leak. Synchronization: const before it runs */
	bool left; /* the thread has put its reference. Synchronization: task_list_lock */
	long result; /* Synchronization: written before ended */
	uint32_t request; /* KTHREAD_ bits. Synchronization: atomic */
	uint32_t ended; /* Synchronization: atomic, release: result is there */
	struct list_head waiters; /* struct sched_waiter: who waits for ended or parked. Synchronization: wait_lock */
	/* hung_task.c. Synchronization: own task; while it sleeps the CPU's lock */
	unsigned long nr_switches; /* how often it has given its CPU away */
	const void *sleeps_at; /* the frame that it last did so in */
	const char *stack_end;
	const struct sched_wait *waits_for; /* NULL: not known */
	bool has_deadline; /* it wakes at some time whatever happens */
	bool is_machines; /* it serves the machine, and may sleep for ever. Synchronization: boot */
	unsigned long seen_switches, nr_looks; /* Synchronization: the clock's thread */
	bool hung_told; /* Synchronization: the clock's thread to write; atomic */
};
static_assert(offsetof(struct sched_task, task) == 0, "a task_struct is a sched_task");

static inline struct sched_task *to_sched(struct task_struct *task)
{
	return container_of(task, struct sched_task, task);
}

/* This thread's task, or NULL. */
struct sched_task *sched_current(void);
/* Whether a kernel thread has: its result is there, and it uses nothing of the machine but its task. Pairs with finish(). */
static inline bool sched_has_ended(const struct sched_task *task)
{
	return __atomic_load_n(&task->ended, __ATOMIC_ACQUIRE);
}
/* The line that says that a task has not, and who created it. */
void sched_report_left(const struct sched_task *task);
/* Until no kernel thread that has ended touches its task any more. Task context. */
void sched_wait_for_ends(void);
/* Reports tasks that have ended, but whose references have not all been put. Returns how many. Nobody else uses the machine. */
unsigned int sched_report_unput(void);

/* What a task sleeps for, for reports of those that do so for too long. */
struct sched_wait {
	/* What follows "is blocked on ": of what cannot change or go while the task sleeps. The locks of its CPU and of the list of
	 * tasks are held. */
	void (*print)(const struct sched_wait *wait, struct text *text);
	const void *what;
};
/* Said before this task sleeps, and taken back, with NULL, after. */
void sched_waits_for(const struct sched_wait *wait);
/* In print(): the task that has what is waited for, if it is there. */
void __wait_print_task(struct text *text, const void *owner);

/* How many threads there are that serve the machine, are no tasks, and sleep until a task calls them. Any thread. Synchronization:
 * atomic; NULL: none. */
extern unsigned int (*sched_resting_hook)(void);
/* Signals (1 << number - 1) whose handlers are flagstone's, and wake nobody. Synchronization: atomic */
extern uint64_t sched_own_signals;
/* After sched_boot(): reports tasks that sleep uninterruptibly for so many seconds, and, as a BUG, that none of the tasks can be woken any
 * more, where that is certain: no deadline is set, and the process has no thread that is no task, and no handlers of signals. 0: nothing.
 * panics: the former ends the process. 0 or -ENOMEM. */
int hung_task_boot(unsigned long timeout_secs, bool panics);

/* Boots CPUs 0 .. nr_cpus - 1 with their idle tasks; the calling thread becomes a task on CPU 0. 0 or -errno. */
int sched_boot(unsigned int nr_cpus);
/* Ends the idle tasks and makes everything as before boot. The caller is the last task: -EBUSY, with a report that names them, if
 * there are others. */
int sched_shutdown(void);
/* In a fork child: there is no machine any more, and this thread is no task. */
void sched_forget(void);
/* The calling host thread becomes a task on that CPU, and returns when it is its turn. 0, or -errno. */
int sched_attach(unsigned int cpu, const char *name);
/* It gives its CPU away and is none any more. */
void sched_detach(void);

/* Moves this task to a CPU that it may be on; returns when it is its turn there. Task context. */
void sched_move_to(unsigned int cpu);
/* Which CPUs a task may be on; a task that is elsewhere moves at its next turn. 0, or -EINVAL if none of them is online. */
int sched_set_allowed(struct task_struct *task, const uint64_t *allowed);
/* Hotplug: the CPU takes no more tasks and those that wait for it go elsewhere, until it is online again. Task context, not on
 * that CPU. -EBUSY: the last one. */
int sched_cpu_down(unsigned int cpu);
int sched_cpu_up(unsigned int cpu);

/* Visits every task, idle ones too, under the list's lock with interrupts off. */
void sched_for_each_task(void (*visit)(struct sched_task *task, void *arg), void *arg);

/* ---- forced preemption ---- */

/* From now on tasks are preempted at any instruction at which they may be: about every mean_us microseconds on a CPU chosen at
 * random, by that seed. 0: no more. Task context. */
int preempt_force(unsigned int mean_us, uint64_t seed);

/* ---- the clock: what happens at some time ---- */

struct clock_event {
	uint64_t when; /* host_clock_ns(). Synchronization: clock lock */
	unsigned int place; /* in the heap, + 1; 0: not set. Synchronization: clock lock */
	void (*fire)(struct clock_event
			*event); /* on the clock's own thread, which is no task, with interrupts off. Const */
};
/* Sets, or moves, an event. Any context. 0, or -ENOMEM if there are too many. */
int clock_set(struct clock_event *event, uint64_t when);
/* Returns whether it was set: then it will not fire. Does not wait for one that is firing: see clock_cancel_sync. Any context. */
bool clock_cancel(struct clock_event *event);
/* Waits until it does not fire any more. Not from fire(). */
bool clock_cancel_sync(struct clock_event *event);
/* host_clock_ns() so many jiffies from now; UINT64_MAX, which never comes, where that would not fit. Any context. */
uint64_t clock_after_jiffies(unsigned long nr);
int clock_boot(void);
void clock_shutdown(void);

/* ---- memory of this room's and the rooms above for what is not simulated: libc's, with interrupts off around it ---- */

void *sched_zalloc(size_t size);
void sched_free(void *memory);

/* ---- for kernel code: what the kernel would take from kmalloc(GFP_KERNEL) ---- */

/* Asked before each: true, and it fails. caller: the return address in who called the kernel function. NULL: nobody is. Set while one
 * thread uses the machine. */
extern bool (*sched_fault_hook)(size_t size, const void *caller);
static inline bool sched_fault(size_t size, const void *caller)
{
	return sched_fault_hook && caller && sched_fault_hook(size, caller);
}
/* As sched_zalloc(), if it is not made to fail. */
static inline void *sched_kzalloc(size_t size, const void *caller)
{
	return sched_fault(size, caller) ? NULL : sched_zalloc(size);
}

/* A kernel thread to be created. */
struct sched_kthread {
	int (*function)(void *data);
	void *data;
	int cpu; /* that it is bound to; below 0: none */
	const char *name; /* cut to TASK_COMM_LEN */
	bool serves; /* as in struct sched_task */
	const void
		*caller; /* who asked for it: it can be made to fail, and is recorded; NULL: the machine, for itself */
};
/* As kthread_create(). */
struct task_struct *sched_kthread_create(const struct sched_kthread *kthread);

/* A stack by return addresses, for reports: at most nr into frames. Returns how many. Any context. */
unsigned int sched_stack(uintptr_t *frames, unsigned int nr);
/* As that, of this thread's stack from a frame and a stack pointer on that may be wild. */
unsigned int sched_stack_from(const void *frame, const void *sp, uintptr_t *frames, unsigned int nr);
/* Where this thread's stack ends, above; NULL: it never was a task. Any context. */
const char *sched_stack_end(void);

/* Reports a lock in memory that is about to be freed, which this task holds. Any context. */
void lockdep_check_freed(const void *from, size_t size);

#endif
