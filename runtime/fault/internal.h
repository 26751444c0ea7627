/*
 * internal.h: what the files of the fault room share.
 */
#ifndef RUNTIME_FAULT_INTERNAL_H
#define RUNTIME_FAULT_INTERNAL_H

#include "runtime/fault/fault.h"

void attr_boot(uint64_t seed, const char *replay);

#endif
