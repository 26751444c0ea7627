/*
 * linux/shrinker.h: caches of kernel code that give memory back when it is scarce.
 *
 * Semantics: Linux, Documentation/filesystems/vfs.rst ("Shrinkers") and the registration of 6.7. count_objects() says
 * how many objects could be freed, scan_objects() tries to free some. Both run in task context and may sleep, in
 * kswapd or in whatever task's allocation found memory scarce: with the locks that this task holds, which is what
 * gfp_mask tells them. One without __GFP_FS (or __GFP_IO) in it must not enter a file system (or start I/O); the
 * shrinker itself looks at that.
 */
#ifndef FLAGSTONE_LINUX_SHRINKER_H
#define FLAGSTONE_LINUX_SHRINKER_H

#include <linux/gfp.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHRINK_STOP (~0UL) /* scan_objects: it cannot go on just now */
#define SHRINK_EMPTY (~0UL - 1) /* count_objects: there are none */
#define DEFAULT_SEEKS 2 /* what an object costs to make again */
#define SHRINKER_NUMA_AWARE (1u << 2) /* asked node by node; else once, with nid 0 */

struct shrink_control {
	gfp_t gfp_mask; /* of the allocation that memory is wanted for */
	int nid; /* whose objects are asked for */
	unsigned long nr_to_scan; /* scan_objects: how many to look at */
	unsigned long nr_scanned; /* in: nr_to_scan; a shrinker that looked at another number says so */
};

/* The fields up to private_data are the registrant's, and const while it is registered. */
struct shrinker {
	unsigned long (*count_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	long batch; /* most objects a call; 0: 128 */
	int seeks; /* 0: objects cost nothing to make again, half of them go at once */
	unsigned int flags; /* SHRINKER_ */
	void *private_data;
	struct flagstone_shrinker *registered; /* flagstone's own */
};

/* A shrinker by the name of fmt, to be filled in and registered; NULL when memory is out. Context: task, may sleep. */
struct shrinker *shrinker_alloc(unsigned int flags, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* From now on it is called. Context: task, may sleep. */
void shrinker_register(struct shrinker *shrinker);
/* It is not called any more, after the calls that run have ended, and freed. NULL: nothing. Context: task, may
 * sleep; not from a shrinker. */
void shrinker_free(struct shrinker *shrinker);

/* The same of older kernels, for a shrinker in the caller's memory: with a name from 6.0 on, before that without. 0
 * or -ENOMEM. */
int flagstone_register_shrinker(struct shrinker *shrinker, const char *fmt, ...);
#define register_shrinker(shrinker, ...) flagstone_register_shrinker(shrinker, "" __VA_ARGS__)
void unregister_shrinker(struct shrinker *shrinker);

#ifdef __cplusplus
}
#endif

#endif
