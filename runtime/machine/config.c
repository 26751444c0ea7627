/*
 * config.c: the table of what a machine can be, and the texts that say it.
 *
 * Calls tunables for parsing, complaints and documentation. Refuses to know what the fields do: check.c says whether they fit
 * together.
 *
 * To add a field: one in struct flagstone_machine_config, its default in FLAGSTONE_MACHINE_CONFIG_INIT, a row here.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/report.h"
#include "runtime/lib/tunables.h"
#include "runtime/machine/machine.h"

static const struct flagstone_machine_config defaults = FLAGSTONE_MACHINE_CONFIG_INIT;
static const char *const oom_words[] = {"kill", "fail", "panic", NULL};

/* What the rows' values lie in. Synchronization: parse_lock */
static struct flagstone_machine_config scratch;
static struct lock parse_lock = LOCK_INIT(LOCK_BOOT);

#define NUMBER(field, low, high, example_, text)                                                    \
	{                                                                                           \
		.name = #field, .help = (text), .min = (low), .max = (high), .example = (example_), \
		.value = &scratch.field                                                             \
	}
#define SIZE(field, low, high, example_, text)                                                                    \
	{                                                                                                         \
		.name = #field, .help = (text), .min = (low), .max = (high), .size = true, .example = (example_), \
		.value = &scratch.field                                                                           \
	}
#define SWITCH(field, text) NUMBER(field, 0, 1, "1", text)
#define TEXT(field, fallback, range, example_, text_)                                                       \
	{                                                                                                   \
		.name = #field, .help = (text_), .text = scratch.field, .text_size = sizeof(scratch.field), \
		.fallback_text = (fallback), .range_text = (range), .example = (example_)                   \
	}
#define TABLE_BYTES 8192
#define FAULT_RANGE "interval:probability:space:times:knob=value..."

static struct tunable rows[] = {
	NUMBER(cpus, 1, FLAGSTONE_MACHINE_MAX_CPUS, "4", "Simulated CPUs."),
	SIZE(ram, FLAGSTONE_MACHINE_MIN_RAM, 1ul << 36, "64m",
		"Bytes of memory of all nodes, a multiple of 4m a node."),
	NUMBER(nodes, 1, FLAGSTONE_MACHINE_MAX_NODES, "2",
		"Memory nodes; CPUs and memory are dealt out in equal parts."),
	SIZE(dma, 0, 1ul << 36, "16m", "Where zone DMA ends, in bytes; 0: there is none."),
	SIZE(dma32, 0, 1ul << 36, "32m", "Where zone DMA32 ends; 0: there is none."),
	SIZE(highmem, 0, 1ul << 36, "48m", "Where zone HighMem begins; 0: there is none."),
	NUMBER(min_free_kbytes, 0, 1ul << 20, "1024", "What zones keep free, together; 0: by the kernel's formula."),
	TEXT(lowmem_reserve, "256:256:32", "DMA:DMA32:Normal", "256:256:32",
		"What zones keep from requests that may use higher ones: those divided by this; 0: nothing."),
	TEXT(distances, "10, 20", "nodes * nodes numbers", "10:20:20:10",
		"Distances between nodes, row by row: 10:20:20:10."),
	NUMBER(seed, 0, ULONG_MAX, "1", "Where everything random begins."),
	NUMBER(preempt, 0, 1000000, "100", "Mean microseconds between preemptions at any instruction; 0: none."),
	SWITCH(tracking, "Whether each allocation is recorded: leaks and misuse are reported with their call site."),
	SWITCH(context, "Whether an allocation that may sleep is reported where it must not."),
	SWITCH(lockdep, "Whether lock order and locks in interrupts are checked."),
	NUMBER(hung_task_timeout_secs, 0, 1000000, "120",
		"Seconds after which a task that sleeps uninterruptibly is reported; 0: never, nor that none can "
		"wake."),
	SWITCH(hung_task_panic, "Whether the machine ends when such a task is reported."),
	SWITCH(page_poison, "Whether free pages are poisoned, and checked when they are allocated and at shutdown."),
	SWITCH(grouping, "Whether pages that can be had back are kept apart from those that cannot."),
	{.name = "oom",
		.help = "What happens when memory is out: a task is chosen, the request fails, or the machine ends.",
		.words = oom_words,
		.max = ARRAY_SIZE(oom_words) - 2,
		.value = &scratch.oom},
	NUMBER(fail_nth, 0, UINT_MAX, "1", "The allocation of the booting task that fails, from 1; 0: none."),
	TEXT(failslab, "", FAULT_RANGE, "1:10:0:-1",
		"Which allocations of objects fail; knobs are the kernel's: ignore-gfp-wait=N."),
	TEXT(fail_page_alloc, "", FAULT_RANGE, "1:10:0:-1:min-order=0",
		"Which allocations of pages fail; as failslab, and min-order=0."),
	TEXT(slub_debug, "", "letters:cache:cache;...", "FZP:kmalloc-64",
		"Which caches are checked for what: F frees, Z red zones, P poison, U who; as the kernel's."),
	TEXT(views, "", "a path", "machine.views", "A file that all views are written to at shutdown."),
};

/* What lies between quotes, or needs to. */
static bool has_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (strchr(" \t\r\n", text[i]))
			return true;
	return false;
}

static size_t count_quotes(const char *text, size_t length)
{
	size_t nr = 0;

	for (size_t i = 0; i < length; i++)
		nr += text[i] == '"';
	return nr;
}

/* The length without blanks at the end. */
static size_t trimmed(const char *text, size_t length)
{
	while (length && has_blank(text + length - 1, 1))
		length--;
	return length;
}

/* A parameter of a module: into the text of all of them. Called with parse_lock held. */
static bool take_parameter(const char *source, const char *entry, size_t length)
{
	struct text text = TEXT_INIT(scratch.parameters, sizeof(scratch.parameters), -1);
	size_t nr_quotes = count_quotes(entry, length);
	const char *equals = memchr(entry, '=', length);
	size_t name = equals ? (size_t)(equals - entry) : length, value = name < length ? name + 1 : length;
	bool quotes;

	while (value < length && has_blank(entry + value, 1))
		value++;
	quotes = !nr_quotes && has_blank(entry + value, length - value);

	text.length = strnlen(scratch.parameters, sizeof(scratch.parameters) - 1);
	if (text.length + length + 4 > sizeof(scratch.parameters)) {
		report_note(
			"%s: parameters of modules take more than %zu bytes", source, sizeof(scratch.parameters) - 1);
		return false;
	}
	if (nr_quotes % 2) {
		report_note("%s: a quote is not closed: %.*s", source, (int)length, entry);
		return false;
	}
	if (text.length)
		text_printf(&text, " ");
	text_printf(&text, quotes ? "\"%.*s" : "%.*s", (int)trimmed(entry, name), entry);
	if (name < length)
		text_printf(&text, "=%.*s", (int)(length - value), entry + value);
	text_printf(&text, quotes ? "\"" : "");
	return true;
}

/* One, without its quotes, between new ones if it needs them. */
static void print_parameter(const char *parameter, size_t length, bool first, struct text *text)
{
	bool quotes = false;

	for (size_t i = 0; i < length; i++)
		quotes |= strchr(" ,#\"\n", parameter[i]) != NULL;
	text_printf(text, first ? "" : ",");
	if (quotes)
		text_printf(text, "\"");
	for (size_t i = 0; i < length; i++)
		if (parameter[i] != '"')
			text_printf(text, "%c", parameter[i]);
	if (quotes)
		text_printf(text, "\"");
}

/* The parameters as entries of a text: between quotes, for what they have in them may be more than words. */
static void print_parameters(const char *parameters, bool first, struct text *text)
{
	while (*parameters) {
		bool quoted = false;
		size_t length = 0;

		for (; parameters[length] && (quoted || parameters[length] != ' '); length++)
			quoted ^= parameters[length] == '"';
		print_parameter(parameters, length, first, text);
		first = false;
		parameters += length;
		parameters += strspn(parameters, " ");
	}
}

/* Where the config that is being booted was told what, row by row. Synchronization: parse_lock */
static struct origin {
	const char *source; /* NULL: nowhere */
	unsigned int line; /* 0: the source has none */
} origins[ARRAY_SIZE(rows)];

/* Synchronization: parse_lock */
static struct tunable_table table = {.source = MACHINE_VARIABLE,
	.kind = "name",
	.consequence = "",
	.rows = rows,
	.nr = ARRAY_SIZE(rows),
	.lines = true,
	.once = true,
	.dotted = take_parameter,
	.name_width = 16,
	.range_width = 48};

static void lock_table(host_sigmask_t *mask)
{
	*mask = host_signals_block();
	lock_acquire(&parse_lock);
	scratch = defaults;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i].set = false;
		if (!rows[i].text)
			rows[i].fallback = *rows[i].value;
	}
}

static void unlock_table(host_sigmask_t mask)
{
	lock_release(&parse_lock);
	host_signals_restore(mask);
}

bool config_apply(struct flagstone_machine_config *config, const char *text, const char *source)
{
	host_sigmask_t mask;
	bool good;

	lock_table(&mask);
	scratch = *config;
	table.source = source;
	table.numbered = text && strcmp(source, MACHINE_VARIABLE) != 0 &&
			 (strcmp(source, MACHINE_TEXT) != 0 || strchr(text, '\n'));
	good = !tunables_parse_table(&table, text);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].line)
			origins[i] = (struct origin){source, table.numbered ? rows[i].line : 0};
	if (good)
		*config = scratch;
	unlock_table(mask);
	return good;
}

void config_fork_child(void)
{
	lock_reinit(&parse_lock);
}

void config_forget_origins(void)
{
	host_sigmask_t mask;

	lock_table(&mask);
	memset(origins, 0, sizeof(origins));
	unlock_table(mask);
}

void config_print_origin(const char *name, struct text *text)
{
	const struct origin *origin = NULL;
	host_sigmask_t mask;

	lock_table(&mask);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			origin = &origins[i];
	if (origin && origin->line)
		text_printf(text, "%s:%u", origin->source, origin->line);
	else
		text_printf(text, "%s", origin && origin->source ? origin->source : "program");
	unlock_table(mask);
}

static struct tunable *row_of(const char *name)
{
	struct tunable *row = rows;

	while (strcmp(row->name, name) != 0)
		row++;
	return row;
}

bool config_is_default(const struct flagstone_machine_config *config, const char *name)
{
	const struct tunable *row = row_of(name);
	host_sigmask_t mask;
	bool is_default;

	lock_table(&mask);
	scratch = *config;
	is_default = row->text ? !row->text[0] : *row->value == row->fallback;
	unlock_table(mask);
	return is_default;
}

void config_print_number(const char *name, unsigned long value, struct text *text)
{
	tunable_print_number(row_of(name), value, text);
}

int flagstone_machine_config_parse(struct flagstone_machine_config *config, const char *text)
{
	bool good;

	*config = defaults;
	good = config_apply(config, text, MACHINE_TEXT);
	/* A config that is checked later may be another one. */
	config_forget_origins();
	return good ? 0 : -EINVAL;
}

void config_print(const struct flagstone_machine_config *config, struct text *text)
{
	host_sigmask_t mask;
	bool first = true;

	lock_table(&mask);
	scratch = *config;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		/* The seed is always named: it is what makes a run repeatable. */
		if (rows[i].text ? !rows[i].text[0]
				 : *rows[i].value == rows[i].fallback && rows[i].value != &scratch.seed)
			continue;
		text_printf(text, "%s%s=", first ? "" : ",", rows[i].name);
		tunable_print_value(&rows[i], text);
		first = false;
	}
	print_parameters(scratch.parameters, first, text);
	unlock_table(mask);
}

size_t flagstone_machine_config_table(char *buffer, size_t size, int markdown)
{
	static char whole[TABLE_BYTES]; /* Synchronization: parse_lock */
	struct text text = TEXT_INIT(whole, sizeof(whole), -1);
	host_sigmask_t mask;
	size_t kept;

	lock_table(&mask);
	tunables_print_table(&table, &text, markdown);
	kept = text.length < size ? text.length : size ? size - 1 : 0;
	if (size) {
		memcpy(buffer, whole, kept);
		buffer[kept] = '\0';
	}
	unlock_table(mask);
	return text.length;
}

bool config_sees_all(const struct flagstone_machine_config *config)
{
	return config->tracking || config->context || config->fail_nth || config->failslab[0] ||
	       config->fail_page_alloc[0];
}
