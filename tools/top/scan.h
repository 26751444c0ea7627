/*
 * scan.h: all processes of this machine that run on flagstone, seen again and again.
 */
#ifndef TOOLS_TOP_SCAN_H
#define TOOLS_TOP_SCAN_H

#include <stddef.h>

#include "../look.h"

#define HISTORY_SAMPLES 600
#define COMMAND_BYTES 256

/* The last samples, in a ring. count <= HISTORY_SAMPLES; sample number n, of 0 to total - 1, is at n % HISTORY_SAMPLES. */
struct history {
	unsigned int total; /* samples ever taken */
	double time[HISTORY_SAMPLES]; /* scan_clock() */
	uint64_t resident[HISTORY_SAMPLES];
	uint64_t live[HISTORY_SAMPLES];
};

/* A process on flagstone. */
struct subject {
	struct look look;
	char command[COMMAND_BYTES]; /* with its arguments, printable */
	enum exit_status status; /* of the last look */
	struct flagstone_stats stats; /* of the last look that was EXIT_OK; all zero before the first */
	uint64_t back_per_second; /* bytes given back between the last two of them; TABLE_UNKNOWN before */
	struct history history;
};

struct sighting;
struct scan {
	struct sighting *sightings; /* every process, by pid */
	size_t count;
	size_t nr_hidden; /* those that we may not read */
	const struct subject **subjects; /* those that have allocated with flagstone, or use another build of it */
	size_t nr_subjects;
};

/* Looks at every process; at those that were found not to use flagstone, more and more seldom. */
void scan_refresh(struct scan *scan);
/* The subject of that pid, or NULL. */
const struct subject *scan_find(const struct scan *scan, int pid);
/* "3 more processes: no permission" into buffer. Returns its length. */
int scan_describe_hidden(const struct scan *scan, char *buffer, size_t size);
void scan_free(struct scan *scan);

/* One process by itself: NULL and *status if it cannot be opened; *look is filled in either way. */
struct subject *subject_open(int pid, struct look *look, enum exit_status *status);
/* Looks again. */
void subject_refresh(struct subject *subject);

/* Seconds, of a clock that never goes back. */
double scan_clock(void);

/* free_bytes that hold frames. */
uint64_t subject_dirty_bytes(const struct subject *subject);

#endif
