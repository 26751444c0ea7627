/*
 * freed.h: whether memory that is freed holds a timer that is armed, or a work item that is queued.
 *
 * So that this costs little, what is armed or queued is counted by the page that it lies in, of several pages together:
 * memory whose counts are 0 holds none. counts[i] == timers on heaps + items on lists, of pages of number i.
 */
#ifndef RUNTIME_IRQ_FREED_H
#define RUNTIME_IRQ_FREED_H

#include <stdint.h>

#define FREED_COUNTS 4096
#define FREED_SHIFT 12

/* Synchronization: atomic */
extern uint32_t freed_counts[FREED_COUNTS];

/* Nothing is armed or queued. */
void freed_boot(void);

static inline uint32_t *freed_count(const void *address)
{
	return &freed_counts[((uintptr_t)address >> FREED_SHIFT) % FREED_COUNTS];
}

/* It is about to be on a heap or list. */
static inline void freed_watch(const void *address)
{
	__atomic_fetch_add(freed_count(address), 1, __ATOMIC_RELAXED);
}

static inline void freed_unwatch(const void *address)
{
	__atomic_fetch_sub(freed_count(address), 1, __ATOMIC_RELAXED);
}

#endif
