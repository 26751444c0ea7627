/*
 * live.c: the live view's loop: refreshes, keys, and which part is shown.
 *
 * Calls scan.c, the parts (view.c, detail.c), and screen.c. Refuses to know how anything looks, but for the last line.
 */
#include "live.h"

#include <stdio.h>
#include <string.h>

#include "runtime/config.h"
#include "screen.h"
#include "top.h"

/* ---- refreshes ---- */

static void leave(struct live *live)
{
	struct process_identity identity;
	bool alive = process_identify(live->pid, &identity);

	snprintf(live->note, sizeof(live->note), "process %d (%s) %s", live->pid, live->name,
		alive ? "runs another program now" : "has ended");
	live->pid = 0;
}

static void open_process(struct live *live, int pid)
{
	const struct subject *subject = scan_find(&live->scan, pid);

	if (!subject)
		return;
	if (!subject->stats.version) {
		look_explain(&subject->look, subject->status, live->note, sizeof(live->note));
		return;
	}
	live->pid = live->selected_pid = pid;
	live->caches.first = 0;
	snprintf(live->name, sizeof(live->name), "%s", subject->look.name);
}

static void refresh_all(struct live *live)
{
	scan_refresh(&live->scan);
	if (live->pid && !scan_find(&live->scan, live->pid))
		leave(live);
}

/* ---- the last line ---- */

struct hint {
	const char *key, *what;
};

/* Hints that fit into width cells. */
static void draw_hints(const struct hint *hints, int width)
{
	int y = screen_height() - 1, x = 0;

	for (; hints->key; hints++) {
		int key = (int)strlen(hints->key), what = (int)strlen(hints->what);

		if (x + key + what + 3 > width)
			return;
		screen_put(y, x, key, PAINT_STRONG, hints->key);
		screen_put(y, x + key + 1, what, PAINT_SORTED, hints->what);
		x += key + what + 3;
	}
}

static void draw_last_line(const struct live *live)
{
	static const struct hint in_list[] = {{"q", "quit"}, {"s", "sort"}, {"h", "help"}, {"Enter", "open"},
		{"+/-", "interval"}, {"r", "reverse"}, {NULL, NULL}};
	static const struct hint in_detail[] = {{"q", "quit"}, {"s", "sort"}, {"h", "help"}, {"Esc", "back"},
		{"+/-", "interval"}, {"r", "reverse"}, {NULL, NULL}};
	int width = screen_width(), length = 0;
	char others[64];

	if (*live->note) {
		screen_put(screen_height() - 1, 0, width, PAINT_WARNING, live->note);
		return;
	}
	if (live->scan.nr_hidden && !live->pid) {
		length = width < 60 ? snprintf(others, sizeof(others), "+%zu: no permission", live->scan.nr_hidden)
				    : scan_describe_hidden(&live->scan, others, sizeof(others));
		screen_put(screen_height() - 1, width - length, length, PAINT_WARNING, others);
	}
	draw_hints(live->pid ? in_detail : in_list, width - length);
}

static void draw(struct live *live)
{
	const struct subject *subject = live->pid ? scan_find(&live->scan, live->pid) : NULL;

	screen_clear();
	if (live->help)
		help_draw(live);
	else if (subject)
		detail_draw(live, subject);
	else
		list_draw(live);
	draw_last_line(live);
	screen_show();
}

/* ---- keys ---- */

static void change_interval(struct live *live, int step)
{
	static const double intervals[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};
	int nearest = 0;

	while (nearest + 1 < (int)ARRAY_SIZE(intervals) && intervals[nearest + 1] <= live->interval)
		nearest++;
	nearest += step;
	if (nearest >= 0 && nearest < (int)ARRAY_SIZE(intervals))
		live->interval = intervals[nearest];
}

static void change_sort(struct table *table, int step)
{
	table->sort = (table->sort + table->nr_columns + (unsigned int)step) % table->nr_columns;
	table->reverse = false;
}

static size_t moved(size_t from, long by, size_t count)
{
	if (by < 0 && from < (size_t)-by)
		return 0;
	from += (size_t)by;
	return from < count ? from : count ? count - 1 : 0;
}

static void move(struct live *live, long by)
{
	struct view *view = live->pid ? &live->caches : &live->processes;

	if (live->pid) {
		view->first = moved(view->first, by, view->rows);
		return;
	}
	view->selected = moved(view->selected, by, view->rows);
	if (view->selected < live->scan.nr_subjects)
		live->selected_pid = live->scan.subjects[view->selected]->look.reader.pid;
}

/* What both parts do the same. */
static void press_common(struct live *live, struct view *view, int key)
{
	long page = view->visible ? (long)view->visible : 1;

	switch (key) {
	case SCREEN_UP:
		return move(live, -1);
	case SCREEN_DOWN:
		return move(live, 1);
	case SCREEN_PAGE_UP:
		return move(live, -page);
	case SCREEN_PAGE_DOWN:
		return move(live, page);
	case SCREEN_HOME:
		return move(live, -(long)view->rows);
	case SCREEN_LAST:
		return move(live, (long)view->rows);
	case 's':
		return change_sort(&view->table, 1);
	case 'S':
		return change_sort(&view->table, -1);
	case 'r':
		view->table.reverse = !view->table.reverse;
		return;
	case '+':
		return change_interval(live, 1);
	case '-':
		return change_interval(live, -1);
	default:
		return;
	}
}

static void press(struct live *live, int key)
{
	if (key == SCREEN_RESIZE)
		return;
	*live->note = '\0';
	if (live->help)
		live->help = false;
	else if (key == 'h' || key == SCREEN_HELP)
		live->help = true;
	else if (key == SCREEN_BACK)
		live->pid = 0;
	else if (key == SCREEN_OPEN && !live->pid && live->processes.selected < live->scan.nr_subjects)
		open_process(live, live->scan.subjects[live->processes.selected]->look.reader.pid);
	else
		press_common(live, live->pid ? &live->caches : &live->processes, key);
}

/* ---- the loop ---- */

/* Until the next refresh is due. Returns false at the end. */
static bool press_keys(struct live *live)
{
	double since = scan_clock(), left;

	while ((left = since + live->interval - scan_clock()) > 0) {
		int key = screen_key(left);

		if (key == SCREEN_END || (key == 'q' && !live->help))
			return false;
		if (key == ' ')
			return true;
		if (key == SCREEN_TIMEOUT)
			continue;
		press(live, key);
		draw(live);
	}
	return true;
}

static void prepare(struct live *live, const struct top_options *options)
{
	struct table *table = options->pid ? &live->caches.table : &live->processes.table;

	*live = (struct live){
		.processes = {.table = table_of_processes, .selects = true},
		.caches = {.table = table_of_caches},
		.interval = options->interval,
	};
	if (options->sort)
		table->sort = (unsigned int)table_find_column(table, options->sort);
	refresh_all(live);
	open_process(live, options->pid);
}

int live_run(const struct top_options *options)
{
	static struct live live;
	enum exit_status status = EXIT_OK;
	const char *trouble;
	struct look look;

	if (options->pid)
		status = look_open(&look, options->pid);
	if (status != EXIT_OK)
		return top_explain(&look, status);
	prepare(&live, options);
	trouble = screen_start();
	if (trouble) {
		fprintf(stderr, "flagstone top: %s\n", trouble);
		return EXIT_OUTPUT;
	}
	draw(&live);
	for (unsigned int i = 1; i != options->count && press_keys(&live); i++) {
		refresh_all(&live);
		draw(&live);
	}
	screen_stop();
	scan_free(&live.scan);
	return EXIT_OK;
}
