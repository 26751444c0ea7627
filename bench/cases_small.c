/*
 * cases_small.c: one thread, small objects: pairs, batches, and objects that live for a while.
 *
 * Calls the allocator under test. Refuses to know which one it is.
 */
#include "cases.h"
#include "cpus.h"

#define BATCH_MAX 1000

/* malloc, touch, free. */
void pair_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t size = run->test->size;
	const long step = run->test->step;

	cpus_pin(0);
	while (bench_more(state, step))
		for (long i = 0; i < step; i++)
			release(touched(alloc(size), (uint64_t)i));
}

/* A batch is allocated, then freed from its end. */
void lifo_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t size = run->test->size, count = run->test->count;
	const long step = run->test->step;
	void *batch[BATCH_MAX];

	cpus_pin(0);
	while (bench_more(state, step))
		for (long done = 0; done < step; done += (long)count) {
			for (size_t i = 0; i < count; i++)
				batch[i] = touched(alloc(size), i);
			for (size_t i = count; i-- > 0;)
				release(batch[i]);
		}
}

/* A batch is allocated, then freed from its beginning. */
void fifo_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t size = run->test->size, count = run->test->count;
	const long step = run->test->step;
	void *batch[BATCH_MAX];

	cpus_pin(0);
	while (bench_more(state, step))
		for (long done = 0; done < step; done += (long)count) {
			for (size_t i = 0; i < count; i++)
				batch[i] = touched(alloc(size), i);
			for (size_t i = 0; i < count; i++)
				release(batch[i]);
		}
}

/* A batch is allocated, then freed in a random order: each time the object of a random place, the last taking it. */
void random_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t size = run->test->size, count = run->test->count;
	const long step = run->test->step;
	void *batch[BATCH_MAX];
	uint64_t random = 4;

	cpus_pin(0);
	while (bench_more(state, step))
		for (long done = 0; done < step; done += (long)count) {
			for (size_t i = 0; i < count; i++)
				batch[i] = touched(alloc(size), i);
			for (size_t left = count; left > 0; left--) {
				size_t i = random_index(random_step(&random), left);

				release(batch[i]);
				batch[i] = batch[left - 1];
			}
		}
}

/* The slots of the live objects are the harness's own memory, from the same place for every allocator. */
void live_setup(struct bench_run *run)
{
	const struct bench_case *test = run->test;
	void **slots = malloc(test->count * sizeof(*slots));
	uint64_t random = 1;

	if (!slots)
		abort();
	cpus_pin(0);
	for (size_t i = 0; i < test->count; i++) {
		size_t size = test->size ? test->size : random_size(random_step(&random));

		slots[i] = touched(run->alloc->malloc(size), i);
	}
	run->data = slots;
}

/* A random one of the live objects is freed and replaced. */
void live_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t size = run->test->size, count = run->test->count;
	const long step = run->test->step;
	void **slots = run->data;
	uint64_t random = 2;

	cpus_pin(0);
	while (bench_more(state, step))
		for (long i = 0; i < step; i++) {
			size_t slot = random_index(random_step(&random), count);

			release(slots[slot]);
			slots[slot] = touched(alloc(size), random);
		}
}

/* As live_body(), but the new object is of another size. */
void mixed_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const size_t count = run->test->count;
	const long step = run->test->step;
	void **slots = run->data;
	uint64_t random = 3;

	cpus_pin(0);
	while (bench_more(state, step))
		for (long i = 0; i < step; i++) {
			size_t slot = random_index(random_step(&random), count);

			release(slots[slot]);
			slots[slot] = touched(alloc(random_size(random)), random);
		}
}

void live_teardown(struct bench_run *run)
{
	void **slots = run->data;

	for (size_t i = 0; i < run->test->count; i++)
		run->alloc->free(slots[i]);
	free(slots);
	run->data = NULL;
}
