/*
 * vars_alloc.c: per-CPU objects made at run time: alloc_percpu() and free_percpu().
 *
 * An object is some granules of 8 bytes in the range of names. The range is populated from its start on, by chunks of 64 KiB,
 * on all CPUs at once. Two bits a granule tell which are used, and where an object starts; first fit, lowest chunk first.
 *
 * Calls host for memory, lock, report, resource for who allocated. Semantics are documented in include/linux/percpu.h. Refuses to know where the copies
 * of a CPU lie, but for their distance.
 */
#include "percpu/vars_alloc.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <linux/gfp.h>

#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"

#define EXPORT __attribute__((visibility("default")))
#define GRANULE 8
#define CHUNK_BYTES 65536
#define CHUNK_GRANULES (CHUNK_BYTES / GRANULE)
#define CHUNK_WORDS (CHUNK_GRANULES / 64)
#define MAX_CHUNKS (VARS_DYNAMIC_BYTES / CHUNK_BYTES)
#define MAX_BYTES 32768 /* PCPU_MIN_UNIT_SIZE of linux/percpu.h */
#define MAX_ALIGN 4096
#define MAX_WARNINGS 10

/*
 * Under vars_lock: nr_used == weight(used), starts is a subset of used, an object is from a start to before the next start or
 * unused granule, and no run of unused granules is longer than longest.
 */
struct chunk {
	uint64_t used[CHUNK_WORDS]; /* Synchronization: vars_lock, as all of this */
	uint64_t starts[CHUNK_WORDS];
	unsigned int nr_used;
	unsigned int longest;
};

/* Synchronization, all of them: vars_lock */
static char *names; /* NULL: not booted */
static unsigned int nr_cpus;
static struct chunk *chunks; /* MAX_CHUNKS; the first nr_chunks are populated */
static unsigned int nr_chunks;
static size_t nr_objects;
static unsigned int nr_warnings; /* Synchronization: atomic */
static void (*sleep_check)(void); /* Synchronization: atomic */
static bool (*fault_hook)(unsigned int gfp, size_t size, const void *caller); /* Synchronization: atomic */

struct request {
	unsigned int nr; /* granules */
	unsigned int align; /* granules, a power of two */
	bool may_map;
};

/* ---- bits ---- */

/* The first bit at or after `from` that is set (flip 0) or clear (flip ~0), or CHUNK_GRANULES. */
static unsigned int bits_next(const uint64_t *bits, unsigned int from, uint64_t flip)
{
	while (from < CHUNK_GRANULES) {
		uint64_t rest = (bits[from / 64] ^ flip) >> from % 64;

		if (rest)
			return from + (unsigned int)__builtin_ctzll(rest);
		from = (from / 64 + 1) * 64;
	}
	return CHUNK_GRANULES;
}

static void bits_assign(uint64_t *bits, unsigned int from, unsigned int nr, bool value)
{
	for (unsigned int i = from; i < from + nr; i++) {
		uint64_t bit = (uint64_t)1 << i % 64;

		bits[i / 64] = value ? bits[i / 64] | bit : bits[i / 64] & ~bit;
	}
}

static bool bits_test(const uint64_t *bits, unsigned int at)
{
	return bits[at / 64] >> at % 64 & 1;
}

/* ---- chunks ---- */

/* Takes the first run that fits. Returns its first granule, CHUNK_GRANULES if there is none. */
static unsigned int __chunk_take(struct chunk *chunk, const struct request *request)
{
	unsigned int start = 0, end;

	if (chunk->longest < request->nr)
		return CHUNK_GRANULES;
	for (;;) {
		start = ALIGN_UP(bits_next(chunk->used, start, ~(uint64_t)0), request->align);
		if (start + request->nr > CHUNK_GRANULES)
			break;
		end = bits_next(chunk->used, start, 0);
		if (end - start >= request->nr)
			goto found;
		start = end;
	}
	if (request->align == 1)
		chunk->longest = request->nr - 1;
	return CHUNK_GRANULES;
found:
	bits_assign(chunk->used, start, request->nr, true);
	bits_assign(chunk->starts, start, 1, true);
	chunk->nr_used += request->nr;
	nr_objects++;
	return start;
}

/* Granules of the object that starts there. */
static unsigned int __chunk_length(const struct chunk *chunk, unsigned int start)
{
	unsigned int unused = bits_next(chunk->used, start, ~(uint64_t)0);
	unsigned int next = bits_next(chunk->starts, start + 1, 0);

	return (unused < next ? unused : next) - start;
}

static void __chunk_give(struct chunk *chunk, unsigned int start)
{
	unsigned int nr = __chunk_length(chunk, start);

	bits_assign(chunk->used, start, nr, false);
	bits_assign(chunk->starts, start, 1, false);
	chunk->nr_used -= nr;
	chunk->longest = CHUNK_GRANULES;
	nr_objects--;
}

static void *copy_of(const char *name, unsigned int cpu)
{
	return (void *)((uintptr_t)name + flagstone_percpu_distance[cpu]);
}

/* Maps the next chunk on every CPU. */
static int __chunk_populate(void)
{
	if (nr_chunks == MAX_CHUNKS)
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		if (host_commit(copy_of(names + (size_t)nr_chunks * CHUNK_BYTES, cpu), CHUNK_BYTES) != 0)
			return -ENOMEM;
	chunks[nr_chunks++].longest = CHUNK_GRANULES;
	return 0;
}

static char *__take(const struct request *request)
{
	for (unsigned int i = 0; i < nr_chunks || (request->may_map && __chunk_populate() == 0); i++) {
		unsigned int start = __chunk_take(&chunks[i], request);

		if (start < CHUNK_GRANULES)
			return names + (size_t)i * CHUNK_BYTES + (size_t)start * GRANULE;
	}
	return NULL;
}

/* Returns whether an object started at that name. */
static bool __give(const char *name)
{
	size_t offset = (size_t)((uintptr_t)name - (uintptr_t)names);
	unsigned int start = (unsigned int)(offset % CHUNK_BYTES / GRANULE);
	struct chunk *chunk;

	if (!names || offset >= (size_t)nr_chunks * CHUNK_BYTES || offset % GRANULE)
		return false;
	chunk = &chunks[offset / CHUNK_BYTES];
	if (!bits_test(chunk->starts, start))
		return false;
	__chunk_give(chunk, start);
	return true;
}

/* ---- the room ---- */

int vars_alloc_boot(char *range, unsigned int cpus)
{
	chunks = host_map(MAX_CHUNKS * sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	names = range;
	nr_cpus = cpus;
	return __chunk_populate();
}

void vars_alloc_shutdown(void)
{
	if (chunks)
		host_unmap(chunks, MAX_CHUNKS * sizeof(*chunks));
	chunks = NULL;
	names = NULL;
	nr_chunks = 0;
	nr_objects = 0;
	__atomic_store_n(&nr_warnings, 0, __ATOMIC_RELAXED);
}

void vars_alloc_stats(struct vars_stats *stats)
{
	stats->populated_bytes = (size_t)nr_chunks * CHUNK_BYTES;
	stats->nr_allocations = nr_objects;
	for (unsigned int i = 0; i < nr_chunks; i++)
		stats->allocated_bytes += (size_t)chunks[i].nr_used * GRANULE;
}

void vars_set_sleep_check(void (*check)(void))
{
	__atomic_store_n(&sleep_check, check, __ATOMIC_RELAXED);
}

void vars_set_fault(bool (*fault)(unsigned int gfp, size_t size, const void *caller))
{
	__atomic_store_n(&fault_hook, fault, __ATOMIC_RELAXED);
}

/* ---- the kernel's functions ---- */

/* linux/percpu.h declares them for callers; here a declaration each, since that header needs the rooms above. */
void *__alloc_percpu_gfp(size_t size, size_t align, gfp_t gfp);
void *__alloc_percpu(size_t size, size_t align);
void free_percpu(void *pointer);

/* Whether one more failure may be told. */
static bool may_warn(gfp_t gfp)
{
	return !(gfp & __GFP_NOWARN) && __atomic_fetch_add(&nr_warnings, 1, __ATOMIC_RELAXED) < MAX_WARNINGS;
}

static bool request_make(struct request *request, size_t size, size_t align, gfp_t gfp)
{
	if (!size || size > MAX_BYTES || !align || align > MAX_ALIGN || (align & (align - 1))) {
		if (may_warn(gfp))
			report_note("illegal size (%zu) or align (%zu) for percpu allocation", size, align);
		return false;
	}
	request->nr = (unsigned int)((size + GRANULE - 1) / GRANULE);
	request->align = align > GRANULE ? (unsigned int)align / GRANULE : 1;
	request->may_map = (gfp & GFP_KERNEL) == GFP_KERNEL;
	return true;
}

static void check_sleep(const struct request *request)
{
	void (*check)(void) = __atomic_load_n(&sleep_check, __ATOMIC_RELAXED);

	if (request->may_map && check)
		check();
}

static void clear(const char *name, const struct request *request)
{
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		memset(copy_of(name, cpu), 0, (size_t)request->nr * GRANULE);
}

static bool is_made_to_fail(gfp_t gfp, size_t size, const void *caller)
{
	bool (*fault)(unsigned int, size_t, const void *) = __atomic_load_n(&fault_hook, __ATOMIC_RELAXED);

	return fault && caller && fault(gfp, size, caller);
}

static void *take(const struct request *request)
{
	host_sigmask_t mask = host_signals_block();
	char *name;

	lock_acquire(&vars_lock);
	name = __take(request);
	lock_release(&vars_lock);
	host_signals_restore(mask);
	if (name)
		clear(name, request);
	return name;
}

static void report_failure(const struct request *request, size_t size, size_t align, bool forced)
{
	const char *why = request->may_map ? "failed to allocate new chunk" : "atomic alloc failed, no space left";

	report_note("percpu: allocation failed, size=%zu align=%zu atomic=%d, %s", size, align, !request->may_map,
		forced ? "made to fail" : why);
}

void *vars_alloc(size_t size, size_t align, unsigned int gfp, const void *caller)
{
	struct request request;
	bool forced;
	void *name;

	if (!request_make(&request, size, align, gfp))
		return NULL;
	check_sleep(&request);
	forced = is_made_to_fail(gfp, size, caller);
	name = forced ? NULL : take(&request);
	if (name)
		resource_made(
			&(struct resource){.type = RESOURCE_PERCPU, .object = name, .size = size, .caller = caller});
	else if (may_warn(gfp))
		report_failure(&request, size, align, forced);
	return name;
}

EXPORT void *__alloc_percpu_gfp(size_t size, size_t align, gfp_t gfp)
{
	return vars_alloc(size, align, gfp, __builtin_return_address(0));
}

EXPORT void *__alloc_percpu(size_t size, size_t align)
{
	return vars_alloc(size, align, GFP_KERNEL, __builtin_return_address(0));
}

EXPORT void free_percpu(void *pointer)
{
	host_sigmask_t mask;
	bool given;

	if (!pointer)
		return;
	/* Before somebody else gets it. */
	resource_ended(RESOURCE_PERCPU, pointer);
	mask = host_signals_block();
	lock_acquire(&vars_lock);
	given = __give(pointer);
	lock_release(&vars_lock);
	host_signals_restore(mask);
	if (!given)
		report_bug("free_percpu of %p, which alloc_percpu did not return, or which is free already", pointer);
}
