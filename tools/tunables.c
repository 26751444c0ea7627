/*
 * tunables.c: flagstone-tunables, the table of run-time choices with what FLAGSTONE_CONF makes of it here.
 *
 * Calls the lib room, which owns the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"

int main(int argc, char **argv)
{
	char buffer[4096];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), STDOUT_FILENO);
	bool markdown = argc > 1 && !strcmp(argv[1], "--markdown");

	if (argc > 2 || (argc == 2 && !markdown)) {
		fprintf(stderr, "flagstone tunables: unknown option '%s'; there is --markdown\n",
			argv[argc > 2 ? 2 : 1]);
		return 2;
	}
	tunables_parse(getenv("FLAGSTONE_CONF"));
	tunables_print(&text, markdown);
	text_flush(&text);
	return 0;
}
