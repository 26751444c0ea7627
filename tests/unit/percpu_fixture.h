/*
 * percpu_fixture.h: what the tests of the percpu room share: an anchor, magazines, a sink that remembers.
 */
#ifndef TESTS_UNIT_PERCPU_FIXTURE_H
#define TESTS_UNIT_PERCPU_FIXTURE_H

#include "percpu/magazine.h"

#define NR_FIXTURE_MAGAZINES 640

extern struct magazine *magazines; /* NR_FIXTURE_MAGAZINES of them */

/* What a sink was given, in order. Synchronization: one thread at a time */
struct delivery {
	unsigned int slot;
	struct magazine_pair pair;
};
extern struct delivery deliveries[1024];
extern unsigned int nr_deliveries;
void remember(unsigned int slot, struct magazine_pair pair);

/* Memory for the anchor and the magazines; stays on one CPU, so that a test's steps meet the same area. 0 or -1. */
int fixture_memory(void);
/* Boots in the mode that FLAGSTONE_CONF asks for, with remember() as the exit sink. */
void fixture_boot(void);
/* Boots the CPUs of a machine instead. */
void fixture_boot_machine(unsigned int nr_cpus, unsigned int nr_nodes);
/* Whether consecutive operations of this thread meet the same area: false with several fake CPUs. */
bool fixture_stays(void);
/* Group setup: both. */
int fixture_setup(void **state);
/* Test setup: areas and magazines are empty, no deliveries. */
int fixture_clear(void **state);

/* What main() returns: STATUS_SKIPPED if restartable sequences were asked for and are not there. */
int fixture_status(int failed);

/* A token: a word that is no address. i counts from 0. */
void *token(unsigned long i);
/* Installs in place of whatever the area holds in the slot; asserts that it worked. */
void install(unsigned int slot, magazine_top top, magazine_top spare);
/* The area's pair; asserts that there is one. */
struct magazine_pair pair_of(unsigned int slot);
/* A position in magazine number m, which gets its floor, and tokens first, first + 1, ... up to count. */
magazine_top filled(unsigned int m, unsigned int capacity, unsigned int count, unsigned long first);
void assert_pair_is(struct magazine_pair pair, magazine_top top, magazine_top spare);
/* The area that this thread uses now. */
struct area *own_area(void);
unsigned int count_areas(void);

#endif
