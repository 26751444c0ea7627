/*
 * detail.c: one process: graphs of its memory, what it consists of, its CPUs, free blocks, and the table of caches.
 *
 * Calls view.c for the table, screen.c to draw. Parts that the terminal is too low for are left out, the table last.
 */
#include <stdio.h>
#include <string.h>

#include "live.h"
#include "runtime/config.h"
#include "screen.h"

#define LABEL_WIDTH 8
#define NUMBER_WIDTH 8
#define GRAPH_X (LABEL_WIDTH + NUMBER_WIDTH + 3)
#define MAX_WIDTH 13 /* " max 1023.9M " */
#define PARTS_WIDTH 34
#define METER_WIDTH 26
#define MIN_ROWS 7 /* of the table, with its header */

/* ---- graphs ---- */

/* How many samples a cell of the graph stands for, so that all fit. Cells begin at multiples of it: a graph shifts by whole
 * cells, and does not flicker. */
static unsigned int samples_a_cell(const struct history *history, unsigned int cells)
{
	unsigned int kept = history->total < HISTORY_SAMPLES ? history->total : HISTORY_SAMPLES;

	return (kept + cells - 1) / cells;
}

static uint64_t most(const uint64_t *samples, unsigned int begin, unsigned int end)
{
	uint64_t max = 0;

	for (unsigned int n = begin; n < end; n++)
		if (samples[n % HISTORY_SAMPLES] > max)
			max = samples[n % HISTORY_SAMPLES];
	return max;
}

/* The number of the first sample that is shown. */
static unsigned int first_shown(const struct history *history, unsigned int cells)
{
	unsigned int each = samples_a_cell(history, cells);
	unsigned int last = (history->total - 1) / each;
	unsigned int first = last + 1 > cells ? (last + 1 - cells) * each : 0;

	while (first + HISTORY_SAMPLES < history->total)
		first += each;
	return first;
}

/* The cells of the graphs: first sample, samples a cell, cells that are filled, and what a full one stands for. */
struct scale {
	unsigned int width, first, each, filled;
	uint64_t max;
};

/* Both graphs have the same, so that they can be compared. */
static struct scale choose_scale(const struct history *history)
{
	int width = screen_width() - GRAPH_X - MAX_WIDTH;
	struct scale scale = {.width = width > 0 ? (unsigned int)width : 1};
	uint64_t live;

	scale.each = samples_a_cell(history, scale.width);
	scale.first = first_shown(history, scale.width);
	scale.filled = (history->total - scale.first + scale.each - 1) / scale.each;
	scale.max = most(history->resident, scale.first, history->total);
	live = most(history->live, scale.first, history->total);
	if (live > scale.max)
		scale.max = live;
	return scale;
}

static void draw_graph(const struct history *history, const uint64_t *samples, const struct scale *scale,
	enum paint paint, int y, int height)
{
	char text[TABLE_CELL];

	screen_put(y, 1 + LABEL_WIDTH, -NUMBER_WIDTH, PAINT_STRONG,
		table_size(samples[(history->total - 1) % HISTORY_SAMPLES], text));
	for (unsigned int i = 0; i < scale->filled; i++) {
		unsigned int begin = scale->first + i * scale->each;
		unsigned int end = begin + scale->each < history->total ? begin + scale->each : history->total;

		screen_column(y + height - 1, GRAPH_X + (int)(scale->width - scale->filled + i), 1, height, paint,
			most(samples, begin, end), scale->max);
	}
	screen_printf(y, screen_width() - MAX_WIDTH, MAX_WIDTH, PAINT_FAINT, " max %s",
		table_size(most(samples, scale->first, history->total), text));
}

static double shown_seconds(const struct history *history, const struct scale *scale)
{
	return history->time[(history->total - 1) % HISTORY_SAMPLES] - history->time[scale->first % HISTORY_SAMPLES];
}

static void draw_facts(const struct subject *subject, double seconds, int y)
{
	const struct flagstone_stats *stats = &subject->stats;
	char back[TABLE_CELL], rate[TABLE_CELL] = "-", cached[TABLE_CELL], online[TABLE_CELL];

	if (subject->back_per_second != TABLE_UNKNOWN)
		table_size(subject->back_per_second, rate);
	screen_printf(y, 1, screen_width() - 1, PAINT_PLAIN,
		"cached %s, given back %s (%s/s), online %s; graphs: %u min %02u s",
		table_size(stats->cached_bytes, cached), table_size(stats->given_back_bytes, back), rate,
		table_size(stats->online_bytes, online), (unsigned int)seconds / 60, (unsigned int)seconds % 60);
}

/* Returns the number of lines. */
static int draw_graphs(const struct subject *subject, int y, int height)
{
	const struct history *history = &subject->history;
	struct scale scale = choose_scale(history);

	screen_put(y, 1, LABEL_WIDTH, PAINT_PLAIN, "resident");
	draw_graph(history, history->resident, &scale, PAINT_CYAN, y, height);
	screen_put(y + height, 1, LABEL_WIDTH, PAINT_PLAIN, "live");
	draw_graph(history, history->live, &scale, PAINT_GREEN, y + height, height);
	draw_facts(subject, shown_seconds(history, &scale), y + 2 * height);
	return 2 * height + 1;
}

/* ---- what it consists of ---- */

struct part {
	const char *name;
	enum paint paint;
	char mark;
};
static const struct part parts[] = {
	{"live objects", PAINT_GREEN, '#'},
	{"live blocks", PAINT_CYAN, '='},
	{"live mappings", PAINT_BLUE, '%'},
	{"in CPUs", PAINT_YELLOW, '+'},
	{"in depots", PAINT_MAGENTA, '*'},
	{"free in slabs", PAINT_WARNING, '-'},
	{"page lists", PAINT_FAINT, ','},
	{"free dirty", PAINT_PLAIN, '.'},
};
#define NR_PARTS ((int)ARRAY_SIZE(parts))

/* Bytes of each part. Returns their sum. */
static uint64_t measure_parts(const struct subject *subject, uint64_t *bytes)
{
	const struct flagstone_stats *stats = &subject->stats;
	const uint64_t values[] = {stats->live_bytes - stats->block_bytes - stats->mapped_bytes, stats->block_bytes,
		stats->mapped_bytes, stats->cpu_bytes, stats->depot_bytes, stats->slab_free_bytes,
		stats->page_list_bytes, subject_dirty_bytes(subject)};
	uint64_t sum = 0;

	static_assert(ARRAY_SIZE(values) == NR_PARTS, "one value a part");
	for (int i = 0; i < NR_PARTS; i++)
		sum += bytes[i] = values[i];
	return sum;
}

/* One bar of all of them. */
static void draw_parts_bar(const uint64_t *bytes, uint64_t sum, int y)
{
	int width = screen_width() - 2;
	uint64_t before = 0;

	for (int i = 0; i < NR_PARTS && sum; i++) {
		int begin = (int)((double)before / (double)sum * width + 0.5);
		int end = (int)((double)(before + bytes[i]) / (double)sum * width + 0.5);

		screen_bar(y, 1 + begin, end - begin, parts[i].paint, parts[i].mark);
		before += bytes[i];
	}
}

static void draw_parts(const struct subject *subject, const uint64_t *bytes, uint64_t sum, int y)
{
	/* Of a machine's free pages, which have frames is not known. */
	const char *free_name = subject->stats.nr_zones ? "free pages" : parts[NR_PARTS - 1].name;
	char text[TABLE_CELL];

	for (int i = 0; i < NR_PARTS; i++) {
		screen_bar(y + i, 1, 1, parts[i].paint, parts[i].mark);
		screen_put(y + i, 3, 13, PAINT_PLAIN, i == NR_PARTS - 1 ? free_name : parts[i].name);
		screen_put(y + i, 17, -8, PAINT_PLAIN, table_size(bytes[i], text));
		screen_printf(y + i, 26, -4, PAINT_FAINT, "%.0f%%", sum ? (double)bytes[i] / (double)sum * 100 : 0.0);
	}
}

/* ---- free blocks ---- */

/* Three cells at most. */
static const char *short_number(uint64_t number, char *buffer, size_t size)
{
	static const char units[] = " kMGTPE";
	unsigned int unit = 0;

	for (; number >= 1000; number /= 1000)
		unit++;
	snprintf(buffer, size, "%u%.*s", (unsigned int)number, unit > 0, units + unit);
	return buffer;
}

static void draw_blocks(const struct flagstone_stats *stats, int x, int y, int height)
{
	int width = screen_width() - x >= 5 * FLAGSTONE_STATS_ORDERS ? 5 : 4;
	uint64_t max = 0;

	screen_put(y, x, screen_width() - x, PAINT_FAINT, "free blocks of each size: bytes, number");
	for (int i = 0; i < FLAGSTONE_STATS_ORDERS; i++)
		if (stats->free_blocks[i] << i > max)
			max = stats->free_blocks[i] << i;
	for (int i = 0; i < FLAGSTONE_STATS_ORDERS; i++) {
		uint64_t kib = ((uint64_t)stats->page_size << i) / 1024;
		int left = x + i * width;
		char text[32];

		screen_column(
			y + height - 3, left + 1, width - 2, height - 3, PAINT_BLUE, stats->free_blocks[i] << i, max);
		screen_put(y + height - 2, left, 1 - width, PAINT_PLAIN,
			short_number(stats->free_blocks[i], text, sizeof(text)));
		snprintf(text, sizeof(text), "%u%s", (unsigned int)(kib < 1024 ? kib : kib / 1024),
			kib >= 1024              ? "M"
			: kib < 100 || width > 4 ? "K"
						 : "");
		screen_put(y + height - 1, left, 1 - width, PAINT_FAINT, text);
	}
}

/* ---- CPUs ---- */

static uint64_t fullest_cpu(const struct flagstone_stats *stats, uint32_t *cpu)
{
	uint64_t max = 0;

	for (uint32_t i = 0; i < stats->nr_cpus; i++) {
		if (stats->cpu[i].bytes <= max)
			continue;
		max = stats->cpu[i].bytes;
		*cpu = stats->cpu[i].cpu;
	}
	return max;
}

/* Many CPUs: one cell each. */
static void draw_cpu_cells(const struct flagstone_stats *stats, const char *what, int y)
{
	uint32_t cpu = 0;
	uint64_t max = fullest_cpu(stats, &cpu);
	int left = 1 + LABEL_WIDTH, width = screen_width() - left - 24;
	char text[TABLE_CELL];

	screen_printf(y, 1, LABEL_WIDTH, PAINT_PLAIN, "%ss", what);
	for (int i = 0; i < width && i < (int)stats->nr_cpus; i++)
		screen_column(y, left + i, 1, 1, PAINT_YELLOW, stats->cpu[i].bytes, max);
	screen_printf(y, screen_width() - 23, 23, PAINT_FAINT, "most: %s in %u of %u", table_size(max, text), cpu,
		stats->nr_cpus);
}

static int draw_cpus(const struct flagstone_stats *stats, int y, int height)
{
	const char *what = strcmp(stats->mode, "thread") ? "cpu" : "thread";
	int each = screen_width() / METER_WIDTH;
	uint32_t fullest = 0;
	uint64_t max = fullest_cpu(stats, &fullest);
	char text[TABLE_CELL];

	if (!each || (int)stats->nr_cpus > each * height) {
		draw_cpu_cells(stats, what, y);
		return 1;
	}
	for (int i = 0; i < (int)stats->nr_cpus; i++) {
		const struct flagstone_cpu_stats *cpu = &stats->cpu[i];
		int x = 1 + i % each * METER_WIDTH, row = y + i / each;

		screen_printf(row, x, LABEL_WIDTH, PAINT_PLAIN, "%s %u", what, cpu->cpu);
		screen_bar(row, x + LABEL_WIDTH, max ? (int)((double)cpu->bytes / (double)max * 7 + 0.5) : 0,
			PAINT_YELLOW, 0);
		screen_put(row, x + LABEL_WIDTH + 7, -NUMBER_WIDTH, PAINT_PLAIN, table_size(cpu->bytes, text));
	}
	return stats->nr_cpus ? ((int)stats->nr_cpus + each - 1) / each : 1;
}

/* ---- all ---- */

static int draw_composition(const struct subject *subject, int y)
{
	uint64_t bytes[NR_PARTS], sum = measure_parts(subject, bytes);

	draw_parts_bar(bytes, sum, y);
	draw_parts(subject, bytes, sum, y + 1);
	if (screen_width() >= PARTS_WIDTH + 4 * FLAGSTONE_STATS_ORDERS)
		draw_blocks(&subject->stats, PARTS_WIDTH, y + 1, NR_PARTS);
	return 1 + NR_PARTS;
}

void detail_draw(struct live *live, const struct subject *subject)
{
	static const void *rows[FLAGSTONE_STATS_CACHES];
	size_t count = tables_caches(&subject->stats, rows);
	int height = screen_height() - 1, y = 1;
	char title[COMMAND_BYTES + LOOK_NAME + 32];

	table_sort(&live->caches.table, rows, count);
	snprintf(title, sizeof(title), "%d %s (%s)%s", subject->look.reader.pid, subject->command, subject->stats.mode,
		subject->status == EXIT_OK ? "" : ", unreadable at this moment");
	view_draw_title(live, title);
	y += draw_graphs(subject, y, height > 32 ? 3 : height > 26 ? 2 : 1);
	if (height - y >= 1 + NR_PARTS + 1 + MIN_ROWS - 1)
		y += draw_composition(subject, y);
	if (height - y >= 1 + MIN_ROWS)
		y += draw_cpus(&subject->stats, y, height > 26 ? height / 10 : 1);
	view_draw_table(&live->caches, rows, count, y, height - y);
}
