/*
 * cases.h: the main function of a program of wrong uses: runs the one that is named, or lists them.
 */
#ifndef TESTS_MISUSE_CASES_H
#define TESTS_MISUSE_CASES_H

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct misuse_case {
	const char *name;
	void (*run)(void);
};

#define ROW(name)           \
	{                   \
#name, name \
	}

/* 0: it ended without a report that ends the process, or --list; 2: no such case. */
static inline int cases_run(const struct misuse_case *cases, size_t nr, int argc, char **argv)
{
	struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	for (size_t i = 0; i < nr; i++) {
		if (argc == 2 && !strcmp(argv[1], "--list"))
			puts(cases[i].name);
		if (argc == 2 && !strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			return 0;
		}
	}
	return argc == 2 && !strcmp(argv[1], "--list") ? 0 : 2;
}

#endif
