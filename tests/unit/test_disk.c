/*
 * test_disk.c: the page cache and its disks: files larger than memory, readers beside writers, writers that wait.
 *
 * Broken if this fails: a page of a file is lost, or a writer waits for what does not come.
 */
#include <errno.h>
#include <flagstone/disk.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/page/page.h"
#include "runtime/pressure/cache.h"
#include "tests/unit/child.h"
#include "tests/unit/pressure_test.h"
#include "tests/unit/random.h"

#define NR_PAGES (TEST_RAM / PAGE_SIZE)
#define WORDS (FLAGSTONE_DISK_PAGE / sizeof(uint64_t))

/* Nothing is to run out: a busy host may take long for what is to be written. */
static const struct pressure_config config = {.oom = OOM_FAIL, .patience_ms = 2000};

static int boot(void **state)
{
	(void)state;
	return pressure_test_boot(&config);
}

/* ---- the page cache ---- */

static uint64_t pattern(size_t index, unsigned int version)
{
	return index * 0x9e3779b97f4a7c15u + version;
}

static void fill(uint64_t *page, size_t index, unsigned int version)
{
	for (size_t i = 0; i < WORDS; i++)
		page[i] = pattern(index, version) + i;
}

static bool is_right(const uint64_t *page, size_t index, unsigned int version)
{
	for (size_t i = 0; i < WORDS; i++)
		if (page[i] != pattern(index, version) + i)
			return false;
	return true;
}

static void files_larger_than_memory_are_kept(void **state)
{
	struct flagstone_disk *disk = flagstone_disk_create(NULL);
	struct flagstone_file *file = flagstone_file_create(disk, 2 * NR_PAGES);
	struct flagstone_disk_stats stats;
	uint64_t page[WORDS];

	(void)state;
	assert_non_null(file);
	assert_int_equal(flagstone_file_read(file, 2 * NR_PAGES, page), -EINVAL);
	assert_int_equal(flagstone_file_write(file, 2 * NR_PAGES, page), -EINVAL);
	for (size_t i = 0; i < 2 * NR_PAGES; i++) {
		fill(page, i, 1);
		assert_int_equal(flagstone_file_write(file, i, page), 0);
	}
	for (size_t i = 0; i < 2 * NR_PAGES; i += 7) {
		fill(page, i, 2);
		assert_int_equal(flagstone_file_write(file, i, page), 0);
	}
	flagstone_disk_sync(disk);
	flagstone_disk_stats(disk, &stats);
	assert_int_equal(stats.dirty + stats.writeback, 0);
	assert_true(stats.writes >= 2 * NR_PAGES);
	for (size_t i = 0; i < 2 * NR_PAGES; i++) {
		assert_int_equal(flagstone_file_read(file, i, page), 0);
		assert_true(is_right(page, i, i % 7 ? 1 : 2));
	}
	assert_true(vmstat_get(VMSTAT_pgsteal_kswapd) + vmstat_get(VMSTAT_pgsteal_direct) >= NR_PAGES);
	/* A page that is in memory is not read again. */
	flagstone_disk_stats(disk, &stats);
	assert_int_equal(flagstone_file_read(file, 2 * NR_PAGES - 1, page), 0);
	assert_true(pressure_drop_caches(1) > 0);
	flagstone_disk_destroy(disk);
}

static void kswapd_keeps_memory_free_for_interrupts(void **state)
{
	struct flagstone_disk *disk = flagstone_disk_create(NULL);
	struct flagstone_file *file = flagstone_file_create(disk, 2 * NR_PAGES);
	uint64_t page[WORDS];
	struct page_zone_info zone;

	(void)state;
	/* On a busy host its thread may take a while to come to it. */
	for (size_t i = 0; i < 2 * NR_PAGES || !vmstat_get(VMSTAT_pgsteal_kswapd); i++)
		assert_int_equal(flagstone_file_read(file, i % (2 * NR_PAGES), page), 0);
	assert_true(vmstat_get(VMSTAT_kswapd_wake) > 0);
	do {
		schedule_timeout_uninterruptible(1);
		page_zone_get(0, &zone);
	} while (zone.free < zone.low);
	flagstone_disk_destroy(disk);
}

struct party {
	struct flagstone_file *file;
	uint32_t seed;
};

/* Pages of its own, written and read in turns. */
static int write_and_read(void *data)
{
	struct party *party = data;
	unsigned int version[64] = {0};
	size_t first = (party->seed - 1) * 64;
	uint32_t random = party->seed;
	uint64_t page[WORDS];

	for (int round = 0; round < 1500; round++) {
		size_t i = random_below(&random, 64);

		if (random_below(&random, 2)) {
			fill(page, first + i, ++version[i]);
			if (flagstone_file_write(party->file, first + i, page))
				return 1;
		} else if (flagstone_file_read(party->file, first + i, page)) {
			return 2;
		} else if (version[i] && !is_right(page, first + i, version[i])) {
			return 3;
		}
		/* And whatever others have. */
		if (flagstone_file_read(party->file, random_below(&random, 2 * NR_PAGES), page))
			return 4;
	}
	return 0;
}

static void readers_and_writers_do_not_mix(void **state)
{
	struct flagstone_disk *disk = flagstone_disk_create(NULL);
	struct flagstone_file *file = flagstone_file_create(disk, 2 * NR_PAGES);
	struct party parties[8];
	struct task_struct *tasks[8];

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		parties[i] = (struct party){file, i + 1};
		tasks[i] = thread_start(write_and_read, &parties[i], "party");
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(thread_join(tasks[i]), 0);
	flagstone_disk_destroy(disk);
}

/* ---- what is dropped with its disk ---- */

static int write_first(void *file)
{
	uint64_t page[WORDS];

	fill(page, 0, 1);
	return flagstone_file_write(file, 0, page);
}

static void writers_go_on_when_a_disk_goes(void **state)
{
	struct flagstone_disk *disk = flagstone_disk_create(NULL), *other = flagstone_disk_create(NULL);
	struct flagstone_file *file = flagstone_file_create(disk, NR_PAGES / 50);
	struct flagstone_file *other_file = flagstone_file_create(other, 1);
	struct task_struct *task;
	host_sigmask_t mask;
	uint64_t page[WORDS];

	(void)state;
	for (size_t i = 0; i < file->nr_pages; i++) {
		fill(page, i, 1);
		assert_int_equal(flagstone_file_write(file, i, page), 0);
	}
	mask = lock_acquire_masked(&cache_lock);
	/* They are not written for as long as somebody changes them. */
	for (size_t i = 0; i < file->nr_pages; i++)
		file->slots[i].flags |= SLOT_BUSY;
	pressure_config.dirty_ratio = 1;
	lock_release_masked(&cache_lock, mask);
	task = thread_start(write_first, other_file, "waits");
	while (!(READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE))
		schedule_timeout_uninterruptible(1);
	flagstone_disk_destroy(disk);
	assert_int_equal(thread_join(task), 0);
	flagstone_disk_destroy(other);
}

/* ---- the deadlock that GFP_NOIO prevents ---- */

#define DIRTY_PAGES (4 * NR_PAGES)
#define STUCK 77

static struct flagstone_disk *watched; /* Synchronization: const while the watchdog runs */

#define LOOK_MS 10

/* Ends the process when the disk has not written a page for so many looks, while its thread sleeps and pages are
 * dirty. */
static int watch(void *data)
{
	struct flagstone_disk_stats stats, last = {.writes = 0};
	unsigned int quiet = 0, patience = *(unsigned int *)data;

	while (!kthread_should_stop()) {
		flagstone_disk_stats(watched, &stats);
		quiet = stats.flusher_sleeps && stats.dirty && !stats.writeback && stats.writes == last.writes
				? quiet + 1
				: 0;
		last = stats;
		if (quiet == patience)
			child_end(STUCK);
		msleep(LOOK_MS);
	}
	return 0;
}

static void write_a_lot(void *arg)
{
	const struct pressure_config dirty = {
		.oom = OOM_FAIL, .patience_ms = 100, .dirty_ratio = 100, .dirty_background_ratio = 100};
	struct flagstone_disk_config disk_config = {.writeback_reclaims = *(int *)arg};
	/* Where it is not to be stuck, it has all the time of a busy host. */
	unsigned int patience = (disk_config.writeback_reclaims ? 400 : 60000) / LOOK_MS;
	struct flagstone_file *file;
	struct task_struct *watchdog;
	uint64_t page[WORDS];

	if (pressure_machine_boot(TEST_CPUS, TEST_RAM, &dirty))
		child_end(1);
	watched = flagstone_disk_create(&disk_config);
	file = flagstone_file_create(watched, DIRTY_PAGES);
	watchdog = thread_start(watch, &patience, "watchdog");
	for (size_t i = 0; i < DIRTY_PAGES; i++) {
		fill(page, i, 1);
		if (flagstone_file_write(file, i, page))
			child_end(2);
	}
	flagstone_disk_sync(watched);
	kthread_stop(watchdog);
	child_end(0);
}

static void gfp_noio_keeps_writeback_from_waiting_for_itself(void **state)
{
	char output[4000];
	int wrong = 0, status;

	(void)state;
	status = child_run(write_a_lot, &wrong, output, sizeof(output));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	wrong = 1;
	status = child_run(write_a_lot, &wrong, output, sizeof(output));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), STUCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_larger_than_memory_are_kept, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(kswapd_keeps_memory_free_for_interrupts, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(readers_and_writers_do_not_mix, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(writers_go_on_when_a_disk_goes, boot, pressure_test_shut_down),
		cmocka_unit_test(gfp_noio_keeps_writeback_from_waiting_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
