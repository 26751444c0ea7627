/*
 * tables.h: the two tables of flagstone-top: rows are struct subject, and struct flagstone_cache_stats.
 */
#ifndef TOOLS_TOP_TABLES_H
#define TOOLS_TOP_TABLES_H

#include "scan.h"
#include "table.h"

extern const struct table table_of_processes;
extern const struct table table_of_caches;

/* Caches that have slabs, into rows. Returns how many. */
size_t tables_caches(const struct flagstone_stats *stats, const void **rows);

#endif
