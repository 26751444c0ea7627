/*
 * shadow.c: one bit for each 8 bytes of address space, in chunks that are mapped when first needed.
 *
 * Calls mmap only. The maps are shared, so that they count as RssShmem and not as RssAnon, which the oracle watches.
 */
#include "tests/stress/shadow.h"
#include "tests/stress/harness.h"

#include <sys/mman.h>

#define ADDRESS_BITS 48
#define CHUNK_BITS 30 /* address bits that one chunk covers: 1 GiB */
#define CHUNK_BYTES ((1ul << CHUNK_BITS) / SHADOW_GRANULE / 8)
#define WORD_SPAN (64 * SHADOW_GRANULE) /* bytes of address space that one word describes */

/* Synchronization: atomic; a chunk never goes away */
static unsigned long *chunks[1ul << (ADDRESS_BITS - CHUNK_BITS)];

static unsigned long *new_chunk(unsigned long **slot)
{
	unsigned long *expected = NULL;
	unsigned long *chunk =
		mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	require(chunk != MAP_FAILED, "the test's own shadow map does not fit in memory");
	/* Release: pairs with the acquire load in word_of(), so that the chunk reads as zero there. */
	if (__atomic_compare_exchange_n(slot, &expected, chunk, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return chunk;
	munmap(chunk, CHUNK_BYTES);
	return expected;
}

static unsigned long *word_of(unsigned long address)
{
	unsigned long **slot = &chunks[address >> CHUNK_BITS];
	unsigned long *chunk;

	require(address >> ADDRESS_BITS == 0, "address %#lx is beyond the user address space", address);
	chunk = __atomic_load_n(slot, __ATOMIC_ACQUIRE); /* Pairs with new_chunk(): its zeroes */
	if (!chunk)
		chunk = new_chunk(slot);
	return &chunk[(address & ((1ul << CHUNK_BITS) - 1)) / WORD_SPAN];
}

/* Flips the bits of a range to `owned`; returns the first address that had that state before. */
static const void *shadow_flip(const void *start, size_t size, bool owned)
{
	unsigned long at = (unsigned long)start & ~(SHADOW_GRANULE - 1ul);
	unsigned long end = ((unsigned long)start + size + SHADOW_GRANULE - 1) & ~(SHADOW_GRANULE - 1ul);
	const void *wrong = NULL;

	while (at < end) {
		unsigned long first = at % WORD_SPAN / SHADOW_GRANULE;
		unsigned long stop = at - at % WORD_SPAN + WORD_SPAN;
		unsigned long nr = ((stop < end ? stop : end) - at) / SHADOW_GRANULE;
		unsigned long mask = (nr == 64 ? ~0ul : (1ul << nr) - 1) << first;
		unsigned long *word = word_of(at);
		unsigned long old, bad;

		if (owned)
			old = __atomic_fetch_or(word, mask, __ATOMIC_RELAXED);
		else
			old = ~__atomic_fetch_and(word, ~mask, __ATOMIC_RELAXED);
		bad = old & mask;
		if (bad && !wrong)
			wrong = (const void *)(at - at % WORD_SPAN +
					       (unsigned long)__builtin_ctzl(bad) * SHADOW_GRANULE);
		at = stop;
	}
	return wrong;
}

const void *shadow_set(const void *start, size_t size)
{
	return shadow_flip(start, size, true);
}

const void *shadow_clear(const void *start, size_t size)
{
	return shadow_flip(start, size, false);
}
