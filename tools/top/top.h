/*
 * top.h: the two ways in which flagstone-top shows what it sees.
 */
#ifndef TOOLS_TOP_TOP_H
#define TOOLS_TOP_TOP_H

#include <stdbool.h>

#include "../look.h"
#include "scan.h"

struct top_options {
	int pid; /* 0: all processes */
	const char *sort; /* key of a column, or NULL */
	double interval; /* seconds */
	unsigned int count; /* of refreshes; 0: no end */
	bool json;
};

/* Prints lines, for scripts. Returns what the tool ends with. */
int once_run(const struct top_options *options);
/* Takes the terminal over. Returns what the tool ends with; ends by the signal if one asks for that. */
int live_run(const struct top_options *options);

/* Says on stderr why the process cannot be looked at. Returns status. */
int top_explain(const struct look *look, enum exit_status status);

#endif
