/*
 * linux/rcupdate.h: readers that never wait, and memory that goes back when no reader can see it any more.
 *
 * Semantics: Linux, Documentation/RCU/whatisRCU.rst and the comments of kernel/rcu. Grace periods are liburcu's, of its flavour "bp":
 * any thread may read, a signal handler too, without being registered. A task of a simulated machine is a thread, so it takes its
 * sections with it when it loses its CPU: they may be preempted, as with CONFIG_PREEMPT_RCU. Of the flavours measured on one
 * machine, bp's pair of lock and unlock takes 1.3 ns; memb's 1.0 ns, but each thread has to register; qsbr's 0.3 ns, but each thread
 * has to say when it is quiet; mb's 48 ns.
 */
#ifndef FLAGSTONE_LINUX_RCUPDATE_H
#define FLAGSTONE_LINUX_RCUPDATE_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef __rcu
#define __rcu /* a pointer that rcu_dereference() reads */
#endif

/* ---- readers. Any context; sections nest. What they must not do is sleep, or wait for a grace period: both are reported ---- */

/* liburcu's, of which its own inline readers use as much, so that it is part of its binary interface; checked against its headers when
 * flagstone is built. Synchronization: a reader's word is written by its own thread. */
extern __thread unsigned long *flagstone_rcu_reader __asm__("urcu_bp_reader");
extern unsigned long flagstone_rcu_period __asm__("urcu_bp_gp");
extern int flagstone_rcu_membarrier __asm__("urcu_bp_has_sys_membarrier");
/* The first section of a thread: tells liburcu. */
void flagstone_rcu_register(void);

#define FLAGSTONE_RCU_NEST ((1ul << sizeof(long) * 4) - 1) /* bits of a reader's word that count its sections */

#if defined(__SANITIZE_THREAD__)
#define FLAGSTONE_RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FLAGSTONE_RCU_TSAN 1
#endif
#endif
#ifdef FLAGSTONE_RCU_TSAN
/* For ThreadSanitizer, which does not see into liburcu: what orders readers and grace periods. */
void flagstone_rcu_lock_annotate(void);
void flagstone_rcu_unlock_annotate(void);
#else
#define flagstone_rcu_lock_annotate() ((void)0)
#define flagstone_rcu_unlock_annotate() ((void)0)
#endif

/* Begins a section: what it can reach by rcu_dereference() is not freed before rcu_read_unlock(). */
static inline void rcu_read_lock(void)
{
	volatile unsigned long *word;

	if (unlikely(!flagstone_rcu_reader))
		flagstone_rcu_register();
	word = flagstone_rcu_reader;
	barrier();
	if (likely(!(*word & FLAGSTONE_RCU_NEST))) {
		*word = *(volatile unsigned long *)&flagstone_rcu_period;
		/* Pairs with the membarrier that begins and ends a grace period. */
		if (likely(flagstone_rcu_membarrier))
			barrier();
		else
			__sync_synchronize();
		flagstone_rcu_lock_annotate();
	} else {
		*word = *word + 1;
	}
}

/* Ends it. */
static inline void rcu_read_unlock(void)
{
	volatile unsigned long *word = flagstone_rcu_reader;

	if ((*word & FLAGSTONE_RCU_NEST) == 1)
		flagstone_rcu_unlock_annotate();
	/* As in rcu_read_lock(). */
	if (likely(flagstone_rcu_membarrier))
		barrier();
	else
		__sync_synchronize();
	*word = *word - 1;
	barrier();
}

/* Whether this thread is in a section; here, in how many. */
static inline int rcu_read_lock_held(void)
{
	return flagstone_rcu_reader && (*(volatile unsigned long *)flagstone_rcu_reader & FLAGSTONE_RCU_NEST);
}

/* ---- pointers ---- */

/* Reads a pointer, once, inside a section; what it points to is seen as it was before rcu_assign_pointer(). */
#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_dereference_bh(p) rcu_dereference(p)
#define rcu_dereference_sched(p) rcu_dereference(p)
#define rcu_dereference_raw(p) rcu_dereference(p)
/* As that, where a condition (a lock that is held) makes up for the section. */
#define rcu_dereference_check(p, condition) ((void)(condition), rcu_dereference(p))
/* As that, under the lock that keeps others from changing it: no ordering is needed. */
#define rcu_dereference_protected(p, condition) ((void)(condition), __atomic_load_n(&(p), __ATOMIC_RELAXED))
/* Reads a pointer that is not followed. */
#define rcu_access_pointer(p) __atomic_load_n(&(p), __ATOMIC_RELAXED)
/* Publishes: what was written before is seen by who finds the pointer by rcu_dereference(). */
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
/* As that, where nobody can see it yet, or of NULL. */
#define RCU_INIT_POINTER(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELAXED)
#define RCU_POINTER_INITIALIZER(p, v) .p = (v)
/* Publishes, and evaluates to the pointer that was there before. Under the lock that condition tells of. */
#define rcu_replace_pointer(p, v, condition)                                               \
	({                                                                                 \
		__typeof__(p) flagstone_old = rcu_dereference_protected((p), (condition)); \
                                                                                           \
		rcu_assign_pointer((p), (v));                                              \
		flagstone_old;                                                             \
	})
#define rcu_pointer_handoff(p) (p)
#define unrcu_pointer(p) (p)

/* ---- grace periods ---- */

/*
 * Waits until each section that is open now has ended. Task context, may sleep; in a section of this thread it is reported and returns
 * at once, since it would wait for itself. synchronize_rcu_expedited() and synchronize_net() are the same.
 */
void synchronize_rcu(void);
#define synchronize_rcu_expedited() synchronize_rcu()
#define synchronize_net() synchronize_rcu()

/*
 * Calls func(head) after a grace period. head lies in an object that nobody else can find any more, and is flagstone's until then.
 * Any context, interrupts and func itself too; in a hosted program see flagstone/rcu.h, where func runs on a thread of flagstone's. In a
 * machine it runs in a task with softirqs off, as with rcu_nocbs=all. One CPU's calls are served in their order.
 */
void call_rcu(struct rcu_head *head, rcu_callback_t func);
#define call_rcu_hurry(head, func) call_rcu(head, func)

/* Waits until all functions that were passed to call_rcu() before have returned. Task context, may sleep; not in a section, and not in
 * such a function: both are reported. */
void rcu_barrier(void);

/* A number for now; poll_state_synchronize_rcu() says whether a grace period has ended since: then what was removed before the number was
 * taken may be freed. start_poll_synchronize_rcu() also sees to it that one begins. Any context. */
unsigned long get_state_synchronize_rcu(void);
unsigned long start_poll_synchronize_rcu(void);
bool poll_state_synchronize_rcu(unsigned long state);
/* Waits for one, unless it has ended. As synchronize_rcu(). */
void cond_synchronize_rcu(unsigned long state);

/* ---- deferred frees ---- */

/* The two halves of the macros below; not for other use. head: NULL where there is none, and the caller may sleep. */
void kvfree_call_rcu(struct rcu_head *head, void *object);

#define FLAGSTONE_KVFREE_RCU_2(object, field)                                                                 \
	do {                                                                                                  \
		__typeof__(object) flagstone_object = (object);                                               \
                                                                                                              \
		static_assert(offsetof(__typeof__(*(object)), field) < 4096, "the rcu_head lies too far in"); \
		if (flagstone_object)                                                                         \
			kvfree_call_rcu(&flagstone_object->field, (void *)flagstone_object);                  \
	} while (0)
#define FLAGSTONE_KVFREE_RCU_1(object)                                   \
	do {                                                             \
		__typeof__(object) flagstone_object = (object);          \
                                                                         \
		if (flagstone_object)                                    \
			kvfree_call_rcu(NULL, (void *)flagstone_object); \
	} while (0)
#define FLAGSTONE_KVFREE_RCU_CHOOSE(one, two, chosen, ...) chosen

/*
 * Frees an object of kmalloc() or of a cache (NULL: none) after a grace period. field: its struct rcu_head, used only when memory for
 * the batch is out; any context. Without a field: may sleep then, for a grace period. As the object is passed on by the batch, what goes
 * wrong with its free is reported when that happens.
 */
#define kfree_rcu(...) \
	FLAGSTONE_KVFREE_RCU_CHOOSE(__VA_ARGS__, FLAGSTONE_KVFREE_RCU_2, FLAGSTONE_KVFREE_RCU_1, )(__VA_ARGS__)
#define kvfree_rcu(...) kfree_rcu(__VA_ARGS__)
#define kfree_rcu_mightsleep(object) FLAGSTONE_KVFREE_RCU_1(object)
#define kvfree_rcu_mightsleep(object) FLAGSTONE_KVFREE_RCU_1(object)

/* Waits until all objects that were passed to kfree_rcu() before are free. As rcu_barrier(). */
void kvfree_rcu_barrier(void);

/* ---- what is the same here ---- */

#define rcu_read_lock_bh() rcu_read_lock()
#define rcu_read_unlock_bh() rcu_read_unlock()
#define rcu_read_lock_sched() rcu_read_lock()
#define rcu_read_unlock_sched() rcu_read_unlock()
#define rcu_read_lock_bh_held() rcu_read_lock_held()
#define rcu_read_lock_sched_held() rcu_read_lock_held()
#define rcu_read_lock_any_held() rcu_read_lock_held()
#define init_rcu_head(head) ((void)(head))
#define destroy_rcu_head(head) ((void)(head))
#define rcu_is_watching() true

#ifdef __cplusplus
}
#endif

#endif
