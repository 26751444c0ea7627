/*
 * linux/timer.h: functions that run at some jiffy.
 *
 * Semantics: Linux, Documentation/core-api/kernel-api.rst, and the kernel's header of this name. A timer's function
 * runs in softirq context, on the CPU that started the timer or was named, never before its time. Any context unless a
 * function says otherwise.
 */
#ifndef FLAGSTONE_LINUX_TIMER_H
#define FLAGSTONE_LINUX_TIMER_H

#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/types.h>
#include <time.h> /* its timer_delete(), of another kind, must not come after ours */

#ifdef __cplusplus
extern "C" {
#endif

/* A place in a heap of deadlines; flagstone's own. Synchronization: the lock of the CPU's timers */
struct flagstone_due {
	struct flagstone_due *child, *next, *prev;
	uint64_t when;
	unsigned int queued; /* Synchronization: as above to write, atomic */
};

struct timer_list {
	struct flagstone_due due;
	unsigned long expires; /* jiffies. Synchronization: the owner until it is started, then as due */
	void (*function)(struct timer_list *timer);
	unsigned int flags; /* TIMER_, and the CPU that it is on. Synchronization: atomic */
	struct lockdep_map lockdep_map; /* held while its function runs. Synchronization: const after init */
};

#define TIMER_CPUMASK 0x0003ffffu
#define TIMER_MIGRATING 0x00040000u /* between two CPUs; flagstone's own */
#define TIMER_DEFERRABLE 0x00080000u /* may wait while the CPU is idle; here it does not */
#define TIMER_PINNED 0x00100000u /* stays on the CPU that starts it; here all do */
#define TIMER_IRQSAFE 0x00200000u /* its function runs with interrupts off: timer_delete_sync() in interrupts, too */

#define FLAGSTONE_TIMER_INITIALIZER(body, bits, class_name)                                                \
	{                                                                                                  \
		.function = (body), .flags = (bits), .lockdep_map = STATIC_LOCKDEP_MAP_INIT(class_name, 0) \
	}
#define FLAGSTONE_TIMER_AT(body, bits, line) FLAGSTONE_TIMER_INITIALIZER(body, bits, __FILE__ ":" #line)
#define FLAGSTONE_TIMER_HERE(body, bits, line) FLAGSTONE_TIMER_AT(body, bits, line)
#define __TIMER_INITIALIZER(body, bits) FLAGSTONE_TIMER_HERE(body, bits, __LINE__)
#define DEFINE_TIMER(name, body) struct timer_list name = FLAGSTONE_TIMER_INITIALIZER(body, 0, #name)

/* Before its first use. A timer on the stack is destroyed before it goes. */
void flagstone_timer_init(struct timer_list *timer, void (*function)(struct timer_list *timer), unsigned int flags,
	const char *name, const struct lock_class_key *key);
#define timer_setup(timer, body, flags)                                                 \
	do {                                                                            \
		static struct lock_class_key __key;                                     \
		flagstone_timer_init((timer), (body), (flags), "(" #timer ")", &__key); \
	} while (0)
#define timer_setup_on_stack(timer, body, flags) timer_setup(timer, body, flags)
#define destroy_timer_on_stack(timer) ((void)(timer))
#define from_timer(var, callback_timer, field) container_of(callback_timer, __typeof__(*var), field)
#define timer_container_of(var, callback_timer, field) container_of(callback_timer, __typeof__(*var), field)

/* Whether it is to run. A hint. */
static inline int timer_pending(const struct timer_list *timer)
{
	return READ_ONCE(timer->due.queued) != 0;
}

/* Starts it at its expires; it is not pending. One whose time has come, here and below, runs in the next jiffy. _on: on that CPU. */
void add_timer(struct timer_list *timer);
void add_timer_on(struct timer_list *timer, int cpu);
/* Starts it, or moves it, to that jiffy. 1 if it was pending, 0 if not. */
int mod_timer(struct timer_list *timer, unsigned long expires);
/* The same only if it is pending; only if that makes it earlier, or it is not pending. */
int mod_timer_pending(struct timer_list *timer, unsigned long expires);
int timer_reduce(struct timer_list *timer, unsigned long expires);
/* Stops it; its function may still run. 1 if it was pending, 0 if not. */
int flagstone_timer_delete(struct timer_list *timer);
#define timer_delete(timer) flagstone_timer_delete(timer)
/* The same unless its function runs: -1. */
int try_to_del_timer_sync(struct timer_list *timer);
#define timer_delete_sync_try(timer) try_to_del_timer_sync(timer)
/* Stops it and waits until its function does not run: not from that function, not with locks held that it takes, which lock checking
 * reports, not in hard interrupts unless TIMER_IRQSAFE. 1 if it was pending, 0 if not. Spins. */
int timer_delete_sync(struct timer_list *timer);
/* The same, and it cannot be started any more until it is set up again. _shutdown: does not wait. */
int timer_shutdown_sync(struct timer_list *timer);
int timer_shutdown(struct timer_list *timer);
#define del_timer(timer) timer_delete(timer)
#define del_timer_sync(timer) timer_delete_sync(timer)

/*
 * A jiffy near j at which timers that need not be exact run together: the full second before, if that is less than a quarter of one ago and
 * is yet to come, else the one after; _up: the one after. A full second differs from CPU to CPU by three jiffies each; __: that of a CPU,
 * else of this one. j itself if the result is not to come. _relative: j and the result are jiffies from now. Any context.
 */
unsigned long __round_jiffies(unsigned long j, int cpu);
unsigned long __round_jiffies_relative(unsigned long j, int cpu);
unsigned long __round_jiffies_up(unsigned long j, int cpu);
unsigned long __round_jiffies_up_relative(unsigned long j, int cpu);
unsigned long round_jiffies(unsigned long j);
unsigned long round_jiffies_relative(unsigned long j);
unsigned long round_jiffies_up(unsigned long j);
unsigned long round_jiffies_up_relative(unsigned long j);

#ifdef __cplusplus
}
#endif

#endif
