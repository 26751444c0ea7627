/*
 * progress.h: what the program is doing, on stderr.
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

/*
 * done and total count samples. On a terminal one line is rewritten; elsewhere a line is printed every few seconds.
 * Also remembered as the place to name if an allocator crashes or hangs.
 */
void progress_step(
	const char *phase, const char *case_name, const char *alloc_name, unsigned int done, unsigned int total);
void progress_end(void);

/* Catches crashes, and samples that take more than a minute: the program names benchmark and allocator, and ends. */
void progress_guard(void);

double clock_seconds(void);

#endif
