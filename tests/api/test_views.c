/*
 * test_views.c: the machine's views have the kernel's fields and columns, and say what the machine has.
 *
 * Broken if this fails: a program that reads the kernel's files does not understand these, or reads wrong numbers.
 */
#include <errno.h>
#include <flagstone/irq.h>
#include <flagstone/machine.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char view[1 << 17];

static int boot(void **state)
{
	(void)state;
	return flagstone_machine_boot_text("cpus=2,ram=64m,nodes=2,dma=8m,highmem=48m");
}

static int shut_down(void **state)
{
	(void)state;
	return flagstone_machine_shutdown();
}

static const char *look_at(const char *name)
{
	long length = flagstone_view(name, view, sizeof(view));

	assert_in_range(length, 1, sizeof(view) - 1);
	assert_int_equal(length, strlen(view));
	assert_int_equal(view[length - 1], '\n');
	return view;
}

/* The number behind a name at the beginning of a line, blanks before it aside. */
static unsigned long number_of(const char *text, const char *name)
{
	char line[64];
	const char *found;

	snprintf(line, sizeof(line), "\n%s", name);
	found = strncmp(text, name, strlen(name)) ? strstr(text, line) : text - 1;
	assert_non_null(found);
	return strtoul(found + 1 + strlen(name), NULL, 10);
}

static void buddyinfo_has_a_line_a_zone(void **state)
{
	unsigned long nr[11], pages = 0;
	unsigned int node, lines = 0;
	char zone[16];

	(void)state;
	for (const char *at = look_at("buddyinfo"); *at; at = strchr(at, '\n') + 1, lines++) {
		assert_int_equal(sscanf(at, "Node %u, zone %15s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu \n", &node,
					 zone, &nr[0], &nr[1], &nr[2], &nr[3], &nr[4], &nr[5], &nr[6], &nr[7], &nr[8],
					 &nr[9], &nr[10]),
			13);
		assert_int_equal(strchr(at, ',') - at, 6);
		for (int order = 0; order <= 10; order++)
			pages += nr[order] << order;
	}
	assert_int_equal(lines, 4); /* DMA and Normal; Normal and HighMem */
	assert_in_range(pages, 16384 - 1024, 16384);
}

/* The numbers of free blocks of the nth zone, as buddyinfo has them. */
static void free_blocks_of(unsigned int zone, unsigned long nr[11])
{
	const char *at = look_at("buddyinfo");
	int length = 0;

	for (; zone--; at = strchr(at, '\n') + 1)
		;
	sscanf(at, "Node %*u, zone %*s%n", &length);
	at += length;
	for (int order = 0; order <= 10; order++)
		nr[order] = strtoul(at, (char **)&at, 10);
}

/* With doubles, as the papers have it: the views cut to three digits, so they are less than a thousandth below. */
static double index_of(const unsigned long nr[11], int order, int unusable)
{
	double blocks = 0, pages = 0, small = 0;

	for (int i = 0; i <= 10; i++) {
		blocks += (double)nr[i];
		pages += (double)(nr[i] << i);
		small += i < order ? (double)(nr[i] << i) : 0;
	}
	if (unusable)
		return pages > 0 ? small / pages : 1;
	if (blocks <= 0 || small < pages)
		return blocks > 0 ? -1 : 0;
	return 1 - (1 + pages / (double)(1ul << order)) / blocks;
}

static void check_index(const char *name, int unusable, unsigned int zone, const unsigned long nr[11])
{
	const char *at = look_at(name);
	int length = 0;

	for (; zone--; at = strchr(at, '\n') + 1)
		;
	sscanf(at, "Node %*u, zone %*s%n", &length);
	at += length;
	for (int order = 0; order <= 10; order++) {
		double shown = strtod(at, (char **)&at), right = index_of(nr, order, unusable);

		/* The two divisions of extfrag_index are cut, which makes it up to a thousandth more. */
		assert_true(shown > right - 0.0011 && shown < right + (unusable ? 0.0001 : 0.0011));
	}
}

static void check_indexes(void)
{
	unsigned long nr[11];

	for (unsigned int zone = 0; zone < 4; zone++) {
		free_blocks_of(zone, nr);
		check_index("extfrag_index", 0, zone, nr);
		check_index("unusable_index", 1, zone, nr);
	}
}

static void indexes_follow_the_free_blocks(void **state)
{
	static struct page *pages[2000];
	unsigned long nr[11];

	(void)state;
	check_indexes();
	assert_memory_equal(look_at("extfrag_index"), "Node 0, zone      DMA -1.000 ", 29);
	assert_memory_equal(look_at("unusable_index"), "Node 0, zone      DMA 0.000 ", 28);
	/* Zone DMA in pieces. */
	for (int i = 0; i < 2000; i++)
		pages[i] = alloc_pages(GFP_DMA | __GFP_NOWARN, 0);
	for (int i = 0; i < 2000; i += 2)
		if (pages[i])
			__free_pages(pages[i], 0);
	check_indexes();
	free_blocks_of(0, nr);
	assert_true(nr[0] > 500 && !nr[10]);
	for (int i = 1; i < 2000; i += 2)
		if (pages[i])
			__free_pages(pages[i], 0);
	check_indexes();
}

/* The number in the column of pagetypeinfo's table of free blocks. */
static unsigned long free_of_type(const char *zone_and_type, unsigned int order)
{
	const char *at = strstr(look_at("pagetypeinfo"), zone_and_type);
	unsigned long nr = 0;

	assert_non_null(at);
	at += strlen(zone_and_type);
	for (unsigned int i = 0; i <= order; i++)
		nr = strtoul(at, (char **)&at, 10);
	return nr;
}

static void pagetypeinfo_tells_types_apart(void **state)
{
	static const char *const types[] = {"Unmovable", "Movable", "Reclaimable"};
	static const char *const zones[] = {"Node    0, zone      DMA", "Node    0, zone   Normal",
		"Node    1, zone   Normal", "Node    1, zone  HighMem"};
	unsigned long nr[11], blocks[3], sum[11];
	struct page *page;
	char name[64];

	(void)state;
	assert_ptr_equal(
		strstr(look_at("pagetypeinfo"),
			"Page block order: 10\nPages per block:  1024\n\nFree pages count per migrate type at "
			"order       0      1      2      3      4      5      6      7      8      9     10 \n"
			"Node    0, zone      DMA, type    Unmovable "),
		view);
	assert_non_null(
		strstr(view, "\nNumber of blocks type     Unmovable      Movable  Reclaimable \nNode 0, zone "));
	for (unsigned int zone = 0; zone < 4; zone++) {
		memset(sum, 0, sizeof(sum));
		for (unsigned int type = 0; type < 3; type++) {
			snprintf(name, sizeof(name), "%s, type %12s", zones[zone], types[type]);
			for (unsigned int order = 0; order <= 10; order++)
				sum[order] += free_of_type(name, order);
		}
		free_blocks_of(zone, nr);
		assert_memory_equal(sum, nr, sizeof(nr));
	}
	assert_int_equal(sscanf(strstr(look_at("pagetypeinfo"), "\nNode 1, zone  HighMem") + 23, "%lu %lu %lu",
				 &blocks[0], &blocks[1], &blocks[2]),
		3);
	assert_int_equal(blocks[0] + blocks[1] + blocks[2], 4);
	/* What is left of a block that is split for a movable one is for movable ones. */
	assert_int_equal(free_of_type("Node    1, zone  HighMem, type      Movable", 10), 4);
	page = alloc_pages_node(1, GFP_HIGHUSER_MOVABLE, 4);
	assert_non_null(page);
	assert_int_equal(free_of_type("Node    1, zone  HighMem, type      Movable", 10), 3);
	assert_int_equal(free_of_type("Node    1, zone  HighMem, type      Movable", 9), 1);
	assert_int_equal(free_of_type("Node    1, zone  HighMem, type    Unmovable", 9), 0);
	__free_pages(page, 4);
	assert_int_equal(free_of_type("Node    1, zone  HighMem, type      Movable", 10), 4);
}

static void zoneinfo_has_the_kernels_fields(void **state)
{
	static const char *const fields[] = {"Node 0, zone      DMA\n", "Node 0, zone   Normal\n",
		"Node 1, zone   Normal\n", "Node 1, zone  HighMem\n", "\n  pages free     ", "\n        boost    0\n",
		"\n        min      ", "\n        low      ", "\n        high     ", "\n        spanned  ",
		"\n        present  2048\n", "\n        managed  ", "\n        cma      0\n",
		"\n        protection: (0, ", "\n      nr_free_pages ",
		"\n  pagesets\n    cpu: 0\n              count: ", "\n    cpu: 1\n",
		"\n              high:  ", "\n              batch: ", "\n  node_unreclaimable:  0\n",
		"\n  start_pfn:           2048\n"};
	const char *text = look_at("zoneinfo");

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_non_null(strstr(text, fields[i]));
}

static void meminfo_follows_allocations(void **state)
{
	struct page *page = alloc_pages(GFP_KERNEL, 10);
	unsigned long free = number_of(look_at("meminfo"), "MemFree:"), total = number_of(view, "MemTotal:");

	(void)state;
	assert_non_null(page);
	assert_in_range(total, 60000, 65536);
	assert_in_range(free, 50000, total - 4096);
	assert_true(number_of(view, "MemAvailable:") <= free);
	assert_int_equal(number_of(view, "HighTotal:"), 16384);
	assert_int_equal(number_of(view, "LowTotal:"), total - 16384);
	assert_non_null(strstr(view, " kB\n"));
	number_of(view, "HighFree:");
	number_of(view, "LowFree:");
	number_of(view, "Slab:");
	number_of(view, "Percpu:");
	__free_pages(page, 10);
	assert_int_equal(number_of(look_at("meminfo"), "MemFree:"), free + 4096);
}

static void slabinfo_has_the_kernels_columns(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("viewed", 100, 0, 0, NULL);
	unsigned long active, total, slabs_active, slabs;
	unsigned int size, per_slab, pages, limit, batch, shared;
	void *objects[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	look_at("slabinfo");
	assert_ptr_equal(strstr(view, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
				      "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
				      "slabdata <active_slabs> <num_slabs> <sharedavail>\n"),
		view);
	assert_non_null(strstr(view, "\nkmalloc-64 "));
	assert_int_equal(sscanf(strstr(view, "\nviewed ") + 1,
				 "viewed %lu %lu %u %u %u : tunables %u %u %u : slabdata %lu %lu %u\n", &active, &total,
				 &size, &per_slab, &pages, &limit, &batch, &shared, &slabs_active, &slabs, &limit),
		11);
	assert_int_equal(active, 5);
	assert_true(total >= 5 && size >= 100 && slabs >= 1);
	assert_true((unsigned long)per_slab * size <= (unsigned long)pages * 4096);
	for (int i = 0; i < 5; i++)
		kmem_cache_free(cache, objects[i]);
	kmem_cache_destroy(cache);
}

static void vmstat_counts(void **state)
{
	unsigned long allocated = number_of(look_at("vmstat"), "pgalloc_normal "), freed = number_of(view, "pgfree ");

	(void)state;
	number_of(view, "nr_free_pages ");
	number_of(view, "pgalloc_dma ");
	number_of(view, "pgalloc_high ");
	__free_pages(alloc_pages(GFP_KERNEL, 8), 8);
	assert_true(number_of(look_at("vmstat"), "pgalloc_normal ") >= allocated + 256);
	assert_true(number_of(view, "pgfree ") >= freed + 256);
}

static irqreturn_t handle(int irq, void *device)
{
	(void)irq;
	(void)device;
	return IRQ_HANDLED;
}

/* Raises an edge on the line's CPU, and waits until it has been handled. */
static void interrupt(unsigned int irq, unsigned int cpu, unsigned int times)
{
	assert_int_equal(irq_set_affinity(irq, cpumask_of(cpu)), 0);
	for (unsigned long before = flagstone_irq_count(irq, (int)cpu); times--; before++) {
		flagstone_irq_raise(irq);
		while (flagstone_irq_count(irq, (int)cpu) == before)
			schedule_timeout_uninterruptible(1);
	}
	synchronize_irq(irq);
}

static void interrupts_has_a_line_an_interrupt(void **state)
{
	int first, second;
	unsigned long counts[2];
	char name[8];

	(void)state;
	assert_int_equal(request_irq(5, handle, IRQF_SHARED, "first", &first), 0);
	assert_int_equal(request_irq(5, handle, IRQF_SHARED, "second", &second), 0);
	assert_int_equal(request_irq(17, handle, IRQF_TRIGGER_HIGH, "third", &first), 0);
	interrupt(5, 0, 3);
	interrupt(5, 1, 2);
	look_at("interrupts");
	assert_memory_equal(view, "           CPU0       CPU1       \n", 34);
	assert_non_null(strstr(view, "\n  5:          3          2  flagstone    5-edge      first, second\n"));
	assert_non_null(strstr(view, "\n 17:          0          0  flagstone   17-level     third\n"));
	/* As those do that read the kernel's: a name, a count for each CPU, what it is. */
	for (const char *at = strchr(view, '\n') + 1; *at; at = strchr(at, '\n') + 1)
		assert_int_equal(sscanf(at, "%7[^:]: %lu %lu ", name, &counts[0], &counts[1]), 3);
	assert_non_null(strstr(view, " Local timer interrupts\n"));
	assert_non_null(strstr(view, " Function call interrupts\n"));
	free_irq(5, &second);
	assert_non_null(strstr(look_at("interrupts"), "-edge      first\n"));
	free_irq(5, &first);
	free_irq(17, &first);
	assert_null(strstr(look_at("interrupts"), "flagstone"));
}

static void lengths_are_snprintfs(void **state)
{
	long length = flagstone_view("zoneinfo", NULL, 0);
	char part[20];

	(void)state;
	assert_int_equal(length, strlen(look_at("zoneinfo")));
	assert_int_equal(flagstone_view("zoneinfo", part, sizeof(part)), length);
	assert_int_equal(strlen(part), sizeof(part) - 1);
	assert_memory_equal(part, view, sizeof(part) - 1);
	assert_int_equal(flagstone_view("no-such-view", part, sizeof(part)), -ENOENT);
	assert_int_equal(flagstone_view_write("no-such-view", 1), -ENOENT);
}

static void views_come_at_shutdown(void **state)
{
	char path[] = "/tmp/flagstone-views-XXXXXX", config[64];
	FILE *file;
	int fd = mkstemp(path);
	size_t length;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(flagstone_view("vmstat", view, sizeof(view)), -ENODEV);
	snprintf(config, sizeof(config), "cpus=1,views=%s", path);
	assert_int_equal(flagstone_machine_boot_text(config), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
	file = fopen(path, "r");
	length = fread(view, 1, sizeof(view) - 1, file);
	view[length] = '\0';
	fclose(file);
	unlink(path);
	assert_non_null(strstr(view, "==> buddyinfo <==\nNode 0, zone"));
	assert_non_null(strstr(view, "==> extfrag_index <==\nNode 0, zone"));
	assert_non_null(strstr(view, "==> unusable_index <==\nNode 0, zone"));
	assert_non_null(strstr(view, "==> interrupts <==\n           CPU0"));
	assert_non_null(strstr(view, "==> meminfo <==\nMemTotal:"));
	assert_non_null(strstr(view, "==> pagetypeinfo <==\nPage block order: 10\n"));
	assert_non_null(strstr(view, "==> slabinfo <==\nslabinfo - version: 2.1\n"));
	assert_non_null(strstr(view, "==> vmstat <==\nnr_free_pages "));
	assert_non_null(strstr(view, "==> zoneinfo <==\nNode 0, zone"));
}

#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MACHINE(buddyinfo_has_a_line_a_zone),
		ON_MACHINE(indexes_follow_the_free_blocks),
		ON_MACHINE(pagetypeinfo_tells_types_apart),
		ON_MACHINE(zoneinfo_has_the_kernels_fields),
		ON_MACHINE(meminfo_follows_allocations),
		ON_MACHINE(slabinfo_has_the_kernels_columns),
		ON_MACHINE(vmstat_counts),
		ON_MACHINE(interrupts_has_a_line_an_interrupt),
		ON_MACHINE(lengths_are_snprintfs),
		cmocka_unit_test(views_come_at_shutdown),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
