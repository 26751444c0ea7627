/*
 * linux/genalloc.h: an allocator for memory that is not the kernel's own: SRAM of a device, a DMA window, any range
 * of numbers.
 *
 * Semantics: Linux, Documentation/core-api/genalloc.rst. A pool has chunks, each a range of addresses, from which
 * pieces of whole units of 2^min_alloc_order bytes are taken. The memory itself is never touched. Everything but
 * creating, adding and destroying may be called in any context.
 */
#ifndef FLAGSTONE_LINUX_GENALLOC_H
#define FLAGSTONE_LINUX_GENALLOC_H

#include <linux/gfp.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gen_pool;

/*
 * Finds nr units that are free in a chunk's bitmap of size bits, from bit start on. start_addr is the address of bit 0.
 * Returns the first bit; size or more: there are none. Called with the pool locked: does not sleep.
 */
typedef unsigned long (*genpool_algo_t)(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr);

/* data of gen_pool_first_fit_align: in bytes. */
struct genpool_data_align {
	int align;
};
/* data of gen_pool_fixed_alloc: from the beginning of the chunk, in bytes. */
struct genpool_data_fixed {
	unsigned long offset;
};

/* A pool without memory; NULL when memory is out. Units are 2^min_alloc_order bytes. nid, also of chunks: the node that the pool's
 * own structures are on (NUMA_NO_NODE: any). Context: task. */
struct gen_pool *gen_pool_create(int min_alloc_order, int nid);
/* Frees the pool. A BUG report if pieces of it are in use. Context: task. */
void gen_pool_destroy(struct gen_pool *pool);
/* Adds a chunk of size bytes at virt, which is at phys for devices (gen_pool_add: at none, -1). 0 or -ENOMEM.
 * Context: task, may sleep. */
int gen_pool_add_virt(struct gen_pool *pool, unsigned long virt, phys_addr_t phys, size_t size, int nid);
int gen_pool_add_owner(struct gen_pool *pool, unsigned long virt, phys_addr_t phys, size_t size, int nid, void *owner);
static inline int gen_pool_add(struct gen_pool *pool, unsigned long addr, size_t size, int nid)
{
	return gen_pool_add_virt(pool, addr, (phys_addr_t)-1, size, nid);
}

/* size bytes, rounded up to units, by the pool's algorithm or by another. Returns the address; 0: none. */
unsigned long gen_pool_alloc(struct gen_pool *pool, size_t size);
unsigned long gen_pool_alloc_algo(struct gen_pool *pool, size_t size, genpool_algo_t algo, void *data);
unsigned long gen_pool_alloc_algo_owner(
	struct gen_pool *pool, size_t size, genpool_algo_t algo, void *data, void **owner);
/* As gen_pool_alloc, with the address for devices in *dma (may be NULL). The z forms clear the memory. */
void *gen_pool_dma_alloc(struct gen_pool *pool, size_t size, dma_addr_t *dma);
void *gen_pool_dma_alloc_algo(struct gen_pool *pool, size_t size, dma_addr_t *dma, genpool_algo_t algo, void *data);
void *gen_pool_dma_alloc_align(struct gen_pool *pool, size_t size, dma_addr_t *dma, int align);
void *gen_pool_dma_zalloc(struct gen_pool *pool, size_t size, dma_addr_t *dma);
/* Gives a piece back, of the size that was asked for. A BUG report if it is not one. */
void gen_pool_free(struct gen_pool *pool, unsigned long addr, size_t size);
void gen_pool_free_owner(struct gen_pool *pool, unsigned long addr, size_t size, void **owner);

/* The physical address of one in the pool; -1: not in it. */
phys_addr_t gen_pool_virt_to_phys(struct gen_pool *pool, unsigned long addr);
/* Whether all size bytes from start on are of one chunk. */
bool gen_pool_has_addr(struct gen_pool *pool, unsigned long start, size_t size);
/* Bytes that are free, and bytes in all. */
size_t gen_pool_avail(struct gen_pool *pool);
size_t gen_pool_size(struct gen_pool *pool);

/* The algorithm that gen_pool_alloc uses; NULL: first fit. Context: task. */
void gen_pool_set_algo(struct gen_pool *pool, genpool_algo_t algo, void *data);
/* The first hole; the first aligned to data->align; at exactly data->offset; aligned to the piece's size rounded up
 * to a power of two; the smallest hole that is large enough. */
unsigned long gen_pool_first_fit(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr);
unsigned long gen_pool_first_fit_align(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr);
unsigned long gen_pool_fixed_alloc(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr);
unsigned long gen_pool_first_fit_order_align(unsigned long *map, unsigned long size, unsigned long start,
	unsigned int nr, void *data, struct gen_pool *pool, unsigned long start_addr);
unsigned long gen_pool_best_fit(unsigned long *map, unsigned long size, unsigned long start, unsigned int nr,
	void *data, struct gen_pool *pool, unsigned long start_addr);

#ifdef __cplusplus
}
#endif

#endif
