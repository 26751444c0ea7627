/*
 * machine_slab.h: machines that tests of the slab room boot, and ways to run them out of memory.
 *
 * Calls the slab room and what is below it. For tests that are one file each.
 */
#ifndef TESTS_UNIT_MACHINE_SLAB_H
#define TESTS_UNIT_MACHINE_SLAB_H

#include <stdlib.h>
#include <string.h>

#include <linux/mm.h>
#include <linux/slab.h>

#include "runtime/slab/internal.h"

#define MIB (1ul << 20)

__attribute__((unused)) static const struct page_machine small = {.nr_cpus = 2,
	.nr_nodes = 1,
	.node_bytes = {32 * MIB},
	.dma_end = 8 * MIB,
	.dma32_end = 16 * MIB,
	.highmem_start = 24 * MIB};
__attribute__((unused)) static const struct page_machine two_nodes = {
	.nr_cpus = 4, .nr_nodes = 2, .node_bytes = {16 * MIB, 16 * MIB}, .dma_end = 8 * MIB};

/* Before the room's own constructor: nothing boots by itself here. */
static __attribute__((constructor(101))) void boot_by_machine(void)
{
	slab_boot_by_machine();
}

static inline enum page_zone_type zone_of(const void *object)
{
	return page_zone_type_of(virt_to_page(object));
}

/* Pages that are free, on buddy and CPU lists, of all zones. */
static inline size_t free_pages_now(void)
{
	struct page_zone_info info;
	size_t pages = 0;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		pages += info.free + info.in_lists;
	}
	return pages;
}

static inline void boot(const struct page_machine *config)
{
	if (slab_boot_machine(config) || percpu_set_cpu(0))
		abort();
}

static inline void shut_down(void)
{
	if (percpu_set_cpu(PERCPU_NO_CPU))
		abort();
	slab_shutdown();
}

static inline int boot_small(void **state)
{
	(void)state;
	boot(&small);
	return 0;
}

static inline int boot_two_nodes(void **state)
{
	(void)state;
	boot(&two_nodes);
	return 0;
}

static inline int down(void **state)
{
	(void)state;
	slab_set_tracking(false);
	slab_set_slow(false);
	shut_down();
	return 0;
}

/* All that these flags may have, and list, linked through its first word. */
static inline void **eat(gfp_t gfp, void **list)
{
	for (unsigned int order = MAX_PAGE_ORDER + 1; order-- > 0;) {
		for (;;) {
			void **block = (void **)__get_free_pages(gfp | __GFP_NOWARN, order);

			if (!block)
				break;
			block[0] = list;
			block[1] = (void *)(uintptr_t)order;
			list = block;
		}
	}
	return list;
}

/* All that GFP_KERNEL may have in any zone, but for one block. */
static inline void **eat_all(void **spare)
{
	*spare = kmalloc(64 << 10, GFP_KERNEL);
	return eat(GFP_KERNEL | GFP_DMA, eat(GFP_KERNEL | GFP_DMA32, eat(GFP_KERNEL, NULL)));
}

static inline void vomit(void **list)
{
	for (void **next; list; list = next) {
		next = list[0];
		free_pages((unsigned long)list, (unsigned int)(uintptr_t)list[1]);
	}
}

#endif
