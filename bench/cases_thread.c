/*
 * cases_thread.c: several threads: objects freed elsewhere than they were allocated, servers, short threads.
 *
 * Calls the allocator under test, pthreads, and cpus.c to say where threads run. Refuses to know the allocator.
 */
#include "cases.h"
#include "cpus.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define HANDOVER_BATCH 100
#define HANDOVER_RING 32
#define SERVER_OBJECTS 250
#define CHURN_THREADS 4
#define CHURN_OBJECTS 100

/*
 * Batches on their way from the producer (thread 0) to the consumer (thread 1).
 *
 * At any time: tail <= head <= tail + HANDOVER_RING; slots tail to head - 1 are the consumer's, all others the
 * producer's.
 */
struct ring {
	_Alignas(64) atomic_ulong head; /* Synchronization: atomic; written by the producer */
	_Alignas(64) atomic_ulong tail; /* Synchronization: atomic; written by the consumer */
	_Alignas(64) void *slot[HANDOVER_RING][HANDOVER_BATCH]; /* Synchronization: by head and tail, as above */
};

#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define cpu_relax() ((void)0)
#endif

/* Waits a moment for the other thread; gives the CPU away if that takes long, so that one CPU is enough. */
static void relax(unsigned int *spins)
{
	if (++*spins % 1024 == 0)
		sched_yield();
	cpu_relax();
}

static void ring_produce(struct ring *ring, const struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	const size_t size = run->test->size;
	unsigned long head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	void **slot = ring->slot[head % HANDOVER_RING];
	unsigned int spins = 0;

	/* Pairs with ring_consume(): its reads of the slot come before the slot is written again. */
	while (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == HANDOVER_RING)
		relax(&spins);
	for (size_t i = 0; i < HANDOVER_BATCH; i++)
		slot[i] = touched(alloc(size), i);
	/* Pairs with ring_consume(): the batch and its objects are written before they are seen. */
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

static uint64_t ring_consume(struct ring *ring, const struct bench_run *run, bool read)
{
	void (*const release)(void *) = run->alloc->free;
	unsigned long tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	void **slot = ring->slot[tail % HANDOVER_RING];
	unsigned int spins = 0;
	uint64_t sum = 0;

	/* Pairs with ring_produce(): the batch and its objects are written before they are seen. */
	while (atomic_load_explicit(&ring->head, memory_order_acquire) == tail)
		relax(&spins);
	for (size_t i = 0; i < HANDOVER_BATCH; i++) {
		if (read)
			sum += *(volatile uint64_t *)slot[i];
		release(slot[i]);
	}
	/* Pairs with ring_produce(): the reads above come before the slot is written again. */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return sum;
}

void handover_setup(struct bench_run *run)
{
	struct ring *ring = aligned_alloc(64, sizeof(*ring));

	if (!ring)
		abort();
	memset(ring, 0, sizeof(*ring));
	run->data = ring;
}

static void handover(struct bench_state *state, struct bench_run *run, bool read)
{
	bool producer = bench_thread(state) == 0;

	cpus_pin((unsigned int)bench_thread(state));
	while (bench_more(state, HANDOVER_BATCH)) {
		if (producer)
			ring_produce(run->data, run);
		else
			ring_consume(run->data, run, read);
	}
}

void handover_body(struct bench_state *state, struct bench_run *run)
{
	handover(state, run, false);
}

/* The consumer also reads each object, as real ones do: the cost of moving the line is the same for all allocators. */
void handover_read_body(struct bench_state *state, struct bench_run *run)
{
	handover(state, run, true);
}

void handover_teardown(struct bench_run *run)
{
	free(run->data);
	run->data = NULL;
}

/* The live objects of one connection of the server. */
struct bag {
	_Alignas(64) void *object[SERVER_OBJECTS]; /* Synchronization: whoever holds the bag */
};

/*
 * There are 2 * threads bags. At any time each mailbox holds one and each thread another. A thread trades its bag for
 * that of a random mailbox now and then, and goes on with objects that other threads allocated.
 */
struct server {
	struct bag *bags; /* Synchronization: whoever holds the bag */
	struct bag **hand; /* Synchronization: thread i for element i; the main thread between runs */
	_Atomic(struct bag *) *mail; /* Synchronization: atomic; one mailbox a thread */
};

void server_setup(struct bench_run *run)
{
	const unsigned int threads = run->test->threads;
	struct server *server = malloc(sizeof(*server));
	uint64_t random = 6;

	if (!server)
		abort();
	cpus_pin(0);
	server->bags = aligned_alloc(64, 2 * threads * sizeof(*server->bags));
	server->mail = malloc(threads * sizeof(*server->mail));
	server->hand = malloc(threads * sizeof(*server->hand));
	if (!server->bags || !server->mail || !server->hand)
		abort();
	for (unsigned int i = 0; i < 2 * threads; i++)
		for (size_t j = 0; j < SERVER_OBJECTS; j++)
			server->bags[i].object[j] = touched(run->alloc->malloc(random_size(random_step(&random))), j);
	for (unsigned int i = 0; i < threads; i++) {
		server->hand[i] = &server->bags[i];
		atomic_init(&server->mail[i], &server->bags[threads + i]);
	}
	run->data = server;
}

void server_body(struct bench_state *state, struct bench_run *run)
{
	void *(*const alloc)(size_t) = run->alloc->malloc;
	void (*const release)(void *) = run->alloc->free;
	const unsigned int threads = run->test->threads, self = (unsigned int)bench_thread(state);
	const long step = run->test->step;
	struct server *server = run->data;
	struct bag *bag = server->hand[self];
	uint64_t random = 7 + self;

	cpus_pin(self);
	while (bench_more(state, step)) {
		size_t box = random_index(random_step(&random), threads);

		/* Pairs with the same line in another thread: its writes to the bag come before ours. */
		bag = atomic_exchange_explicit(&server->mail[box], bag, memory_order_acq_rel);
		for (long i = 0; i < step; i++) {
			size_t slot = random_index(random_step(&random), SERVER_OBJECTS);

			release(bag->object[slot]);
			bag->object[slot] = touched(alloc(random_size(random)), random);
		}
	}
	server->hand[self] = bag;
}

void server_teardown(struct bench_run *run)
{
	struct server *server = run->data;

	for (unsigned int i = 0; i < 2 * run->test->threads; i++)
		for (size_t j = 0; j < SERVER_OBJECTS; j++)
			run->alloc->free(server->bags[i].object[j]);
	free(server->bags);
	free(server->mail);
	free(server->hand);
	free(server);
	run->data = NULL;
}

static void *churn_thread(void *arg)
{
	const struct bench_run *run = arg;
	void *object[CHURN_OBJECTS];
	uint64_t random = 8;

	for (size_t i = 0; i < CHURN_OBJECTS; i++)
		object[i] = touched(run->alloc->malloc(random_size(random_step(&random))), i);
	for (size_t i = 0; i < CHURN_OBJECTS; i++)
		run->alloc->free(object[i]);
	return NULL;
}

/* Threads start four at a time, on any CPU, allocate and free 100 objects each, and end. One operation: one thread. */
void churn_body(struct bench_state *state, struct bench_run *run)
{
	pthread_t thread[CHURN_THREADS];

	cpus_unpin();
	while (bench_more(state, CHURN_THREADS)) {
		for (int i = 0; i < CHURN_THREADS; i++)
			if (pthread_create(&thread[i], NULL, churn_thread, run))
				abort();
		for (int i = 0; i < CHURN_THREADS; i++)
			pthread_join(thread[i], NULL);
	}
}
