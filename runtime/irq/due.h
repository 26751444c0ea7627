/*
 * due.h: a heap of deadlines whose places lie in the timers themselves: a pairing heap.
 *
 * The callers' lock protects all of it. Deadlines are compared across an overflow of 64 bits.
 */
#ifndef RUNTIME_IRQ_DUE_H
#define RUNTIME_IRQ_DUE_H

#include <linux/timer.h>
#include <stdbool.h>

static inline bool due_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

void due_insert(struct flagstone_due **heap, struct flagstone_due *due, uint64_t when);
/* It is in the heap. */
void due_remove(struct flagstone_due **heap, struct flagstone_due *due);
/* One that lies in those bytes; NULL: none does. */
struct flagstone_due *due_find(struct flagstone_due *heap, const void *from, size_t size);
/* The next one of a heap, of which the first is the heap itself; NULL: it was the last. */
struct flagstone_due *due_next(const struct flagstone_due *due);
/* Tests: counts, and checks the order of, all that is in the heap. Returns how many, or -1. */
long due_check(const struct flagstone_due *heap);

#endif
