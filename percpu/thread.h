/*
 * thread.h: what the core keeps in thread-local storage: 64 bytes, initial-exec. Comes with percpu.h; only the machine's part is for
 * the page room, too.
 */
#ifndef PERCPU_THREAD_H
#define PERCPU_THREAD_H

#include <assert.h>
#include <stdint.h>

#include "runtime/config.h"

struct area;

#define THREAD_NO_CPU PERCPU_NO_CPU
#define RELEASE_ROUND 2 /* of at least four rounds of exit handlers: others' in the first one still have the area */

/*
 * The first 32 bytes are a struct rseq of our own, for when nobody else registered one. Until the kernel fills it in, its
 * CPU numbers lead to the area that is always empty and full, so that the thread's first operation takes the slow path.
 */
struct percpu_thread {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t node_id;
	int32_t mm_cid;
	uint32_t unused;
	struct area *area; /* thread mode: this thread's area. Synchronization: own thread */
	uint32_t nr_releases; /* how often this thread's exit handler ran */
	uint32_t random; /* locked mode: chooses the fake CPU */
	int32_t machine_cpu; /* see percpu_this_cpu(). Synchronization: own thread and its signal handlers; atomic */
	uint64_t
		page_request; /* the page room's; 0 at first. Synchronization: own thread; interrupts leave it as it was */
} __attribute__((aligned(32)));
static_assert(sizeof(struct percpu_thread) == 64, "static TLS is scarce in programs that dlopen us");

extern __thread struct percpu_thread percpu_thread hidden;

#endif
