/*
 * screen.h: the terminal: text in colours, graphs, bars, keys. Everything is cut at the edges.
 */
#ifndef TOOLS_TOP_SCREEN_H
#define TOOLS_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* How text looks; without colours, by reverse video and boldness. */
enum paint {
	PAINT_PLAIN,
	PAINT_FAINT,
	PAINT_STRONG,
	PAINT_TITLE,
	PAINT_HEADER,
	PAINT_SORTED, /* the header of the column that is sorted by */
	PAINT_SELECTED,
	PAINT_WARNING,
	PAINT_GREEN,
	PAINT_CYAN,
	PAINT_BLUE,
	PAINT_YELLOW,
	PAINT_MAGENTA,
	PAINT_COUNT,
};

/* Other keys are the characters themselves. */
enum screen_key {
	SCREEN_TIMEOUT = -1,
	SCREEN_END = -2, /* a signal asks for the end, or the terminal is gone */
	SCREEN_RESIZE = 0x1000,
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_LAST,
	SCREEN_OPEN, /* Enter, right */
	SCREEN_BACK, /* Escape, left, Backspace */
	SCREEN_HELP, /* F1, ? */
};

/* Takes the terminal over. Returns NULL, or why it cannot. */
const char *screen_start(void);
/* Gives it back as it was; ends by the signal, if one asked for the end. */
void screen_stop(void);

int screen_width(void);
int screen_height(void);
void screen_clear(void);
void screen_show(void);
/* Waits for a key for so many seconds. */
int screen_key(double seconds);

/* Writes width cells: the text, which is ASCII, cut or filled up with spaces; a negative width aligns it right. */
void screen_put(int y, int x, int width, enum paint paint, const char *text);
void screen_printf(int y, int x, int width, enum paint paint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* A bar of height cells above and with y, and width cells, filled up to value of max. */
void screen_column(int y, int x, int width, int height, enum paint paint, uint64_t value, uint64_t max);
/* A bar of length cells; where there are no colours, made of mark if that is not 0. */
void screen_bar(int y, int x, int length, enum paint paint, char mark);
/* The sign for ascending or descending order. */
void screen_arrow(int y, int x, enum paint paint, bool up);

#endif
