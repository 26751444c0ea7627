/*
 * results_table.c: the table that people read.
 *
 * Calls results.c. Refuses to know how samples are taken.
 */
#include "results.h"

#include <math.h>

#define NOISY 0.05

/* Running geometric mean of ratios. */
struct geomean {
	double log_sum;
	unsigned int count;
};

static void geomean_add(struct geomean *mean, double ratio)
{
	mean->log_sum += log(ratio);
	mean->count++;
}

static void print_time(FILE *out, struct summary summary)
{
	int digits = summary.median < 9.995 ? 2 : summary.median < 99.95 ? 1 : 0;
	char spread[32];

	if (summary.median <= 0) {
		fprintf(out, " %14s", "-");
		return;
	}
	if (summary.spread < 10)
		snprintf(spread, sizeof(spread), "±%.0f%%", summary.spread * 100);
	else
		snprintf(spread, sizeof(spread), "±huge");
	/* The plus-minus sign is two bytes and one column: 15 columns in all. */
	fprintf(out, " %8.*f %6s", digits, summary.median, spread);
}

static void print_ratio(FILE *out, double ours, double other, struct geomean *mean)
{
	if (ours <= 0 || other <= 0) {
		fprintf(out, " %8s", "-");
		return;
	}
	geomean_add(mean, ours / other);
	fprintf(out, " %8.2f", ours / other);
}

static void print_mean(FILE *out, int width, struct geomean mean)
{
	if (mean.count)
		fprintf(out, " %*.2f", width, exp(mean.log_sum / mean.count));
	else
		fprintf(out, " %*s", width, "-");
}

static void print_header(FILE *out)
{
	fprintf(out, "%-17s", "ns, median");
	for (int id = 0; id < NR_ALLOCS; id++)
		if (allocs[id].wanted)
			fprintf(out, " %8s      ", allocs[id].name);
	fprintf(out, " %8s %8s\n", "/best", "/jemalloc");
}

/* ratio[id]: each allocator over the best peer; vs[0], vs[1]: flagstone over the best peer and over jemalloc. */
static void print_row(
	FILE *out, const struct results *results, const struct result *row, struct geomean *ratio, struct geomean *vs)
{
	const double best = results_best_peer(results, row);
	double median[NR_ALLOCS];

	fprintf(out, "%-17s", row->test->name);
	for (int id = 0; id < NR_ALLOCS; id++) {
		struct summary summary = results_summary(results, row, (enum alloc_id)id);

		median[id] = summary.median;
		if (!allocs[id].wanted)
			continue;
		print_time(out, summary);
		if (summary.median > 0 && best > 0)
			geomean_add(&ratio[id], summary.median / best);
	}
	print_ratio(out, median[ALLOC_FLAGSTONE], best, &vs[0]);
	print_ratio(out, median[ALLOC_FLAGSTONE], median[ALLOC_JEMALLOC], &vs[1]);
	fprintf(out, "\n");
}

static void print_skipped(FILE *out)
{
	unsigned int wanted = 0, skipped = 0;

	for (int id = 0; id < NR_ALLOCS; id++) {
		if (!allocs[id].wanted || id == ALLOC_NONE)
			continue;
		wanted++;
		if (allocs[id].loaded)
			continue;
		skipped++;
		fprintf(out, "skipped: %s: %s\n", allocs[id].name, allocs[id].reason);
	}
	if (skipped)
		fprintf(out, "%u of %u allocators skipped\n", skipped, wanted);
}

void results_print(const struct results *results, FILE *out)
{
	struct geomean ratio[NR_ALLOCS] = {0}, vs[2] = {0};

	print_header(out);
	for (size_t i = 0; i < results->nr_rows; i++)
		print_row(out, results, &results->rows[i], ratio, vs);
	fprintf(out, "%-17s", "geometric mean *");
	for (int id = 0; id < NR_ALLOCS; id++) {
		if (!allocs[id].wanted)
			continue;
		print_mean(out, 8, ratio[id]);
		fprintf(out, "      ");
	}
	print_mean(out, 8, vs[0]);
	print_mean(out, 8, vs[1]);
	fprintf(out,
		"\n\n* of each allocator's time over the best peer's, row by row; the last two columns are "
		"flagstone's.\n"
		"± half the interquartile range of %u rounds, in %% of the median; %.0f s in all. The column 'none' is "
		"what\n"
		"the benchmark itself costs, with an empty malloc and free; nothing is subtracted from the others.\n",
		results->rounds, results->seconds);
	if (results->others > NOISY)
		fprintf(out, "other programs used %.0f%% of the CPUs meanwhile: do not trust these numbers\n",
			results->others * 100);
	print_skipped(out);
}
