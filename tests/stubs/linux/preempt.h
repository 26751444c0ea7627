/*
 * linux/preempt.h of tests that have no scheduler: a count.
 *
 * Calls nothing.
 */
#ifndef TESTS_STUBS_LINUX_PREEMPT_H
#define TESTS_STUBS_LINUX_PREEMPT_H

extern __thread int stub_preempt_count; /* Synchronization: this thread; the test defines it */

static inline void preempt_disable(void)
{
	stub_preempt_count++;
	__asm__ volatile("" ::: "memory");
}

static inline void preempt_enable(void)
{
	__asm__ volatile("" ::: "memory");
	stub_preempt_count--;
}

#endif
