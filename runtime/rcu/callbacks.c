/*
 * callbacks.c: call_rcu() and rcu_barrier().
 *
 * Calls wait on one of several stacks, by the CPU that they were made on, so that they share no line. All lists begin with the newest
 * call; who serves turns each of them round, so that they run in the order in which they were made. Slabs of caches
 * with SLAB_TYPESAFE_BY_RCU go the same way.
 */
#include "percpu/percpu.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/rcu/internal.h"
#include "runtime/slab/slab.h"

#define NR_STACKS 64

struct stack {
	void *top; /* struct rcu_head, linked by next. Synchronization: atomic */
} cache_aligned;

/* A call may come from where the thread cannot be started: slabs may become empty in a signal handler, or on a thread without libc.
 * Synchronization: atomic */
static bool needs_thread;
static struct stack stacks[NR_STACKS];
static struct rcu_head *set_aside[NR_STACKS]; /* Synchronization: at_work of period.c */
static struct rcu_head *ready[NR_STACKS]; /* Synchronization: atomic; made longer by the room's thread only */

EXPORT void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	int cpu = percpu_this_cpu();
	struct stack *stack = &stacks[(cpu >= 0 ? (unsigned int)cpu : (unsigned int)percpu_host_cpu()) % NR_STACKS];

	/* Only this is seen of those that are passed twice: what the stack ends with would be its own successor. */
	if (unlikely(__atomic_load_n(&stack->top, __ATOMIC_RELAXED) == head)) {
		report_bug("call_rcu() of %p, which waits already", (void *)head);
		return;
	}
	if (unlikely(!func)) {
		report_bug("call_rcu() of %p with no function", (void *)head);
		return;
	}
	head->func = func;
	period_thread_start();
	if (stack_push(&stack->top, head, (void **)&head->next))
		period_want(false);
}

static struct rcu_head *turn_round(struct rcu_head *list)
{
	struct rcu_head *turned = NULL;

	for (struct rcu_head *next; list; list = next) {
		next = list->next;
		list->next = turned;
		turned = list;
	}
	return turned;
}

void callbacks_take(void)
{
	for (unsigned int i = 0; i < NR_STACKS; i++) {
		struct rcu_head *fresh;

		if (!__atomic_load_n(&stacks[i].top, __ATOMIC_RELAXED))
			continue;
		fresh = stack_take(&stacks[i].top);
		/* In front of what a fork found set aside. */
		heads_append(&fresh, set_aside[i]);
		set_aside[i] = fresh;
	}
}

void callbacks_make_ready(void)
{
	for (unsigned int i = 0; i < NR_STACKS; i++)
		heads_make_ready(&ready[i], &set_aside[i]);
}

/* What it leaves open would keep the next grace period waiting for this thread. */
static void call(struct rcu_head *head)
{
	rcu_callback_t func = head->func;

	func(head);
	if (likely(!rcu_read_lock_held()))
		return;
	report_bug("function %p that call_rcu() was given returned between rcu_read_lock() and rcu_read_unlock()",
		(void *)(uintptr_t)func);
	while (rcu_read_lock_held())
		rcu_read_unlock();
}

void callbacks_run(void)
{
	for (unsigned int i = 0; i < NR_STACKS; i++) {
		struct rcu_head *next;

		for (struct rcu_head *head = turn_round(heads_take_ready(&ready[i])); head; head = next) {
			next = head->next; /* it may be freed, or called with anew, by what runs */
			call(head);
		}
	}
}

/* What was set aside waits for a period of the child's. */
void callbacks_fork_child(void)
{
	if (needs_thread)
		period_want(true);
	for (unsigned int i = 0; i < NR_STACKS; i++) {
		if (set_aside[i] || stacks[i].top || ready[i])
			period_want(true);
	}
}

EXPORT void rcu_barrier(void)
{
	if (period_refuse_reader("rcu_barrier") || period_refuse_callback("rcu_barrier"))
		return;
	if (period_thread_start())
		period_wait_served(period_want(true), RCU_FOREVER);
}

/* ---- slabs ---- */

static bool slabs_start(void)
{
	__atomic_store_n(&needs_thread, true, __ATOMIC_RELAXED);
	return period_thread_start();
}

static void slabs_hurry(void)
{
	period_want(true);
}

static bool slabs_barrier(void)
{
	if (period_refuse_reader("kmem_cache_destroy") || period_refuse_callback("kmem_cache_destroy"))
		return false;
	if (!period_thread_start())
		return false;
	kvfree_rcu_barrier();
	rcu_barrier();
	return true;
}

static const struct slab_periods slab_periods = {
	.start = slabs_start, .call = call_rcu, .hurry = slabs_hurry, .barrier = slabs_barrier};

void rcu_serve_slabs(bool on)
{
	slab_set_periods(on ? &slab_periods : NULL);
}

/* Before the program's constructors, which may create caches. */
static __attribute__((constructor(101))) void serve_slabs(void)
{
	rcu_serve_slabs(true);
}

/* ---- a machine's end ---- */

static unsigned int length(const struct rcu_head *list)
{
	unsigned int nr = 0;

	for (; list; list = list->next)
		nr++;
	return nr;
}

unsigned int callbacks_reset(void)
{
	unsigned int nr = 0;

	needs_thread = false;
	for (unsigned int i = 0; i < NR_STACKS; i++) {
		nr += length(set_aside[i]) + length(ready[i]) + length(stacks[i].top);
		set_aside[i] = ready[i] = NULL;
		stacks[i].top = NULL;
	}
	return nr;
}
