/*
 * variable.h: how long and how large a stress is, by the environment.
 */
#ifndef TESTS_STRESS_VARIABLE_H
#define TESTS_STRESS_VARIABLE_H

#include <stdlib.h>

static inline unsigned long variable(const char *name, unsigned long usual)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : usual;
}

#endif
