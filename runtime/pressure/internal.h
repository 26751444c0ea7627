/*
 * internal.h: what the files of the pressure room share.
 */
#ifndef RUNTIME_PRESSURE_INTERNAL_H
#define RUNTIME_PRESSURE_INTERNAL_H

#include <linux/gfp.h>

#include "runtime/config.h"
#include "runtime/lib/resource.h"
#include "runtime/page/page.h"
#include "runtime/pressure/pressure.h"
#include "runtime/pressure/waiters.h"

#define EXPORT __attribute__((visibility("default")))
#define DEF_PRIORITY \
	12 /* a round looks at the 2^-priority-th part; each that finds too little is followed by one of twice that */
#define RECLAIM_BATCH 32 /* pages that a round is content with */
#define MAX_RECLAIM_RETRIES 16 /* rounds without any progress until memory is out */
#define COSTLY_ORDER 3 /* blocks above it are given up early */

extern struct pressure_config pressure_config;

/* ---- one round of reclaim: scan.c ---- */

struct scan {
	gfp_t gfp; /* what the memory is for */
	int node; /* -1: all */
	unsigned int priority;
	bool kswapd;
	unsigned long scanned; /* out: pages looked at */
	unsigned long reclaimed; /* out: pages and objects that went */
	bool cleaned; /* out: waited for pages to be written */
};
/* Page cache and shrinkers of one node, or of all. Task context, with PF_MEMALLOC set. */
void scan_round(struct scan *scan);
/* Moves free memory that caches hold to the free lists: magazines, empty slabs, page lists. One at a time: who
 * comes meanwhile waits for the next. Returns pages that became free. Task context. */
unsigned long scan_drain(void);
/* Free pages on the free lists of all zones. */
unsigned long free_pages_now(void);
/* Once, after the zones are there. */
void zones_learn(void);
/* Whether such a request could be met from the node's zones (-1: any node's). */
bool zones_suffice(int node, unsigned int order, enum page_zone_type type, enum page_level level);

/* ---- shrinkers ---- */

/* Lets every shrinker scan its part. Returns objects freed. Task context. */
unsigned long shrink_slab(gfp_t gfp, int node, unsigned int priority);
/* Returns how many were left, which it has reported. */
unsigned int shrinkers_reset(void);

/* ---- pools: see pools_abandon() ---- */

void mempools_abandon(void);
void gen_pools_abandon(void);

/* ---- kswapd ---- */

int kswapd_boot(void);
void kswapd_shutdown(void);
bool kswapd_is(const struct task_struct *task);
/* Of that node, or of all (-1). Any context. */
void kswapd_wake(int node, unsigned int order, enum page_zone_type type);
/* Somebody stands in the line of sleepers now: from here on one of the threads looks whether memory has come. Any
 * context. */
void kswapd_watch(void);
/* Somebody made progress: nodes that were given up are worth another try. Any context. */
void kswapd_hope(void);

/* ---- who sleeps until memory comes ---- */

/* Sleeps in line until that request can be met, or for so many jiffies, or until chosen by the OOM killer. *ticket
 * is the place, 0 for the end of the line: who comes again with it has lost nothing. Task context. */
void sleepers_wait(const struct page_request *request, unsigned int order, long timeout, unsigned long *ticket);
/* Wakes those at the front whose requests can be met now. Any context. */
void sleepers_wake(void);
bool sleepers_any(void);
void sleepers_reset(void);

/* ---- the page cache ---- */

/* Frees clean pages of a node from the cold end of its lists, looking at nr at most. Dirty ones are handed to the
 * flusher; with scan->kswapd unset and a gfp that allows I/O in file systems, waits for some to be written if
 * nothing else was found. */
unsigned long cache_shrink(struct scan *scan, int node, unsigned long nr);
unsigned long cache_nr_pages(int node);
unsigned long cache_drop_clean(void);
void cache_for_each_gauge(void (*visit)(const char *name, unsigned long value, void *arg), void *arg);
int cache_boot(void);
/* Returns how many disks were left, which it has reported. */
unsigned int cache_shutdown(void);

/* ---- OOM ---- */

enum oom_verdict {
	OOM_TRY_AGAIN, /* memory was freed, or will be */
	OOM_GIVE_UP, /* the allocation fails */
};
enum oom_verdict oom_decide(gfp_t gfp, unsigned int order, const struct page_request *request);
void oom_reset(void);
void show_mem(void);

void vmstat_reset(void);

/* ---- in a fork child: locks are free, and lines empty ---- */

void cache_forget(void);
void disks_forget(void);
void kswapd_forget(void);
void oom_forget(void);
void scan_forget(void);
void shrinkers_forget(void);
void sleepers_forget(void);

#endif
