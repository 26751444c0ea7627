/*
 * fault.h: failures on purpose: the interface of this room.
 *
 * The decision is attr.c's, and is the kernel's interface; this room adds the two attributes that memory has.
 */
#ifndef RUNTIME_FAULT_FAULT_H
#define RUNTIME_FAULT_FAULT_H

#include <linux/fault-inject.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/lib/text.h"

#define FAULT_FRAMES 16

/* Synchronization of both: knobs are changed by a task while others look, each alone. */
extern struct fault_attr fault_slab_attr; /* "failslab" */
extern struct fault_attr fault_page_attr; /* "fail_page_alloc" */

/* Failures from now on are those of this seed. replay is what the report names to repeat them: it must stay. */
void fault_boot(uint64_t seed, const char *replay);
/* All knobs are as they were before boot. */
void fault_shutdown(void);

/* Whether this allocation is to fail: in the hooks of the slab room. cache_flags: SLAB_; 0 of no cache's own. Any context. */
bool fault_slab(unsigned int gfp, size_t size, unsigned int cache_flags, const void *caller);
bool fault_pages(unsigned int gfp, unsigned int order, const void *caller);

/* Sets a knob of an attribute by the kernel's names: 0, -ENOENT, -EINVAL. */
int fault_set(const char *attr, const char *knob, const char *value);
/* "interval:probability:space:times:knob=value:..." of which all may be missing. False: *bad is the part that is wrong. */
bool fault_setup(const char *attr, const char *text, const char **bad);
/* As fault_setup, without any effect. */
bool fault_check(const char *attr, const char *text, const char **bad);
/* Why the part that begins at bad is wrong in text, and what is allowed there. */
void fault_explain(const char *attr, const char *text, const char *bad, struct text *reason);

#endif
