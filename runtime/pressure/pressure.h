/*
 * pressure.h: memory that runs out: who frees some, who waits for it, and who ends when there is none: the interface
 * of this room.
 *
 * An allocation that fails asks here whether to try again (pressure_retry). In this order: kswapd is woken; what
 * caches hold of free memory is drained; the page cache and the shrinkers give up what they can spare; the task
 * sleeps in line until memory comes; the OOM killer chooses. Calls the sched room, the slab room's and the page
 * room's interfaces. Knows nothing of devices.
 */
#ifndef RUNTIME_PRESSURE_PRESSURE_H
#define RUNTIME_PRESSURE_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/sched.h>

enum oom_policy {
	OOM_KILL, /* a killable task gets the reserves and is told to end; where there is none, the allocation fails */
	OOM_FAIL, /* the allocation fails */
	OOM_PANIC, /* the process ends with a report */
};

struct pressure_config {
	enum oom_policy oom;
	unsigned int patience_ms; /* how long nothing may be reclaimed until that is out of memory; 0: 1000 */
	unsigned int dirty_ratio; /* percent of the pages that may be dirty before writers wait; 0: 20 */
	unsigned int dirty_background_ratio; /* before they are written; 0: 10 */
	/* Jiffies between looks of kswapd for memory that no free of pages shows, while somebody sleeps for memory; 0: 1.
	 * For tests, which have it look never: MAX_SCHEDULE_TIMEOUT. */
	long look_jiffies;
};

/* Starts kswapd for each node and watches the zones. After slab_boot_machine() and sched_boot(); 0 or -errno. Task
 * context. */
int pressure_boot(const struct pressure_config *config);
/* Ends what pressure_boot() started; everything static is as before. Disks are gone, shrinkers and notifiers
 * unregistered. Returns how many of these were left, each of which it has reported. */
unsigned int pressure_shutdown(void);

/* In a fork child: there is no machine any more, and the tasks that were in this room are not here. */
void pressure_forget(void);

/* For struct alloc_hooks: whether to try again, after as many failures. Any context that gfp allows; no locks held. */
bool pressure_retry(unsigned int gfp, unsigned int order, unsigned int attempt);
/* For struct alloc_hooks: prints the zones, the Mem-Info of the kernel's reports, and says so if none is for such flags. Any
 * context. */
void pressure_report_zones(unsigned int gfp, unsigned int order);

/* Whether a task is one of this room's own (kswapd). */
bool pressure_owns(const struct task_struct *task);

/* Lets go of tasks that have ended without flagstone_oom_unkillable(). Task context. */
void oom_forget_ended(void);

/* Gives back the memory of pools that have been reported as leaks: of their own structs and, as far as it is kmalloc's, a cache's or pages,
 * of their reserves, which would else be told of once more. Nobody else uses the machine. */
void pools_abandon(void);

/* Drops clean pages of the page cache, and lets every shrinker give up all it can: /proc/sys/vm/drop_caches, bits 1
 * and 2. Returns how many pages and objects went. Task context, may sleep. */
unsigned long pressure_drop_caches(unsigned int what);

/* ---- counters: /proc/vmstat ---- */

/* clang-format off */
#define VMSTAT_EVENTS(X)                                                                                           \
	X(allocstall_dma)                                                                                          \
	X(allocstall_dma32)                                                                                        \
	X(allocstall_normal)                                                                                       \
	X(allocstall_movable) X(pgactivate) X(pgdeactivate) X(pgsteal_kswapd) X(pgsteal_direct) X(pgscan_kswapd)   \
		X(pgscan_direct) X(slabs_scanned) X(kswapd_wake) X(pageoutrun) X(kswapd_low_wmark_hit_quickly)     \
			X(pgrotated) X(drop_pagecache) X(drop_slab) X(oom_kill) X(pgpgin) X(pgpgout) X(nr_dirtied) \
				X(nr_written) X(direct_sleeps) X(mem_drains)
/* clang-format on */

#define VMSTAT_ENUM(name) VMSTAT_##name,
enum vmstat_event { VMSTAT_EVENTS(VMSTAT_ENUM) NR_VMSTAT_EVENTS };
#undef VMSTAT_ENUM

/* Counts. Any context, cheap. */
void vmstat_add(enum vmstat_event event, unsigned long nr);
/* The sum over all CPUs since boot. Any context. */
unsigned long vmstat_get(enum vmstat_event event);
/* Calls visit for each counter and gauge of this room, in order: events, then nr_ of the page cache. Task context. */
void vmstat_for_each(void (*visit)(const char *name, unsigned long value, void *arg), void *arg);

#endif
