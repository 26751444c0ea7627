/*
 * machine_fragmentation.c: how many large blocks a machine can still give after a load that leaves its memory in pieces, with pages
 * grouped by whether they can be had back, and without.
 *
 * Calls the load of tests/stress/fragmenting.c on machines that it boots, one for each seed. Counts blocks, not time: the same
 * numbers come every time, on every host. Asserts nothing.
 */
#include <flagstone/machine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine_fragmentation.h"
#include "tests/stress/fragmenting.h"

#define RAM (128ul << 20)

/* Pages that an owner of movable ones has at most: they go one by one, or by the file or process. */
static const unsigned int owners[] = {1, 64, 512};

/* Over all seeds, of the part of the free memory that blocks of an order could be had of, in percent. */
struct spread {
	double sum, least, most;
};

static double percent(size_t part, size_t whole)
{
	return whole ? 100. * (double)part / (double)whole : 0;
}

static void boot(unsigned int seed, int grouping)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	config.cpus = 1;
	config.ram = RAM;
	config.seed = seed;
	config.grouping = (unsigned long)grouping;
	config.tracking = config.context = config.lockdep = 0;
	config.oom = FLAGSTONE_OOM_FAIL;
	if (flagstone_machine_boot(&config))
		exit(1);
}

static void run(unsigned int seed, unsigned int owner, int grouping, struct fragmenting_result *result)
{
	boot(seed, grouping);
	if (!fragmenting_run(seed, owner, result) || flagstone_machine_shutdown()) {
		fprintf(stderr, "flagstone-bench-machine: the load of seed %u could not be made\n", seed);
		exit(1);
	}
}

static void add(struct spread *spread, double value, int is_first)
{
	spread->sum += value;
	spread->least = is_first || value < spread->least ? value : spread->least;
	spread->most = is_first || value > spread->most ? value : spread->most;
}

/* Of the last seed: the view's line without the zone, and its end. */
static void show_index(const char *name, const char *line)
{
	const char *numbers = strstr(line, "Normal ");

	printf("       %-14s %s", name, numbers ? numbers + strlen("Normal ") : line);
}

static void row(unsigned int owner, int grouping, unsigned int nr_seeds)
{
	struct spread spread[FRAGMENTING_SIZES] = {{0}};
	struct fragmenting_result result;
	double full = 0, free = 0;

	for (unsigned int seed = 1; seed <= nr_seeds; seed++) {
		run(seed, owner, grouping, &result);
		full += 100 - percent(result.full_free, result.pages);
		free += percent(result.free, result.pages);
		for (unsigned int i = 0; i < FRAGMENTING_SIZES; i++)
			add(&spread[i], percent(result.got[i] << fragmenting_order[i], result.free), seed == 1);
	}
	printf("%5u  %-7s %6.1f%% %6.1f%%", owner, grouping ? "grouped" : "not", full / nr_seeds, free / nr_seeds);
	for (unsigned int i = 0; i < FRAGMENTING_SIZES; i++)
		printf("  %5.1f%% %3.0f..%-3.0f", spread[i].sum / nr_seeds, spread[i].least, spread[i].most);
	putchar('\n');
	show_index("extfrag_index", result.extfrag_index);
	show_index("unusable_index", result.unusable_index);
}

void fragmentation_table(unsigned int nr_seeds)
{
	printf("\nThe part of the free memory that blocks of an order can be had of, after a load that fragments it; "
	       "%u seeds: mean, least..most\n"
	       "movable pages an owner has at most; grouping; the two indexes of the last seed for orders 0 to 10\n",
		nr_seeds);
	printf("%5s  %-7s %7s %7s  %-15s  %-15s  %s\n", "owner", "", "full", "free", "order 10", "order 9", "order 4");
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		row(owners[i], 0, nr_seeds);
		row(owners[i], 1, nr_seeds);
	}
}
