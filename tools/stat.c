/*
 * stat.c: flagstone-stat, the statistics of a process that runs on flagstone, read from outside while it goes on.
 *
 * Calls process.c for symbols and memory, the slab room for the collection, the malloc room for the tables. The process
 * is neither stopped nor asked.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "runtime/malloc/stats_text.h"
#include "runtime/slab/stats.h"

#define OUTPUT_BYTES (1ul << 20)

enum exit_status {
	EXIT_OK,
	EXIT_OUTPUT,
	EXIT_USAGE,
	EXIT_NO_PROCESS,
	EXIT_NO_PERMISSION,
	EXIT_NO_FLAGSTONE,
	EXIT_OTHER_BUILD,
	EXIT_UNREADABLE,
};

static const char help_text[] =
	"Usage: flagstone stat PID [--json] [--slabinfo] [--buddyinfo]\n"
	"Shows what flagstone holds in the process PID, which goes on meanwhile: resident, live, cached for each CPU,\n"
	"free, given back to the system; then the tables of the kernel's kind.\n"
	"\n"
	"  --slabinfo   only the table of caches: objects in use, in magazines, in slabs\n"
	"  --buddyinfo  only the free blocks of the page allocator, by order\n"
	"  --json       everything, as one JSON object\n"
	"  --help       this text\n"
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
	fprintf(stderr, "flagstone stat: %s%s%s%s (see flagstone stat --help)\n", what, word ? " '" : "",
		word ? word : "", word ? "'" : "");
	exit(EXIT_USAGE);
}

static int parse_pid(const char *word)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(word, &end, 10);
	if (errno || end == word || *end || pid < 1 || pid > INT_MAX)
		usage("not a process id:", word);
	return (int)pid;
}

static void parse_option(struct options *options, const char *word)
{
	static const char *const words[] = {"--json", "--slabinfo", "--buddyinfo", "--help"};
	const char *near = words[0];

	if (!strcmp(word, "--json")) {
		options->json = true;
	} else if (!strcmp(word, "--slabinfo")) {
		options->parts |= STATS_SLABINFO;
	} else if (!strcmp(word, "--buddyinfo")) {
		options->parts |= STATS_BUDDYINFO;
	} else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		fputs(help_text, stdout);
		exit(EXIT_OK);
	} else {
		/* They begin with different letters. */
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (word[strspn(word, "-")] == words[i][2])
				near = words[i];
		fprintf(stderr, "flagstone stat: unknown option '%s'; the nearest is %s\n", word, near);
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
		else
			options.pid = parse_pid(argv[i]);
	}
	if (!options.pid)
		usage("which process? Give its PID", NULL);
	if (options.json && options.parts)
		usage("--json prints everything: leave the other option out", NULL);
	return options;
}

/* Yama's setting, 0 where it is not there. */
static int ptrace_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope;
}

static int explain_permission(int pid, const char *name)
{
	int scope = ptrace_scope();

	fprintf(stderr, "flagstone stat: the kernel does not let you read process %d (%s): ", pid, name);
	if (geteuid() == 0)
		fprintf(stderr,
			"this needs the capability SYS_PTRACE, which this container or service does not have\n");
	else if (scope)
		fprintf(stderr, "kernel.yama.ptrace_scope is %d; run as root, or 'sysctl kernel.yama.ptrace_scope=0'\n",
			scope);
	else
		fprintf(stderr, "it belongs to another user, or has changed its privileges; run as root\n");
	return EXIT_NO_PERMISSION;
}

static int explain_search(int pid, const char *name, int error)
{
	switch (error) {
	case 0:
		fprintf(stderr,
			"flagstone stat: process %d (%s) does not use flagstone (neither preloaded nor linked; of a "
			"program"
			" that flagstone is linked into, the symbol table must not be stripped)\n",
			pid, name);
		return EXIT_NO_FLAGSTONE;
	case -ENOENT:
	case -ESRCH:
		fprintf(stderr, "flagstone stat: no process has the id %d\n", pid);
		return EXIT_NO_PROCESS;
	case -EACCES:
	case -EPERM:
		return explain_permission(pid, name);
	case -ENOEXEC:
		fprintf(stderr,
			"flagstone stat: process %d (%s) has no memory: it has ended, or belongs to the kernel\n", pid,
			name);
		return EXIT_NO_FLAGSTONE;
	default:
		fprintf(stderr, "flagstone stat: process %d (%s): %s\n", pid, name, strerror(-error));
		return EXIT_UNREADABLE;
	}
}

static int explain_collect(int pid, const char *name, enum stats_result result)
{
	if (result == STATS_OTHER_BUILD) {
		fprintf(stderr,
			"flagstone stat: process %d (%s) uses another version or build of flagstone; use the "
			"flagstone-stat"
			" that was built with it\n",
			pid, name);
		return EXIT_OTHER_BUILD;
	}
	fprintf(stderr, "flagstone stat: process %d (%s) has ended, or changes too fast to be read; try again\n", pid,
		name);
	return EXIT_UNREADABLE;
}

/* Tries each root: a process may have loaded both libraries, and use one. */
static enum stats_result collect(
	const struct reader *reader, const uintptr_t *roots, int nr_roots, struct flagstone_stats *stats)
{
	enum stats_result result = STATS_UNREADABLE;

	for (int i = 0; i < nr_roots; i++) {
		enum stats_result now = stats_collect(reader, (const struct flagstone_root *)roots[i], stats);

		if (now != STATS_NOT_A_ROOT)
			result = now;
		if (now == STATS_OK && stats->online_bytes)
			break;
	}
	return result;
}

/* Into a buffer that is large enough for every row, so that a failing output is noticed. */
static int print(const struct options *options, const struct flagstone_stats *stats)
{
	static char buffer[OUTPUT_BYTES];
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
static_assert(OUTPUT_BYTES > 512 * FLAGSTONE_STATS_CACHES + 128 * FLAGSTONE_STATS_CPUS, "every row fits");

int main(int argc, char **argv)
{
	struct options options = parse(argc, argv);
	struct reader reader = process_reader(options.pid);
	static struct flagstone_stats stats;
	uintptr_t roots[PROCESS_MAX_SYMBOLS];
	enum stats_result result;
	int nr_roots;
	char name[64];

	process_name(options.pid, name, sizeof(name));
	nr_roots = process_find_symbol(&reader, "flagstone_root", roots);
	if (nr_roots <= 0)
		return explain_search(options.pid, name, nr_roots);
	result = collect(&reader, roots, nr_roots, &stats);
	if (result != STATS_OK)
		return explain_collect(options.pid, name, result);
	stats.resident_bytes = process_resident_bytes(options.pid);
	if (!stats.online_bytes)
		fprintf(stderr, "flagstone stat: process %d (%s) has loaded flagstone and not allocated with it\n",
			options.pid, name);
	return print(&options, &stats);
}
