/*
 * table.h: tables of text: columns that can be sorted by, and left out where the terminal is narrow.
 */
#ifndef TOOLS_TOP_TABLE_H
#define TOOLS_TOP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_MAX_COLUMNS 16
#define TABLE_CELL 256 /* bytes of a cell's text with its end */
#define TABLE_UNKNOWN UINT64_MAX /* a number that is not known: shown as "-" */

enum column_kind {
	COLUMN_NUMBER,
	COLUMN_SIZE, /* of bytes: "1.5M" */
	COLUMN_PERCENT,
	COLUMN_TEXT,
};

struct column {
	const char *title;
	const char *key; /* the word for it on the command line */
	enum column_kind kind;
	unsigned int width; /* the last column of a table has at least this, and all that is left */
	unsigned int rank; /* the highest is left out first; 0: never */
	uint64_t (*number)(const void *row);
	const char *(*text)(const void *row); /* COLUMN_TEXT */
};

struct table {
	const struct column *columns;
	unsigned int nr_columns;
	unsigned int sort; /* column */
	bool reverse; /* numbers are sorted largest first, texts from A to Z, numbers in them as numbers; or the reverse */
};

/* Which columns are shown, and how wide: widths[i] is 0 for those that are not. One space lies between two. */
struct layout {
	unsigned int widths[TABLE_MAX_COLUMNS];
};

/* The column of that key, or -1. */
int table_find_column(const struct table *table, const char *key);
/* Sorts pointers to rows. Equal rows are sorted by address. */
void table_sort(const struct table *table, const void **rows, size_t count);
/* The columns that fit into width, always among them the one that is sorted by. */
struct layout table_layout(const struct table *table, unsigned int width);
/* Text of a cell into buffer, of TABLE_CELL bytes, which is returned. */
const char *table_cell(const struct column *column, const void *row, char *buffer);
/* The short form of a size, "1.5M", as in COLUMN_SIZE. */
const char *table_size(uint64_t bytes, char *buffer);

#endif
