/*
 * flagstone/percpu_generic.h: operations on this CPU's variables where no single instruction does them.
 *
 * Calls into the library, which turns interrupts off meanwhile. Same functions as flagstone/percpu_gs.h.
 * For <linux/percpu-defs.h> only.
 */
#ifndef FLAGSTONE_PERCPU_GENERIC_H
#define FLAGSTONE_PERCPU_GENERIC_H

#include <flagstone/percpu.h>

static inline uint64_t flagstone_percpu_read(const void *p, size_t size)
{
	return flagstone_percpu_op((void *)(uintptr_t)p, size, FLAGSTONE_PERCPU_READ, 0, 0);
}

static inline void flagstone_percpu_write(void *p, size_t size, uint64_t value)
{
	flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_WRITE, value, 0);
}

static inline void flagstone_percpu_add(void *p, size_t size, uint64_t value)
{
	flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_ADD, value, 0);
}

static inline void flagstone_percpu_and(void *p, size_t size, uint64_t value)
{
	flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_AND, value, 0);
}

static inline void flagstone_percpu_or(void *p, size_t size, uint64_t value)
{
	flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_OR, value, 0);
}

/* Returns the new value; bits beyond the size are anything. */
static inline uint64_t flagstone_percpu_add_return(void *p, size_t size, uint64_t value)
{
	return value + flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_ADD, value, 0);
}

static inline uint64_t flagstone_percpu_cmpxchg(void *p, size_t size, uint64_t expected, uint64_t value)
{
	return flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_CMPXCHG, value, expected);
}

static inline uint64_t flagstone_percpu_xchg(void *p, size_t size, uint64_t value)
{
	return flagstone_percpu_op(p, size, FLAGSTONE_PERCPU_XCHG, value, 0);
}

/* The address of this CPU's copy. Meaningful while the thread cannot change its CPU. */
static inline void *flagstone_percpu_here(const volatile void *p)
{
	return (void *)((uintptr_t)p + flagstone_percpu_this_distance());
}

#endif
