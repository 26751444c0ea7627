/*
 * machine.c: flagstone-machine: what a simulated machine can be, whether a config is one, and a program with each of its allocations
 * failing in turn.
 *
 * Calls the machine library. The program under test is any that boots a machine: it is told by FLAGSTONE_MACHINE.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/config.h"
#include "runtime/lib/nearest.h"
#include "runtime/machine/machine.h"
#include "runtime/lib/tunables.h"
#include "runtime/machine/steps.h"

#define VARIABLE "FLAGSTONE_MACHINE"
#define TEXT_BYTES 65536

static const char help[] =
	"Usage: flagstone machine config [--markdown]\n"
	"       flagstone machine check TEXT | FILE\n"
	"       flagstone machine fail-each [--deadline MS] [--steps N] [--] PROGRAM [ARG...]\n"
	"\n"
	"Of programs that are linked with flagstone-machine: a simulated machine, whose config they take from "
	"FLAGSTONE_MACHINE.\n"
	"\n"
	"  config        prints every name that FLAGSTONE_MACHINE and config files know: default, range, meaning\n"
	"  check         says whether a config can be booted, and if not, why\n"
	"  fail-each     runs PROGRAM again and again with allocation 1, 2, 3, ... of the task that boots failing, "
	"until it\n"
	"                comes to its end without reaching that many; names each run that leaked, crashed, hung, "
	"warned "
	"or touched\n"
	"                free memory, where the allocation was called from, and the command that does it again\n"
	"    --deadline MS   how long a run may take; 60000\n"
	"    --steps N       ends after N runs\n"
	"\n"
	"Exit status: 0, 1 if a run was bad, none could fail, or the config is none, 2 for wrong usage, 127 if there "
	"is no such "
	"program.\n"
	"\n"
	"  flagstone machine check cpus=8,ram=256m,nodes=2,highmem=192m\n"
	"  FLAGSTONE_MACHINE=cpus=2 flagstone machine fail-each ./driver-test\n";

static int wrong_usage(const char *what)
{
	fprintf(stderr, "flagstone: machine: %s (see flagstone machine --help)\n", what);
	return 2;
}

static int wrong_word(const char *what, const char *word, const char *const *words, size_t nr)
{
	struct nearest nearest = {.word = word};

	for (size_t i = 0; i < nr; i++)
		nearest_offer(&nearest, words[i]);
	fprintf(stderr, "flagstone: machine: unknown %s '%s'%s%s%s (see flagstone machine --help)\n", what, word,
		nearest.best ? "; the nearest is '" : "", nearest.best ? nearest.best : "", nearest.best ? "'" : "");
	return 2;
}

/* ---- config, check ---- */

static int print_config(int argc, char **argv)
{
	static char table[TEXT_BYTES];
	bool markdown = argc == 1 && !strcmp(argv[0], "--markdown");

	if (argc > 1 || (argc == 1 && !markdown))
		return wrong_usage("config takes --markdown or nothing");
	flagstone_machine_config_table(table, sizeof(table), markdown);
	fputs(table, stdout);
	return 0;
}

/* A file's text, or the text itself where there is no such file; NULL if it is the name of a file that cannot be read. */
static const char *text_of(const char *argument)
{
	static char text[TEXT_BYTES];
	FILE *file = fopen(argument, "r");

	if (!file) {
		if (strchr(argument, '=') || !strpbrk(argument, "./"))
			return argument;
		fprintf(stderr, "flagstone: machine: cannot read %s: %s\n", argument, strerror(errno));
		return NULL;
	}
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static int check_config(int argc, char **argv)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;
	const char *text;

	if (argc != 1)
		return wrong_usage("check takes a text or a file");
	text = text_of(argv[0]);
	if (!text || !config_apply(&config, text, text == argv[0] ? MACHINE_TEXT : argv[0]) ||
		flagstone_machine_config_check(&config))
		return 1;
	puts("can be booted");
	return 0;
}

/* ---- fail-each ---- */

/* A program, and what its machine is told beside the failure. */
struct program {
	char **argv;
	const char *machine;
};

static void run_program(unsigned int nth, void *arg)
{
	const struct program *program = arg;
	char *text;

	if (asprintf(&text, "%s%sfail_nth=%u,tracking=1", program->machine, *program->machine ? "," : "", nth) < 0)
		_exit(127);
	setenv(VARIABLE, text, 1);
	execvp(program->argv[0], program->argv);
	_exit(127);
}

/* As execvp() looks for it. */
static bool is_there(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	if (strchr(name, '/'))
		return !access(name, X_OK);
	for (; path && *path; path += strcspn(path, ":") + (path[strcspn(path, ":")] != '\0')) {
		snprintf(file, sizeof(file), "%.*s/%s", (int)strcspn(path, ":"), path, name);
		if (!access(file, X_OK))
			return true;
	}
	return false;
}

/* The words of a command in one line. */
static char *join(char **argv)
{
	static char line[256];
	size_t length = 0;

	for (; *argv && length < sizeof(line); argv++)
		length += (size_t)snprintf(line + length, sizeof(line) - length, "%s%s", length ? " " : "", *argv);
	return line;
}

/* Whether an entry of a text sets what this tool sets itself: no name may be there twice. */
static bool is_own(const char *entry)
{
	static const char *const names[] = {"fail_nth", "tracking"};
	size_t length = strcspn(entry, "= \t,\n#");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (length == strlen(names[i]) && !strncmp(entry, names[i], length))
			return true;
	return false;
}

/* What FLAGSTONE_MACHINE says, but for that. */
static const char *machine_text(void)
{
	static char text[TEXT_BYTES];
	const char *entry = getenv(VARIABLE) ? getenv(VARIABLE) : "", *end;
	size_t length = 0;

	for (; *entry; entry = tunables_entry_next(end)) {
		entry += strspn(entry, " \t");
		end = tunables_entry_end(entry, TUNABLES_LINE_ENDS);
		if (!is_own(entry) && end > entry && length + (size_t)(end - entry) + 2 < sizeof(text))
			length +=
				(size_t)sprintf(text + length, "%s%.*s", length ? "," : "", (int)(end - entry), entry);
	}
	return text;
}

static int run_steps(char **argv, struct flagstone_fail_report *report)
{
	const char *machine = machine_text();
	struct program program = {.argv = argv, .machine = machine};
	struct steps steps = {
		.body = run_program, .arg = &program, .machine = machine, .program = join(argv), .must_fail = true};
	int bad = steps_run(&steps, report);

	if (bad == -ENODATA)
		fprintf(stderr,
			"flagstone: machine: %s made no allocation that could fail: its task that boots a machine of "
			"FLAGSTONE_MACHINE allocated nothing, or none could boot\n",
			argv[0]);
	else if (bad < 0)
		fprintf(stderr, "flagstone: machine: cannot run %s: %s\n", argv[0], strerror(-bad));
	if (bad < 0)
		return 1;
	printf("%u runs, %u bad\n", report->nr_steps, report->nr_bad);
	return bad != 0;
}

/* A whole number from 1; 0: it is none. */
static unsigned int count_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && number <= 1000000000 ? (unsigned int)number : 0;
}

static int fail_each(int argc, char **argv)
{
	static struct flagstone_fail_report report;
	static const char *const options[] = {"--deadline", "--steps"};
	unsigned int *number;

	for (; argc && argv[0][0] == '-'; argc--, argv++) {
		number = !strcmp(argv[0], "--deadline") ? &report.deadline_ms
			 : !strcmp(argv[0], "--steps")  ? &report.max_steps
							: NULL;
		if (!strcmp(argv[0], "--")) {
			argc--, argv++;
			break;
		}
		if (!number)
			return wrong_word("option", argv[0], options, ARRAY_SIZE(options));
		if (argc < 2 || !(*number = count_of(argv[1]))) {
			fprintf(stderr, "flagstone: machine: %s takes a number from 1 to 1000000000%s%s%s\n", argv[0],
				argc < 2 ? "" : ", not '", argc < 2 ? "" : argv[1], argc < 2 ? "" : "'");
			return 2;
		}
		argc--, argv++;
	}
	if (!argc)
		return wrong_usage("fail-each: which program?");
	if (!is_there(argv[0])) {
		fprintf(stderr, "flagstone: machine: there is no program '%s'\n", argv[0]);
		return 127;
	}
	return run_steps(argv, &report);
}

int main(int argc, char **argv)
{
	static const char *const commands[] = {"config", "check", "fail-each"};
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "--help") || !strcmp(command, "-h") || !strcmp(command, "help")) {
		fputs(help, stdout);
		return 0;
	}
	if (!strcmp(command, "config"))
		return print_config(argc - 2, argv + 2);
	if (!strcmp(command, "check"))
		return check_config(argc - 2, argv + 2);
	if (!strcmp(command, "fail-each"))
		return fail_each(argc - 2, argv + 2);
	if (!*command)
		return wrong_usage("which of config, check and fail-each?");
	return wrong_word("command", command, commands, ARRAY_SIZE(commands));
}
