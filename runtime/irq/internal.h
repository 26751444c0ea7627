/*
 * internal.h: what the files of the irq room share.
 *
 * Locks here have rank LOCK_TASKS: one at a time, taken with interrupts off, and inside it may be set clock events,
 * woken tasks and raised events, nothing else.
 */
#ifndef RUNTIME_IRQ_INTERNAL_H
#define RUNTIME_IRQ_INTERNAL_H

#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/might_sleep.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "include/flagstone/irq.h"
#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/irq/irq.h"
#include "runtime/lib/list.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"
#include "runtime/lib/text.h"
#include "runtime/sched/sched.h"

#define MAX_CPUS SCHED_MAX_CPUS
#define CPU_WORDS (MAX_CPUS / 64)
#define IRQ_WORDS (FLAGSTONE_NR_IRQS / 64)

/* Interrupts that are no device's. Bits of irq_cpu->ipis. */
enum ipi {
	IPI_CALL = 1, /* smp_call.c: functions are queued */
	IPI_CLOCK = 2, /* timer.c: a deadline is met */
	IPI_WORK = 4, /* irq_work.c */
	NR_IPIS = 3,
};

struct tasklets {
	struct tasklet_struct *first, **last; /* *last == NULL. Synchronization: lock */
	struct lock lock;
};

/* One CPU's side of interrupts. Fields without a word: the CPU itself, with interrupts off. */
struct irq_cpu {
	uint64_t pending[IRQ_WORDS]; /* device interrupts that wait for this CPU. Synchronization: atomic */
	uint32_t ipis; /* enum ipi. Synchronization: atomic */
	uint32_t softirqs; /* bits of raised ones. Synchronization: atomic */
	uint32_t serving; /* softirqs run. Synchronization: atomic; written by the CPU */
	uint32_t throttled; /* devices and softirqs wait until tasks had their share. Synchronization: atomic */
	uint64_t window, used; /* since when, and how long, interrupts have run: ns */
	struct clock_event unthrottle;
	struct tasklets tasklets[2]; /* TASKLET_SOFTIRQ's, HI_SOFTIRQ's */
	struct task_struct *ksoftirqd; /* Synchronization: const after boot */
	struct __call_single_data *calls; /* stack. Synchronization: atomic */
	struct irq_work *works; /* stack. Synchronization: atomic */
	uint32_t nr_ipis[NR_IPIS]; /* Synchronization: atomic; statistics */
} cache_aligned;

extern struct irq_cpu irq_cpus[MAX_CPUS];

/* This thread's CPU; interrupts or preemption off. */
static inline struct irq_cpu *this_irq_cpu(void)
{
	return &irq_cpus[raw_smp_processor_id()];
}

/* One turn of a loop that waits for another CPU: interrupts may come in it. */
static inline void wait_a_turn(void)
{
	cpu_look();
	host_yield();
}

/* What is held while a function runs that may free what the map is in: of the same class. */
static inline struct lockdep_map map_copy(const struct lockdep_map *map)
{
	return (struct lockdep_map){
		.key = map->key ? map->key : (const struct lock_class_key *)(const void *)map, .name = map->name};
}

/* Before this task waits for who holds the map. */
static inline void map_wait(struct lockdep_map *map)
{
	lock_map_acquire(map);
	lock_map_release(map);
}

/* ---- sleepers.c: waiting for something that has an address ---- */

/* Sleeps until done(arg), which is asked again whenever somebody wakes the key. Task context. */
void sleep_on(const void *key, bool (*done)(void *arg), void *arg);
/* Wakes those who sleep on the key, of which only the address is used: after what they wait for was made true. Any
 * context; no lock but one of rank LOCK_TASKS may be held. */
void wake_on(const void *key);
/* Nobody sleeps: in a fork child, those of the parent do not. */
void sleepers_boot(void);

/* ---- boot.c ---- */

/* Reports as a leak what would have called a function of the program's some time. */
void report_pending(const char *what, const void *object, uintptr_t function);

/* ---- dispatch.c ---- */

void ipi_send(unsigned int cpu, uint32_t ipis);
void dispatch_boot(void);
void dispatch_shutdown(void);

/* ---- lines.c: devices' interrupts ---- */

void lines_boot(void);
unsigned int lines_shutdown(void);
/* The CPU has taken the interrupt's pending bit: its handlers run. Hard interrupt context. */
void line_handle(unsigned int irq);
/* The CPU that it goes to. */
unsigned int line_target(unsigned int irq);
/* Makes it pending on the CPU that it goes to. Interrupts off. */
void line_post(unsigned int irq);

/* ---- softirq.c, tasklet.c ---- */

int softirq_boot(void);
void softirq_shutdown(void);
/* Runs what this CPU has raised. Interrupts are off, once, outside and on inside; not in an interrupt or softirq. */
void softirq_run(void);
/* What it has raised runs later. Any context. */
void softirq_wake_thread(struct irq_cpu *cpu);
void tasklet_boot(void);
unsigned int tasklet_shutdown(void);

/* ---- timer.c, hrtimer.c ---- */

void timer_boot(void);
unsigned int timer_shutdown_room(void);
struct workqueue_struct;
/* Takes back one delayed work that waits for its time to be queued there; NULL: there is none. Any context. */
struct delayed_work *timer_take_delayed(const struct workqueue_struct *wq);
/* The CPU's deadline is met. Hard interrupt context. */
void timer_interrupt(void);

/* ---- smp_call.c, irq_work.c: run what waits for this CPU. Interrupts off ---- */

int calls_boot(void);
void calls_shutdown(void);
void calls_run(void);
void irq_works_run(void);

/* ---- hotplug.c, and what a CPU that went offline leaves, for another ---- */

void hotplug_boot(void);
/* Lines go to other CPUs. */
void lines_cpu_down(unsigned int cpu);
/* Interrupts off. */
void softirq_cpu_down(unsigned int cpu);
void tasklet_cpu_down(unsigned int cpu);
/* After softirq_cpu_down(), which may take away the softirq that the timers count on. Returns false if there is one
 * that was started while its function runs, which stays for as long: to be called again. */
bool timer_cpu_down(unsigned int cpu);

/* ---- workqueue ---- */

int workqueue_boot(void);
unsigned int workqueue_shutdown(void);

/* ---- percpu_counter.c ---- */

void percpu_counters_boot(unsigned int nr_cpus);
/* What a CPU that is offline has kept goes to the counts. Returns 0. */
int percpu_counters_cpu_dead(unsigned int cpu);

#endif
