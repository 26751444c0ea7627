/*
 * linux/interrupt.h: interrupt handlers, softirqs and tasklets.
 *
 * Semantics: Linux, Documentation/core-api/genericirq.rst and kernel-hacking/hacking.rst. A device raises an interrupt
 * with flagstone/irq.h. Handlers interrupt whatever runs on the CPU that the interrupt goes to, wherever its
 * interrupts are on.
 */
#ifndef FLAGSTONE_LINUX_INTERRUPT_H
#define FLAGSTONE_LINUX_INTERRUPT_H

#include <linux/cpumask.h>
#include <flagstone/irq.h>
#include <linux/errno.h>
#include <linux/hardirq.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/irqreturn.h>
#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/preempt.h>
#include <linux/refcount.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- handlers ---- */

#define IRQF_TRIGGER_NONE 0x00000000ul
#define IRQF_TRIGGER_RISING 0x00000001ul
#define IRQF_TRIGGER_FALLING 0x00000002ul
#define IRQF_TRIGGER_HIGH 0x00000004ul /* a level: see flagstone_irq_set_level() */
#define IRQF_TRIGGER_LOW 0x00000008ul
#define IRQF_TRIGGER_MASK 0x0000000ful
#define IRQF_SHARED 0x00000080ul /* several handlers on one line: all of them have this, and a dev_id */
#define IRQF_PROBE_SHARED 0x00000100ul /* a mismatch is no news: no report */
#define IRQF_ONESHOT 0x00002000ul /* masked until the handler's thread is done */
#define IRQF_NO_AUTOEN 0x00080000ul /* stays disabled until enable_irq() */

/* Runs in hard interrupt context: interrupts off, may not sleep. */
typedef irqreturn_t (*irq_handler_t)(int irq, void *dev_id);

/*
 * Adds a handler to an interrupt, which is enabled. The thread function, if any, runs in a kernel thread of its own
 * whenever the handler returns IRQ_WAKE_THREAD; handler NULL, with IRQF_ONESHOT: always. 0; -EINVAL: no such
 * interrupt, no function, IRQF_SHARED without a dev_id, no handler without IRQF_ONESHOT; -EBUSY: in use, and not
 * shared by both or with other trigger or ONESHOT flags; -ENOMEM. Context: task, may sleep.
 */
int request_threaded_irq(unsigned int irq, irq_handler_t handler, irq_handler_t thread_fn, unsigned long flags,
	const char *name, void *dev_id);

static inline int request_irq(
	unsigned int irq, irq_handler_t handler, unsigned long flags, const char *name, void *dev_id)
{
	return request_threaded_irq(irq, handler, NULL, flags, name, dev_id);
}

/* Removes the handler with that dev_id, and returns its name once neither it nor its thread runs any more; NULL,
 * with a report, if there is none. The last one disables the interrupt. Context: task, may sleep. */
const void *free_irq(unsigned int irq, void *dev_id);

/* Disabling nests; what is raised meanwhile is handled once, when the last enable_irq() opens the line.
 * disable_irq() also waits for handlers that run, and so sleeps; the other two: any context. */
void disable_irq(unsigned int irq);
void disable_irq_nosync(unsigned int irq);
void enable_irq(unsigned int irq);

/*
 * The CPUs that an interrupt may go to, of which it goes to one; what is pending stays where it is. 0; -EINVAL: no
 * such interrupt, or none of them is online. hint: NULL takes none. Any context.
 */
int irq_set_affinity(unsigned int irq, const struct cpumask *mask);
int irq_set_affinity_hint(unsigned int irq, const struct cpumask *mask);
#define irq_set_affinity_and_hint(irq, mask) irq_set_affinity_hint(irq, mask)
#define irq_update_affinity_hint(irq, mask) irq_set_affinity_hint(irq, mask)

/* Raises an interrupt as its device would: see flagstone_irq_raise(). 0, or -EINVAL if nobody has requested it. Any context. */
static inline int irq_inject_interrupt(unsigned int irq)
{
	return flagstone_irq_raise(irq) ? 0 : -EINVAL;
}

/* ---- softirqs ---- */

enum {
	HI_SOFTIRQ = 0,
	TIMER_SOFTIRQ,
	NET_TX_SOFTIRQ,
	NET_RX_SOFTIRQ,
	BLOCK_SOFTIRQ,
	IRQ_POLL_SOFTIRQ,
	TASKLET_SOFTIRQ,
	SCHED_SOFTIRQ,
	HRTIMER_SOFTIRQ,
	RCU_SOFTIRQ,
	NR_SOFTIRQS,
};

extern const char *const softirq_to_name[NR_SOFTIRQS];

/* What a softirq does, on the CPU that raised it, with interrupts on; may not sleep. Task context, before it is
 * raised. */
void open_softirq(int nr, void (*action)(void));
/*
 * Makes this CPU run it: when the interrupt ends, when bottom halves are enabled again, or else on the CPU's kernel
 * thread ksoftirqd. Any context. _irqoff: interrupts are off already. __raise_softirq_irqoff() wakes no thread: an
 * interrupt is about to end.
 */
void raise_softirq(unsigned int nr);
void raise_softirq_irqoff(unsigned int nr);
void __raise_softirq_irqoff(unsigned int nr);
/* The bits of those that are raised on this CPU. Any context. */
unsigned int local_softirq_pending(void);

/* ---- tasklets ---- */

enum {
	TASKLET_STATE_SCHED, /* it will run */
	TASKLET_STATE_RUN, /* it runs */
};

struct tasklet_struct {
	struct tasklet_struct *next; /* Synchronization: the list's lock */
	unsigned long state; /* Synchronization: atomic bits */
	int count; /* > 0: disabled. Synchronization: atomic */
	bool use_callback; /* Synchronization: const after setup, as what follows */
	union {
		void (*func)(unsigned long data);
		void (*callback)(struct tasklet_struct *tasklet);
	};
	unsigned long data;
};

#define FLAGSTONE_TASKLET(body, disabled)                                                                       \
	{                                                                                                       \
		.next = 0, .state = 0, .count = (disabled), .use_callback = true, .callback = (body), .data = 0 \
	}
#define FLAGSTONE_TASKLET_OLD(body, word, disabled)                                                               \
	{                                                                                                         \
		.next = 0, .state = 0, .count = (disabled), .use_callback = false, .func = (body), .data = (word) \
	}
#define DECLARE_TASKLET(name, body) struct tasklet_struct name = FLAGSTONE_TASKLET(body, 0)
#define DECLARE_TASKLET_DISABLED(name, body) struct tasklet_struct name = FLAGSTONE_TASKLET(body, 1)
#define DECLARE_TASKLET_OLD(name, body) struct tasklet_struct name = FLAGSTONE_TASKLET_OLD(body, 0, 0)
#define from_tasklet(var, callback_tasklet, field) container_of(callback_tasklet, __typeof__(*var), field)

/* Before use. The second is the older form, with a word for the function. Any context. */
void tasklet_setup(struct tasklet_struct *tasklet, void (*callback)(struct tasklet_struct *tasklet));
void tasklet_init(struct tasklet_struct *tasklet, void (*func)(unsigned long data), unsigned long data);

/* It will run once, in softirq context on this CPU, never on two CPUs at once. Scheduled twice before it runs it
 * runs once. Any context. hi_: before other softirqs. */
void tasklet_schedule(struct tasklet_struct *tasklet);
void tasklet_hi_schedule(struct tasklet_struct *tasklet);

/* While disabled it does not run; one that is scheduled waits. Nests. tasklet_disable() returns when it does not run
 * any more: it sleeps, tasklet_disable_in_atomic() spins; the others: any context. */
void tasklet_disable(struct tasklet_struct *tasklet);
void tasklet_disable_in_atomic(struct tasklet_struct *tasklet);
void tasklet_disable_nosync(struct tasklet_struct *tasklet);
void tasklet_enable(struct tasklet_struct *tasklet);
/* Waits until it is neither scheduled nor runs: nobody may schedule it again. Context: task, may sleep. */
void tasklet_kill(struct tasklet_struct *tasklet);
/* Waits until it does not run. Context: task, may sleep. */
void tasklet_unlock_wait(struct tasklet_struct *tasklet);

#ifdef __cplusplus
}
#endif

#endif
