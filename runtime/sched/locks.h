/*
 * locks.h: what the files of locks share: words that are locks, the checks that locks call, stacks that are kept for reports.
 */
#ifndef RUNTIME_SCHED_LOCKS_H
#define RUNTIME_SCHED_LOCKS_H

#include <linux/lockdep.h>
#include <linux/might_sleep.h>

#include "runtime/host/host.h"
#include "runtime/sched/internal.h"

/* ---- words that are locks: 0 free, 1 held, 2 held and somebody may sleep on it ---- */

/* Waits on the host, not in a loop that would keep others from running: there are more simulated CPUs than real ones. Interrupts that
 * are on arrive meanwhile. */
void word_acquire(uint32_t *word);
bool word_try(uint32_t *word);
/* Returns whether it was held. */
bool word_release(uint32_t *word);
/* Sleeps until the word is no longer value, or for a while. Interrupts that are on arrive. */
void word_wait(uint32_t *word, uint32_t value);

/* The inner lock of mutexes and their like, with interrupts off. */
static inline host_sigmask_t inner_lock(uint32_t *word)
{
	host_sigmask_t mask = host_signals_block();

	word_acquire(word);
	return mask;
}

static inline void inner_unlock(uint32_t *word, host_sigmask_t mask)
{
	word_release(word);
	host_signals_restore(mask);
}

/* A task that sleeps for something that another task will hand to it. */
struct lock_waiter {
	struct list_head list; /* Synchronization: the inner lock */
	struct task_struct *task;
	bool granted; /* and so off the list. Synchronization: the inner lock */
	bool reads;
};

/*
 * Puts a waiter at the end of the list and sleeps until it is granted. The inner lock is held, and let go. Returns the jiffies left; or
 * -EINTR or -ETIME: then it is off the list.
 */
long waiter_sleep(uint32_t *inner, host_sigmask_t mask, struct list_head *list, struct lock_waiter *waiter,
	unsigned int state, long timeout);
/* The inner lock is held. */
void __waiter_grant(struct lock_waiter *waiter);

/* Whether the OOM killer's choice ends a sleep of this task in that state. One that comes later is seen by schedule(). */
static inline bool sleep_is_interrupted(unsigned int state)
{
	return (state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL)) &&
	       __atomic_load_n(&current->oom_reserve_access, __ATOMIC_SEQ_CST);
}

/* ---- lock checking: see lockdep.c ---- */

/* How a lock is taken. READ: waits behind writers that wait; RECURSIVE: does not, and so may be taken again. */
enum { HOW_WRITE = 0, HOW_READ = 1, HOW_RECURSIVE = 2, HOW_MODE = 3, HOW_TRY = 4 };

/* Before it waits, or after it took it without waiting (HOW_TRY). Returns false if this task holds it already, which was reported. */
bool __lockdep_acquire(struct lockdep_map *map, unsigned int subclass, unsigned int how);
/* Before it lets go. Returns false if this task does not hold it, which was reported. */
bool __lockdep_release(struct lockdep_map *map);
/* Interrupts, or softirqs, are about to come on. */
void __lockdep_irqs_on(void);
void __lockdep_softirqs_on(void);
/* What a task holds: of sched_zalloc(); NULL where locks are not checked, or memory is out: then that task's are not. */
struct held_locks *lockdep_new_held(void);
/* Lines for a report that is open: what the task holds. */
void lockdep_print_held(struct task_struct *task);

/* Of the task that runs this: reports what it still holds. */
void lockdep_task_ends(void);

/* Whether locks know their owners, which all checks ask for. */
static inline bool records_owners(void)
{
	return unlikely(sched_debug) || unlikely(lockdep_on);
}

static inline bool lockdep_acquire(struct lockdep_map *map, unsigned int subclass, unsigned int how)
{
	return likely(!lockdep_on) || __lockdep_acquire(map, subclass, how);
}

static inline bool lockdep_release(struct lockdep_map *map)
{
	return likely(!lockdep_on) || __lockdep_release(map);
}

void lockdep_init(struct lockdep_map *map, const char *name, const struct lock_class_key *key);

#endif
