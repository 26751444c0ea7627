/*
 * ops.h: the room's view of the ISA's magazine_ops.h, which the build's include path chooses.
 */
#ifndef PERCPU_OPS_H
#define PERCPU_OPS_H

#include "magazine_ops.h"

/* Whether this host's rseq must not be trusted (ISA's folder, host.c). Runs once, at boot. */
bool ops_avoided(void);

#endif
