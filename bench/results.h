/*
 * results.h: every sample that was taken, and what is computed from them.
 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stdbool.h>
#include <stdio.h>

#include "alloc.h"
#include "cases.h"
#include "options.h"

/* Synchronization: main thread only. */
struct result {
	const struct bench_case *test;
	long iterations[NR_ALLOCS]; /* of the next sample, per thread */
	double *ns[NR_ALLOCS]; /* rounds samples, nanoseconds an operation */
};

struct results {
	struct result *rows;
	size_t nr_rows;
	unsigned int rounds; /* finished ones: each ns array holds so many */
	double seconds; /* the whole run */
	double others; /* part of the CPUs' time that went to other programs meanwhile: 0 is a quiet machine */
};

struct summary {
	double median;
	double spread; /* half the interquartile range, as a part of the median */
};

/* Rows for the selected cases, room for all rounds. */
void results_init(struct results *results, const struct options *options);
void results_free(struct results *results);

struct summary results_summary(const struct results *results, const struct result *row, enum alloc_id id);

/* The smallest median among the loaded peers; 0 if there is none. */
double results_best_peer(const struct results *results, const struct result *row);

/* results_table.c */
void results_print(const struct results *results, FILE *out);

/* results_json.c: 0 or -1 with a message on stderr. */
int results_write_json(const struct results *results, const struct options *options, FILE *out);

#endif
