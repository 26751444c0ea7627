/*
 * internal.h: what the files of the rcu room share.
 */
#ifndef RUNTIME_RCU_INTERNAL_H
#define RUNTIME_RCU_INTERNAL_H

#include <linux/rcupdate.h>
#include <pthread.h>

#include "runtime/host/host.h"
#include "runtime/rcu/rcu.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- period.c: grace periods by number ---- */

/* A number: when it has ended, so has each section that is open now. hurry: it is to begin at once. Any context. */
unsigned long period_want(bool hurry);
/* Until is_over(arg), which has to be looked at anew after each period_tell(), or for so long (RCU_FOREVER). Whether it is over. Task
 * context, not in a section. */
bool period_wait_until(bool (*is_over)(unsigned long arg), unsigned long arg, uint64_t ns);
void period_tell(void);
/* Until what a period frees and calls is done. */
bool period_wait_served(unsigned long period, uint64_t ns);
/* Whether this thread could wait: nothing would then wait for it. */
bool period_may_wait(void);
/* Starts the room's thread, if it does not run. False: it could not, and nothing will ever end by itself. */
bool period_thread_start(void);
/* It is to look again at what there is to do. Any context. */
void period_thread_call(void);
/* Until a period has ended, or for so long; false: the calling thread must not be held up. */
bool period_pause(uint64_t ns);
/* Between them nothing of this room is half moved, for fork. False: another thread is there, and this one does not wait. */
bool period_freeze(bool wait, host_sigmask_t *mask);
void period_thaw(host_sigmask_t mask);
/* Whether this thread is in a section, which is then reported as a mistake of the function of that name. */
bool period_refuse_reader(const char *function);
/* Whether it is a function that call_rcu() was given, reported likewise. */
bool period_refuse_callback(const char *function);

/* ---- called by the thread: before a grace period, what is waiting is set aside for it; after it, that is made ready ---- */

void callbacks_take(void);
void callbacks_make_ready(void);
void deferred_take(void);
void deferred_make_ready(void);
/* ---- called by who serves: what is ready is done ---- */
void callbacks_run(void);
/* Not all: some are left to producers, unless somebody waits until all is free. */
void deferred_free(bool all);
/* Whether any are left. */
bool deferred_is_ready(void);

/* Magazines that are not full are to be taken as well; without wait, unless another thread is at work here. Task context. */
void deferred_drain(bool wait);
/* Whether there are any on CPUs. */
bool deferred_is_armed(void);

/* Starts a thread that answers no signals of the program. 0 or an error number. */
int period_create_thread(pthread_t *thread, void *(*body)(void *arg));

/* ---- stall.c: readers that keep a grace period waiting for long ---- */

/* Around each wait for readers. */
void stall_wait_begin(void);
void stall_wait_end(void);
/* Whether the thread that watches sleeps, and will until a wait begins. */
bool stall_rests(void);
/* Ends it. Nobody waits. */
void stall_stop(void);
void stall_fork_child(void);
/* A machine's name for a thread, in words. False: it has none. */
bool rcu_task_name(uint32_t tid, char *name, size_t size);
/* A machine is told of the signal that asks for stacks. */
void rcu_tell_signal(int number);

/* ---- fork, with the thread held off ---- */

void callbacks_fork_child(void);
void deferred_fork_child(void);

/* ---- a machine's end: what waits is forgotten; how many callbacks that were ---- */

unsigned int callbacks_reset(void);
void deferred_reset(void);

/* Lock-free stacks: push any context, take all at once. */
static inline void *stack_take(void **stack)
{
	/* Pairs with stack_push(). */
	return __atomic_exchange_n(stack, NULL, __ATOMIC_ACQUIRE);
}

/* Puts more behind a list of heads. */
static inline void heads_append(struct rcu_head **list, struct rcu_head *more)
{
	if (!more)
		return;
	while (*list)
		list = &(*list)->next;
	*list = more;
}

/* Puts what was set aside in front of what is ready. Who serves may take that at any moment, and then tells that all of it is done: so what
 * is ready is not taken away meanwhile to be put back. */
static inline void heads_make_ready(struct rcu_head **ready, struct rcu_head **set_aside)
{
	struct rcu_head *old = __atomic_load_n(ready, __ATOMIC_RELAXED), *last = *set_aside;

	if (!last)
		return;
	while (last->next)
		last = last->next;
	do
		last->next = old;
	/* Pairs with heads_take_ready(). */
	while (!__atomic_compare_exchange_n(ready, &old, *set_aside, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	*set_aside = NULL;
}

/* All that is ready, of a list that is mostly empty. */
static inline struct rcu_head *heads_take_ready(struct rcu_head **ready)
{
	/* Pairs with heads_make_ready(). */
	return __atomic_load_n(ready, __ATOMIC_RELAXED) ? __atomic_exchange_n(ready, NULL, __ATOMIC_ACQUIRE) : NULL;
}

/* next: where the element keeps its link. Returns whether the stack was empty. */
static inline bool stack_push(void **stack, void *element, void **next)
{
	void *top = __atomic_load_n(stack, __ATOMIC_RELAXED);

	do
		*next = top;
	while (!__atomic_compare_exchange_n(stack, &top, element, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	return !top;
}

#endif
