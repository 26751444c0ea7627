/*
 * fragmenting.h: a random load that leaves a machine's memory in pieces, and how much of it large blocks can be made of then.
 *
 * Calls the kernel's functions on a machine that the caller has booted, with one node and one zone, and pressure_drop_caches().
 * The same seed does the same, on one CPU that nobody else uses. Knows no clock.
 */
#ifndef TESTS_STRESS_FRAGMENTING_H
#define TESTS_STRESS_FRAGMENTING_H

#include <stddef.h>

#define FRAGMENTING_ORDERS 11

/* Orders that are looked at, the largest first. */
#define FRAGMENTING_SIZES 3
extern const unsigned int fragmenting_order[FRAGMENTING_SIZES];

struct fragmenting_result {
	size_t pages; /* the zone's */
	size_t full_free; /* pages free when the load had filled the memory: about 5% of them */
	size_t free; /* pages free after the caches gave up what they can */
	size_t kernel; /* pages that kernel objects and pinned ones keep, the zone's other pages */
	size_t nr_free[FRAGMENTING_ORDERS]; /* free blocks at that moment, as buddyinfo has them */
	size_t got[FRAGMENTING_SIZES]; /* blocks of fragmenting_order[] that could be allocated then */
	char extfrag_index[256], unusable_index[256]; /* the views of that moment */
};

/*
 * Movable pages belong to owners, files and processes, which get them one by one, 1 to most_of_owner of them, and give them back
 * together: with 1, each page goes at a time of its own. Returns whether the load could be made. Everything is given back then.
 */
int fragmenting_run(unsigned int seed, unsigned int most_of_owner, struct fragmenting_result *result);

/* The free blocks, with what lies on lists and in caches given back: as a view of the whole machine. */
void fragmenting_settle(size_t nr_free[FRAGMENTING_ORDERS]);

#endif
