/*
 * options.c: reads the command line, and answers a mistake with the nearest thing that would have been right.
 *
 * Calls the C library. Knows the names of the allocators and of cases; refuses to know what is measured.
 */
#include "options.h"
#include "alloc.h"
#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64
#define ROUNDS_MAX 1000

enum option_id {
	OPT_QUICK,
	OPT_ROUNDS,
	OPT_FILTER,
	OPT_FLAGSTONE,
	OPT_JSON,
	OPT_ALLOCATORS,
	OPT_LIST,
	OPT_HELP,
	NR_OPTS
};

static const struct {
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
} rows[NR_OPTS] = {
	[OPT_QUICK] = {"--quick", NULL, "7 rounds of 30 ms samples, done in under two minutes (else 15 of 60 ms)"},
	[OPT_ROUNDS] = {"--rounds", "N", "number of rounds, 1 to 1000"},
	[OPT_FILTER] = {"--filter", "REGEX", "only the benchmarks whose name matches this extended regular expression"},
	[OPT_FLAGSTONE] = {"--flagstone", "PATH", "flagstone's library (else looked for beside this program)"},
	[OPT_JSON] = {"--json", "FILE", "write every sample to FILE, for plot.py"},
	[OPT_ALLOCATORS] = {"--allocators", "A,B,C", "only these of: none flagstone jemalloc mimalloc tcmalloc glibc"},
	[OPT_LIST] = {"--list", NULL, "list the benchmarks, and what one operation of each is"},
	[OPT_HELP] = {"--help", NULL, "this text"},
};

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Letters to insert, delete or replace to get from a to b; only the first WORD_MAX letters of each are looked at. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t len = strnlen(b, WORD_MAX), row[WORD_MAX + 1];

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < WORD_MAX; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t above = row[j + 1];

			row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[len];
}

static const char *option_name(size_t i)
{
	return rows[i].name;
}

static const char *allocator_name(size_t i)
{
	return allocs[i].name;
}

static const char *nearest(const char *word, const char *(*name)(size_t), size_t count)
{
	const char *best = name(0);

	for (size_t i = 1; i < count; i++)
		if (edit_distance(word, name(i)) < edit_distance(word, best))
			best = name(i);
	return best;
}

static _Noreturn void usage_error(const char *what, const char *word, const char *hint)
{
	fprintf(stderr, "flagstone-bench: %s '%s'%s%s\n", what, word, hint ? "; the nearest is " : "",
		hint ? hint : "");
	exit(EXIT_USAGE);
}

static _Noreturn void help(void)
{
	printf("Usage: flagstone-bench [OPTION]...\n"
	       "Times flagstone and other allocators side by side. In each round every allocator runs every benchmark\n"
	       "once, in a new order; printed are the median over the rounds and half the interquartile range.\n\n");
	for (size_t i = 0; i < NR_OPTS; i++) {
		char left[WORD_MAX];

		snprintf(left, sizeof(left), "%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
		printf("  %-20s %s\n", left, rows[i].help);
	}
	exit(EXIT_SUCCESS);
}

static unsigned int parse_rounds(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 1 || value > ROUNDS_MAX)
		usage_error("--rounds takes a number from 1 to 1000, not", text, NULL);
	return (unsigned int)value;
}

static void parse_filter(struct options *options, const char *text)
{
	int error;

	if (options->has_filter)
		regfree(&options->filter);
	error = regcomp(&options->filter, text, REG_EXTENDED | REG_NOSUB);
	if (error) {
		char reason[128];

		regerror(error, &options->filter, reason, sizeof(reason));
		fprintf(stderr, "flagstone-bench: --filter '%s': %s\n", text, reason);
		exit(EXIT_USAGE);
	}
	options->has_filter = true;
}

static void want_allocator(const char *name)
{
	for (int id = 0; id < NR_ALLOCS; id++) {
		if (!strcmp(name, allocs[id].name)) {
			allocs[id].wanted = true;
			return;
		}
	}
	usage_error("unknown allocator", name, nearest(name, allocator_name, NR_ALLOCS));
}

static void parse_allocators(const char *text)
{
	char *copy = strdup(text), *rest = copy, *name;

	if (!copy)
		abort();
	for (int id = 0; id < NR_ALLOCS; id++)
		allocs[id].wanted = false;
	while ((name = strsep(&rest, ",")))
		want_allocator(name);
	free(copy);
}

static void apply(struct options *options, enum option_id id, const char *value)
{
	switch (id) {
	case OPT_QUICK:
		options->quick = true;
		break;
	case OPT_ROUNDS:
		options->rounds = parse_rounds(value);
		break;
	case OPT_FILTER:
		parse_filter(options, value);
		break;
	case OPT_FLAGSTONE:
		options->flagstone = value;
		break;
	case OPT_JSON:
		options->json = value;
		break;
	case OPT_ALLOCATORS:
		parse_allocators(value);
		break;
	case OPT_LIST:
		options->list = true;
		break;
	default:
		help();
	}
}

/* The option that word names, as "--x" or "--x=value"; *value is set to what follows the sign, or NULL. */
static enum option_id find_option(const char *word, const char **value)
{
	size_t len = strcspn(word, "=");
	char name[WORD_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	*value = word[len] ? word + len + 1 : NULL;
	for (int id = 0; id < NR_OPTS; id++)
		if (!strcmp(name, rows[id].name))
			return (enum option_id)id;
	usage_error("unknown option", name, nearest(name, option_name, NR_OPTS));
}

void options_parse(struct options *options, int argc, char **argv)
{
	memset(options, 0, sizeof(*options));
	for (int id = 0; id < NR_ALLOCS; id++)
		allocs[id].wanted = true;
	for (int i = 1; i < argc; i++) {
		const char *value;
		enum option_id id = find_option(argv[i], &value);

		if (value && !rows[id].value)
			usage_error("this option takes no value:", argv[i], NULL);
		if (!value && rows[id].value && !(value = argv[++i]))
			usage_error("this option needs a value:", rows[id].name, NULL);
		apply(options, id, value);
	}
	if (!options->rounds)
		options->rounds = options->quick ? 7 : 15;
	options->sample_ms = options->quick ? 30 : 60;
	options->limit_s = options->quick ? 105 : 0;
}

bool options_select(const struct options *options, const struct bench_case *test)
{
	if (test->full && options->quick)
		return false;
	return !options->has_filter || !regexec(&options->filter, test->name, 0, NULL, 0);
}
