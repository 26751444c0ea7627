/*
 * linux/rwsem.h: locks that are slept for, and that many readers or one writer hold.
 *
 * Semantics: Linux, Documentation/locking. In the order in which they came: readers behind a writer that waits, wait. A reader must not
 * take one twice.
 */
#ifndef FLAGSTONE_LINUX_RWSEM_H
#define FLAGSTONE_LINUX_RWSEM_H

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/might_sleep.h>
#include <linux/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rw_semaphore {
	uint32_t lock;
	int count; /* readers that hold it; -1: a writer. Synchronization: lock; a hint without */
	struct list_head wait_list; /* Synchronization: lock */
	struct task_struct *owner; /* the writer. Synchronization: atomic */
	uint32_t
		recursions; /* takings by the writer, which were reported and let through. Synchronization: the writer */
	struct lockdep_map dep_map;
};

#define __RWSEM_INITIALIZER(lockname)                                                                \
	{                                                                                            \
		0, 0, LIST_HEAD_INIT((lockname).wait_list), NULL, 0, FLAGSTONE_LOCKDEP_MAP(lockname) \
	}
#define DECLARE_RWSEM(name) struct rw_semaphore name = __RWSEM_INITIALIZER(name)

void __init_rwsem(struct rw_semaphore *sem, const char *name, const struct lock_class_key *key);
/* Makes a free one. Each place that has this is a class of locks. */
#define init_rwsem(sem)                             \
	do {                                        \
		static struct lock_class_key __key; \
		__init_rwsem((sem), #sem, &__key);  \
	} while (0)

/* Sleep until this task has it. Context: task, may sleep. _killable, _interruptible: 0; -EINTR when the OOM killer has chosen it. */
void down_read(struct rw_semaphore *sem);
void down_read_nested(struct rw_semaphore *sem, int subclass);
int down_read_interruptible(struct rw_semaphore *sem);
int down_read_killable(struct rw_semaphore *sem);
void down_write(struct rw_semaphore *sem);
void down_write_nested(struct rw_semaphore *sem, int subclass);
int down_write_killable(struct rw_semaphore *sem);
/* 1: this task has it. Never sleep. */
int down_read_trylock(struct rw_semaphore *sem);
int down_write_trylock(struct rw_semaphore *sem);
void up_read(struct rw_semaphore *sem);
void up_write(struct rw_semaphore *sem);
/* The writer becomes a reader; readers that wait in front come in. */
void downgrade_write(struct rw_semaphore *sem);

/* Hints. */
static inline int rwsem_is_locked(struct rw_semaphore *sem)
{
	return __atomic_load_n(&sem->count, __ATOMIC_RELAXED) != 0;
}

static inline int rwsem_is_contended(struct rw_semaphore *sem)
{
	return !list_empty(&sem->wait_list);
}

#ifdef __cplusplus
}
#endif

#endif
