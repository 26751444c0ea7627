/*
 * main.c: rounds of short samples, with the allocators in a new order for each benchmark of each round.
 *
 * Calls the allocator table, the cases, Google Benchmark through the shim, and the reports. Neighbouring samples of
 * one benchmark are of different allocators, so that what disturbs the machine for a while disturbs all alike.
 */
#include "alloc.h"
#include "cases.h"
#include "cpus.h"
#include "options.h"
#include "progress.h"
#include "results.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void call_body(struct bench_state *state, void *arg)
{
	struct bench_run *run = arg;

	run->test->body(state, run);
}

/* Runs the case once, set up already, for so many iterations a thread. Returns the elapsed seconds. */
static double measure(struct bench_run *run, long iterations, struct bench_result *result)
{
	const struct bench_request request = {
		.name = run->test->name,
		.run = call_body,
		.arg = run,
		.threads = (int)run->test->threads,
		.iterations = iterations,
	};

	if (bench_measure(&request, result)) {
		fprintf(stderr, "flagstone-bench: no result for %s on %s\n", run->test->name, run->alloc->name);
		exit(EXIT_FAILURE);
	}
	return result->seconds;
}

static void run_begin(struct bench_run *run, const struct bench_case *test, const struct alloc *alloc)
{
	*run = (struct bench_run){.alloc = alloc, .test = test};
	if (test->setup)
		test->setup(run);
}

static void run_end(struct bench_run *run)
{
	if (run->test->teardown)
		run->test->teardown(run);
}

/* How many iterations a thread take sample_ms; found by doing more and more of them. Also warms the allocator up. */
static long calibrate(const struct bench_case *test, const struct alloc *alloc, unsigned int sample_ms)
{
	const double target = sample_ms * 1e-3;
	struct bench_result result;
	struct bench_run run;
	long steps = 1;
	double seconds;

	run_begin(&run, test, alloc);
	while ((seconds = measure(&run, steps * test->step, &result)) < target / 4) {
		double factor = target / 2 / seconds;

		steps = (long)((double)steps * (factor > 10 ? 10 : factor)) + 1;
	}
	run_end(&run);
	steps = (long)((double)steps * target / seconds);
	return (steps > 0 ? steps : 1) * test->step;
}

/* Nanoseconds an operation. A sample that was far too short makes the next one longer: the machine was busy before. */
static double sample(const struct bench_case *test, const struct alloc *alloc, long *iterations, unsigned int sample_ms)
{
	const double target = sample_ms * 1e-3;
	struct bench_result result;
	struct bench_run run;

	run_begin(&run, test, alloc);
	measure(&run, *iterations, &result);
	run_end(&run);
	if (result.seconds < target / 2)
		*iterations = (long)((double)(*iterations / test->step) * target / result.seconds) * test->step;
	return result.seconds * 1e9 * test->share / (double)result.iterations;
}

static size_t loaded_ids(enum alloc_id *ids)
{
	size_t count = 0;

	for (int id = 0; id < NR_ALLOCS; id++)
		if (allocs[id].loaded)
			ids[count++] = (enum alloc_id)id;
	return count;
}

static void shuffle(enum alloc_id *ids, size_t count, uint64_t *random)
{
	for (size_t i = count - 1; i > 0; i--) {
		size_t j = random_index(random_step(random), i + 1);
		enum alloc_id id = ids[i];

		ids[i] = ids[j];
		ids[j] = id;
	}
}

static void calibrate_all(struct results *results, const struct options *options)
{
	enum alloc_id ids[NR_ALLOCS];
	const size_t count = loaded_ids(ids);
	unsigned int done = 0;

	for (size_t i = 0; i < results->nr_rows; i++) {
		struct result *row = &results->rows[i];

		for (size_t j = 0; j < count; j++) {
			const struct alloc *alloc = &allocs[ids[j]];

			progress_step("warming up", row->test->name, alloc->name, done++,
				(unsigned int)(results->nr_rows * count));
			row->iterations[ids[j]] = calibrate(row->test, alloc, options->sample_ms);
		}
	}
}

static void run_round(struct results *results, const struct options *options, uint64_t *random)
{
	enum alloc_id ids[NR_ALLOCS];
	const size_t count = loaded_ids(ids);
	unsigned int done = results->rounds * (unsigned int)(results->nr_rows * count);
	char phase[32];

	snprintf(phase, sizeof(phase), "round %u", results->rounds + 1);
	for (size_t i = 0; i < results->nr_rows; i++) {
		struct result *row = &results->rows[i];

		shuffle(ids, count, random);
		for (size_t j = 0; j < count; j++) {
			const struct alloc *alloc = &allocs[ids[j]];

			progress_step(phase, row->test->name, alloc->name, done++,
				options->rounds * (unsigned int)(results->nr_rows * count));
			row->ns[ids[j]][results->rounds] =
				sample(row->test, alloc, &row->iterations[ids[j]], options->sample_ms);
		}
	}
	results->rounds++;
}

static double own_cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* All rounds that were asked for, or as many as the time limit allows, but at least one. */
static void run_all(struct results *results, const struct options *options)
{
	const double start = clock_seconds(), busy = cpus_busy_seconds() - own_cpu_seconds();
	double longest = 0;
	uint64_t random = 9;

	calibrate_all(results, options);
	while (results->rounds < options->rounds) {
		double round_start = clock_seconds(), now;

		run_round(results, options, &random);
		now = clock_seconds();
		if (now - round_start > longest)
			longest = now - round_start;
		if (options->limit_s && now + longest - start > options->limit_s)
			break;
	}
	results->seconds = clock_seconds() - start;
	results->others = (cpus_busy_seconds() - own_cpu_seconds() - busy) / (results->seconds * cpus_count());
	if (results->others < 0)
		results->others = 0;
	progress_end();
	if (results->rounds < options->rounds)
		fprintf(stderr, "flagstone-bench: stopped after %u of %u rounds, the time is up\n", results->rounds,
			options->rounds);
}

static void *do_nothing(void *arg)
{
	return arg;
}

/*
 * Some allocators are faster while the process has never had a second thread. Whether it has depends on which
 * benchmarks ran before; one short thread at the start makes it the same for all.
 */
static void become_multithreaded(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, do_nothing, NULL))
		abort();
	pthread_join(thread, NULL);
}

static void print_list(const struct results *results)
{
	for (size_t i = 0; i < results->nr_rows; i++)
		printf("%-17s %s\n", results->rows[i].test->name, results->rows[i].test->what);
}

/* The file is opened before the run: a wrong path should not cost two minutes. */
static FILE *open_json(const char *path)
{
	FILE *file = path ? fopen(path, "w") : NULL;

	if (path && !file) {
		fprintf(stderr, "flagstone-bench: cannot write %s: %s\n", path, strerror(errno));
		exit(EXIT_FAILURE);
	}
	return file;
}

static void check_loaded(const struct options *options)
{
	const struct alloc *flagstone = &allocs[ALLOC_FLAGSTONE];
	enum alloc_id ids[NR_ALLOCS];

	if (options->flagstone && flagstone->wanted && !flagstone->loaded) {
		fprintf(stderr, "flagstone-bench: cannot load %s: %s\n", options->flagstone, flagstone->reason);
		exit(EXIT_FAILURE);
	}
	if (!loaded_ids(ids)) {
		fprintf(stderr, "flagstone-bench: none of the allocators could be loaded\n");
		exit(EXIT_FAILURE);
	}
	for (int id = 0; id < NR_ALLOCS; id++)
		if (allocs[id].wanted && !allocs[id].loaded)
			fprintf(stderr, "flagstone-bench: skipped %s: %s\n", allocs[id].name, allocs[id].reason);
	if (cpus_count() < 2)
		fprintf(stderr, "flagstone-bench: only one CPU: benchmarks of several threads take turns on it\n");
}

int main(int argc, char **argv)
{
	struct options options;
	struct results results;
	int status = EXIT_SUCCESS;
	FILE *json;

	options_parse(&options, argc, argv);
	results_init(&results, &options);
	if (!results.nr_rows) {
		fprintf(stderr, "flagstone-bench: --filter matches no benchmark; --list names them\n");
		return EXIT_USAGE;
	}
	if (options.list) {
		print_list(&results);
		return EXIT_SUCCESS;
	}
	alloc_reserve_tls(argv);
	json = open_json(options.json);
	cpus_init();
	become_multithreaded();
	alloc_load_all(options.flagstone);
	check_loaded(&options);
	progress_guard();
	run_all(&results, &options);
	results_print(&results, stdout);
	if (json && (results_write_json(&results, &options, json) || fclose(json)))
		status = EXIT_FAILURE;
	results_free(&results);
	return status;
}
