/*
 * flagstone/disk.h: simulated disks with files, read and written through the machine's page cache.
 *
 * What is read stays in the machine's memory until it is needed otherwise; what is written stays there until the
 * disk's own thread ("flush-0") has written it, which needs memory itself. So a machine whose memory is full has
 * something to reclaim, and kernel code something to reclaim it from. The disk's contents are not in the machine's
 * memory.
 *
 * Context of every function: task, may sleep, unless it says otherwise.
 */
#ifndef FLAGSTONE_DISK_H
#define FLAGSTONE_DISK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLAGSTONE_DISK_PAGE 4096 /* bytes of a page of a file */

struct flagstone_disk;
struct flagstone_file;

/* All zero: a disk that takes no time. */
struct flagstone_disk_config {
	unsigned int latency_us; /* that a read or write of a page takes */
	/* A mistake, to see what it does: writing back allocates with GFP_KERNEL, which waits for pages to be
	 * written, instead of with GFP_NOIO from a reserve. */
	int writeback_reclaims;
};

/* A disk and its two threads; config may be NULL. NULL when memory is out. */
struct flagstone_disk *flagstone_disk_create(const struct flagstone_disk_config *config);
/* Drops its files with all that was not written, and ends it. Nobody uses it any more. NULL: nothing. */
void flagstone_disk_destroy(struct flagstone_disk *disk);

/* A file of nr_pages pages that read as zero; NULL when memory is out. It ends with its disk. */
struct flagstone_file *flagstone_file_create(struct flagstone_disk *disk, size_t nr_pages);
/* Copies a page of the file to the caller's memory. 0, -EINVAL: there is no such page, -ENOMEM: no memory for it in
 * the cache. */
int flagstone_file_read(struct flagstone_file *file, size_t index, void *to);
/* Makes the caller's FLAGSTONE_DISK_PAGE bytes the page's contents. Waits while too much of the memory is dirty.
 * Returns as above. */
int flagstone_file_write(struct flagstone_file *file, size_t index, const void *from);
/* Returns when every page written before is on the disk. */
void flagstone_disk_sync(struct flagstone_disk *disk);

struct flagstone_disk_stats {
	unsigned long reads, writes; /* of pages, by the disk */
	unsigned long dirty, writeback; /* pages in the cache now */
	int flusher_sleeps; /* its thread sleeps uninterruptibly just now: it waits for memory or for the disk */
};
/* Any task context. */
void flagstone_disk_stats(struct flagstone_disk *disk, struct flagstone_disk_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
