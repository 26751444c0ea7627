/*
 * cases.h: what is measured. One row of bench_cases is one row of the table that is printed.
 *
 * A case is set up and torn down outside the clock; its body runs on every one of its threads. Bodies call the
 * allocator only through the pointers of run->alloc, and write to every object that they allocate.
 */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "shim.h"

struct bench_run;

struct bench_case {
	const char *name;
	const char *what; /* one line for --list; says what one operation is */
	void (*setup)(struct bench_run *run);
	void (*body)(struct bench_state *state, struct bench_run *run);
	void (*teardown)(struct bench_run *run);
	size_t size; /* bytes an object, where the case has one size */
	size_t count; /* objects a batch, or live objects */
	long step; /* iterations that body asks bench_more() for at a time */
	unsigned int threads;
	unsigned int share; /* iterations, over all threads, that make one operation */
	bool full; /* left out of quick runs */
};

/* One case on one allocator. Synchronization: set by the main thread while no benchmark thread runs. */
struct bench_run {
	const struct alloc *alloc;
	const struct bench_case *test;
	void *data; /* belongs to the case, from setup to teardown */
};

extern const struct bench_case bench_cases[];
extern const size_t nr_bench_cases;

/* cases_small.c */
void pair_body(struct bench_state *state, struct bench_run *run);
void lifo_body(struct bench_state *state, struct bench_run *run);
void fifo_body(struct bench_state *state, struct bench_run *run);
void random_body(struct bench_state *state, struct bench_run *run);
void live_setup(struct bench_run *run);
void live_body(struct bench_state *state, struct bench_run *run);
void mixed_body(struct bench_state *state, struct bench_run *run);
void live_teardown(struct bench_run *run);

/* cases_large.c */
void large_body(struct bench_state *state, struct bench_run *run);
void large_mixed_setup(struct bench_run *run);
void large_mixed_body(struct bench_state *state, struct bench_run *run);
void grow_body(struct bench_state *state, struct bench_run *run);

/* cases_thread.c */
void handover_setup(struct bench_run *run);
void handover_body(struct bench_state *state, struct bench_run *run);
void handover_read_body(struct bench_state *state, struct bench_run *run);
void handover_teardown(struct bench_run *run);
void server_setup(struct bench_run *run);
void server_body(struct bench_state *state, struct bench_run *run);
void server_teardown(struct bench_run *run);
void churn_body(struct bench_state *state, struct bench_run *run);

/* An allocation that must not fail, touched: both are part of what is timed, the same for every allocator. */
static inline void *touched(void *ptr, uint64_t value)
{
	if (__builtin_expect(!ptr, 0)) {
		fputs("flagstone-bench: an allocator returned NULL\n", stderr);
		abort();
	}
	*(volatile uint64_t *)ptr = value;
	return ptr;
}

/* A 64-bit linear congruential step: about 4 cycles, no table that would compete for the cache. Use the high bits. */
static inline uint64_t random_step(uint64_t *state)
{
	return *state = *state * 6364136223846793005ull + 1442695040888963407ull;
}

/* 8 to 4096 bytes, small sizes more often: uniform, then divided by a power of two up to 128. */
static inline size_t random_size(uint64_t random)
{
	return 8 + (((random >> 52) & ~7ull) >> ((random >> 49) & 7));
}

/* An index below n, n < 2^31, from bits 16 to 47. */
static inline size_t random_index(uint64_t random, size_t n)
{
	return (((random >> 16) & 0xffffffff) * n) >> 32;
}

#endif
