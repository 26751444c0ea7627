/*
 * look.h: what flagstone holds in another process, and if that cannot be told, why.
 */
#ifndef TOOLS_LOOK_H
#define TOOLS_LOOK_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "flagstone/stats.h"
#include "process.h"

#define LOOK_NAME 64
#define LOOK_REASON 320 /* bytes that hold every explanation */

/* Bytes that hold all that stats_text() or stats_json() prints of one process. */
#define LOOK_TEXT_BYTES (1ul << 20)
static_assert(LOOK_TEXT_BYTES > 512 * FLAGSTONE_STATS_CACHES + 128 * FLAGSTONE_STATS_CPUS + 4096, "every row fits");

/* What the tools that look at processes end with. */
enum exit_status {
	EXIT_OK,
	EXIT_OUTPUT,
	EXIT_USAGE,
	EXIT_NO_PROCESS,
	EXIT_NO_PERMISSION,
	EXIT_NO_FLAGSTONE,
	EXIT_OTHER_BUILD,
	EXIT_UNREADABLE,
};

/* A process, and where flagstone's roots lie in it. Synchronization: const once opened. */
struct look {
	struct reader reader;
	char name[LOOK_NAME];
	int nr_roots; /* or -errno */
	uintptr_t roots[PROCESS_MAX_SYMBOLS];
};

/* Searches the process for flagstone. What look_explain() needs is set in any case. */
enum exit_status look_open(struct look *look, int pid);
/* Collects from a process that was opened with EXIT_OK. Where it is not EXIT_OK, *stats is undefined. */
enum exit_status look_collect(const struct look *look, struct flagstone_stats *stats);
/* One sentence on what a status other than EXIT_OK came from, into buffer, which is returned. */
const char *look_explain(const struct look *look, enum exit_status status, char *buffer, size_t size);

#endif
