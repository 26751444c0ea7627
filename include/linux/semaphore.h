/*
 * linux/semaphore.h: counting semaphores.
 *
 * Semantics: Linux, include/linux/semaphore.h's documentation. Any task may up(). Tasks get it in the order in which they came.
 */
#ifndef FLAGSTONE_LINUX_SEMAPHORE_H
#define FLAGSTONE_LINUX_SEMAPHORE_H

#include <linux/list.h>
#include <linux/might_sleep.h>
#include <linux/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Under lock: count is 0 while anybody waits. */
struct semaphore {
	uint32_t lock;
	unsigned int count; /* how many may take it now. Synchronization: lock */
	struct list_head wait_list; /* Synchronization: lock */
};

#define __SEMAPHORE_INITIALIZER(name, n)                 \
	{                                                \
		0, (n), LIST_HEAD_INIT((name).wait_list) \
	}
/* DEFINE_SEMAPHORE(name) has one place, DEFINE_SEMAPHORE(name, n) has n. */
#define FLAGSTONE_SEMAPHORE_N(name, n, ...) struct semaphore name = __SEMAPHORE_INITIALIZER(name, n)
#define DEFINE_SEMAPHORE(...) FLAGSTONE_SEMAPHORE_N(__VA_ARGS__, 1, 0)

static inline void sema_init(struct semaphore *sem, int count)
{
	sem->lock = 0;
	sem->count = (unsigned int)count;
	INIT_LIST_HEAD(&sem->wait_list);
}

/* Takes one, sleeping until there is one. Context: task, may sleep. */
void down(struct semaphore *sem);
/* 0; -EINTR when the OOM killer has chosen this task; -ETIME after timeout jiffies. */
int down_interruptible(struct semaphore *sem);
int down_killable(struct semaphore *sem);
int down_timeout(struct semaphore *sem, long timeout);
/* 0: taken; 1: there is none. Any context. */
int down_trylock(struct semaphore *sem);
/* Gives one back. Any context. */
void up(struct semaphore *sem);

#ifdef __cplusplus
}
#endif

#endif
