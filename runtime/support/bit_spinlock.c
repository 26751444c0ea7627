/*
 * bit_spinlock.c: waits for a bit, whose holder another thread of the host may keep from running.
 *
 * Calls host.
 */
#include <linux/bit_spinlock.h>

#include "runtime/host/host.h"

#define SPINS 100

void flagstone_bit_spin_wait(int nr, unsigned long *word)
{
	for (int spins = 0; test_bit(nr, word); spins++) {
		if (spins < SPINS)
			host_relax();
		else
			host_yield();
	}
}
