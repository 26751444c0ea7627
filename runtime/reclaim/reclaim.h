/*
 * reclaim.h: the thread that gives back what a process does not need any more: the interface of this room.
 *
 * The rooms below know what they can spare (slab_age(), area_drain_idle(), page_age()); this one decides when to ask them.
 */
#ifndef RUNTIME_RECLAIM_RECLAIM_H
#define RUNTIME_RECLAIM_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/config.h"

enum reclaim_state {
	RECLAIM_ABSENT, /* there is no thread; one starts when it would have something to do */
	RECLAIM_STARTING,
	RECLAIM_RUNNING,
};

/* Synchronization: atomic; statistics read these without more. */
struct reclaim {
	uint32_t state; /* enum reclaim_state */
	uint32_t again; /* somebody wanted the thread when it was about to end */
	uint64_t not_before; /* when the next may be started, in ns: they are not started one after another */
	uint64_t nr_ticks;
	uint64_t nr_trims; /* ticks that gave everything back, since memory was scarce */
};
extern struct reclaim reclaim hidden;

/* Lets the page room call for the thread. The library's constructor does it; again in a test. */
void reclaim_boot(void);

#endif
