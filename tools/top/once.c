/*
 * once.c: the tables as lines, and as JSON, for scripts.
 *
 * Calls scan.c for what there is, tables.c for columns, the malloc room for JSON. Refuses to know the terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/config.h"
#include "runtime/malloc/stats_text.h"
#include "table.h"
#include "tables.h"
#include "top.h"

static void print_cell(const struct column *column, unsigned int width, const char *cell)
{
	bool left = column->kind == COLUMN_TEXT;

	printf("%*s", left ? -(int)width : (int)width, cell);
}

/* The last column is not padded. */
static void print_row(const struct table *table, const struct layout *layout, const void *row)
{
	char cell[TABLE_CELL];

	for (unsigned int i = 0; i < table->nr_columns; i++) {
		const struct column *column = &table->columns[i];
		bool last = i + 1 == table->nr_columns;

		print_cell(column, last ? 0 : layout->widths[i], row ? table_cell(column, row, cell) : column->title);
		putchar(last ? '\n' : ' ');
	}
}

static void print_table(struct table table, const struct top_options *options, const void **rows, size_t count)
{
	struct layout layout = table_layout(&table, UINT16_MAX);

	if (options->sort)
		table.sort = (unsigned int)table_find_column(&table, options->sort);
	table_sort(&table, rows, count);
	print_row(&table, &layout, NULL);
	for (size_t i = 0; i < count; i++)
		print_row(&table, &layout, rows[i]);
}

/* One line: a JSON object for a process of the list, or, as stat --json has it, for a single one. */
static void print_json(const struct subject *subject, bool single)
{
	static char buffer[LOOK_TEXT_BYTES + 8 * COMMAND_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);

	if (single) {
		stats_json(&text, &subject->stats);
	} else {
		text_printf(&text, "{\"pid\":%d,\"command\":", subject->look.reader.pid);
		stats_json_string(&text, subject->command);
		text_printf(&text, ",\"status\":%d", (int)subject->status);
		if (subject->back_per_second != TABLE_UNKNOWN)
			text_printf(&text, ",\"given_back_bytes_per_second\":%llu",
				(unsigned long long)subject->back_per_second);
		text_printf(&text, ",\"stats\":");
		stats_json(&text, &subject->stats);
		text.length--; /* the newline */
		text_printf(&text, "}\n");
	}
	fwrite(buffer, 1, text.length, stdout);
}

static int print_list(struct scan *scan, const struct top_options *options)
{
	scan_refresh(scan);
	if (!options->json)
		print_table(table_of_processes, options, (const void **)scan->subjects, scan->nr_subjects);
	for (size_t i = 0; options->json && i < scan->nr_subjects; i++)
		print_json(scan->subjects[i], false);
	return EXIT_OK;
}

static int print_one(struct subject *subject, const struct top_options *options)
{
	static const void *rows[FLAGSTONE_STATS_CACHES];
	const void *self = subject;

	subject_refresh(subject);
	if (subject->status != EXIT_OK)
		return top_explain(&subject->look, subject->status);
	if (options->json) {
		print_json(subject, true);
		return EXIT_OK;
	}
	print_table(table_of_processes, &(struct top_options){0}, &self, 1);
	putchar('\n');
	print_table(table_of_caches, options, rows, tables_caches(&subject->stats, rows));
	return EXIT_OK;
}

static void pause_for(double seconds)
{
	struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	nanosleep(&time, NULL);
}

int once_run(const struct top_options *options)
{
	struct scan scan = {0};
	struct subject *subject = NULL;
	unsigned int count = options->count ? options->count : 1;
	enum exit_status status = EXIT_OK;
	struct look look;
	int result = EXIT_OK;

	if (options->pid && !(subject = subject_open(options->pid, &look, &status)))
		return top_explain(&look, status);
	for (unsigned int i = 0; i < count && result == EXIT_OK; i++) {
		if (i) {
			pause_for(options->interval);
			if (!options->json)
				putchar('\n');
		}
		result = subject ? print_one(subject, options) : print_list(&scan, options);
		if (fflush(stdout) || ferror(stdout)) {
			perror("flagstone top: output");
			result = EXIT_OUTPUT;
		}
	}
	if (scan.nr_hidden) {
		char others[64];

		scan_describe_hidden(&scan, others, sizeof(others));
		fprintf(stderr, "flagstone top: %s\n", others);
	}
	scan_free(&scan);
	free(subject);
	return result;
}
