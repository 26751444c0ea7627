/*
 * report.h: what flagstone tells people: notes, and BUG reports with one stable first line.
 *
 * No stdio. Whole reports are written under one lock, so that those of two threads do not mix.
 */
#ifndef RUNTIME_LIB_REPORT_H
#define RUNTIME_LIB_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/* One line on stderr: "flagstone: " + text + newline. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "flagstone: BUG: " + text + newline, the caller's stack by return addresses, then what the tunable on_bug says:
 * abort (the default) or continue. */
void report_bug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A report of several parts, which no other mixes with: its first line, "flagstone: " + kind + text; then lines without prefix and stacks
 * of return addresses; at the end, what on_bug says. Signals are blocked between. */
void report_begin(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_frames(const uintptr_t *address, unsigned int nr);
void report_end(void);
/* The same, but it never ends the process: of what may be no mistake. */
void report_close(void);

/* ---- parts of longer reports: notes, of which the first begins with "BUG: ", and stacks; then the end ---- */

/* As report_frames(), with no report open. */
void report_stack(const uintptr_t *address, unsigned int nr);
/* What report_bug() does last. */
void report_bug_end(void);
/*
 * Follows frame pointers from a frame on, upwards and below stack_end only: at most max return addresses, returns
 * how many. All memory from the frame to stack_end must be readable.
 */
unsigned int report_walk(const void *frame, uintptr_t stack_end, uintptr_t *address, unsigned int max);
/* The mapping of this process that an address lies in: opens a file. False: that cannot be told. */
bool report_mapping(uintptr_t address, uintptr_t *start, uintptr_t *end);

/* What names the function of an address, or returns NULL; offset: how far in it the address is. Called with the report's lock
 * held, or without; size: how many bytes it has. NULL: no names. */
void report_set_symbols(const char *(*find)(uintptr_t address, uintptr_t *offset, uintptr_t *size));
/* The function of an address, as found by that; NULL: not known. Takes no lock: any context. */
const char *report_symbol(uintptr_t address, uintptr_t *offset, uintptr_t *size);

/* Fork takes the lock of rank LOCK_REPORT, last, with signals blocked; the child gets it free. */
void report_fork_prepare(void);
void report_fork_parent(void);
void report_fork_child(void);

/* Synchronization: const after boot. Set by the tunable on_bug. */
extern unsigned long report_on_bug;
enum { REPORT_BUG_ABORT, REPORT_BUG_CONTINUE };

#endif
