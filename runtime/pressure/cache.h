/*
 * cache.h: the pages of files in memory: what the page cache and the disks share.
 *
 * A slot is one page of a file, with a page of memory or without. Its state changes under cache_lock:
 *
 *	absent -> busy (being read, or written over by one task) -> present, clean or dirty
 *	dirty -> writeback (on its way to the disk) -> clean -> absent, when it is reclaimed
 *
 * Who reads the memory of a slot has it pinned; who changes it, or what is on the disk, has it busy or in writeback.
 * Neither is reclaimed.
 */
#ifndef RUNTIME_PRESSURE_CACHE_H
#define RUNTIME_PRESSURE_CACHE_H

#include <flagstone/disk.h>

#include "runtime/pressure/internal.h"

enum slot_flags {
	SLOT_BUSY = 1,
	SLOT_DIRTY = 2, /* on its disk's dirty list */
	SLOT_WRITEBACK = 4,
	SLOT_REFERENCED = 8, /* used since it was last looked at */
	SLOT_ACTIVE = 16, /* which list it is on */
};

/* On a list of its page's node if and only if page is not NULL. Synchronization: cache_lock, all fields but file */
struct slot {
	struct list_head lru;
	struct list_head dirty;
	struct list_head waiters; /* for it to become less used */
	struct page *page;
	struct flagstone_file *file; /* Synchronization: const */
	uint32_t flags; /* enum slot_flags */
	uint32_t pins;
};

struct flagstone_file {
	struct list_head list; /* Synchronization: cache_lock */
	struct flagstone_disk *disk; /* Synchronization: const, as the rest */
	size_t nr_pages;
	unsigned char *storage; /* what is on the disk. Synchronization: who has the slot busy or in writeback */
	struct slot slots[];
};

/* Under lock: nr_dirty == length(dirty); nr_writeback == slots of its files in writeback. */
struct flagstone_disk {
	struct list_head list; /* Synchronization: cache_lock, as the next eleven */
	struct list_head files;
	struct list_head dirty; /* slots, oldest first */
	struct list_head queue; /* requests that wait for the disk */
	struct list_head sync_line; /* who waits for all to be written */
	unsigned long nr_dirty, nr_writeback, nr_syncers;
	unsigned long wanted; /* pages that reclaim would like to be clean */
	unsigned long nr_reads, nr_writes;
	bool stop;
	struct flagstone_disk_config config; /* Synchronization: const, as the rest */
	struct task_struct *flusher, *worker;
	struct mempool_s *requests, *bounces;
};

extern struct lock cache_lock;
/* Sums over all disks. Synchronization: cache_lock; hints without */
extern unsigned long cache_nr_dirty, cache_nr_writeback;

static inline size_t slot_index(const struct slot *slot)
{
	return (size_t)(slot - slot->file->slots);
}

static inline void __slot_wake(struct slot *slot)
{
	__waiters_wake_all(&slot->waiters);
}

/* ---- cache.c ---- */

/* The slot has got its page. */
void __slot_insert(struct slot *slot, struct page *page);
/* Takes the page off the slot; the caller frees it. */
struct page *__slot_remove(struct slot *slot);
void __slot_touch(struct slot *slot);
/* A page was written: whoever waits for that goes on. */
void __cache_written(struct slot *slot);
/* Pages are dirty no longer without having been written: who waits for that looks again. */
void __cache_dropped(void);
/* Waits, as a writer, until not too many pages are dirty. */
void cache_throttle(void);
unsigned long cache_background_limit(void);

/* ---- disk.c ---- */

/* Asks every disk to write some pages. The lock is held. */
void __disks_want(unsigned long nr);
/* Whether the task is a disk's thread. Any context. */
bool disks_own(const struct task_struct *task);
/* Returns how many there were, which it has reported. */
unsigned int disks_reset(void);

#endif
