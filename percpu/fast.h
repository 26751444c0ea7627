/*
 * fast.h: pop and push as the fast paths of the rooms above inline them.
 *
 * slot2 is twice the slot's number, which is what class bytes and the size table hold. NULL or false means: take the slow
 * path, which serves every mode.
 */
#ifndef PERCPU_FAST_H
#define PERCPU_FAST_H

#include "percpu/ops.h"

static inline __attribute__((always_inline)) void *magazine_pop(unsigned long slot2)
{
	if (CONFIG_RSEQ)
		return rseq_pop(slot2);
	return area_pop((unsigned int)slot2 / 2);
}

static inline __attribute__((always_inline)) bool magazine_push(unsigned long slot2, void *object)
{
	if (CONFIG_RSEQ)
		return rseq_push(slot2, object);
	return area_push((unsigned int)slot2 / 2, object);
}

#endif
