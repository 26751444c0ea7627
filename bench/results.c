/*
 * results.c: keeps the samples and computes medians and spreads.
 *
 * Calls the C library. Refuses to know how samples are taken or shown.
 */
#include "results.h"

#include <string.h>

void results_init(struct results *results, const struct options *options)
{
	memset(results, 0, sizeof(*results));
	results->rows = calloc(nr_bench_cases, sizeof(*results->rows));
	if (!results->rows)
		abort();
	for (size_t i = 0; i < nr_bench_cases; i++) {
		struct result *row = &results->rows[results->nr_rows];

		if (!options_select(options, &bench_cases[i]))
			continue;
		row->test = &bench_cases[i];
		for (int id = 0; id < NR_ALLOCS; id++) {
			row->ns[id] = calloc(options->rounds, sizeof(double));
			if (!row->ns[id])
				abort();
		}
		results->nr_rows++;
	}
}

void results_free(struct results *results)
{
	for (size_t i = 0; i < results->nr_rows; i++)
		for (int id = 0; id < NR_ALLOCS; id++)
			free(results->rows[i].ns[id]);
	free(results->rows);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between the two nearest samples, in proportion. */
static double quantile(const double *sorted, unsigned int count, double part)
{
	double position = part * (count - 1);
	unsigned int below = (unsigned int)position;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]);
}

struct summary results_summary(const struct results *results, const struct result *row, enum alloc_id id)
{
	struct summary summary = {0};
	double *sorted;

	if (!results->rounds || !allocs[id].loaded)
		return summary;
	sorted = malloc(results->rounds * sizeof(*sorted));
	if (!sorted)
		abort();
	memcpy(sorted, row->ns[id], results->rounds * sizeof(*sorted));
	qsort(sorted, results->rounds, sizeof(*sorted), compare);
	summary.median = quantile(sorted, results->rounds, 0.5);
	summary.spread = (quantile(sorted, results->rounds, 0.75) - quantile(sorted, results->rounds, 0.25)) / 2 /
			 summary.median;
	free(sorted);
	return summary;
}

double results_best_peer(const struct results *results, const struct result *row)
{
	double best = 0;

	for (int id = 0; id < NR_ALLOCS; id++) {
		double median = results_summary(results, row, (enum alloc_id)id).median;

		if (alloc_is_peer((enum alloc_id)id) && median > 0 && (best == 0 || median < best))
			best = median;
	}
	return best;
}
