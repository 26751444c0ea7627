/*
 * top.c: flagstone-top, the processes on flagstone and one of them in detail, live or as lines for scripts.
 *
 * Reads the command line; calls once.c or live.c. Refuses to know what is shown.
 */
#include "top.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "runtime/config.h"
#include "tables.h"

#define MIN_INTERVAL 0.1
#define MAX_INTERVAL 3600.0

static const char help_text[] =
	"Usage: flagstone top [PID] [--once] [--json] [--sort KEY] [--interval SECONDS] [--count N]\n"
	"Shows the processes of this machine that run on flagstone, as they change; or one of them in detail. They go "
	"on\n"
	"meanwhile, and are not asked. In the live view, h shows the keys.\n"
	"\n"
	"  --once              print the table as lines, once (or --count times), for scripts\n"
	"  --json              the same as JSON, in bytes: one line a process; of PID, what stat --json prints\n"
	"  --sort KEY          pid resident live cached cpus depots dirty back mode command; for the caches of PID:\n"
	"                      live objects use size slabs cpus depot free bytes cache\n"
	"  --interval SECONDS  from one refresh to the next, 0.1 to 3600; 1 if not given\n"
	"  --count N           end after N refreshes\n"
	"  --help              this text\n"
	"\n"
	"Columns: RESIDENT memory of the whole process, LIVE with the program, CACHED free objects in magazines "
	"(CPUS:\n"
	"those of CPUs, DEPOTS: the rest), DIRTY free pages with frames, BACK/S given back to the system each second.\n"
	"\n"
	"Exit status: 0 done, 1 the output could not be written or the terminal not be used, 2 wrong usage, 3 no such\n"
	"process, 4 no permission, 5 the process does not use flagstone, 6 it uses another build of it, 7 its memory "
	"could\n"
	"not be made sense of.\n";

static __attribute__((noreturn)) void usage(const char *what, const char *word)
{
	options_wrong("top", what, word);
}

static double parse_interval(const char *word)
{
	char *end;
	double seconds = strtod(word, &end);

	if (end == word || *end || !(seconds >= MIN_INTERVAL && seconds <= MAX_INTERVAL))
		usage("not an interval of 0.1 to 3600 seconds:", word);
	return seconds;
}

static unsigned int parse_count(const char *word)
{
	int count = options_pid(word);

	if (!count)
		usage("not a number of refreshes:", word);
	return (unsigned int)count;
}

/* The value of an option that was given as --name=VALUE or --name VALUE; NULL if argv[*i] is another option. */
static const char *value_of(const char *name, char **argv, int *i)
{
	size_t length = strlen(name);
	const char *word = argv[*i];

	if (strncmp(word, name, length) != 0)
		return NULL;
	if (word[length] == '=')
		return word + length + 1;
	if (word[length])
		return NULL;
	if (!argv[*i + 1])
		usage("needs a value:", name);
	return argv[++*i];
}

static __attribute__((noreturn)) void unknown_option(const char *word)
{
	static const char *const words[] = {"--once", "--json", "--sort", "--interval", "--count", "--help"};

	fprintf(stderr, "flagstone top: unknown option '%s'; the nearest is %s\n", word,
		options_nearest(word, words, ARRAY_SIZE(words)));
	exit(EXIT_USAGE);
}

static void parse_option(struct top_options *options, bool *once, char **argv, int *i)
{
	const char *value;

	if (!strcmp(argv[*i], "--once")) {
		*once = true;
	} else if (!strcmp(argv[*i], "--json")) {
		*once = options->json = true;
	} else if (!strcmp(argv[*i], "--help") || !strcmp(argv[*i], "-h")) {
		fputs(help_text, stdout);
		exit(EXIT_OK);
	} else if ((value = value_of("--sort", argv, i))) {
		options->sort = value;
	} else if ((value = value_of("--interval", argv, i))) {
		options->interval = parse_interval(value);
	} else if ((value = value_of("--count", argv, i))) {
		options->count = parse_count(value);
	} else {
		unknown_option(argv[*i]);
	}
}

static void check_sort(const struct top_options *options)
{
	const struct table *table = options->pid ? &table_of_caches : &table_of_processes;

	if (!options->sort || table_find_column(table, options->sort) >= 0)
		return;
	fprintf(stderr, "flagstone top: there is no column '%s'; there are:", options->sort);
	for (unsigned int i = 0; i < table->nr_columns; i++)
		fprintf(stderr, " %s", table->columns[i].key);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

int top_explain(const struct look *look, enum exit_status status)
{
	char reason[LOOK_REASON];

	fprintf(stderr, "flagstone top: %s\n", look_explain(look, status, reason, sizeof(reason)));
	return (int)status;
}

int main(int argc, char **argv)
{
	struct top_options options = {.interval = 1};
	bool once = false;

	setlocale(LC_CTYPE, "");
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			parse_option(&options, &once, argv, &i);
		else if (options.pid)
			usage("one process at a time, not also", argv[i]);
		else if (!(options.pid = options_pid(argv[i])))
			usage("not a process id:", argv[i]);
	}
	check_sort(&options);
	if (once)
		return once_run(&options);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		usage("input and output must be a terminal; without one, use --once", NULL);
	return live_run(&options);
}
