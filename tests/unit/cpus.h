/*
 * cpus.h: how many CPUs the machine of a concurrent test has.
 *
 * Environment: FLAGSTONE_TEST_CPUS, the number of CPUs to boot instead of the one that the test chose. The suite `cpus` of
 * the build runs every test that asks here with 1, 2, 8 and 64. Knows no room.
 */
#ifndef TESTS_UNIT_CPUS_H
#define TESTS_UNIT_CPUS_H

#include <stdlib.h>

#include "tests/skip.h"

#define TEST_CPUS_MOST 64

/* usual: what the test's machine has where nothing else is asked for, TEST_CPUS_MOST at most. */
static inline unsigned int test_cpus(unsigned int usual)
{
	const char *text = getenv("FLAGSTONE_TEST_CPUS");
	unsigned long asked = text ? strtoul(text, NULL, 10) : usual;

	if (asked < 1 || asked > TEST_CPUS_MOST) {
		fprintf(stderr, "FLAGSTONE_TEST_CPUS=%s: not 1 .. %d\n", text, TEST_CPUS_MOST);
		exit(1);
	}
	return (unsigned int)asked;
}

/* Whether to leave out what means nothing with fewer CPUs than needed. Says so if it is. */
static inline bool skip_below(unsigned int needed, unsigned int cpus, const char *what)
{
	char text[200];

	if (cpus >= needed)
		return false;
	snprintf(text, sizeof(text), "%s: needs %u CPUs, and there are %u", what, needed, cpus);
	skip_part(text);
	return true;
}

#endif
