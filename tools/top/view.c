/*
 * view.c: tables and titles on the screen, the list of processes, and the help.
 *
 * Calls table.c for what is in the cells, screen.c to draw. Refuses to know keys.
 */
#include <stdio.h>
#include <time.h>

#include "live.h"
#include "screen.h"

/* ---- tables ---- */

static void draw_header(const struct table *table, const struct layout *layout, int y)
{
	int x = 0;

	screen_put(y, 0, screen_width(), PAINT_HEADER, "");
	for (unsigned int i = 0; i < table->nr_columns; i++) {
		const struct column *column = &table->columns[i];
		bool text = column->kind == COLUMN_TEXT, sorted = i == table->sort;
		int width = (int)layout->widths[i], title;

		if (!width)
			continue;
		title = snprintf(NULL, 0, "%s", column->title);
		screen_put(y, x, text ? width : -width, sorted ? PAINT_SORTED : PAINT_HEADER, column->title);
		if (sorted && title < width)
			screen_arrow(
				y, text ? x + title : x + width - title - 1, PAINT_SORTED, text == !table->reverse);
		x += width + 1;
	}
}

static void draw_row(const struct table *table, const struct layout *layout, const void *row, int y, bool selected)
{
	char cell[TABLE_CELL];
	int x = 0;

	if (selected)
		screen_put(y, 0, screen_width(), PAINT_SELECTED, "");
	for (unsigned int i = 0; i < table->nr_columns; i++) {
		const struct column *column = &table->columns[i];
		enum paint paint = i == table->sort ? PAINT_STRONG : PAINT_PLAIN;
		int width = (int)layout->widths[i];

		if (!width)
			continue;
		screen_put(y, x, column->kind == COLUMN_TEXT ? width : -width, selected ? PAINT_SELECTED : paint,
			table_cell(column, row, cell));
		x += width + 1;
	}
}

/* Moves the window so that the selected row, or else as many rows as fit, are in it. */
static void scroll(struct view *view)
{
	size_t last = view->rows > view->visible ? view->rows - view->visible : 0;

	if (view->selected >= view->rows)
		view->selected = view->rows ? view->rows - 1 : 0;
	if (view->selects && view->selected < view->first)
		view->first = view->selected;
	if (view->selects && view->visible && view->selected >= view->first + view->visible)
		view->first = view->selected - view->visible + 1;
	if (view->first > last)
		view->first = last;
}

void view_draw_table(struct view *view, const void **rows, size_t count, int y, int height)
{
	struct layout layout = table_layout(&view->table, (unsigned int)screen_width());

	view->rows = count;
	view->visible = height > 1 ? (size_t)height - 1 : 0;
	scroll(view);
	draw_header(&view->table, &layout, y);
	for (size_t i = view->first; i < count && i < view->first + view->visible; i++)
		draw_row(&view->table, &layout, rows[i], y + 1 + (int)(i - view->first),
			view->selects && i == view->selected);
}

void view_draw_title(const struct live *live, const char *text)
{
	time_t now = time(NULL);
	char clock[16], right[64];
	struct tm local;
	int length;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
	if (screen_width() < 60)
		length = snprintf(right, sizeof(right), "  %s ", clock);
	else
		length = snprintf(right, sizeof(right), "  every %g s  %s ", live->interval, clock);
	screen_printf(0, 0, screen_width(), PAINT_TITLE, " %s", text);
	screen_put(0, screen_width() - length, length, PAINT_TITLE, right);
}

/* ---- the list ---- */

static void draw_sum(const struct scan *scan)
{
	uint64_t resident = 0, live = 0;
	char a[TABLE_CELL], b[TABLE_CELL];

	for (size_t i = 0; i < scan->nr_subjects; i++) {
		resident += scan->subjects[i]->stats.resident_bytes;
		live += scan->subjects[i]->stats.live_bytes;
	}
	screen_printf(1, 1, screen_width() - 1, PAINT_PLAIN, "%zu process%s%s: resident %s, live %s", scan->nr_subjects,
		scan->nr_subjects == 1 ? "" : "es", screen_width() < 60 ? "" : " on flagstone", table_size(resident, a),
		table_size(live, b));
}

static void select_pid(struct live *live)
{
	const struct scan *scan = &live->scan;

	for (size_t i = 0; live->selected_pid && i < scan->nr_subjects; i++)
		if (scan->subjects[i]->look.reader.pid == live->selected_pid)
			live->processes.selected = i;
}

void list_draw(struct live *live)
{
	struct scan *scan = &live->scan;
	int y = screen_height() < 12 ? 2 : 3;

	table_sort(&live->processes.table, (const void **)scan->subjects, scan->nr_subjects);
	select_pid(live);
	view_draw_title(live, "flagstone top");
	draw_sum(scan);
	view_draw_table(&live->processes, (const void **)scan->subjects, scan->nr_subjects, y, screen_height() - y - 1);
	if (!scan->nr_subjects)
		screen_put(
			y + 2, 1, screen_width() - 1, PAINT_FAINT, "none yet; to start one: flagstone run -- PROGRAM");
}

/* ---- help ---- */

void help_draw(const struct live *live)
{
	static const char *const lines[] = {
		"up, down, PgUp, PgDn, Home, End   move",
		"Enter, right                      open a process",
		"Esc, left                         back to all of them",
		"s, S                              sort by the next, previous column",
		"r                                 reverse the order",
		"+, -                              longer, shorter interval",
		"space                             refresh now",
		"q                                 quit",
		"",
		"RESIDENT  the whole process, as the kernel counts",
		"LIVE      with the program: objects, blocks, mappings",
		"CACHED    free objects in magazines: of CPUS, in DEPOTS",
		"DIRTY     free pages that hold memory",
		"BACK/S    given back to the system, each second",
		"USE       objects that are live, of those in slabs",
		"FREE      objects in slabs, for anybody",
	};

	view_draw_title(live, "flagstone top: help (any key goes back)");
	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])); i++)
		screen_put(i + 1 + (screen_height() > 18), 1, screen_width() - 1, PAINT_PLAIN, lines[i]);
}
