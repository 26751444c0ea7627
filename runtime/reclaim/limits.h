/*
 * limits.h: whether memory is scarce outside of this process. Private to the room.
 */
#ifndef RUNTIME_RECLAIM_LIMITS_H
#define RUNTIME_RECLAIM_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITS_PATH 512
#define LIMITS_LEVELS 4

/* The files of one cgroup, each "" where there is none. */
struct limits_level {
	char usage[LIMITS_PATH]; /* bytes that it uses */
	char stat[LIMITS_PATH]; /* what it uses them for */
	char max[LIMITS_PATH]; /* bytes that it may use */
	char high[LIMITS_PATH]; /* bytes above which it is slowed down */
};

/* Synchronization: const once found. */
struct limits {
	unsigned int nr_levels;
	struct limits_level level[LIMITS_LEVELS]; /* the process's own cgroup, then those that it lies in */
	char pressure
		[LIMITS_PATH]; /* stalls for want of memory, of the cgroup or else of the machine; "" where there is none */
};

/* Looks below root ("" outside of tests) for this process's memory cgroup, of either version, those around it, and
 * pressure files. */
void limits_find(struct limits *limits, const char *root);
/* Whether the cgroup is near a limit, not counting what it caches of files, or tasks stall for want of memory. */
bool limits_scarce(const struct limits *limits);

#endif
