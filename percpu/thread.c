/*
 * thread.c: areas that belong to threads, for hosts without rseq.
 *
 * Calls generic.c, lib and host, and libc's thread keys to hear of a thread's end. The owner announces each operation in
 * `busy`; a handler that interrupts one finds it set and does without the area. A drain sets `stopped`, and with one
 * membarrier knows that every owner has either seen it or is visibly busy:
 *
 *	owner: busy = 1; read stopped		drain: stopped = 1; membarrier; wait until !busy
 */
#include <pthread.h>

#include "percpu/modes.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"

#define CHUNK_AREAS 63
#define MAX_AREAS (1 << 24) /* more threads than a kernel has: a list that does not end */
#define DRAIN_PATIENCE_NS 10000000 /* what a drain grants a busy owner: it may sit in a signal handler for long */

/* Areas are made CHUNK_AREAS at a time, behind one page that keeps their books, and never unmapped. */
struct area_chunk {
	struct area_chunk *next; /* Synchronization: const once on the list */
	uint64_t used; /* bit i: area[i] belongs to a thread. Synchronization: percpu_lock */
	char pad[PERCPU_AREA_SIZE - 16];
	struct area area[CHUNK_AREAS];
	struct area_digest digest[CHUNK_AREAS]; /* Synchronization: percpu_lock */
};

struct area_chunk *thread_chunks; /* Synchronization: percpu_lock; readers without it: atomic, chunks are never freed */
static pthread_key_t exit_key; /* Synchronization: const after boot */
static bool have_exit_key; /* without one, areas could not be given back, and none are taken. As exit_key */

static struct area *chunk_take(struct area_chunk *chunk)
{
	unsigned int i = (unsigned int)__builtin_ctzll(~chunk->used);

	if (i >= CHUNK_AREAS)
		return NULL;
	chunk->used |= 1ull << i;
	return &chunk->area[i];
}

static struct area *__thread_take_area(void)
{
	struct area_chunk *chunk;

	for (chunk = thread_chunks; chunk; chunk = chunk->next) {
		struct area *area = chunk_take(chunk);

		if (area)
			return area;
	}
	chunk = host_map(sizeof(*chunk));
	if (!chunk)
		return NULL;
	chunk->next = thread_chunks;
	/* Pairs with thread_for_each(): who sees the chunk sees its link. */
	__atomic_store_n(&thread_chunks, chunk, __ATOMIC_RELEASE);
	return chunk_take(chunk);
}

static struct area *thread_acquire(void)
{
	host_sigmask_t mask;

	/* An area taken after the exit handlers would never be given back: libc itself frees that late. */
	if (!have_exit_key || percpu_thread.nr_releases >= RELEASE_ROUND)
		return NULL;
	mask = host_signals_block();
	if (!percpu_thread.area) {
		lock_acquire(&percpu_lock);
		percpu_thread.area = __thread_take_area();
		lock_release(&percpu_lock);
	}
	host_signals_restore(mask);
	/* May allocate: from the area just taken. */
	if (percpu_thread.area)
		pthread_setspecific(exit_key, percpu_thread.area);
	return percpu_thread.area;
}

/* The area, with `busy` set; NULL where an operation of this thread was interrupted, or a drain is at work. */
static struct area *thread_enter(void)
{
	struct area *area = percpu_thread.area;

	if (!area)
		area = thread_acquire();
	if (!area || __atomic_load_n(&area->busy, __ATOMIC_RELAXED))
		return NULL;
	__atomic_store_n(&area->busy, 1, __ATOMIC_RELAXED);
	/* Order against the load below comes from the drain's membarrier; here only the compiler must keep it. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* Pairs with thread_drain_area(): after a drain, its emptying is seen. */
	if (__atomic_load_n(&area->stopped, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&area->busy, 0, __ATOMIC_RELEASE);
		return NULL;
	}
	return area;
}

static void thread_leave(struct area *area)
{
	/* Pairs with thread_drain_area(): the drain sees the whole operation. */
	__atomic_store_n(&area->busy, 0, __ATOMIC_RELEASE);
}

void *thread_pop(unsigned int slot)
{
	struct area *area = thread_enter();
	void *object;

	if (!area)
		return NULL;
	object = generic_pop(area, slot);
	thread_leave(area);
	return object;
}

bool thread_push(unsigned int slot, void *object)
{
	struct area *area = thread_enter();
	bool done;

	if (!area)
		return false;
	done = generic_push(area, slot, object);
	thread_leave(area);
	return done;
}

bool thread_snapshot(unsigned int slot, struct area_view *view)
{
	struct area *area = thread_enter();

	if (!area)
		return false;
	view->cpu = 0;
	view->pair = area->pair[slot];
	thread_leave(area);
	return true;
}

bool thread_install(unsigned int slot, const struct area_view *view, struct magazine_pair new_pair)
{
	struct area *area = thread_enter();
	bool done;

	if (!area)
		return false;
	done = generic_install(area, slot, &view->pair, new_pair);
	thread_leave(area);
	return done;
}

/* Marks the area free for other threads; it is empty. */
static void __thread_give_area(struct area *area)
{
	for (struct area_chunk *chunk = thread_chunks; chunk; chunk = chunk->next)
		if (area >= chunk->area && area < chunk->area + CHUNK_AREAS)
			chunk->used &= ~(1ull << (area - chunk->area));
}

/* Empties this thread's area and gives it away. The lock keeps drains out, the signal mask this thread's handlers. */
static void thread_release(struct area *area)
{
	host_sigmask_t mask = host_signals_block();

	lock_acquire(&percpu_lock);
	/* A handler that ends the thread in the middle of an operation leaves an area that nobody can use again. */
	if (percpu_exit_sink && !area->busy) {
		generic_drain_all(area, percpu_exit_sink);
		__thread_give_area(area);
	}
	percpu_thread.area = NULL;
	lock_release(&percpu_lock);
	host_signals_restore(mask);
}

static void thread_exit(void *arg)
{
	if (arg != percpu_thread.area)
		return;
	if (++percpu_thread.nr_releases < RELEASE_ROUND)
		pthread_setspecific(exit_key, arg); /* to be called again */
	else
		thread_release(arg);
}

void thread_boot(void)
{
	host_membarrier_register(); /* without it, drains reach the own area only */
	have_exit_key = pthread_key_create(&exit_key, thread_exit) == 0;
}

bool thread_for_each(const struct reader *reader, const struct percpu_root *root, area_visit visit, void *arg)
{
	struct area_chunk *chunk;
	uint64_t used;

	/* Pairs with __thread_take_area(). */
	if (!reader_get(reader, root->chunks, &chunk))
		return false;
	for (int nr = 0; chunk; nr += CHUNK_AREAS) {
		if (nr > MAX_AREAS || !reader_get(reader, &chunk->used, &used))
			return false;
		for (int i = 0; i < CHUNK_AREAS; i++)
			if (used & (1ull << i))
				visit(&chunk->area[i], nr + i, arg);
		if (!reader_get(reader, &chunk->next, &chunk))
			return false;
	}
	return true;
}

/* Takes the slots of one area, unless its owner stays busy. `stopped` is set, and a membarrier lies behind us. */
static void thread_drain_area(struct area *area, struct area_digest *digest, struct drain *drain)
{
	uint64_t deadline = 0;
	struct slot_set set;

	/* Pairs with thread_leave(). */
	while (__atomic_load_n(&area->busy, __ATOMIC_ACQUIRE)) {
		uint64_t now = host_clock_ns();

		deadline = deadline ? deadline : now + DRAIN_PATIENCE_NS;
		/* Our own: we are in a handler that interrupted the operation. */
		if (area == percpu_thread.area || now > deadline) {
			drain->left = true;
			return;
		}
		host_yield();
	}
	if (drain_select(drain, area, digest, &set))
		generic_drain(area, &set, drain->sink);
}

void thread_drain(struct drain *drain)
{
	struct area *own = percpu_thread.area;

	for (struct area_chunk *chunk = thread_chunks; chunk; chunk = chunk->next) {
		for (int i = 0; i < CHUNK_AREAS; i++)
			__atomic_store_n(&chunk->area[i].stopped, 1, __ATOMIC_RELAXED);
		bool fenced = host_membarrier() == 0;
		for (int i = 0; i < CHUNK_AREAS; i++) {
			struct area *area = &chunk->area[i];

			if ((chunk->used & (1ull << i)) && (fenced || area == own))
				thread_drain_area(area, &chunk->digest[i], drain);
			/* Pairs with thread_enter(). */
			__atomic_store_n(&area->stopped, 0, __ATOMIC_RELEASE);
		}
	}
}

void thread_fork_child(area_sink sink)
{
	struct area *own = percpu_thread.area;

	for (struct area_chunk *chunk = thread_chunks; chunk; chunk = chunk->next) {
		for (int i = 0; i < CHUNK_AREAS; i++) {
			struct area *area = &chunk->area[i];

			area->stopped = 0;
			if (area == own || !(chunk->used & (1ull << i)))
				continue;
			/* Its thread was in the middle of an operation: what it holds is lost, as that thread is. */
			if (area->busy)
				continue;
			if (sink)
				generic_drain_all(area, sink);
			chunk->used &= ~(1ull << i);
		}
	}
}
