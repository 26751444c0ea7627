/*
 * disk.c: simulated disks: the threads that write, and the requests between them.
 *
 * Calls cache.c for slots, mempools for what a request needs. Knows nothing of who dirties pages.
 *
 * The flusher copies a dirty page into a bounce page and hands it to the worker, which is the disk: it needs no
 * memory. The flusher needs a request and a bounce page for each page that it writes, and memory may be full of what
 * is to be written: it allocates with GFP_NOIO, so that it never waits for itself, and from reserves, which come back
 * when the disk has written.
 */
#include <errno.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/pressure/cache.h"
#include "runtime/sched/sched.h"

#define GFP_OF_FILES (GFP_KERNEL | __GFP_MOVABLE)
#define RESERVE 4 /* requests, and bounce pages */

struct request {
	struct list_head list; /* Synchronization: cache_lock */
	struct slot *slot; /* Synchronization: const */
	struct page *bounce; /* Synchronization: const */
};

static struct list_head disks = LIST_HEAD_INIT(disks); /* Synchronization: cache_lock */

static unsigned char *storage_of(const struct slot *slot)
{
	return slot->file->storage + slot_index(slot) * FLAGSTONE_DISK_PAGE;
}

static void take_time(const struct flagstone_disk *disk)
{
	if (disk->config.latency_us)
		usleep_range(disk->config.latency_us, disk->config.latency_us);
}

/* ---- the worker: what the disk itself does ---- */

static void __written(struct flagstone_disk *disk, struct slot *slot)
{
	slot->flags &= ~(uint32_t)SLOT_WRITEBACK;
	disk->nr_writeback--;
	disk->nr_writes++;
	__atomic_store_n(&cache_nr_writeback, cache_nr_writeback - 1, __ATOMIC_RELAXED);
	if (!disk->nr_dirty && !disk->nr_writeback)
		__waiters_wake_all(&disk->sync_line);
	__cache_written(slot);
}

static void serve(struct flagstone_disk *disk, struct request *request)
{
	struct page *bounce = request->bounce;
	host_sigmask_t mask;

	take_time(disk);
	memcpy(storage_of(request->slot), page_address(bounce), FLAGSTONE_DISK_PAGE);
	vmstat_add(VMSTAT_pgpgout, FLAGSTONE_DISK_PAGE / 1024);
	vmstat_add(VMSTAT_nr_written, 1);
	mask = lock_acquire_masked(&cache_lock);
	__written(disk, request->slot);
	lock_release_masked(&cache_lock, mask);
	mempool_free(bounce, disk->bounces);
	mempool_free(request, disk->requests);
	sleepers_wake();
}

/* Sleeps as long as there is nothing to do, with the lock held before and after. Who makes work does so under the
 * lock, and wakes. */
static void __idle(host_sigmask_t *mask)
{
	set_current_state(TASK_INTERRUPTIBLE);
	lock_release_masked(&cache_lock, *mask);
	if (!kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	*mask = lock_acquire_masked(&cache_lock);
}

static int worker_body(void *data)
{
	struct flagstone_disk *disk = data;
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	while (!list_empty(&disk->queue) || !kthread_should_stop()) {
		struct request *request;

		if (list_empty(&disk->queue)) {
			__idle(&mask);
			continue;
		}
		request = list_first_entry(&disk->queue, struct request, list);
		list_del(&request->list);
		lock_release_masked(&cache_lock, mask);
		serve(disk, request);
		mask = lock_acquire_masked(&cache_lock);
	}
	lock_release_masked(&cache_lock, mask);
	return 0;
}

/* ---- the flusher ---- */

static bool __has_work(const struct flagstone_disk *disk)
{
	return disk->nr_dirty && (disk->nr_syncers || disk->wanted || cache_nr_dirty > cache_background_limit());
}

/* The wrong way waits for memory that only this thread's own work can free. */
static struct request *request_alloc(struct flagstone_disk *disk)
{
	struct request *request;

	if (!disk->config.writeback_reclaims) {
		request = mempool_alloc(disk->requests, GFP_NOIO);
		request->bounce = mempool_alloc(disk->bounces, GFP_NOIO);
		return request;
	}
	request = kmalloc(sizeof(*request), GFP_KERNEL | __GFP_NOFAIL);
	request->bounce = alloc_page(GFP_KERNEL | __GFP_NOFAIL);
	return request;
}

/* The oldest dirty page that nobody is changing goes to the disk. */
static struct slot *__pick(struct flagstone_disk *disk)
{
	struct slot *slot;

	list_for_each_entry(slot, &disk->dirty, dirty)
		if (!(slot->flags & (SLOT_BUSY | SLOT_WRITEBACK)))
			return slot;
	return NULL;
}

static void __start_writeback(struct flagstone_disk *disk, struct slot *slot)
{
	list_del(&slot->dirty);
	slot->flags = (slot->flags & ~(uint32_t)SLOT_DIRTY) | SLOT_WRITEBACK;
	disk->nr_dirty--;
	disk->nr_writeback++;
	__atomic_store_n(&cache_nr_dirty, cache_nr_dirty - 1, __ATOMIC_RELAXED);
	__atomic_store_n(&cache_nr_writeback, cache_nr_writeback + 1, __ATOMIC_RELAXED);
	if (disk->wanted)
		disk->wanted--;
}

/* Returns false if no page could be written just now. */
static bool write_one(struct flagstone_disk *disk)
{
	struct request *request = request_alloc(disk);
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);
	struct slot *slot = __pick(disk);

	if (slot)
		__start_writeback(disk, slot);
	lock_release_masked(&cache_lock, mask);
	if (!slot) {
		mempool_free(request->bounce, disk->bounces);
		mempool_free(request, disk->requests);
		return false;
	}
	request->slot = slot;
	memcpy(page_address(request->bounce), page_address(slot->page), FLAGSTONE_DISK_PAGE);
	mask = lock_acquire_masked(&cache_lock);
	list_add_tail(&request->list, &disk->queue);
	wake_up_process(disk->worker);
	lock_release_masked(&cache_lock, mask);
	return true;
}

static int flusher_body(void *data)
{
	struct flagstone_disk *disk = data;
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	while (!kthread_should_stop()) {
		bool wrote;

		if (!__has_work(disk)) {
			__idle(&mask);
			continue;
		}
		lock_release_masked(&cache_lock, mask);
		wrote = write_one(disk);
		/* Every dirty page is being changed: its task goes on soon. */
		if (!wrote)
			schedule_timeout_uninterruptible(1);
		mask = lock_acquire_masked(&cache_lock);
	}
	lock_release_masked(&cache_lock, mask);
	return 0;
}

void __disks_want(unsigned long nr)
{
	struct flagstone_disk *disk;

	list_for_each_entry(disk, &disks, list) {
		if (!disk->nr_dirty)
			continue;
		if (disk->wanted < nr)
			disk->wanted = nr;
		wake_up_process(disk->flusher);
	}
}

/* ---- pages of files ---- */

/* The lock is held before and after. */
static void __slot_wait(struct slot *slot, host_sigmask_t *mask)
{
	struct waiter waiter;

	__waiter_enter(&slot->waiters, &waiter);
	__waiter_sleep(&cache_lock, mask, &waiter, MAX_SCHEDULE_TIMEOUT, false);
	__waiter_leave(&waiter);
}

static void __slot_unbusy(struct slot *slot)
{
	slot->flags &= ~(uint32_t)SLOT_BUSY;
	__slot_wake(slot);
}

/* The slot is busy and ours. */
static struct page *read_from_disk(struct slot *slot)
{
	struct page *page = alloc_page(GFP_OF_FILES);

	if (!page)
		return NULL;
	take_time(slot->file->disk);
	memcpy(page_address(page), storage_of(slot), FLAGSTONE_DISK_PAGE);
	vmstat_add(VMSTAT_pgpgin, FLAGSTONE_DISK_PAGE / 1024);
	return page;
}

/* Fills an absent slot. The lock is held before and after. 0 or -ENOMEM. */
static int __slot_fill(struct slot *slot, host_sigmask_t *mask)
{
	struct page *page;

	slot->flags |= SLOT_BUSY;
	lock_release_masked(&cache_lock, *mask);
	page = read_from_disk(slot);
	*mask = lock_acquire_masked(&cache_lock);
	if (page) {
		slot->file->disk->nr_reads++;
		__slot_insert(slot, page);
	}
	__slot_unbusy(slot);
	return page ? 0 : -ENOMEM;
}

static int slot_pin(struct slot *slot)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);
	int error = 0;

	while (!error && (!slot->page || (slot->flags & SLOT_BUSY))) {
		if (slot->flags & SLOT_BUSY)
			__slot_wait(slot, &mask);
		else
			error = __slot_fill(slot, &mask);
	}
	if (!error) {
		slot->pins++;
		__slot_touch(slot);
	}
	lock_release_masked(&cache_lock, mask);
	return error;
}

static void slot_unpin(struct slot *slot)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	if (!--slot->pins)
		__slot_wake(slot);
	lock_release_masked(&cache_lock, mask);
}

EXPORT int flagstone_file_read(struct flagstone_file *file, size_t index, void *to)
{
	struct slot *slot = &file->slots[index];
	int error;

	if (index >= file->nr_pages)
		return -EINVAL;
	error = slot_pin(slot);
	if (error)
		return error;
	memcpy(to, page_address(slot->page), FLAGSTONE_DISK_PAGE);
	slot_unpin(slot);
	return 0;
}

/* Makes the slot ours to change: nobody reads it, and it is not on its way to the disk. */
static void slot_own(struct slot *slot)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	while (slot->pins || (slot->flags & (SLOT_BUSY | SLOT_WRITEBACK)))
		__slot_wait(slot, &mask);
	slot->flags |= SLOT_BUSY;
	lock_release_masked(&cache_lock, mask);
}

/* page: what an absent slot gets; NULL for one that has its own, or without memory for it. */
static void slot_disown(struct slot *slot, struct page *page, bool changed)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);
	struct flagstone_disk *disk = slot->file->disk;

	if (page)
		__slot_insert(slot, page);
	if (changed)
		__slot_touch(slot);
	if (changed && !(slot->flags & SLOT_DIRTY)) {
		slot->flags |= SLOT_DIRTY;
		list_add_tail(&slot->dirty, &disk->dirty);
		disk->nr_dirty++;
		__atomic_store_n(&cache_nr_dirty, cache_nr_dirty + 1, __ATOMIC_RELAXED);
		vmstat_add(VMSTAT_nr_dirtied, 1);
	}
	__slot_unbusy(slot);
	if (__has_work(disk))
		wake_up_process(disk->flusher);
	lock_release_masked(&cache_lock, mask);
}

EXPORT int flagstone_file_write(struct flagstone_file *file, size_t index, const void *from)
{
	struct slot *slot = &file->slots[index];
	struct page *page = NULL;
	bool has_page;

	if (index >= file->nr_pages)
		return -EINVAL;
	cache_throttle();
	slot_own(slot);
	if (!slot->page)
		page = alloc_page(GFP_OF_FILES);
	has_page = slot->page || page;
	if (has_page)
		memcpy(page_address(page ? page : slot->page), from, FLAGSTONE_DISK_PAGE);
	slot_disown(slot, page, has_page);
	return has_page ? 0 : -ENOMEM;
}

EXPORT void flagstone_disk_sync(struct flagstone_disk *disk)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	disk->nr_syncers++;
	while (disk->nr_dirty || disk->nr_writeback) {
		struct waiter waiter;

		wake_up_process(disk->flusher);
		__waiter_enter(&disk->sync_line, &waiter);
		__waiter_sleep(&cache_lock, &mask, &waiter, MAX_SCHEDULE_TIMEOUT, false);
		__waiter_leave(&waiter);
	}
	disk->nr_syncers--;
	lock_release_masked(&cache_lock, mask);
}

EXPORT void flagstone_disk_stats(struct flagstone_disk *disk, struct flagstone_disk_stats *stats)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);

	*stats = (struct flagstone_disk_stats){.reads = disk->nr_reads,
		.writes = disk->nr_writes,
		.dirty = disk->nr_dirty,
		.writeback = disk->nr_writeback,
		.flusher_sleeps = (READ_ONCE(disk->flusher->__state) & TASK_UNINTERRUPTIBLE) != 0};
	lock_release_masked(&cache_lock, mask);
}

/* ---- files and disks ---- */

EXPORT struct flagstone_file *flagstone_file_create(struct flagstone_disk *disk, size_t nr_pages)
{
	struct flagstone_file *file = sched_zalloc(sizeof(*file) + nr_pages * sizeof(struct slot));
	host_sigmask_t mask;

	if (!file)
		return NULL;
	file->disk = disk;
	file->nr_pages = nr_pages;
	file->storage = sched_zalloc(nr_pages * FLAGSTONE_DISK_PAGE);
	if (!file->storage) {
		sched_free(file);
		return NULL;
	}
	for (size_t i = 0; i < nr_pages; i++) {
		file->slots[i].file = file;
		list_init(&file->slots[i].waiters);
	}
	mask = lock_acquire_masked(&cache_lock);
	list_add_tail(&file->list, &disk->files);
	lock_release_masked(&cache_lock, mask);
	return file;
}

/* Takes the page off a slot that nobody uses. */
static void slot_drop(struct slot *slot)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);
	struct page *page = slot->page ? __slot_remove(slot) : NULL;

	if (slot->flags & SLOT_DIRTY) {
		slot->flags &= ~(uint32_t)SLOT_DIRTY;
		list_del(&slot->dirty);
		slot->file->disk->nr_dirty--;
		__atomic_store_n(&cache_nr_dirty, cache_nr_dirty - 1, __ATOMIC_RELAXED);
	}
	lock_release_masked(&cache_lock, mask);
	if (page)
		__free_page(page);
}

static void file_destroy(struct flagstone_file *file)
{
	for (size_t i = 0; i < file->nr_pages; i++)
		slot_drop(&file->slots[i]);
	list_del(&file->list);
	sched_free(file->storage);
	sched_free(file);
}

static void disk_free(struct flagstone_disk *disk)
{
	mempool_destroy(disk->bounces);
	mempool_destroy(disk->requests);
	sched_free(disk);
}

static unsigned int nr_disks(void)
{
	host_sigmask_t mask = lock_acquire_masked(&cache_lock);
	struct flagstone_disk *disk;
	unsigned int nr = 0;

	list_for_each_entry(disk, &disks, list)
		nr++;
	lock_release_masked(&cache_lock, mask);
	return nr;
}

static bool threads_create(struct flagstone_disk *disk, unsigned int number)
{
	disk->flusher = kthread_create(flusher_body, disk, "flush-%u", number);
	if (IS_ERR(disk->flusher))
		return false;
	disk->worker = kthread_create(worker_body, disk, "disk-%u", number);
	if (!IS_ERR(disk->worker))
		return true;
	kthread_stop(disk->flusher);
	return false;
}

EXPORT struct flagstone_disk *flagstone_disk_create(const struct flagstone_disk_config *config)
{
	struct flagstone_disk *disk = sched_zalloc(sizeof(*disk));
	host_sigmask_t mask;

	if (!disk)
		return NULL;
	list_init(&disk->files);
	list_init(&disk->dirty);
	list_init(&disk->queue);
	list_init(&disk->sync_line);
	if (config)
		disk->config = *config;
	disk->requests = mempool_create_kmalloc_pool(RESERVE, sizeof(struct request));
	disk->bounces = mempool_create_page_pool(RESERVE, 0);
	if (!disk->requests || !disk->bounces || !threads_create(disk, nr_disks())) {
		disk_free(disk);
		return NULL;
	}
	mask = lock_acquire_masked(&cache_lock);
	list_add_tail(&disk->list, &disks);
	lock_release_masked(&cache_lock, mask);
	resource_made(&(struct resource){.type = RESOURCE_DISK, .object = disk, .caller = __builtin_return_address(0)});
	wake_up_process(disk->flusher);
	wake_up_process(disk->worker);
	return disk;
}

EXPORT void flagstone_disk_destroy(struct flagstone_disk *disk)
{
	struct flagstone_file *file, *next;
	host_sigmask_t mask;

	if (!disk)
		return;
	resource_ended(RESOURCE_DISK, disk);
	mask = lock_acquire_masked(&cache_lock);
	list_del(&disk->list);
	lock_release_masked(&cache_lock, mask);
	/* The worker ends when its queue is empty: then nothing is in writeback. */
	kthread_stop(disk->flusher);
	kthread_stop(disk->worker);
	list_for_each_entry_safe(file, next, &disk->files, list)
		file_destroy(file);
	mask = lock_acquire_masked(&cache_lock);
	__cache_dropped();
	lock_release_masked(&cache_lock, mask);
	disk_free(disk);
}

bool disks_own(const struct task_struct *task)
{
	const struct sched_task *thread = (const struct sched_task *)task;

	return thread->function == flusher_body || thread->function == worker_body;
}

unsigned int disks_reset(void)
{
	unsigned int nr = resources_report(RESOURCE_DISK);

	while (!list_empty(&disks))
		flagstone_disk_destroy(list_first_entry(&disks, struct flagstone_disk, list));
	return nr;
}

void disks_forget(void)
{
	list_init(&disks);
}
