/*
 * harness.h: what every stress program and stand-alone API program shares: options, random numbers, failure, time.
 *
 * Calls libc and the kernel. Knows nothing of flagstone: the programs use the plain malloc names, whoever answers them.
 * Nothing here allocates except where libc does, and fail() is safe in a signal handler and in a forked child.
 */
#ifndef TESTS_STRESS_HARNESS_H
#define TESTS_STRESS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- options: "--name value" or, for flags, "--name" ---- */

struct test_option {
	const char *name; /* with its dashes */
	long *value; /* holds the default; a flag sets 1 */
	bool is_flag;
	const char *help;
};

/* Reads the command line. An unknown word or a missing value prints the table and exits with status 2. */
void harness_options(int argc, char **argv, const struct test_option *options, size_t nr_options);
/* Seconds to run: the option if it was given (> 0), else FLAGSTONE_SOAK_SECONDS, else fallback. */
double harness_seconds(long option, double fallback);
/* A count: full where FLAGSTONE_PROBES=full, for soaks of hours; else quick. */
long harness_count(long quick, long full);
/* A seed: the option if it was given (> 0), else one from the clock. */
uint64_t harness_seed(long option);
/* Whether a peer is under test (FLAGSTONE_TEST_PEER=1): limits that only flagstone promises are not asserted. */
bool harness_is_peer(void);
/* File name of the library that answers malloc. Fails if FLAGSTONE_TEST_ALLOCATOR is set and not part of that name. */
const char *harness_allocator(void);

/* ---- failure ---- */

/* Prints "FAIL: ..." and ends the process with status 1 at once, whatever the other threads hold. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* As fail, with an exit status of the caller's choice. */
void fail_status(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
#define require(condition, ...)            \
	do {                               \
		if (!(condition))          \
			fail(__VA_ARGS__); \
	} while (0)

/*
 * Starts a process that kills this one when it still runs after so many seconds: it works even if every thread waits
 * for a lock with all signals blocked. It dies with the thread that called this.
 */
void watchdog_start(double seconds, const char *what);
void watchdog_stop(void);
/* Waits for one child; kills it and returns false if it has not ended in time. */
bool wait_child(pid_t child, double seconds, int *status);

/* ---- random numbers and sizes ---- */

struct rng {
	uint64_t state; /* Synchronization: owner */
};

uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t limit);
/* 1 .. max, most of them small, every power of two equally likely above; exact powers and their neighbours favoured. */
size_t rng_size(struct rng *rng, size_t max);
/* A generator that differs for every (seed, stream). */
struct rng rng_stream(uint64_t seed, uint64_t stream);

/* ---- stamped blocks: their own size and check pattern inside, for blocks that change hands as a bare pointer ---- */

#define STAMP_MIN 8
/* Fills a block of size >= STAMP_MIN. */
void stamp_write(void *block, size_t size);
/* Fails unless every byte is as stamp_write left it. Returns the size. */
size_t stamp_check(const void *block);

/* ---- time and memory ---- */

double now_seconds(void);
void sleep_ms(long milliseconds);
/* A line of /proc/self/status in bytes, such as "RssAnon:". No allocation. 0 if there is none. */
size_t status_bytes(const char *line);

#endif
