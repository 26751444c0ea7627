/*
 * progress.c: tells on stderr what runs, and whose fault it is if that does not end well.
 *
 * Calls the C library. Refuses to know what the names mean.
 */
#include "progress.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HANG_SECONDS 60
#define LINE_SECONDS 5

static char place[256]; /* Synchronization: main thread; the signal handler only reads it, and the program then ends */
static bool line_open;
static double last_line;

double clock_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void progress_step(
	const char *phase, const char *case_name, const char *alloc_name, unsigned int done, unsigned int total)
{
	const bool terminal = isatty(STDERR_FILENO);
	const double now = clock_seconds();

	snprintf(place, sizeof(place), "%s on %s\n", case_name, alloc_name);
	alarm(HANG_SECONDS);
	if (terminal && now - last_line >= 0.1) {
		fprintf(stderr, "\r\033[K%3u%% %s: %s on %s", done * 100 / total, phase, case_name, alloc_name);
		line_open = true;
		last_line = now;
	} else if (!terminal && now - last_line >= LINE_SECONDS) {
		fprintf(stderr, "%3u%% %s: %s\n", done * 100 / total, phase, case_name);
		last_line = now;
	}
}

void progress_end(void)
{
	alarm(0);
	if (line_open)
		fputs("\r\033[K", stderr);
	line_open = false;
}

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

static void on_fault(int signal)
{
	say(signal == SIGALRM ? "\nflagstone-bench: no end after a minute in " : "\nflagstone-bench: crashed in ");
	say(place);
	_exit(1);
}

void progress_guard(void)
{
	const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGALRM};
	struct sigaction action = {.sa_handler = on_fault};

	for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &action, NULL);
}
