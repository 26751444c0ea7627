/*
 * tunables.h: run-time choices, one table that parses FLAGSTONE_CONF and prints its own documentation.
 *
 * FLAGSTONE_CONF is "name=value,name=value"; a bare name means 1, where there are only 0 and 1. A bad entry is named on stderr with what it could have
 * meant, is otherwise ignored, and never stops the program.
 */
#ifndef RUNTIME_LIB_TUNABLES_H
#define RUNTIME_LIB_TUNABLES_H

#include <stdbool.h>
#include <stddef.h>

struct tunable {
	const char *name;
	const char *help; /* one sentence */
	const char *const *words; /* NULL-terminated names of 0, 1, 2...; NULL for numbers */
	unsigned long fallback; /* the default */
	unsigned long min, max;
	bool size; /* in bytes: k, m, g suffixes (powers of 1024) are understood, and printed */
	const char *example; /* a value that makes sense; NULL: the default does */
	unsigned long *value;
	bool set; /* by FLAGSTONE_CONF; otherwise the default holds */
	unsigned int line; /* of the text that was parsed last, where it was set; 0: it was not */
	/* A row of text has these instead of words, fallback, min, max and value. */
	char *text;
	size_t text_size;
	const char *fallback_text, *range_text;
};

/* A table of rows, and how to speak of it. */
struct tunable_table {
	const char *source; /* who set what is set: the variable's name */
	const char *kind; /* what a row is called */
	const char *consequence; /* what follows each complaint */
	struct tunable *rows;
	size_t nr;
	bool numbered; /* complaints name the line */
	bool once; /* a name that is there twice in one text is a bad entry */
	bool lines; /* newlines separate entries too, and from # to the end of a line is a comment */
	/* Takes an entry, without blanks around it, whose name has a dot in it; false: it is bad, and that has been said. NULL: there are none.
	 * Commas, newlines and # between double quotes end no entry then. */
	bool (*dotted)(const char *source, const char *entry, size_t length);
	int name_width, range_width; /* of columns; 0: as FLAGSTONE_CONF's */
};
#define TUNABLES_LINE_ENDS ",\n#" /* of entries, where lines separate them, too */
/* Where an entry ends: at one of ends, but not between quotes. */
const char *tunables_entry_end(const char *entry, const char *ends);
/* Where the next one begins, after the comment that may follow. */
const char *tunables_entry_next(const char *end);
/* Returns how many entries were bad; the good ones hold. */
unsigned long tunables_parse_table(const struct tunable_table *table, const char *conf);
struct text;
/* What a row is set to, as it may be written in the variable. */
void tunable_print_value(const struct tunable *tunable, struct text *text);
void tunable_print_number(const struct tunable *tunable, unsigned long number, struct text *text);
void tunables_print_table(const struct tunable_table *table, struct text *text, bool markdown);

/* The table, defined in tunables.c: one row a tunable, with the variables beside it. */
extern struct tunable tunables[];
extern const size_t nr_tunables;

enum { CPU_NUMBER_AUTO, CPU_NUMBER_MM_CID, CPU_NUMBER_CPU_ID };
enum { MAGAZINE_AUTO, MAGAZINE_RSEQ, MAGAZINE_THREAD, MAGAZINE_LOCKED };
extern unsigned long tunable_magazine; /* auto|rseq|thread|locked */
extern unsigned long tunable_cpu_number; /* auto|mm_cid|cpu_id: which number of the rseq area names the CPU */
extern unsigned long tunable_fake_cpus; /* number of CPUs of locked magazines */
extern unsigned long tunable_cpu_cache; /* bytes that magazines may grow to hold, a CPU */
extern unsigned long tunable_depots; /* shards of the depots; 0: as many as last-level caches */
extern unsigned long tunable_fake_nodes; /* memory nodes to play; 0: the machine's own */
extern unsigned long tunable_stats_at_exit; /* 0|1 */
extern unsigned long tunable_retain; /* bytes of free dirty pages kept before runs go back to the OS */
enum { THP_NEVER, THP_AUTO, THP_ALWAYS };
extern unsigned long tunable_thp; /* never|auto|always */
extern unsigned long tunable_thp_after; /* bytes of memory that lie on small pages with auto */
extern unsigned long tunable_reclaim; /* 0|1: whether there may be a reclaim thread */
extern unsigned long tunable_rcu_stall_timeout; /* seconds; 0: stalls are not reported */
extern unsigned long tunable_decay; /* milliseconds without need of it after which free memory goes back to the OS */

/* Reads conf (the value of FLAGSTONE_CONF, NULL for none). The word help prints the table to stderr. */
void tunables_parse(const char *conf);
/* Prints the table as Markdown (for the README) or as aligned text with each value's source. */
void tunables_print(struct text *text, bool markdown);

#endif
