/*
 * machine_fragmentation.c: how many large blocks a machine can still give after a load that leaves its memory in pieces.
 *
 * Calls the load of tests/stress/fragmenting.c on machines that it boots, one for each seed. Counts blocks, not time: the same
 * numbers come every time, on every host. Asserts nothing.
 */
#include <flagstone/machine.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine_fragmentation.h"
#include "tests/stress/fragmenting.h"

#define RAM (128ul << 20)

static double percent(size_t part, size_t whole)
{
	return whole ? 100. * (double)part / (double)whole : 0;
}

static int run(unsigned int seed, struct fragmenting_result *result)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;
	int done;

	config.cpus = 1;
	config.ram = RAM;
	config.seed = seed;
	config.tracking = config.context = config.lockdep = 0;
	config.oom = FLAGSTONE_OOM_FAIL;
	if (flagstone_machine_boot(&config))
		exit(1);
	done = fragmenting_run(seed, result);
	return flagstone_machine_shutdown() == 0 && done;
}

/* The part of the free memory that blocks of that order could be had of. */
static double share(const struct fragmenting_result *result, unsigned int size)
{
	return percent(result->got[size] << fragmenting_order[size], result->free);
}

void fragmentation_table(unsigned int nr_seeds)
{
	double sum[FRAGMENTING_SIZES] = {0};

	printf("%-6s %8s %8s %12s %12s %12s\n", "seed", "full", "free", "order 10", "order 9", "order 4");
	for (unsigned int seed = 1; seed <= nr_seeds; seed++) {
		struct fragmenting_result result;

		if (!run(seed, &result)) {
			printf("%-6u the load could not be made\n", seed);
			continue;
		}
		printf("%-6u %7.1f%% %7.1f%%", seed, 100 - percent(result.full_free, result.pages),
			percent(result.free, result.pages));
		for (unsigned int i = 0; i < FRAGMENTING_SIZES; i++) {
			printf(" %4zu %6.1f%%", result.got[i], share(&result, i));
			sum[i] += share(&result, i);
		}
		putchar('\n');
	}
	printf("%-6s %8s %8s", "mean", "", "");
	for (unsigned int i = 0; i < FRAGMENTING_SIZES; i++)
		printf(" %4s %6.1f%%", "", sum[i] / nr_seeds);
	putchar('\n');
}
