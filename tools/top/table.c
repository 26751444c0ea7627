/*
 * table.c: sorts rows, chooses columns, and makes the text of cells.
 *
 * Calls the malloc room for sizes. Refuses to know what the rows are, and where the text goes.
 */
#include "table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/malloc/stats_text.h"

int table_find_column(const struct table *table, const char *key)
{
	for (unsigned int i = 0; i < table->nr_columns; i++)
		if (!strcmp(table->columns[i].key, key))
			return (int)i;
	return -1;
}

/* What is not known comes after everything that is. */
static int compare_numbers(uint64_t a, uint64_t b)
{
	a++;
	b++;
	return (a < b) - (a > b);
}
static_assert(TABLE_UNKNOWN + 1 == 0, "unknown is least");

static int compare(const void *left, const void *right, void *arg)
{
	const struct table *table = arg;
	const struct column *column = &table->columns[table->sort];
	const void *a = *(const void *const *)left, *b = *(const void *const *)right;
	int order = column->kind == COLUMN_TEXT ? strverscmp(column->text(a), column->text(b))
						: compare_numbers(column->number(a), column->number(b));

	if (order)
		return table->reverse ? -order : order;
	return (a > b) - (a < b);
}

void table_sort(const struct table *table, const void **rows, size_t count)
{
	qsort_r(rows, count, sizeof(*rows), compare, (void *)table);
}

/* The column to leave out next, or -1. */
static int least_wanted(const struct table *table, const struct layout *layout)
{
	int found = -1;

	for (unsigned int i = 0; i < table->nr_columns; i++) {
		const struct column *column = &table->columns[i];

		if (!layout->widths[i] || !column->rank || i == table->sort)
			continue;
		if (found < 0 || column->rank > table->columns[found].rank)
			found = (int)i;
	}
	return found;
}

struct layout table_layout(const struct table *table, unsigned int width)
{
	struct layout layout = {{0}};
	unsigned int taken = 0, last = table->nr_columns - 1;
	int out;

	for (unsigned int i = 0; i <= last; i++) {
		layout.widths[i] = table->columns[i].width;
		taken += layout.widths[i] + (i < last);
	}
	while (taken > width && (out = least_wanted(table, &layout)) >= 0) {
		taken -= layout.widths[out] + 1;
		layout.widths[out] = 0;
	}
	if (taken < width)
		layout.widths[last] += width - taken;
	return layout;
}

const char *table_size(uint64_t bytes, char *buffer)
{
	size_t length;

	stats_size_text(buffer, bytes);
	length = strcspn(buffer, " ");
	if (buffer[length + 1] != 'B')
		buffer[length] = buffer[length + 1], length++;
	buffer[length] = '\0';
	return buffer;
}

const char *table_cell(const struct column *column, const void *row, char *buffer)
{
	uint64_t number;

	if (column->kind == COLUMN_TEXT) {
		snprintf(buffer, TABLE_CELL, "%s", column->text(row));
		return buffer;
	}
	number = column->number(row);
	if (number == TABLE_UNKNOWN)
		return strcpy(buffer, "-");
	if (column->kind == COLUMN_SIZE)
		return table_size(number, buffer);
	snprintf(buffer, TABLE_CELL, "%" PRIu64 "%s", number, column->kind == COLUMN_PERCENT ? "%" : "");
	return buffer;
}
