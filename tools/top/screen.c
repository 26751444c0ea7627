/*
 * screen.c: the terminal, by ncurses: the only file that includes it.
 *
 * Signals: those that end the tool, and SIGWINCH, are let in only while screen_key() waits, so that none is missed between
 * a look at a flag and the wait. Refuses to know what is shown.
 */
#include "screen.h"

#include <langinfo.h>
#include <math.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#include "runtime/config.h"

#define LINE_BYTES 1024
#define ESCAPE 27
#define ESCAPE_MS 25 /* a key's sequence comes faster */

static volatile sig_atomic_t end_signal; /* Synchronization: set by the handler, once */
static sigset_t signals_outside; /* Synchronization: const after screen_start() */
static bool utf8, colours; /* Synchronization: const after screen_start() */

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* ---- start and end ---- */

static void ask_for_end(int signal)
{
	end_signal = signal;
}

static void prepare_signals(void)
{
	struct sigaction action = {.sa_handler = ask_for_end};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++) {
		sigaddset(&blocked, ending_signals[i]);
		sigaction(ending_signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &signals_outside);
}

static void prepare_colours(void)
{
	static const struct {
		enum paint paint;
		short text, ground;
	} pairs[] = {
		{PAINT_TITLE, COLOR_WHITE, COLOR_BLUE},
		{PAINT_HEADER, COLOR_BLACK, COLOR_GREEN},
		{PAINT_SORTED, COLOR_BLACK, COLOR_CYAN},
		{PAINT_SELECTED, COLOR_BLACK, COLOR_CYAN},
		{PAINT_WARNING, COLOR_RED, -1},
		{PAINT_GREEN, COLOR_GREEN, -1},
		{PAINT_CYAN, COLOR_CYAN, -1},
		{PAINT_BLUE, COLOR_BLUE, -1},
		{PAINT_YELLOW, COLOR_YELLOW, -1},
		{PAINT_MAGENTA, COLOR_MAGENTA, -1},
	};
	const char *no_color = getenv("NO_COLOR");

	colours = has_colors() && (!no_color || !*no_color) && start_color() == OK && use_default_colors() == OK;
	for (size_t i = 0; colours && i < ARRAY_SIZE(pairs); i++)
		init_pair((short)pairs[i].paint, pairs[i].text, pairs[i].ground);
}

const char *screen_start(void)
{
	const char *name = getenv("TERM");
	int known;

	if (!name || !*name)
		return "TERM is not set, so that the terminal's kind is unknown: set it, or use --once";
	if (setupterm(NULL, STDOUT_FILENO, &known) != OK)
		return "TERM names a terminal that is not known here: set it to another, or use --once";
	if (!cursor_address || !clear_screen)
		return "this terminal cannot move its cursor: use --once";
	del_curterm(cur_term); /* newterm() makes its own */
	prepare_signals();
	if (!newterm(NULL, stdout, stdin))
		return "the terminal cannot be used: use --once";
	utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	prepare_colours();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	return NULL;
}

void screen_stop(void)
{
	endwin();
	if (!end_signal)
		return;
	signal(end_signal, SIG_DFL);
	raise(end_signal);
	sigprocmask(SIG_SETMASK, &signals_outside, NULL);
}

/* ---- keys ---- */

static int translate(int key)
{
	switch (key) {
	case KEY_RESIZE:
		return SCREEN_RESIZE;
	case KEY_UP:
	case 'k':
		return SCREEN_UP;
	case KEY_DOWN:
	case 'j':
		return SCREEN_DOWN;
	case KEY_PPAGE:
		return SCREEN_PAGE_UP;
	case KEY_NPAGE:
		return SCREEN_PAGE_DOWN;
	case KEY_HOME:
		return SCREEN_HOME;
	case KEY_END:
		return SCREEN_LAST;
	case KEY_ENTER:
	case KEY_RIGHT:
	case '\r':
	case '\n':
		return SCREEN_OPEN;
	case KEY_LEFT:
	case KEY_BACKSPACE:
	case ESCAPE:
		return SCREEN_BACK;
	case KEY_F(1):
	case '?':
		return SCREEN_HELP;
	default:
		return key;
	}
}

int screen_key(double seconds)
{
	struct timespec time = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	int key = getch(); /* one may be left in ncurses's buffer */

	if (key == ERR) {
		ppoll(&input, 1, &time, &signals_outside);
		key = getch();
	}
	if (end_signal || (key == ERR && input.revents & (POLLHUP | POLLERR | POLLNVAL)))
		return SCREEN_END;
	return key == ERR ? SCREEN_TIMEOUT : translate(key);
}

/* ---- text ---- */

int screen_width(void)
{
	return COLS;
}

int screen_height(void)
{
	return LINES;
}

void screen_clear(void)
{
	erase();
}

void screen_show(void)
{
	refresh();
}

static attr_t attributes_of(enum paint paint)
{
	static const attr_t plain[PAINT_COUNT] = {
		[PAINT_FAINT] = A_DIM,
		[PAINT_STRONG] = A_BOLD,
		[PAINT_TITLE] = A_BOLD | A_REVERSE,
		[PAINT_HEADER] = A_REVERSE,
		[PAINT_SORTED] = A_REVERSE | A_BOLD,
		[PAINT_SELECTED] = A_REVERSE,
		[PAINT_WARNING] = A_BOLD,
	};

	if (!colours || paint < PAINT_TITLE)
		return plain[paint];
	return (attr_t)COLOR_PAIR(paint) | (paint == PAINT_TITLE || paint == PAINT_WARNING ? A_BOLD : 0);
}

/* Writes one character, of so many bytes, if that cell is on the screen. */
static void put_cell(int y, int x, enum paint paint, const char *character, int bytes)
{
	if (y < 0 || y >= LINES || x < 0 || x >= COLS)
		return;
	attrset(attributes_of(paint));
	mvaddnstr(y, x, character, bytes);
	attrset(A_NORMAL);
}

void screen_put(int y, int x, int width, enum paint paint, const char *text)
{
	char line[LINE_BYTES];
	int cells = abs(width);

	if (x < 0 || y < 0 || y >= LINES || x >= COLS)
		return;
	if (cells > COLS - x)
		cells = COLS - x;
	snprintf(line, sizeof(line), "%*.*s", width < 0 ? cells : -cells, cells, text);
	put_cell(y, x, paint, line, -1);
}

void screen_printf(int y, int x, int width, enum paint paint, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	screen_put(y, x, width, paint, line);
}

/* ---- graphs ---- */

static const char *level(int eighths)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const ascii[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};

	return utf8 ? blocks[eighths] : ascii[eighths];
}

void screen_column(int y, int x, int width, int height, enum paint paint, uint64_t value, uint64_t max)
{
	int eighths = max ? (int)((double)value / (double)max * height * 8 + 0.5) : 0;

	if (value && !eighths)
		eighths = 1; /* something is not nothing */
	for (int row = 0; row < height; row++) {
		int part = eighths > 8 * (row + 1) ? 8 : eighths - 8 * row;

		for (int i = 0; i < width && part > 0; i++)
			put_cell(y - row, x + i, paint, level(part), -1);
	}
}

void screen_bar(int y, int x, int length, enum paint paint, char mark)
{
	for (int i = 0; i < length; i++) {
		if (mark && !colours)
			put_cell(y, x + i, paint, &mark, 1);
		else
			put_cell(y, x + i, paint, level(8), -1);
	}
}

void screen_arrow(int y, int x, enum paint paint, bool up)
{
	static const char *const arrows[2][2] = {{"v", "^"}, {"▼", "▲"}};

	put_cell(y, x, paint, arrows[utf8][up], -1);
}
