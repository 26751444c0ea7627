/*
 * attempt.h: what the kernel face does around the slow path of an allocation: before it, after each failure, at its
 * end.
 *
 * In a hosted program that is little: all that is cached goes back, and the allocation is tried once more, or with
 * __GFP_NOFAIL for ever. A machine puts functions of its own in the place of that (machine.c): the request's zone
 * and watermark, the hooks of the rooms above, reports, and records of who allocated.
 */
#ifndef RUNTIME_SLAB_ATTEMPT_H
#define RUNTIME_SLAB_ATTEMPT_H

#include <linux/gfp.h>

#include "runtime/host/host.h"
#include "runtime/slab/slab.h"

#define ANY_NODE (-1) /* NUMA_NO_NODE */
#define GFP_ZONES (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)

/*
 * A public function's slow half is told who called. Where the compiler optimizes, and no sanitizer wants to see the
 * end of every function, it is entered by a jump, and finds the address in its own frame: then the fast half need
 * not fetch it.
 */
#ifdef __OPTIMIZE__
#define SLOW_HALF_IS_JUMPED_TO (!CONFIG_SANITIZED)
#else
#define SLOW_HALF_IS_JUMPED_TO 0
#endif

enum attempt_kind {
	ATTEMPT_SLAB, /* an object: of a cache, or by its size */
	ATTEMPT_PAGES, /* a block of 2^order pages, or pages by the number */
	ATTEMPT_OWN, /* memory of this room's own */
};

/* One allocation's walk through its slow path. Lives on the stack of its thread. */
struct attempt {
	enum attempt_kind kind;
	gfp_t gfp;
	int node; /* or ANY_NODE */
	unsigned int order; /* of the pages that it may need */
	size_t size; /* bytes asked for */
	struct kmem_cache *cache; /* NULL: none, or the size class's */
	const void *caller; /* return address in the caller of the public function */
	unsigned int tries; /* failures so far */
	struct page_request outer; /* what this thread asked the page room for before: we may be in an interrupt */
};

/* A machine's part. All have the context of the allocation. */
struct slab_machine {
	bool (*begin)(struct attempt *attempt);
	bool (*again)(struct attempt *attempt);
	void (*end)(struct attempt *attempt, void *object);
	/* An object for an attempt with zone flags, or of another node than this CPU's. */
	void *(*take)(const struct attempt *attempt, unsigned int alloc_flags);
	/* Before an object or a block goes back. False: it must not, and has been reported. */
	bool (*freeing)(const void *object, const void *caller);
	/* Whether what has been found no block or object was freed before: then it has been reported. */
	bool (*freed_twice)(const void *object, const void *caller);
	/* A block became nr single pages. */
	void (*split)(const void *object, size_t nr);
	/* An object that stays where it is is now asked for with another size. */
	void (*resized)(const void *object, size_t size);
	/* The task that runs this, and its CPU. */
	struct alloc_who (*who)(void);
	/* The return addresses of this thread's stack; the thread's bounds are looked up once. */
	unsigned int (*stack)(uintptr_t *address, unsigned int max);
	/* Prints who allocated an object and who freed it, as far as that is known. */
	void (*history)(const void *object);
	/* Prints who allocated an object, if that is known. */
	void (*describe)(const void *object);
	/* __GFP_HIGHMEM where no highmem can be given: one report for each function. Returns the flags without it. */
	gfp_t (*drop_highmem)(const char *function, gfp_t gfp);
	/* A request that no memory could ever serve: one report a machine, none with __GFP_NOWARN. */
	void (*too_large)(gfp_t gfp, unsigned int order);
	/* A cache was created, for a caller of kmem_cache_create(); will be destroyed. */
	void (*cache_created)(const struct kmem_cache *cache, const void *caller);
	void (*cache_ends)(const struct kmem_cache *cache);
};
/* NULL: hosted. Synchronization: changes while nobody else is at work */
extern const struct slab_machine *slab_machine hidden;
/* The short way for pages; NULL: hosted, or a machine that is to see every block. Synchronization: as slab_machine */
extern const struct usual_pages *usual_pages hidden;

/* False: the allocation is to fail. */
static inline bool attempt_begin(struct attempt *attempt)
{
	if (unlikely(!slab_boot()))
		return false;
	return likely(!slab_machine) || slab_machine->begin(attempt);
}

/* After a failure: whether to try again. */
static inline bool attempt_again(struct attempt *attempt)
{
	if (slab_machine)
		return slab_machine->again(attempt);
	if (attempt->tries++ && !(attempt->gfp & __GFP_NOFAIL))
		return false;
	if (attempt->gfp & __GFP_DIRECT_RECLAIM)
		slab_deferred_reclaim();
	slab_trim(0);
	if (attempt->tries > 1)
		host_yield();
	return true;
}

/* Ends an attempt that was begun; object is what it yielded. */
static inline void attempt_end(struct attempt *attempt, void *object)
{
	if (unlikely(slab_machine))
		slab_machine->end(attempt, object);
}

/* Whether a free may go on. */
static inline bool attempt_free(const void *object, const void *caller)
{
	return likely(!slab_machine) || slab_machine->freeing(object, caller);
}

/* Of a free that makes no sense: whether it is known to be a second one, and reported as that. */
static inline bool freed_twice(const void *object, const void *caller)
{
	return slab_machine && slab_machine->freed_twice(object, caller);
}

/* A request above MAX_ORDER: fails without an attempt. */
static inline void report_too_large(gfp_t gfp, unsigned int order)
{
	if (slab_machine && !(gfp & __GFP_NOWARN))
		slab_machine->too_large(gfp, order);
}

static inline gfp_t without_highmem(const char *function, gfp_t gfp)
{
	if (likely(!(gfp & __GFP_HIGHMEM)))
		return gfp;
	return slab_machine ? slab_machine->drop_highmem(function, gfp) : gfp & ~__GFP_HIGHMEM;
}

#endif
