/*
 * internal.h: what the files of the sched room share.
 */
#ifndef RUNTIME_SCHED_INTERNAL_H
#define RUNTIME_SCHED_INTERNAL_H

#include <signal.h>

#include "percpu/percpu.h"
#include "runtime/lib/text.h"
#include "runtime/sched/mask.h"

/* What makes a thread look at its CPU's events. Not a real-time signal: those would queue up in a thread that has them blocked,
 * until the kernel has no room. */
#define SCHED_SIGNAL SIGURG

/* Whether host_signals_block() masks interrupts of CPUs instead of signals of the process. */
void cpu_mask_on(bool on);
/* Waits for this thread's turn on the task's CPU. Interrupts off. */
void token_wait(struct sched_task *task);
/* Takes the lock of the CPU that the task is on. Interrupts off. */
struct sched_cpu *task_lock_cpu(struct sched_task *task);
/* The lock is held. */
void __dequeue(struct sched_cpu *cpu, struct sched_task *task);
bool task_may_be_on(const struct sched_task *task, unsigned int cpu);
unsigned int task_choose_cpu(const struct sched_task *task);
/* Puts a task that runs nowhere and is on no queue onto that CPU. Interrupts off. */
void task_place(struct sched_task *task, unsigned int number);
/* The calling thread gives its CPU away for good and is no task any more. */
void task_die(struct sched_task *task);
/* Ties the calling thread to a host CPU that goes with a simulated one; to the one it had before: cpu below 0. */
void task_pin(struct sched_task *task, int cpu);
void pin_boot(void);

/* Makes a task on the list of all: refs is 1. NULL when memory is out. */
struct sched_task *task_create(const char *name, unsigned int cpu);
/* The thread of a kernel thread, which has ended, puts its own reference. */
void task_leave(struct sched_task *task);
/* get_task_struct(), if that is a task that somebody holds, or one that has not ended. */
bool task_get_listed(const struct sched_task *task);
/* Fills in what the calling thread is, before its first token_wait(). */
void task_enter(struct sched_task *task);

/* Starts the thread of a task of task_create(). 0 or -errno. */
int sched_start_thread(struct sched_task *task, void *(*body)(void *task));
/* The idle task lets others run, and returns when there are events. Interrupts off. */
void idle_switch(struct sched_task *task);

/* context.c */
/* Keeps the caller's stack. */
void section_record(struct sched_section *section);
/* Keeps the stack above a frame of this thread. */
void section_record_from(struct sched_section *section, const void *frame);
void scheduling_while_atomic(void);
/* Every place may be reported again. */
void context_reset(void);
/* The end of the calling thread's stack. Interrupts off. */
const char *thread_stack_end(void);

/* signals.c */
bool preempt_is_forced(void);
void signals_boot(void);
void signals_shutdown(void);
/* In a fork child, which has no thread that forces preemption. */
void signals_forget(void);

/* ---- hung_task.c ---- */

void hung_task_shutdown(void);
void hung_task_forget(void);
/* Whether no CPU runs or has anything to; and a number that is another one when that was different meanwhile. */
bool cpus_are_idle(unsigned long *nr_switches);
/* Whether no event is set, that which fires apart. */
bool clock_is_empty(void);

/* ---- wait_bit.c ---- */

void wait_bit_boot(void);

/* ---- seqlock.c: this task ends: it reads nothing any more ---- */

void seqlock_task_ends(void);

/* ---- nodes.c: memory nodes and the CPUs on them ---- */

void nodes_boot(unsigned int nr_cpus);
/* A CPU went offline, or came online. */
void nodes_cpu_is(unsigned int cpu, bool online);

/* ---- in a fork child, whose parent's other threads may have been anywhere ---- */

void kthreads_forget(void);
void clock_forget(void);
/* Interrupts are no longer what host_signals_block() masks. */
void lockdep_forget(void);

/* Kernel threads between their end and the last that they do here. Synchronization: atomic */
extern uint32_t sched_nr_ending;

extern struct lock task_list_lock;
extern struct list_head task_list;

/* ---- altstack.c: of this thread, which is, or was, a task's ---- */

void altstack_enter(void);
void altstack_leave(void);

#endif
