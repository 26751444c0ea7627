/*
 * gen_pool.c: pieces of ranges of addresses, by one bit a unit.
 *
 * Calls the slab room's kernel face for its own structures. Refuses to touch the memory that it deals in.
 */
#include <errno.h>
#include <linux/genalloc.h>
#include <linux/slab.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/lib/report.h"
#include "runtime/pressure/internal.h"

#define WORD_BITS (8 * sizeof(unsigned long))

/* Under the pool's lock: avail == (number of clear bits below nr_units) << min_alloc_order. */
struct chunk {
	struct list_head list; /* Synchronization: the pool's lock */
	unsigned long start; /* Synchronization: const, as the next three */
	size_t size; /* bytes */
	phys_addr_t phys;
	void *owner;
	size_t avail; /* Synchronization: the pool's lock */
	unsigned long nr_units; /* Synchronization: const */
	unsigned long map[]; /* Synchronization: the pool's lock */
};

struct gen_pool {
	struct lock lock;
	struct list_head chunks; /* Synchronization: lock */
	int min_alloc_order; /* Synchronization: const */
	genpool_algo_t algo; /* Synchronization: lock */
	void *data; /* Synchronization: lock */
};

/* ---- bits ---- */

static bool bit_is_set(const unsigned long *map, unsigned long bit)
{
	return map[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

static void bits_set(unsigned long *map, unsigned long start, unsigned long nr, bool value)
{
	for (unsigned long bit = start; bit < start + nr; bit++)
		if (value)
			map[bit / WORD_BITS] |= 1ul << bit % WORD_BITS;
		else
			map[bit / WORD_BITS] &= ~(1ul << bit % WORD_BITS);
}

/* The first bit at or after start that has that value; size: none. */
static unsigned long next_bit(const unsigned long *map, unsigned long size, unsigned long start, bool value)
{
	while (start < size) {
		unsigned long word = (value ? map[start / WORD_BITS] : ~map[start / WORD_BITS]) >> start % WORD_BITS;

		if (word) {
			start += (unsigned long)__builtin_ctzl(word);
			return start < size ? start : size;
		}
		start = (start / WORD_BITS + 1) * WORD_BITS;
	}
	return size;
}

/* The first nr clear bits at or after start of which the first, plus offset, is a multiple of align. */
static unsigned long find_area(const unsigned long *map, unsigned long size, unsigned long start, unsigned long nr,
	unsigned long align, unsigned long offset)
{
	for (;;) {
		unsigned long end;

		start = next_bit(map, size, start, false);
		start = (start + offset + align - 1) / align * align - offset;
		if (start >= size || nr > size - start)
			return size;
		end = next_bit(map, start + nr, start, true);
		if (end == start + nr)
			return start;
		start = end + 1;
	}
}

/* ---- algorithms ---- */

EXPORT unsigned long gen_pool_first_fit(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr)
{
	(void)data;
	(void)pool;
	(void)start_addr;
	return find_area(map, size, start, nr, 1, 0);
}

EXPORT unsigned long gen_pool_first_fit_align(unsigned long *map, unsigned long size, unsigned long start,
	unsigned int nr, void *data, struct gen_pool *pool, unsigned long start_addr)
{
	const struct genpool_data_align *alignment = data;
	unsigned long unit = 1ul << pool->min_alloc_order;
	unsigned long align = ((unsigned long)alignment->align + unit - 1) / unit;

	return find_area(map, size, start, nr, align ? align : 1, align ? start_addr / unit % align : 0);
}

EXPORT unsigned long gen_pool_fixed_alloc(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr)
{
	const struct genpool_data_fixed *fixed = data;
	unsigned long bit = fixed->offset >> pool->min_alloc_order;

	(void)start_addr;
	if (fixed->offset & ((1ul << pool->min_alloc_order) - 1)) {
		report_bug("gen_pool_fixed_alloc at offset %lu, which is no multiple of the unit", fixed->offset);
		return size;
	}
	if (bit >= size || nr > size - bit)
		return size;
	return find_area(map, bit + nr, start + bit, nr, 1, 0) == bit ? bit : size;
}

EXPORT unsigned long gen_pool_first_fit_order_align(unsigned long *map, unsigned long size, unsigned long start,
	unsigned int nr, void *data, struct gen_pool *pool, unsigned long start_addr)
{
	unsigned long align = nr > 1 ? 1ul << (WORD_BITS - (unsigned long)__builtin_clzl(nr - 1ul)) : 1;

	(void)data;
	(void)pool;
	(void)start_addr;
	return find_area(map, size, start, nr, align, 0);
}

EXPORT unsigned long gen_pool_best_fit(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr)
{
	unsigned long best = size, best_length = ~0ul;

	(void)data;
	(void)pool;
	(void)start_addr;
	for (;;) {
		unsigned long hole = find_area(map, size, start, nr, 1, 0), end;

		if (hole >= size)
			return best;
		end = next_bit(map, size, hole, true);
		if (end - hole < best_length) {
			best = hole;
			best_length = end - hole;
		}
		if (best_length == nr)
			return best;
		start = end;
	}
}

/* ---- pools ---- */

EXPORT struct gen_pool *gen_pool_create(int min_alloc_order, int nid)
{
	struct gen_pool *pool = kzalloc_node(sizeof(*pool), GFP_KERNEL, nid);

	if (!pool)
		return NULL;
	lock_init(&pool->lock, LOCK_PRESSURE);
	list_init(&pool->chunks);
	pool->min_alloc_order = min_alloc_order;
	pool->algo = gen_pool_first_fit;
	resource_made(
		&(struct resource){.type = RESOURCE_GEN_POOL, .object = pool, .caller = __builtin_return_address(0)});
	return pool;
}

static void pool_free(struct gen_pool *pool)
{
	struct chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &pool->chunks, list)
		kfree(chunk);
	kfree(pool);
}

EXPORT void gen_pool_destroy(struct gen_pool *pool)
{
	struct chunk *chunk;

	list_for_each_entry(chunk, &pool->chunks, list) {
		unsigned long bit = next_bit(chunk->map, chunk->nr_units, 0, true);

		if (bit < chunk->nr_units)
			report_bug("gen_pool_destroy: %p is in use",
				(void *)(chunk->start + (bit << pool->min_alloc_order)));
	}
	resource_ended(RESOURCE_GEN_POOL, pool);
	pool_free(pool);
}

static void abandon(const void *pool, const void *extra)
{
	(void)extra;
	pool_free((struct gen_pool *)(uintptr_t)pool);
}

void gen_pools_abandon(void)
{
	resources_for_each(RESOURCE_GEN_POOL, abandon);
}

EXPORT int gen_pool_add_owner(
	struct gen_pool *pool, unsigned long virt, phys_addr_t phys, size_t size, int nid, void *owner)
{
	unsigned long nr_units = size >> pool->min_alloc_order;
	size_t words = (nr_units + WORD_BITS - 1) / WORD_BITS;
	struct chunk *chunk = kzalloc_node(sizeof(*chunk) + words * sizeof(long), GFP_KERNEL, nid);
	host_sigmask_t mask;

	if (!chunk)
		return -ENOMEM;
	chunk->start = virt;
	chunk->size = size;
	chunk->phys = phys;
	chunk->owner = owner;
	chunk->nr_units = nr_units;
	chunk->avail = nr_units << pool->min_alloc_order;
	mask = lock_acquire_masked(&pool->lock);
	list_add(&chunk->list, &pool->chunks);
	lock_release_masked(&pool->lock, mask);
	resource_resized(RESOURCE_GEN_POOL, pool, gen_pool_size(pool));
	return 0;
}

EXPORT int gen_pool_add_virt(struct gen_pool *pool, unsigned long virt, phys_addr_t phys, size_t size, int nid)
{
	return gen_pool_add_owner(pool, virt, phys, size, nid, NULL);
}

EXPORT void gen_pool_set_algo(struct gen_pool *pool, genpool_algo_t algo, void *data)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);

	pool->algo = algo ? algo : gen_pool_first_fit;
	pool->data = algo ? data : NULL;
	lock_release_masked(&pool->lock, mask);
}

/* ---- pieces ---- */

static unsigned long units_of(const struct gen_pool *pool, size_t size)
{
	return (size + (1ul << pool->min_alloc_order) - 1) >> pool->min_alloc_order;
}

static unsigned long __chunk_alloc(
	struct gen_pool *pool, struct chunk *chunk, size_t size, genpool_algo_t algo, void *data)
{
	unsigned long nr, bit;

	/* First: of a size near SIZE_MAX the units do not add up. */
	if (size > chunk->avail)
		return 0;
	nr = units_of(pool, size);
	bit = algo(chunk->map, chunk->nr_units, 0, (unsigned int)nr, data, pool, chunk->start);
	if (bit >= chunk->nr_units)
		return 0;
	bits_set(chunk->map, bit, nr, true);
	chunk->avail -= nr << pool->min_alloc_order;
	return chunk->start + (bit << pool->min_alloc_order);
}

/* algo NULL: the pool's own. *where, if not NULL: the chunk, which stays as long as the pool. */
static unsigned long piece_alloc(
	struct gen_pool *pool, size_t size, genpool_algo_t algo, void *data, struct chunk **where)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	unsigned long address = 0;
	struct chunk *chunk;

	if (!algo) {
		algo = pool->algo;
		data = pool->data;
	}
	list_for_each_entry(chunk, &pool->chunks, list) {
		address = size ? __chunk_alloc(pool, chunk, size, algo, data) : 0;
		if (!address)
			continue;
		if (where)
			*where = chunk;
		break;
	}
	lock_release_masked(&pool->lock, mask);
	return address;
}

EXPORT unsigned long gen_pool_alloc_algo(struct gen_pool *pool, size_t size, genpool_algo_t algo, void *data)
{
	return piece_alloc(pool, size, algo, data, NULL);
}

EXPORT unsigned long gen_pool_alloc(struct gen_pool *pool, size_t size)
{
	return piece_alloc(pool, size, NULL, NULL, NULL);
}

EXPORT unsigned long gen_pool_alloc_algo_owner(
	struct gen_pool *pool, size_t size, genpool_algo_t algo, void *data, void **owner)
{
	struct chunk *chunk = NULL;
	unsigned long address = piece_alloc(pool, size, algo, data, &chunk);

	if (owner)
		*owner = address ? chunk->owner : NULL;
	return address;
}

EXPORT void *gen_pool_dma_alloc_algo(
	struct gen_pool *pool, size_t size, dma_addr_t *dma, genpool_algo_t algo, void *data)
{
	struct chunk *chunk = NULL;
	unsigned long address = piece_alloc(pool, size, algo, data, &chunk);

	if (address && dma)
		*dma = chunk->phys == (phys_addr_t)-1 ? (dma_addr_t)-1 : chunk->phys + (address - chunk->start);
	return (void *)address;
}

EXPORT void *gen_pool_dma_alloc(struct gen_pool *pool, size_t size, dma_addr_t *dma)
{
	return gen_pool_dma_alloc_algo(pool, size, dma, NULL, NULL);
}

EXPORT void *gen_pool_dma_alloc_align(struct gen_pool *pool, size_t size, dma_addr_t *dma, int align)
{
	struct genpool_data_align data = {.align = align};

	return gen_pool_dma_alloc_algo(pool, size, dma, gen_pool_first_fit_align, &data);
}

EXPORT void *gen_pool_dma_zalloc(struct gen_pool *pool, size_t size, dma_addr_t *dma)
{
	void *address = gen_pool_dma_alloc(pool, size, dma);

	return address ? memset(address, 0, size) : NULL;
}

/* The chunk that has all those bytes. The lock is held. */
static struct chunk *__chunk_of(struct gen_pool *pool, unsigned long addr, size_t size)
{
	struct chunk *chunk;

	list_for_each_entry(chunk, &pool->chunks, list)
		if (addr >= chunk->start && addr - chunk->start < chunk->size &&
			size <= chunk->size - (addr - chunk->start))
			return chunk;
	return NULL;
}

static bool __piece_free(struct gen_pool *pool, struct chunk *chunk, unsigned long addr, unsigned long nr)
{
	unsigned long bit;

	if (!chunk || (addr - chunk->start) & ((1ul << pool->min_alloc_order) - 1))
		return false;
	bit = (addr - chunk->start) >> pool->min_alloc_order;
	if (bit + nr > chunk->nr_units || !bit_is_set(chunk->map, bit) ||
		next_bit(chunk->map, bit + nr, bit, false) < bit + nr)
		return false;
	bits_set(chunk->map, bit, nr, false);
	chunk->avail += nr << pool->min_alloc_order;
	return true;
}

EXPORT void gen_pool_free_owner(struct gen_pool *pool, unsigned long addr, size_t size, void **owner)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	struct chunk *chunk = __chunk_of(pool, addr, size);
	bool freed = __piece_free(pool, chunk, addr, units_of(pool, size));

	lock_release_masked(&pool->lock, mask);
	if (owner)
		*owner = chunk ? chunk->owner : NULL;
	if (!freed)
		report_bug("gen_pool_free of %p, %zu bytes, which is not a piece of the pool", (void *)addr, size);
}

EXPORT void gen_pool_free(struct gen_pool *pool, unsigned long addr, size_t size)
{
	gen_pool_free_owner(pool, addr, size, NULL);
}

/* ---- questions ---- */

EXPORT phys_addr_t gen_pool_virt_to_phys(struct gen_pool *pool, unsigned long addr)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	struct chunk *chunk = __chunk_of(pool, addr, 1);
	phys_addr_t phys = chunk ? chunk->phys : (phys_addr_t)-1;

	lock_release_masked(&pool->lock, mask);
	return phys == (phys_addr_t)-1 ? phys : phys + (addr - chunk->start);
}

EXPORT bool gen_pool_has_addr(struct gen_pool *pool, unsigned long start, size_t size)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	bool has = __chunk_of(pool, start, size);

	lock_release_masked(&pool->lock, mask);
	return has;
}

static size_t sum(struct gen_pool *pool, bool free)
{
	host_sigmask_t mask = lock_acquire_masked(&pool->lock);
	struct chunk *chunk;
	size_t bytes = 0;

	list_for_each_entry(chunk, &pool->chunks, list)
		bytes += free ? chunk->avail : chunk->size;
	lock_release_masked(&pool->lock, mask);
	return bytes;
}

EXPORT size_t gen_pool_avail(struct gen_pool *pool)
{
	return sum(pool, true);
}

EXPORT size_t gen_pool_size(struct gen_pool *pool)
{
	return sum(pool, false);
}
