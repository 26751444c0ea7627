/*
 * stat.c: flagstone-stat, the statistics of a process that runs on flagstone, read from outside while it goes on.
 *
 * Calls look.c for the numbers, the malloc room for the tables. Refuses to know where they come from.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"
#include "options.h"
#include "runtime/config.h"
#include "runtime/malloc/stats_text.h"

static const char help_text[] =
	"Usage: flagstone stat PID [--json] [--slabinfo] [--buddyinfo] [--extfrag_index] [--unusable_index]\n"
	"Shows what flagstone holds in the process PID, which goes on meanwhile: resident, live, cached for each CPU,\n"
	"free, given back to the system, a machine's zones and their watermarks in pages; then the tables of the\n"
	"kernel's kind.\n"
	"\n"
	"  --slabinfo        only the table of caches: objects in use, in magazines, in slabs\n"
	"  --buddyinfo       only the free blocks of the page allocator, by order\n"
	"  --extfrag_index   only why a block of each order could not be had: near 0 for want of free memory, near 1 "
	"since\n"
	"                    it lies in pieces; -1 where it could\n"
	"  --unusable_index  only the part of the free memory that lies in blocks too small for each order\n"
	"  --json            everything, as one JSON object\n"
	"  --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 the output could not be written, 2 wrong usage, 3 no such process, 4 no permission,\n"
	"5 the process does not use flagstone, 6 it uses another build of it, 7 its memory could not be made sense "
	"of.\n";

struct options {
	int pid;
	bool json;
	unsigned int parts; /* 0: all */
};

static __attribute__((noreturn)) void usage(const char *what, const char *word)
{
	options_wrong("stat", what, word);
}

static void parse_option(struct options *options, const char *word)
{
	static const char *const words[] = {
		"--json", "--slabinfo", "--buddyinfo", "--extfrag_index", "--unusable_index", "--help"};

	if (!strcmp(word, "--json")) {
		options->json = true;
	} else if (!strcmp(word, "--slabinfo")) {
		options->parts |= STATS_SLABINFO;
	} else if (!strcmp(word, "--buddyinfo")) {
		options->parts |= STATS_BUDDYINFO;
	} else if (!strcmp(word, "--extfrag_index")) {
		options->parts |= STATS_EXTFRAG_INDEX;
	} else if (!strcmp(word, "--unusable_index")) {
		options->parts |= STATS_UNUSABLE_INDEX;
	} else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		fputs(help_text, stdout);
		exit(EXIT_OK);
	} else {
		fprintf(stderr, "flagstone stat: unknown option '%s'; the nearest is %s\n", word,
			options_nearest(word, words, ARRAY_SIZE(words)));
		exit(EXIT_USAGE);
	}
}

static struct options parse(int argc, char **argv)
{
	struct options options = {0};

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			parse_option(&options, argv[i]);
		else if (options.pid)
			usage("one process at a time, not also", argv[i]);
		else if (!(options.pid = options_pid(argv[i])))
			usage("not a process id:", argv[i]);
	}
	if (!options.pid)
		usage("which process? Give its PID", NULL);
	if (options.json && options.parts)
		usage("--json prints everything: leave the other option out", NULL);
	return options;
}

/* Into a buffer that is large enough for every row, so that a failing output is noticed. */
static int print(const struct options *options, const struct flagstone_stats *stats)
{
	static char buffer[LOOK_TEXT_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);

	if (options->json)
		stats_json(&text, stats);
	else
		stats_text(&text, stats, options->parts ? options->parts : STATS_ALL);
	if (fwrite(buffer, 1, text.length, stdout) == text.length && !fclose(stdout))
		return EXIT_OK;
	perror("flagstone stat: output");
	return EXIT_OUTPUT;
}

static int explain(const struct look *look, enum exit_status status)
{
	char reason[LOOK_REASON];

	fprintf(stderr, "flagstone stat: %s\n", look_explain(look, status, reason, sizeof(reason)));
	return (int)status;
}

int main(int argc, char **argv)
{
	struct options options = parse(argc, argv);
	static struct flagstone_stats stats;
	struct look look;
	enum exit_status status = look_open(&look, options.pid);

	if (status == EXIT_OK)
		status = look_collect(&look, &stats);
	if (status != EXIT_OK)
		return explain(&look, status);
	if (!stats.online_bytes)
		fprintf(stderr, "flagstone stat: process %d (%s) has loaded flagstone and not allocated with it\n",
			options.pid, look.name);
	return print(&options, &stats);
}
