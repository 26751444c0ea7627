/*
 * machine.h: what the files of the machine's part of the slab room share: machine.c, failure.c, track.c.
 */
#ifndef RUNTIME_SLAB_MACHINE_H
#define RUNTIME_SLAB_MACHINE_H

#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"

/* What slab_set_hooks() was told; never NULL. */
extern const struct alloc_hooks *machine_hooks hidden;
/* The task that runs this, as far as the hooks know. */
struct alloc_who machine_who(void);

/* ---- failure.c ---- */

struct text;
/* The names of flags, as the kernel prints them: "GFP_KERNEL|__GFP_ZERO". */
void failure_print_gfp(struct text *text, gfp_t gfp);
/* Reports an attempt that has failed, unless there were many of late. */
void failure_report(const struct attempt *attempt);
/* As slab_machine->drop_highmem. */
gfp_t failure_drop_highmem(const char *function, gfp_t gfp);
/* A request that cannot wait for what it may not do without: one report. */
void failure_report_nofail(const struct attempt *attempt);
/* As slab_machine->too_large. */
void failure_report_too_large(gfp_t gfp, unsigned int order);
void failure_reset(void);

/* ---- track.c ---- */

/* False: there is no memory for it. */
bool track_boot(void);
void track_shutdown(void);
bool track_is_on(void);
void track_alloc(const struct attempt *attempt, const void *object);
/* As slab_machine's functions of that name. */
bool track_freeing(const void *object, const void *caller);
bool track_freed_twice(const void *object, const void *caller);
void track_split(const void *object, size_t nr);
void track_resized(const void *object, size_t size);
void track_describe(const void *object);
void track_history(const void *object);
/* Of the object or block, live or freed, that the address lies in. False: none is recorded. */
bool track_history_around(const void *p);
/* This stack, and who had a page: alone, or in a block of a power of two. */
void track_page_history(const void *page);
unsigned int track_stack(uintptr_t *address, unsigned int max);

#endif
