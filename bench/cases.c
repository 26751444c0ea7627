/*
 * cases.c: the table of benchmarks, in the order in which they are printed.
 */
#include "cases.h"

#define PAIR(text, bytes)                                                                             \
	{                                                                                             \
		.name = "pair/" text, .what = "malloc and free of " text " bytes at once; ns a pair", \
		.body = pair_body, .size = bytes, .step = 1000, .threads = 1, .share = 1              \
	}

#define BATCH(kind, text, n)                                                                             \
	{                                                                                                \
		.name = #kind "/" text, .what = "batches of " text " objects of 64 bytes; ns an object", \
		.body = kind##_body, .size = 64, .count = n, .step = 1000, .threads = 1, .share = 1      \
	}

#define SERVER(text, n, only_full)                                                                                   \
	{                                                                                                            \
		.name = "server/" text,                                                                              \
		.what = text                                                                                         \
			" threads replace random objects of bags that wander among them; ns an object, all threads", \
		.setup = server_setup, .body = server_body, .teardown = server_teardown, .step = 200, .threads = n,  \
		.share = 1, .full = only_full                                                                        \
	}

#define LARGE(text, bytes)                                                                                    \
	{                                                                                                     \
		.name = "large/" text, .what = "malloc and free of " text ", first bytes touched; ns a pair", \
		.body = large_body, .size = bytes, .step = 10, .threads = 1, .share = 1                       \
	}

#define GROW(text, bytes)                                                                                   \
	{                                                                                                   \
		.name = "grow/" text,                                                                       \
		.what = "a buffer grows to " text " by realloc, half as much again each time; ns a buffer", \
		.body = grow_body, .size = bytes, .step = 1, .threads = 1, .share = 1                       \
	}

const struct bench_case bench_cases[] = {
	PAIR("16", 16),
	PAIR("64", 64),
	PAIR("256", 256),
	PAIR("1024", 1024),
	PAIR("4096", 4096),
	PAIR("32768", 32768),
	BATCH(lifo, "100", 100),
	BATCH(lifo, "1000", 1000),
	BATCH(fifo, "100", 100),
	BATCH(fifo, "1000", 1000),
	BATCH(random, "1000", 1000),
	{.name = "mixed/4K",
		.what = "1000 live objects of 8 to 4096 bytes, replaced in random order; ns an object",
		.setup = live_setup,
		.body = mixed_body,
		.teardown = live_teardown,
		.count = 1000,
		.step = 1000,
		.threads = 1,
		.share = 1},
	{.name = "live/1M",
		.what = "a million live objects of 64 bytes, replaced in random order; ns an object",
		.setup = live_setup,
		.body = live_body,
		.teardown = live_teardown,
		.size = 64,
		.count = 1000000,
		.step = 1000,
		.threads = 1,
		.share = 1},
	{.name = "handover/64",
		.what = "allocated on one CPU, freed on another, by batches of 100; ns an object",
		.setup = handover_setup,
		.body = handover_body,
		.teardown = handover_teardown,
		.size = 64,
		.step = 100,
		.threads = 2,
		.share = 2},
	{.name = "handover-read/64",
		.what = "as handover/64, and the other CPU reads the object first; ns an object",
		.setup = handover_setup,
		.body = handover_read_body,
		.teardown = handover_teardown,
		.size = 64,
		.step = 100,
		.threads = 2,
		.share = 2},
	SERVER("1", 1, false),
	SERVER("2", 2, false),
	SERVER("4", 4, true),
	SERVER("8", 8, false),
	SERVER("16", 16, true),
	SERVER("32", 32, true),
	SERVER("64", 64, false),
	{.name = "churn/100",
		.what = "short threads, each allocates and frees 100 objects of 8 to 4096 bytes; ns a thread",
		.body = churn_body,
		.step = 4,
		.threads = 1,
		.share = 1},
	LARGE("64K", 65536),
	LARGE("1M", 1048576),
	LARGE("8M", 8388608),
	{.name = "large/mixed",
		.what = "16 live blocks of 64 KiB to 8 MiB, replaced in random order; ns a block",
		.setup = large_mixed_setup,
		.body = large_mixed_body,
		.teardown = live_teardown,
		.count = 16,
		.step = 10,
		.threads = 1,
		.share = 1},
	GROW("64K", 65536),
	GROW("8M", 8388608),
};

const size_t nr_bench_cases = sizeof(bench_cases) / sizeof(bench_cases[0]);
