/*
 * shim.h: Google Benchmark as the C files of this room see it.
 *
 * One call to bench_measure() registers a C function with Google Benchmark, runs it once for a fixed number of
 * iterations on some threads, and hands back what the library reported. Refuses to know what is measured.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

struct bench_state;

struct bench_request {
	const char *name;
	void (*run)(struct bench_state *state, void *arg); /* called once on each thread */
	void *arg;
	int threads;
	long iterations; /* per thread; must be a multiple of the step that run passes to bench_more() */
};

struct bench_result {
	double seconds; /* from the first thread that starts to the moment the last one ends */
	long iterations; /* summed over the threads */
};

/* Runs the request. Returns 0, or -1 if Google Benchmark reported no usable result. Not reentrant. */
int bench_measure(const struct bench_request *request, struct bench_result *result);

/*
 * True while the caller has to do another n iterations. The first call on each thread waits until all threads are
 * there, and the call that returns 0 waits until all have finished, so that code around the loop is not timed.
 */
int bench_more(struct bench_state *state, long n);

int bench_thread(const struct bench_state *state); /* 0 .. threads - 1; 0 is the thread that called bench_measure() */

#ifdef __cplusplus
}
#endif

#endif
