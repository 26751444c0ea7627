/*
 * live.h: the live view: its state, and its parts.
 */
#ifndef TOOLS_TOP_LIVE_H
#define TOOLS_TOP_LIVE_H

#include "scan.h"
#include "tables.h"

#define NOTE_BYTES (LOOK_REASON + 16)

/* A table on the screen. */
struct view {
	struct table table;
	size_t first; /* row at the top */
	size_t selected; /* row; of the caches, none is */
	bool selects;
	size_t rows, visible; /* as last drawn */
};

struct live {
	struct scan scan;
	struct view processes, caches;
	int selected_pid; /* 0: that of the first row */
	int pid; /* the process that is shown; 0: the table of all */
	char name[LOOK_NAME]; /* of it */
	bool help;
	double interval;
	char note[NOTE_BYTES]; /* shown until the next key */
};

/* Draws rows, sorted, from line y on: the header, and height - 1 of the rows. */
void view_draw_table(struct view *view, const void **rows, size_t count, int y, int height);
/* Draws a title: what is on the left, interval and time on the right. */
void view_draw_title(const struct live *live, const char *text);

/* Each draws everything above the last line. */
void list_draw(struct live *live);
void detail_draw(struct live *live, const struct subject *subject);
void help_draw(const struct live *live);

#endif
