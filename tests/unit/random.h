/*
 * random.h: a small repeatable generator for unit tests.
 *
 * Calls nothing. Knows no room.
 */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stdint.h>

/* state must not be 0. */
static inline uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static inline uint32_t random_below(uint32_t *state, uint32_t limit)
{
	return (uint32_t)((uint64_t)random_next(state) * limit >> 32);
}

#endif
