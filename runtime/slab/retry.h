/*
 * retry.h: what the kernel face does when memory is out.
 */
#ifndef RUNTIME_SLAB_RETRY_H
#define RUNTIME_SLAB_RETRY_H

#include <linux/gfp.h>

#include "runtime/host/host.h"
#include "runtime/slab/slab.h"

/* Gives back everything cached, and says whether to try again: once, or with __GFP_NOFAIL for ever. */
static inline bool alloc_again(gfp_t gfp, unsigned int *tries)
{
	if ((*tries)++ && !(gfp & __GFP_NOFAIL))
		return false;
	slab_trim(0);
	if (*tries > 1)
		host_yield();
	return true;
}

#endif
