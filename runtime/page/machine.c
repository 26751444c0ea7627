/*
 * machine.c: boots a machine's memory, shuts it down, and its physical addresses.
 *
 * A machine's RAM is a file in memory, mapped into the direct map but for what is HIGHMEM, so that other mappings may
 * show the same frames. Physical address 0 is the first frame of RAM.
 *
 * Calls memory.c for the address space, zones.c, pageblocks.c and zone_lists.c for what lies in it, percpu_boot_machine() for the
 * CPUs. Refuses to know who allocates.
 */
#include <errno.h>

#include "runtime/page/machine.h"

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

#define MOST_RAM (1024ul << 30)
#define LEAST_DISTANCE 10 /* of a node to itself */

/* The machine, while there is one: machine points here. Synchronization: as its fields say */
static struct machine the_machine;

/* ---- what cannot be ---- */

static bool refuse(const char *why)
{
	report_note("machine refused: %s", why);
	return false;
}

static unsigned int nr_nodes_of(const struct page_machine *config)
{
	return config->nr_nodes ? config->nr_nodes : 1;
}

static size_t ram_bytes_of(const struct page_machine *config)
{
	size_t bytes = 0;

	for (unsigned int node = 0; node < nr_nodes_of(config); node++)
		bytes += config->node_bytes[node];
	return bytes;
}

static bool is_aligned(size_t bytes)
{
	return !(bytes & (PAGE_MACHINE_ALIGN - 1));
}

static bool nodes_are_possible(const struct page_machine *config)
{
	if (config->nr_nodes > PAGE_MAX_NODES)
		return refuse("more than 16 nodes");
	for (unsigned int node = 0; node < nr_nodes_of(config); node++) {
		if (!config->node_bytes[node])
			return refuse("a node without RAM");
		if (!is_aligned(config->node_bytes[node]))
			return refuse("the RAM of a node is not a multiple of 4 MiB");
		if (config->node_bytes[node] > MOST_RAM)
			return refuse("more than 1 TiB of RAM");
	}
	if (ram_bytes_of(config) > MOST_RAM)
		return refuse("more than 1 TiB of RAM");
	if (ram_bytes_of(config) < PAGE_MACHINE_MIN_RAM)
		return refuse("less than 8 MiB of RAM");
	return true;
}

static bool distances_are_possible(const struct page_machine *config)
{
	for (unsigned int from = 0; from < nr_nodes_of(config); from++) {
		for (unsigned int to = 0; to < nr_nodes_of(config); to++) {
			unsigned char distance = config->distance[from][to];

			if (distance && (from == to ? distance != LEAST_DISTANCE : distance <= LEAST_DISTANCE))
				return refuse("the distance of a node to itself is 10, to another one more");
		}
	}
	return true;
}

static bool borders_are_possible(const struct page_machine *config)
{
	size_t low_end = config->dma32_end ? config->dma32_end : config->dma_end;

	if (!is_aligned(config->dma_end) || !is_aligned(config->dma32_end) || !is_aligned(config->highmem_start))
		return refuse("a zone border is not a multiple of 4 MiB");
	if (config->dma32_end && config->dma32_end < config->dma_end)
		return refuse("zone DMA32 ends before zone DMA does");
	if (config->highmem_start && config->highmem_start < low_end)
		return refuse("zone HighMem begins before the zones below it end");
	return true;
}

static bool min_free_is_possible(const struct page_machine *config)
{
	size_t ram = ram_bytes_of(config);
	size_t low = config->highmem_start && config->highmem_start < ram ? config->highmem_start : ram;

	if (config->min_free_kbytes > low / 1024 / 2)
		return refuse("min_free_kbytes is more than half of the memory below HighMem");
	return true;
}

static bool is_possible(const struct page_machine *config)
{
	if (!config->nr_cpus || config->nr_cpus > CONFIG_NR_CPUS)
		return refuse("the number of CPUs is not between 1 and 512");
	return nodes_are_possible(config) && distances_are_possible(config) && borders_are_possible(config) &&
	       min_free_is_possible(config);
}

/* ---- boot ---- */

static void set_distances(const struct page_machine *config)
{
	for (unsigned int from = 0; from < PAGE_MAX_NODES; from++) {
		for (unsigned int to = 0; to < PAGE_MAX_NODES; to++) {
			unsigned char usual = from == to ? LEAST_DISTANCE : 2 * LEAST_DISTANCE;
			unsigned char told = config->distance[from][to];

			the_machine.distance[from][to] = told ? told : usual;
		}
	}
}

/* Everything that can fail. */
static int machine_map(const struct page_machine *config, char **anchor)
{
	size_t ram = ram_bytes_of(config);
	size_t mapped = config->highmem_start && config->highmem_start < ram ? config->highmem_start : ram;
	int fd = host_memfd("flagstone-ram", ram);

	if (fd < 0)
		return -ENOMEM;
	*anchor = memory_map_machine(ram, mapped, fd);
	if (!*anchor) {
		host_close(fd);
		return -ENOMEM;
	}
	the_machine.shape = (struct machine_shape){
		.nr_cpus = config->nr_cpus,
		.nr_nodes = nr_nodes_of(config),
		.ram_fd = fd,
		.highmem_pfn = memory.first_pfn + (mapped >> PAGE_SHIFT),
	};
	return 0;
}

int memory_boot_machine(const struct page_machine *config)
{
	char *anchor;
	int err;

	if (percpu_mode != PERCPU_BOOTING)
		return -EBUSY;
	if (!is_possible(config))
		return -EINVAL;
	err = machine_map(config, &anchor);
	if (err)
		return err;
	machine = &the_machine;
	percpu_boot_machine(anchor, config->nr_cpus, nr_nodes_of(config));
	set_distances(config);
	requests_boot();
	err = config->ungrouped ? 0 : pageblocks_boot();
	if (!err) {
		zones_boot(config);
		err = lists_boot();
	}
	if (!err && config->poison)
		err = poison_boot();
	if (err)
		memory_shutdown();
	else
		memory_publish();
	return err;
}

void memory_shutdown(void)
{
	if (!machine)
		return;
	machine = NULL;
	poison_shutdown();
	percpu_shutdown();
	if (the_machine.shape.lists)
		host_unmap(the_machine.shape.lists, the_machine.shape.lists_size);
	if (the_machine.shape.pageblocks)
		host_unmap(the_machine.shape.pageblocks, the_machine.shape.pageblocks_size);
	if (the_machine.shape.heads)
		host_unmap(the_machine.shape.heads, the_machine.shape.heads_size);
	host_close(the_machine.shape.ram_fd);
	memory_unmap();
	for (unsigned int i = 0; i < MAX_ZONES; i++)
		zones[i] = (struct zone){0};
	the_machine = (struct machine){0};
	page_request_set(PAGE_REQUEST_INIT);
}

bool memory_is_machine(void)
{
	return machine;
}

void page_set_pressure(void (*hook)(unsigned int node, unsigned int order, enum page_zone_type type))
{
	__atomic_store_n(&the_machine.pressure, hook, __ATOMIC_RELAXED);
}

static void nothing(void)
{
}

void page_set_freed(void (*hook)(unsigned int node))
{
	if (!machine)
		return;
	__atomic_store_n(&machine->freed, hook, __ATOMIC_SEQ_CST);
	/* Pairs with list_free() and tell_freed(): who began before is done, or sees the hook. */
	if (hook)
		lists_stop_all(nothing);
}

/* ---- physical addresses ---- */

unsigned long page_phys_pfn(const struct page *page)
{
	return page_struct_to_pfn(page) - memory.first_pfn;
}

struct page *page_of_phys_pfn(unsigned long phys_pfn)
{
	unsigned long pfn;

	if (__builtin_add_overflow(phys_pfn, memory.first_pfn, &pfn) || !page_pfn_online(pfn))
		return NULL;
	return pfn_to_page_struct(pfn);
}

unsigned long page_nr_phys(void)
{
	return machine ? memory.limit_pfn - memory.first_pfn : 0;
}

int page_ram_fd(void)
{
	return machine ? machine->shape.ram_fd : -1;
}

bool page_is_highmem(const struct page *page)
{
	return machine && page_struct_to_pfn(page) >= machine->shape.highmem_pfn;
}

unsigned int page_node(const struct page *page)
{
	return machine ? zone_of_pfn(page_struct_to_pfn(page))->node : 0;
}

enum page_zone_type page_zone_type_of(const struct page *page)
{
	return machine ? zone_of_pfn(page_struct_to_pfn(page))->type : PAGE_ZONE_NORMAL;
}

unsigned int page_nr_nodes(void)
{
	return machine ? machine->shape.nr_nodes : 1;
}

unsigned int page_node_of_cpu(unsigned int cpu)
{
	return machine ? topology_node(cpu) : 0;
}

unsigned int page_node_distance(unsigned int from, unsigned int to)
{
	if (machine && from < PAGE_MAX_NODES && to < PAGE_MAX_NODES)
		return machine->distance[from][to];
	return LEAST_DISTANCE;
}
