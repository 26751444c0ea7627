/*
 * machine_fragmentation.c: a machine's memory after a load that leaves it in pieces, seed after seed: as many large blocks can be
 * had as the free lists promise, the two indexes are what follows from them, grouping leaves more of the largest than there are
 * without, the same seed leaves the same, and once everything is given back, every block is whole again.
 *
 * Environment: FLAGSTONE_SOAK_SECONDS: for how long (0), but three seeds at least; FLAGSTONE_SOAK_SEED: the first (1).
 *
 * Broken if this fails: blocks are lost or not merged, kernel objects lie everywhere, or what the views say of fragmentation is wrong.
 */
#include <flagstone/machine.h>
#include <linux/mm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fragmenting.h"
#include "tests/stress/variable.h"

#define LEAST_SEEDS 3

static void expect(int right, unsigned int seed, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "machine_fragmentation: FLAGSTONE_SOAK_SEED=%u: %s\n", seed, what);
	exit(1);
}

static size_t pages_in(const size_t *nr_free, unsigned int first, unsigned int end)
{
	size_t pages = 0;

	for (unsigned int order = first; order < end; order++)
		pages += nr_free[order] << order;
	return pages;
}

/* As the formula has it, each division cut. */
static long index_of(const size_t *nr_free, unsigned int order)
{
	long pages = (long)pages_in(nr_free, 0, FRAGMENTING_ORDERS), blocks = 0, index;

	for (unsigned int i = 0; i < FRAGMENTING_ORDERS; i++)
		blocks += (long)nr_free[i];
	if (pages_in(nr_free, order, FRAGMENTING_ORDERS))
		return -1000;
	index = 1000 - (1000 + pages * 1000 / (1l << order)) / blocks;
	return index > 0 ? index : 0;
}

static long unusable_of(const size_t *nr_free, unsigned int order)
{
	return (long)(pages_in(nr_free, 0, order) * 1000 / pages_in(nr_free, 0, FRAGMENTING_ORDERS));
}

/* The number at *at, in thousandths. */
static long thousandths(char **at)
{
	char *point;
	long whole = strtol(*at, &point, 10);

	return whole * 1000 + strtol(point + 1, at, 10);
}

static void check_indexes(struct fragmenting_result *result, unsigned int seed)
{
	static const char zone[] = "Node 0, zone   Normal ";
	char *index = result->extfrag_index + strlen(zone), *unusable = result->unusable_index + strlen(zone);

	expect(!strncmp(result->extfrag_index, zone, strlen(zone)), seed, result->extfrag_index);
	expect(!strncmp(result->unusable_index, zone, strlen(zone)), seed, result->unusable_index);
	for (unsigned int order = 0; order < FRAGMENTING_ORDERS; order++) {
		expect(thousandths(&index) == index_of(result->nr_free, order), seed, result->extfrag_index);
		expect(thousandths(&unusable) == unusable_of(result->nr_free, order), seed, result->unusable_index);
	}
}

/* A block that is larger is made into as many of the order. */
static void check_blocks(const struct fragmenting_result *result, unsigned int seed)
{
	for (unsigned int i = 0; i < FRAGMENTING_SIZES; i++) {
		unsigned int order = fragmenting_order[i];

		expect(result->got[i] == pages_in(result->nr_free, order, FRAGMENTING_ORDERS) >> order, seed,
			"another number of large blocks was to be had than the free lists promise");
	}
}

static void check_load(const struct fragmenting_result *result, unsigned int seed)
{
	/* It gives up where no large block is to be had any more: some seeds leave a tenth. */
	expect(result->full_free <= result->pages / 5, seed, "the load did not fill the memory");
	expect(result->free >= result->pages / 10 * 8, seed, "the caches did not give back what they can");
	expect(pages_in(result->nr_free, 0, FRAGMENTING_ORDERS - 1), seed, "the load left nothing in pieces");
}

static void boot(unsigned int seed, int grouping)
{
	char text[100];

	snprintf(text, sizeof(text), "cpus=1,ram=32m,oom=fail,tracking=0,context=0,lockdep=0,grouping=%d", grouping);
	expect(!flagstone_machine_boot_text(text), seed, "no machine");
}

/* What was movable goes to the CPU's list of its own type, where the short way of other pages does not find it. */
static void check_short_way(gfp_t gfp, unsigned int seed)
{
	struct page *page = alloc_page(gfp), *other;

	expect(page != NULL, seed, "no page");
	__free_page(page);
	other = alloc_page(GFP_KERNEL);
	expect(other && other != page, seed, "a page that is to be had back was given to who keeps it");
	__free_page(other);
}

/* One machine's life. */
static void run(unsigned int seed, int grouping, struct fragmenting_result *result)
{
	size_t before[FRAGMENTING_ORDERS], after[FRAGMENTING_ORDERS];

	boot(seed, grouping);
	if (grouping) {
		check_short_way(GFP_KERNEL | __GFP_MOVABLE, seed);
		check_short_way(GFP_KERNEL | __GFP_RECLAIMABLE, seed);
	}
	fragmenting_settle(before);
	/* Movable pages one by one, then by the file and process. */
	expect(fragmenting_run(seed, seed % 2 ? 1 : 64, result), seed, "the load could not be made");
	check_load(result, seed);
	check_blocks(result, seed);
	check_indexes(result, seed);
	fragmenting_settle(after);
	expect(!memcmp(before, after, sizeof(before)), seed,
		"blocks are missing, or in pieces, once all is given back");
	expect(!flagstone_machine_shutdown(), seed, "something leaked");
}

/* Pages of order 9 and more, of all seeds. */
static size_t grouped, ungrouped;

static void check_seed(unsigned int seed)
{
	struct fragmenting_result result, again;

	run(seed, 0, &result);
	ungrouped += result.got[1] << fragmenting_order[1];
	run(seed, 1, &result);
	grouped += result.got[1] << fragmenting_order[1];
	run(seed, 1, &again);
	expect(!memcmp(&result, &again, sizeof(result)), seed, "the same seed left something else");
}

int main(void)
{
	time_t end = time(NULL) + (time_t)variable("FLAGSTONE_SOAK_SECONDS", 0);
	unsigned int first = (unsigned int)variable("FLAGSTONE_SOAK_SEED", 1), seed = first;

	unsetenv("FLAGSTONE_MACHINE");
	for (; seed < first + LEAST_SEEDS || time(NULL) < end; seed++)
		check_seed(seed);
	printf("%u seeds: %zu pages in blocks of order 9 with grouping, %zu without\n", seed - first, grouped,
		ungrouped);
	expect(grouped > 2 * ungrouped, first, "grouping does not keep large blocks together");
	return 0;
}
