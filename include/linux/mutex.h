/*
 * linux/mutex.h: locks that are slept for.
 *
 * Semantics: Linux, Documentation/locking/mutex-design.rst. Only the task that locked it unlocks it; the one that has waited longest gets
 * it then. Locking it twice, or unlocking what this task does not hold, is a report.
 */
#ifndef FLAGSTONE_LINUX_MUTEX_H
#define FLAGSTONE_LINUX_MUTEX_H

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/might_sleep.h>
#include <linux/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mutex {
	struct task_struct *owner; /* Synchronization: atomic */
	uint32_t wait_lock;
	uint32_t nr_waiters; /* == length(waiters). Synchronization: wait_lock to write; atomic */
	struct list_head waiters; /* Synchronization: wait_lock */
	uint32_t
		recursions; /* lockings by its owner, which were reported and let through. Synchronization: the owner */
	struct lockdep_map dep_map;
};

#define __MUTEX_INITIALIZER(lockname)                                                              \
	{                                                                                          \
		NULL, 0, 0, LIST_HEAD_INIT((lockname).waiters), 0, FLAGSTONE_LOCKDEP_MAP(lockname) \
	}
#define DEFINE_MUTEX(name) struct mutex name = __MUTEX_INITIALIZER(name)

void __mutex_init(struct mutex *lock, const char *name, const struct lock_class_key *key);
/* Makes a free mutex. Each place that has this is a class of locks. */
#define mutex_init(lock)                             \
	do {                                         \
		static struct lock_class_key __key;  \
		__mutex_init((lock), #lock, &__key); \
	} while (0)
/* It is not used any more: a report if somebody holds it. */
void mutex_destroy(struct mutex *lock);

/* Sleeps until this task has it. Context: task, may sleep. */
void mutex_lock(struct mutex *lock);
/* Said by code that takes two mutexes of a class: they are different ones. subclass: below MAX_LOCKDEP_SUBCLASSES. */
void mutex_lock_nested(struct mutex *lock, unsigned int subclass);
/* 0; or -EINTR when the OOM killer has chosen this task: it has it not. */
int mutex_lock_interruptible(struct mutex *lock);
int mutex_lock_killable(struct mutex *lock);
int mutex_lock_interruptible_nested(struct mutex *lock, unsigned int subclass);
int mutex_lock_killable_nested(struct mutex *lock, unsigned int subclass);
void mutex_lock_io(struct mutex *lock);
/* 1: this task has it. Never sleeps. Task context. */
int mutex_trylock(struct mutex *lock);
/* Gives it to the task that has waited longest. Task context. */
void mutex_unlock(struct mutex *lock);

/* Whether anybody holds it: a hint. */
static inline bool mutex_is_locked(struct mutex *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != NULL;
}

#ifdef __cplusplus
}
#endif

#endif
