/*
 * options.h: the command line.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <regex.h>
#include <stdbool.h>

#define EXIT_USAGE 2

struct bench_case;

/* Synchronization: const after options_parse(). */
struct options {
	bool quick;
	bool list;
	unsigned int rounds;
	unsigned int sample_ms;
	unsigned int limit_s; /* no further round is started when it would end after so many seconds; 0: no limit */
	bool has_filter;
	regex_t filter;
	const char *flagstone; /* NULL: look beside the program */
	const char *json; /* NULL: none */
};

/* Fills options and the wanted field of every allocator. Ends the program on --help and on mistakes. */
void options_parse(struct options *options, int argc, char **argv);

/* Whether the case is to be run: by --filter and --quick. */
bool options_select(const struct options *options, const struct bench_case *test);

#endif
