/*
 * linux/completion.h: waiting for something to be done, once.
 *
 * Semantics: Linux, Documentation/scheduler/completion.rst. Tasks wake in the order in which they came.
 */
#ifndef FLAGSTONE_LINUX_COMPLETION_H
#define FLAGSTONE_LINUX_COMPLETION_H

#include <linux/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How often it was completed and not yet waited for. A waiter that was woken has its part already, and is on no list. */
struct completion {
	unsigned int done; /* UINT_MAX: for all, for ever. Synchronization: lock */
	uint32_t lock;
	struct list_head waiters; /* Synchronization: lock */
};

#define COMPLETION_INITIALIZER(work)                 \
	{                                            \
		0, 0, LIST_HEAD_INIT((work).waiters) \
	}
#define DECLARE_COMPLETION(work) struct completion work = COMPLETION_INITIALIZER(work)
#define DECLARE_COMPLETION_ONSTACK(work) DECLARE_COMPLETION(work)

static inline void init_completion(struct completion *x)
{
	x->done = 0;
	x->lock = 0;
	INIT_LIST_HEAD(&x->waiters);
}

/* Not done again. Nobody waits. */
static inline void reinit_completion(struct completion *x)
{
	WRITE_ONCE(x->done, 0u);
}

/* Lets one task go on that waits, or will; or all of them, and all that come until reinit_completion(). Any context. */
void complete(struct completion *x);
void complete_all(struct completion *x);

/* Sleep until it is done. Context: task, may sleep. */
void wait_for_completion(struct completion *x);
void wait_for_completion_io(struct completion *x);
/* 0, or -ERESTARTSYS when the OOM killer has chosen this task. */
int wait_for_completion_interruptible(struct completion *x);
int wait_for_completion_killable(struct completion *x);
/* For at most timeout jiffies. 0: it is not done; else the jiffies left, at least 1. */
unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout);
unsigned long wait_for_completion_io_timeout(struct completion *x, unsigned long timeout);
/* These may also give -ERESTARTSYS. */
long wait_for_completion_interruptible_timeout(struct completion *x, unsigned long timeout);
long wait_for_completion_killable_timeout(struct completion *x, unsigned long timeout);
/* Whether one need not wait; takes its part if so. Any context. */
bool try_wait_for_completion(struct completion *x);
/* Whether it is done. Any context. */
bool completion_done(struct completion *x);

#ifdef __cplusplus
}
#endif

#endif
