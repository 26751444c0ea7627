/*
 * internal.h: what the files of the fault room share.
 */
#ifndef RUNTIME_FAULT_INTERNAL_H
#define RUNTIME_FAULT_INTERNAL_H

#include "runtime/fault/fault.h"

void attr_boot(uint64_t seed, const char *replay);
/* As should_fail_ex(); the report's stack begins with caller, a return address. */
bool attr_should_fail(struct fault_attr *attr, ssize_t size, int flags, const void *caller);

#endif
