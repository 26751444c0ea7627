/*
 * tables.c: what the columns of the two tables are: of processes, and of one process's caches.
 *
 * Calls scan.c. Refuses to know how tables are sorted or shown.
 */
#include "tables.h"

#include <stdio.h>

#include "runtime/config.h"
#include "runtime/page/page.h"

/* ---- processes ---- */

static const struct subject *subject_of(const void *row)
{
	return row;
}

static uint64_t known(const struct subject *subject, uint64_t number)
{
	return subject->stats.version ? number : TABLE_UNKNOWN;
}

static uint64_t process_pid(const void *row)
{
	return (uint64_t)subject_of(row)->look.reader.pid;
}

#define SUBJECT_FIELD(name, field)                               \
	static uint64_t process_##name(const void *row)          \
	{                                                        \
		return known(row, subject_of(row)->stats.field); \
	}
SUBJECT_FIELD(resident, resident_bytes)
SUBJECT_FIELD(live, live_bytes)
SUBJECT_FIELD(cached, cached_bytes)
SUBJECT_FIELD(cpus, cpu_bytes)
SUBJECT_FIELD(depots, depot_bytes)

static uint64_t process_dirty(const void *row)
{
	/* A machine does not tell its pages with frames from those without. */
	return subject_of(row)->stats.nr_zones ? TABLE_UNKNOWN : known(row, subject_dirty_bytes(row));
}

static uint64_t process_back(const void *row)
{
	return subject_of(row)->back_per_second;
}

static const char *process_mode(const void *row)
{
	const struct subject *subject = row;

	if (subject->stats.version)
		return subject->stats.mode;
	return "other build";
}

static const char *process_command_text(const void *row)
{
	return subject_of(row)->command;
}

static const struct column process_columns[] = {
	{"PID", "pid", COLUMN_NUMBER, 7, 0, process_pid, NULL},
	{"RESIDENT", "resident", COLUMN_SIZE, 9, 0, process_resident, NULL},
	{"LIVE", "live", COLUMN_SIZE, 8, 0, process_live, NULL},
	{"CACHED", "cached", COLUMN_SIZE, 8, 1, process_cached, NULL},
	{"CPUS", "cpus", COLUMN_SIZE, 8, 6, process_cpus, NULL},
	{"DEPOTS", "depots", COLUMN_SIZE, 8, 5, process_depots, NULL},
	{"DIRTY", "dirty", COLUMN_SIZE, 8, 2, process_dirty, NULL},
	{"BACK/S", "back", COLUMN_SIZE, 8, 3, process_back, NULL},
	{"MODE", "mode", COLUMN_TEXT, 11, 4, NULL, process_mode},
	{"COMMAND", "command", COLUMN_TEXT, 12, 0, NULL, process_command_text},
};

const struct table table_of_processes = {process_columns, ARRAY_SIZE(process_columns), 1, false};

/* ---- caches ---- */

static const struct flagstone_cache_stats *cache_of(const void *row)
{
	return row;
}

#define CACHE_FIELD(name)                             \
	static uint64_t cache_##name(const void *row) \
	{                                             \
		return cache_of(row)->name;           \
	}
CACHE_FIELD(live)
CACHE_FIELD(objects)
CACHE_FIELD(size)
CACHE_FIELD(slabs)
CACHE_FIELD(in_cpus)
CACHE_FIELD(in_depot)
CACHE_FIELD(free_in_slabs)

static uint64_t cache_use(const void *row)
{
	const struct flagstone_cache_stats *cache = row;

	return cache->objects ? cache->live * 100 / cache->objects : 0;
}

static uint64_t cache_bytes(const void *row)
{
	const struct flagstone_cache_stats *cache = row;

	return cache->slabs * cache->pages_per_slab * PAGE_SIZE;
}

static const char *cache_name(const void *row)
{
	return cache_of(row)->name;
}

static const struct column cache_columns[] = {
	{"LIVE", "live", COLUMN_NUMBER, 9, 0, cache_live, NULL},
	{"OBJECTS", "objects", COLUMN_NUMBER, 8, 2, cache_objects, NULL},
	{"USE", "use", COLUMN_PERCENT, 4, 1, cache_use, NULL},
	{"SIZE", "size", COLUMN_SIZE, 7, 7, cache_size, NULL},
	{"SLABS", "slabs", COLUMN_NUMBER, 7, 3, cache_slabs, NULL},
	{"IN CPUS", "cpus", COLUMN_NUMBER, 8, 4, cache_in_cpus, NULL},
	{"DEPOT", "depot", COLUMN_NUMBER, 7, 5, cache_in_depot, NULL},
	{"FREE", "free", COLUMN_NUMBER, 7, 6, cache_free_in_slabs, NULL},
	{"BYTES", "bytes", COLUMN_SIZE, 8, 0, cache_bytes, NULL},
	{"CACHE", "cache", COLUMN_TEXT, 12, 0, NULL, cache_name},
};

const struct table table_of_caches = {cache_columns, ARRAY_SIZE(cache_columns), 8, false};

size_t tables_caches(const struct flagstone_stats *stats, const void **rows)
{
	size_t count = 0;

	for (uint32_t i = 0; i < stats->nr_caches; i++)
		if (stats->cache[i].slabs)
			rows[count++] = &stats->cache[i];
	return count;
}
