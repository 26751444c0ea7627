/*
 * rcu.h: grace periods, callbacks and deferred frees: the interface of this room; the functions of linux/rcupdate.h are here, too.
 *
 * Calls the slab room, and liburcu for what it alone knows: when every section that was open has ended. A thread of this room's own
 * waits for that, so that nobody else has to. Knows nothing of simulated CPUs: a machine puts hooks in.
 */
#ifndef RUNTIME_RCU_RCU_H
#define RUNTIME_RCU_RCU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/config.h"

#define RCU_FOREVER UINT64_MAX

/* What a machine does instead of a hosted program, whose threads sleep as the host has it, and where the room's thread serves. */
struct rcu_hooks {
	/* The calling task sleeps until is_over(arg), which has to be asked again whenever changed() was called, or for so long
	 * (RCU_FOREVER). Whether it is over. */
	bool (*wait)(bool (*is_over)(unsigned long arg), unsigned long arg, uint64_t ns);
	/* A grace period has ended, and somebody is to call rcu_serve(); or that is done, or something else that a task waits for. Any
	 * context, and the room's thread, which is no task. */
	void (*changed)(void);
	/* What a thread of the host is called, for reports. False: it is nobody's. */
	bool (*task_name)(uint32_t tid, char *name, size_t size);
	/* A signal's handler is the room's from now on. */
	void (*signal_taken)(int number);
	/* Around the calls of functions that call_rcu() was given. */
	void (*callbacks_begin)(void);
	void (*callbacks_end)(void);
};
/* The room becomes a machine's: its thread runs from here on. 0 or -errno. Nobody uses the room. */
int rcu_boot_machine(const struct rcu_hooks *hooks);
/* Ends the thread: changed() is not called any more. After kvfree_rcu_barrier() and rcu_barrier(). */
void rcu_stop_machine(void);
/* After that, and when nobody serves any more: forgets all, since its memory goes. Returns how many callbacks waited nevertheless, of
 * those that called again and again. */
unsigned int rcu_shutdown_machine(void);

/* Whether slabs of caches with SLAB_TYPESAFE_BY_RCU wait for grace periods. Hosted, they do from the beginning; those of a machine, while
 * it has the thread. Off: what waits, waits on. Any context. */
void rcu_serve_slabs(bool on);

/* Runs the callbacks and frees the objects whose grace period has ended, on the CPU that this is. One at a time. */
void rcu_serve(void);
/* Whether there is something to serve. */
bool rcu_needs_service(void);
/* How many of the room's threads sleep, and will until somebody calls the room. */
unsigned int rcu_nr_resting(void);

/* About how much memory kfree_rcu() has been given that is not free yet. Any context. */
size_t rcu_deferred_bytes(void);
/* Frees it, if a grace period ends within that time. Returns about how much that was; 0 also when this thread must not wait. Task
 * context, may sleep. */
size_t rcu_reclaim(uint64_t ns);

#endif
