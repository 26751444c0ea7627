/*
 * options.c: reads words of command lines, and answers those that are wrong.
 *
 * Calls the C library only. Refuses to know any option.
 */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"

int options_pid(const char *word)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(word, &end, 10);
	if (errno || end == word || *end || pid < 1 || pid > INT_MAX)
		return 0;
	return (int)pid;
}

const char *options_nearest(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (word[strspn(word, "-")] == words[i][2])
			return words[i];
	return words[0];
}

void options_wrong(const char *tool, const char *what, const char *word)
{
	fprintf(stderr, "flagstone %s: %s%s%s%s (see flagstone %s --help)\n", tool, what, word ? " '" : "",
		word ? word : "", word ? "'" : "", tool);
	exit(EXIT_USAGE);
}
