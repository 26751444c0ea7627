/*
 * vars_alloc.h: per-CPU objects made at run time; what vars.c needs of vars_alloc.c, and masks.c. Private to the room.
 */
#ifndef PERCPU_VARS_ALLOC_H
#define PERCPU_VARS_ALLOC_H

#include "percpu/vars.h"

#define VARS_DYNAMIC_BYTES ((size_t)32 << 20) /* of each CPU, for alloc_percpu() */

/* names: VARS_DYNAMIC_BYTES without rights, as is the same range at each CPU's distance. Maps what the first objects need.
 * Returns 0 or -ENOMEM. */
int vars_alloc_boot(char *names, unsigned int nr_cpus);
/* Forgets all objects. The caller unmaps their memory. */
void vars_alloc_shutdown(void);
void vars_alloc_stats(struct vars_stats *stats);

/* Guards the list of sections, the distances' making, and the objects. */
extern struct lock vars_lock hidden;

/* CPUs 0 .. nr_cpus - 1 are possible, present and online, no others are. */
void masks_boot(unsigned int nr_cpus);

#endif
