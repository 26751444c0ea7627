/*
 * linux/prandom.h: random numbers; see linux/random.h.
 */
#ifndef FLAGSTONE_LINUX_PRANDOM_H
#define FLAGSTONE_LINUX_PRANDOM_H

#include <linux/random.h>

#endif
