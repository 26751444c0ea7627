/*
 * stats_text.h: struct flagstone_stats as text for people, as the kernel's tables, and as JSON.
 */
#ifndef RUNTIME_MALLOC_STATS_TEXT_H
#define RUNTIME_MALLOC_STATS_TEXT_H

#include "flagstone/stats.h"
#include "runtime/lib/text.h"

enum stats_part {
	STATS_SUMMARY = 1,
	STATS_SLABINFO = 2,
	STATS_BUDDYINFO = 4,
	STATS_EXTFRAG_INDEX = 8,
	STATS_UNUSABLE_INDEX = 16,
	STATS_ALL = 31,
};

/* Prints the parts asked for. Calls nothing but text and what prints there. */
void stats_text(struct text *text, const struct flagstone_stats *stats, unsigned int parts);
/* Prints one JSON object and a newline: the fields of the struct by name, rows as objects in arrays. */
void stats_json(struct text *text, const struct flagstone_stats *stats);

/* A string as JSON has it, with its quotes. */
void stats_json_string(struct text *text, const char *string);
/* "512 B", "1.5 KiB", "64.0 GiB" into buffer, of STATS_SIZE_TEXT bytes, which is returned. */
#define STATS_SIZE_TEXT 16
const char *stats_size_text(char *buffer, uint64_t bytes);

/* The same of this process, all parts; a note instead where memory for the snapshot is out. */
void stats_print(struct text *text);
void stats_print_json(struct text *text);

#endif
