/*
 * linux/sched/mm.h: sections in which every allocation of this task is of a milder kind than its flags say.
 *
 * Semantics: Linux, Documentation/core-api/gfp_mask-from-fs-io.rst. Each _save() returns what the _restore() takes;
 * they nest. Context: task; in an interrupt they mean the interrupted task's, as in the kernel.
 */
#ifndef FLAGSTONE_LINUX_SCHED_MM_H
#define FLAGSTONE_LINUX_SCHED_MM_H

#include <linux/gfp.h>
#include <linux/might_sleep.h>
#include <linux/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What flags mean in this task's sections: without __GFP_IO and __GFP_FS in a noio section, without __GFP_FS in a
 * nofs section. */
static inline gfp_t current_gfp_context(gfp_t flags)
{
	unsigned int pflags = current ? READ_ONCE(current->flags) : 0;

	if (pflags & PF_MEMALLOC_NOIO)
		return flags & ~(__GFP_IO | __GFP_FS);
	return pflags & PF_MEMALLOC_NOFS ? flags & ~__GFP_FS : flags;
}

/*
 * What follows may allocate with these flags: if they let it sleep, a report where this must not, as might_sleep(). For functions
 * that usually get by without an allocation. Context: any.
 */
static inline void might_alloc(gfp_t gfp)
{
	/* The place that Linux 6.1 names in its report. */
	if (gfpflags_allow_blocking(gfp))
		flagstone_might_sleep("include/linux/sched/mm.h", 274);
}

static inline unsigned int flagstone_memalloc_save(unsigned int bit)
{
	unsigned int old = current->flags & bit;

	current->flags |= bit;
	return old;
}

static inline void flagstone_memalloc_restore(unsigned int bit, unsigned int old)
{
	current->flags = (current->flags & ~bit) | old;
}

/* Allocations start no I/O: for what I/O itself waits for. */
static inline unsigned int memalloc_noio_save(void)
{
	return flagstone_memalloc_save(PF_MEMALLOC_NOIO);
}

static inline void memalloc_noio_restore(unsigned int flags)
{
	flagstone_memalloc_restore(PF_MEMALLOC_NOIO, flags);
}

/* Allocations do not enter file systems: for what holds a file system's locks. */
static inline unsigned int memalloc_nofs_save(void)
{
	return flagstone_memalloc_save(PF_MEMALLOC_NOFS);
}

static inline void memalloc_nofs_restore(unsigned int flags)
{
	flagstone_memalloc_restore(PF_MEMALLOC_NOFS, flags);
}

/* Allocations reclaim nothing, and may use the reserves: for what frees more than it takes. */
static inline unsigned int memalloc_noreclaim_save(void)
{
	return flagstone_memalloc_save(PF_MEMALLOC);
}

static inline void memalloc_noreclaim_restore(unsigned int flags)
{
	flagstone_memalloc_restore(PF_MEMALLOC, flags);
}

#ifdef __cplusplus
}
#endif

#endif
