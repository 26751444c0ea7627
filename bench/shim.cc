/*
 * shim.cc: the only C++ here, between Google Benchmark and the C files.
 *
 * Calls libbenchmark. Refuses to know allocators and benchmarks.
 *
 * Time is reported to Google Benchmark as manual time. Its own real time is a mean over threads, and a thread's
 * clock starts when that thread first gets a CPU: with 64 threads on 2 CPUs it would report a fraction of the true
 * elapsed time. The span below runs from the first thread past the start barrier to the first thread past the stop
 * barrier, which opens when the last one has finished.
 */
#include "shim.h"

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <vector>

namespace
{

/* Synchronization: atomic; reset by bench_measure() while no benchmark thread runs. */
struct span {
	std::atomic<int64_t> start;
	std::atomic<int64_t> end;
};

struct span span;

int64_t now_ns()
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void lower_to(std::atomic<int64_t> &value, int64_t ns)
{
	int64_t old = value.load(std::memory_order_relaxed);

	while (ns < old && !value.compare_exchange_weak(old, ns, std::memory_order_relaxed))
		;
}

class result_reporter : public benchmark::BenchmarkReporter
{
      public:
	explicit result_reporter(struct bench_result *out) : result(out)
	{
	}

	bool ReportContext(const Context &) override
	{
		return true;
	}

	void ReportRuns(const std::vector<Run> &runs) override
	{
		for (const Run &run : runs) {
			if (run.error_occurred || run.run_type != Run::RT_Iteration)
				continue;
			result->seconds = run.real_accumulated_time;
			result->iterations = static_cast<long>(run.iterations);
			seen = true;
		}
	}

	bool seen = false;

      private:
	struct bench_result *result;
};

} /* namespace */

struct bench_state {
	benchmark::State &gb;
	bool running;
};

extern "C" int bench_more(struct bench_state *state, long n)
{
	if (state->gb.KeepRunningBatch(n)) {
		if (!state->running) {
			state->running = true;
			lower_to(span.start, now_ns());
		}
		return 1;
	}
	lower_to(span.end, now_ns());
	state->gb.SetIterationTime(static_cast<double>(span.end - span.start) * 1e-9);
	return 0;
}

extern "C" int bench_thread(const struct bench_state *state)
{
	return state->gb.thread_index();
}

extern "C" int bench_measure(const struct bench_request *request, struct bench_result *result)
{
	result_reporter reporter(result);

	span.start = INT64_MAX;
	span.end = INT64_MAX;
	benchmark::ClearRegisteredBenchmarks();
	benchmark::RegisterBenchmark(request->name,
		[request](benchmark::State &gb) {
			struct bench_state state = {gb, false};

			request->run(&state, request->arg);
		})
		->Iterations(request->iterations)
		->Threads(request->threads)
		->UseManualTime();
	benchmark::RunSpecifiedBenchmarks(&reporter, ".");
	return reporter.seen && result->seconds > 0 && result->iterations > 0 ? 0 : -1;
}
