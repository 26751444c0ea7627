/*
 * cases_large.c: large blocks, and blocks that grow by realloc.
 *
 * Calls the allocator under test. Refuses to know which one it is. Of a large block only the first bytes are touched:
 * what is timed is the allocator and one page fault at most, not the zeroing of memory.
 */
#include "cases.h"
#include "cpus.h"

void large_body(struct bench_state *state, struct bench_run *run)
{
	pair_body(state, run);
}

/* 64 KiB to 8 MiB, every doubling equally likely. */
static size_t large_size(uint64_t random)
{
	return ((size_t)65536 << random_index(random, 7)) + ((random >> 50) & 0x3ff8);
}

void large_mixed_setup(struct bench_run *run)
{
	void **slots = malloc(run->test->count * sizeof(*slots));
	uint64_t random = 4;

	if (!slots)
		abort();
	cpus_pin(0);
	for (size_t i = 0; i < run->test->count; i++)
		slots[i] = touched(run->alloc->malloc(large_size(random_step(&random))), i);
	run->data = slots;
}

/* A random one of the live blocks is freed and replaced by one of another size. */
void large_mixed_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t count = run->test->count;
	const long step = run->test->step;
	void **slots = run->data;
	uint64_t random = 5;

	cpus_pin(0);
	while (bench_more(state, step))
		for (long i = 0; i < step; i++) {
			size_t slot = random_index(random_step(&random), count);

			release(slots[slot]);
			slots[slot] = touched(alloc(large_size(random_step(&random))), random);
		}
}

/*
 * A buffer grows from 64 bytes to size by half of its own length each time, as growing arrays do, and is freed. Both
 * its ends are touched after each step. One operation is one such buffer.
 */
void grow_body(struct bench_state *state, struct bench_run *run)
{
	const struct alloc *a = run->alloc;
	const size_t limit = run->test->size;
	const long step = run->test->step;

	cpus_pin(0);
	while (bench_more(state, step))
		for (long i = 0; i < step; i++) {
			char *buffer = touched(a->malloc(64), 0);

			for (size_t size = 96; size <= limit; size += size / 2 & ~(size_t)15) {
				buffer = touched(a->realloc(buffer, size), size);
				touched(buffer + size - 8, size);
			}
			a->free(buffer);
		}
}
