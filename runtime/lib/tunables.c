/*
 * tunables.c: the table of run-time choices, its parser and its documentation.
 *
 * Calls report for complaints, text for the table. Refuses to know what a choice does, and where the string comes from.
 *
 * To add one: a variable, a row, and its declaration in tunables.h; parser, messages and documentation follow.
 */
#include "runtime/lib/tunables.h"

#include <limits.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/lib/nearest.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"

#define WORD_BYTES NEAREST_BYTES /* a name or a value with its end; longer ones are cut, and match nothing */
#define COMPLAINTS 8 /* lines at most about one FLAGSTONE_CONF */
#define LINE_BYTES 512 /* of lists of words */
#define SUFFIXES "kmg" /* times 1024, 1024^2, 1024^3 */
#define WHERE_BYTES 200 /* of a source with a line; a longer path is cut */
#define STDERR 2

unsigned long tunable_magazine = MAGAZINE_AUTO;
unsigned long tunable_cpu_number;
unsigned long tunable_fake_cpus = 4;
unsigned long tunable_cpu_cache = 4ul << 20;
unsigned long tunable_depots;
unsigned long tunable_fake_nodes;
unsigned long tunable_stats_at_exit start_data;
unsigned long tunable_retain = 16ul << 20;
unsigned long tunable_thp = THP_AUTO;
unsigned long tunable_thp_after = 512ul << 20;
unsigned long tunable_reclaim = 1;
unsigned long tunable_decay = 1000;
unsigned long tunable_rcu_stall_timeout = 21;
static unsigned long tunable_help;

static const char *const magazine_words[] = {"auto", "rseq", "thread", "locked", NULL};
static const char *const cpu_number_words[] = {"auto", "mm_cid", "cpu_id", NULL};
static const char *const thp_words[] = {"never", "auto", "always", NULL};
static const char *const on_bug_words[] = {"abort", "continue", NULL};

/* Holds for every row: min <= fallback <= max, and *value == fallback until tunables_parse() sets it. */
struct tunable tunables[] = {
	{.name = "magazine",
		.help = "How threads reach the magazines of their CPU.",
		.words = magazine_words,
		.fallback = MAGAZINE_AUTO,
		.max = ARRAY_SIZE(magazine_words) - 2,
		.value = &tunable_magazine},
	{.name = "cpu_number",
		.help = "Which number of the rseq area names the CPU.",
		.words = cpu_number_words,
		.max = ARRAY_SIZE(cpu_number_words) - 2,
		.value = &tunable_cpu_number},
	{.name = "fake_cpus",
		.help = "Number of CPUs that locked magazines are made for.",
		.fallback = 4,
		.min = 1,
		.max = CONFIG_NR_CPUS,
		.value = &tunable_fake_cpus},
	{.name = "cpu_cache",
		.help = "Bytes of free objects that the magazines of one CPU may grow to hold.",
		.fallback = 4ul << 20,
		.max = ULONG_MAX,
		.size = true,
		.value = &tunable_cpu_cache},
	{.name = "depots",
		.help = "Shards of the depots; 0: one for each last-level cache.",
		.max = 16,
		.example = "2",
		.value = &tunable_depots},
	{.name = "fake_nodes",
		.help = "Memory nodes to play, dealt out to CPUs in turn; 0: those that there are.",
		.max = 16,
		.example = "2",
		.value = &tunable_fake_nodes},
	{.name = "stats_at_exit",
		.help = "Prints the statistics tables when a program that has flagstone as its malloc ends.",
		.max = 1,
		.value = &tunable_stats_at_exit},
	{.name = "retain",
		.help = "Bytes of free dirty pages from which on those who free give runs back; four times that beside "
			"the thread.",
		.fallback = 16ul << 20,
		.max = ULONG_MAX,
		.size = true,
		.value = &tunable_retain},
	{.name = "reclaim",
		.help = "Whether a thread gives back what a process that has grown does not need.",
		.fallback = 1,
		.max = 1,
		.value = &tunable_reclaim},
	{.name = "decay",
		.help = "Milliseconds without need of it after which that thread gives free memory back.",
		.fallback = 1000,
		.min = 10,
		.max = 3600000,
		.value = &tunable_decay},
	{.name = "thp",
		.help = "Which memory lies on huge pages; auto: what a process grows beyond thp_after.",
		.words = thp_words,
		.fallback = THP_AUTO,
		.max = ARRAY_SIZE(thp_words) - 2,
		.value = &tunable_thp},
	{.name = "thp_after",
		.help = "Bytes of memory that lie on small pages; 32m where the kernel gives huge ones to all.",
		.fallback = 512ul << 20,
		.max = 1ul << 46,
		.size = true,
		.value = &tunable_thp_after},
	{.name = "rcu_stall_timeout",
		.help = "Seconds that a grace period waits for readers before they are reported, with their stacks; 0: "
			"never.",
		.fallback = 21,
		.max = 300,
		.value = &tunable_rcu_stall_timeout},
	{.name = "on_bug",
		.help = "What follows a BUG report.",
		.words = on_bug_words,
		.fallback = REPORT_BUG_ABORT,
		.max = ARRAY_SIZE(on_bug_words) - 2,
		.value = &report_on_bug},
	{.name = "help", .help = "Prints this table to stderr.", .max = 1, .value = &tunable_help},
};
const size_t nr_tunables = ARRAY_SIZE(tunables);

static const struct tunable_table conf_table = {.source = "FLAGSTONE_CONF",
	.kind = "tunable",
	.consequence = " (ignored)",
	.rows = tunables,
	.nr = ARRAY_SIZE(tunables)};

/* A name or value of FLAGSTONE_CONF: printable, bounded. */
struct word {
	char text[WORD_BYTES];
	bool cut; /* it was longer */
};

/* One entry. */
struct entry {
	struct word name, value;
	const char *text, *end; /* the value as it stands there */
	bool has_value;
	unsigned int line;
};

/* ---- the nearest word; NULL: none is near ---- */

static const char *nearest_name(const struct tunable_table *table, const char *word)
{
	struct nearest nearest = {.word = word};

	for (size_t i = 0; i < table->nr; i++)
		nearest_offer(&nearest, table->rows[i].name);
	return nearest.best;
}

static const char *nearest_value(const struct tunable *tunable, const char *word)
{
	struct nearest nearest = {.word = word};

	for (size_t i = 0; tunable->words[i]; i++)
		nearest_offer(&nearest, tunable->words[i]);
	return nearest.best;
}

/* ---- what may be said of a tunable ---- */

static void print_words(struct text *text, const struct tunable *tunable, const char *separator)
{
	size_t i;

	for (i = 0; tunable->words[i]; i++)
		text_printf(text, "%s%s", i ? separator : "", tunable->words[i]);
}

/* A size in its shortest exact form: 16777216 is 16m. */
void tunable_print_number(const struct tunable *tunable, unsigned long number, struct text *text)
{
	size_t suffix = 0;

	while (tunable->size && number && number % 1024 == 0 && suffix < strlen(SUFFIXES)) {
		number /= 1024;
		suffix++;
	}
	text_printf(text, "%lu", number);
	if (suffix)
		text_printf(text, "%c", SUFFIXES[suffix - 1]);
}

static void print_choice(struct text *text, const struct tunable *tunable, unsigned long value)
{
	if (tunable->text)
		text_printf(text, "%s", tunable->fallback_text);
	else if (tunable->words)
		text_printf(text, "%s", tunable->words[value]);
	else
		tunable_print_number(tunable, value, text);
}

void tunable_print_value(const struct tunable *tunable, struct text *text)
{
	if (tunable->text)
		text_printf(text, "%s", tunable->text);
	else
		print_choice(text, tunable, *tunable->value);
}

static void print_range(struct text *text, const struct tunable *tunable)
{
	if (tunable->text) {
		text_printf(text, "%s", tunable->range_text);
		return;
	}
	if (tunable->words) {
		print_words(text, tunable, ", ");
		return;
	}
	tunable_print_number(tunable, tunable->min, text);
	text_printf(text, tunable->max == ULONG_MAX ? " or more" : "..");
	if (tunable->max != ULONG_MAX)
		tunable_print_number(tunable, tunable->max, text);
}

/* ---- parsing ---- */

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Takes [start, end) without blanks around it. Bytes that a terminal could act on become '?'. */
static void word_take(struct word *word, const char *start, const char *end)
{
	size_t i, length;

	for (; start < end && is_blank(*start); start++)
		;
	for (; start < end && is_blank(end[-1]); end--)
		;
	length = (size_t)(end - start);
	word->cut = length > WORD_BYTES - 1;
	if (word->cut)
		length = WORD_BYTES - 1;
	for (i = 0; i < length; i++)
		word->text[i] = start[i] >= ' ' && start[i] <= '~' ? start[i] : '?';
	word->text[length] = '\0';
}

static bool word_is(const struct word *word, const char *text)
{
	return !word->cut && strcmp(word->text, text) == 0;
}

static const char *dots(const struct word *word)
{
	return word->cut ? "..." : "";
}

static void entry_take(struct entry *entry, const char *start, const char *end)
{
	const char *equals = memchr(start, '=', (size_t)(end - start));

	entry->has_value = equals != NULL;
	word_take(&entry->name, start, equals ? equals : end);
	entry->text = equals ? equals + 1 : end;
	entry->end = end;
	word_take(&entry->value, entry->text, end);
}

static struct tunable *find(const struct tunable_table *table, const struct word *name)
{
	size_t i;

	for (i = 0; i < table->nr; i++)
		if (word_is(name, table->rows[i].name))
			return &table->rows[i];
	return NULL;
}

/* Multiplies by the power of 1024 that a suffix letter means. */
static bool apply_suffix(unsigned long *number, char suffix)
{
	const char *found = strchr(SUFFIXES, suffix | ' ');
	unsigned int shift = found ? 10 * (unsigned int)(found - SUFFIXES + 1) : 0;

	if (!found || *number > ULONG_MAX >> shift)
		return false;
	*number <<= shift;
	return true;
}

enum outcome { GOOD, NOT_A_NUMBER, NOT_A_SIZE, OUT_OF_RANGE, NOT_A_WORD, NO_VALUE, TOO_LONG, UNKNOWN, TWICE };

/* Digits, and of a size at most one suffix. A number that does not fit is out of range, since no range is wider. */
static enum outcome parse_number(const struct tunable *tunable, const struct word *word, unsigned long *result)
{
	const char *text = word->text;
	unsigned long number = 0;
	bool overflow = false;

	if (word->cut || *text < '0' || *text > '9')
		return NOT_A_NUMBER;
	for (; *text >= '0' && *text <= '9'; text++) {
		overflow |= __builtin_mul_overflow(number, 10ul, &number);
		overflow |= __builtin_add_overflow(number, (unsigned long)(*text - '0'), &number);
	}
	if (*text) {
		if (!strchr(SUFFIXES, *text | ' ') || text[1])
			return NOT_A_NUMBER;
		if (!tunable->size)
			return NOT_A_SIZE;
		overflow |= !apply_suffix(&number, *text);
	}
	if (overflow || number < tunable->min || number > tunable->max)
		return OUT_OF_RANGE;
	*result = number;
	return GOOD;
}

static enum outcome parse_word(const struct tunable *tunable, const struct word *word, unsigned long *result)
{
	size_t i;

	for (i = 0; tunable->words[i]; i++) {
		if (!word_is(word, tunable->words[i]))
			continue;
		*result = i;
		return GOOD;
	}
	return NOT_A_WORD;
}

static enum outcome take_text(const struct tunable *tunable, const struct entry *entry)
{
	const char *start = entry->text, *end = entry->end;
	size_t length;

	if (!entry->has_value)
		return NO_VALUE;
	for (; start < end && is_blank(*start); start++)
		;
	for (; start < end && is_blank(end[-1]); end--)
		;
	length = (size_t)(end - start);
	if (length >= tunable->text_size)
		return TOO_LONG;
	memcpy(tunable->text, start, length);
	tunable->text[length] = '\0';
	return GOOD;
}

static bool is_switch(const struct tunable *tunable)
{
	return !tunable->text && !tunable->words && !tunable->min && tunable->max == 1;
}

/* A bare name means 1, where there is nothing else but 0: of words and amounts, none goes without saying. */
static enum outcome parse_value(const struct tunable *tunable, const struct entry *entry, unsigned long *result)
{
	static const struct word one = {.text = "1"};

	if (tunable->text)
		return take_text(tunable, entry);
	if (!entry->has_value)
		return is_switch(tunable) ? parse_number(tunable, &one, result) : NO_VALUE;
	if (!entry->value.text[0])
		return NO_VALUE;
	return tunable->words ? parse_word(tunable, &entry->value, result)
			      : parse_number(tunable, &entry->value, result);
}

static void print_where(const struct tunable_table *table, unsigned int line, char *buffer, size_t size)
{
	struct text text = TEXT_INIT(buffer, size, -1);

	text_printf(&text, table->numbered ? "%s:%u" : "%s", table->source, line);
}

/* What can be written there instead. */
static void print_valid(struct text *text, const struct tunable *tunable, enum outcome outcome)
{
	print_range(text, tunable);
	if (outcome == NOT_A_NUMBER && tunable->size)
		text_printf(text, ", with k, m or g");
	if (outcome != NO_VALUE)
		return;
	text_printf(text, "; for example %s=", tunable->name);
	if (tunable->example)
		text_printf(text, "%s", tunable->example);
	else
		print_choice(text, tunable, tunable->fallback);
}

static void complain_unknown(const struct tunable_table *table, const char *source, const struct entry *entry)
{
	const char *name = entry->name.text, *nearest = nearest_name(table, name);
	char known[LINE_BYTES];
	struct text text = TEXT_INIT(known, sizeof(known), -1);

	if (nearest) {
		report_note("%s: unknown %s '%s%s', did you mean '%s'?%s", source, table->kind, name,
			dots(&entry->name), nearest, table->consequence);
		return;
	}
	for (size_t i = 0; i < table->nr; i++)
		text_printf(&text, "%s%s", i ? ", " : "", table->rows[i].name);
	report_note("%s: unknown %s '%s%s'. There are: %s%s", source, table->kind, name, dots(&entry->name), known,
		table->consequence);
}

static void complain_twice(
	const struct tunable_table *table, const char *source, const struct entry *entry, const struct tunable *tunable)
{
	const char *value = entry->has_value ? entry->value.text : "1";
	char was[LINE_BYTES];
	struct text text = TEXT_INIT(was, sizeof(was), -1);

	text_printf(&text, "to '");
	tunable_print_value(tunable, &text);
	text_printf(&text, "'");
	if (table->numbered)
		text_printf(&text, " in %s:%u", table->source, tunable->line);
	report_note("%s: %s is set twice, %s and to '%s%s'%s", source, tunable->name, was, value, dots(&entry->value),
		table->consequence);
}

static void complain_value(const struct tunable_table *table, const char *source, const struct entry *entry,
	const struct tunable *tunable, enum outcome outcome)
{
	static const char *const what[] = {[NOT_A_NUMBER] = "is not a number",
		[NOT_A_SIZE] = "has a suffix, which only sizes have",
		[OUT_OF_RANGE] = "is out of range"};
	const char *value = entry->value.text, *cut = dots(&entry->value), *name = tunable->name;
	const char *nearest = outcome == NOT_A_WORD ? nearest_value(tunable, value) : NULL;
	const char *end = table->consequence;
	char valid[LINE_BYTES];
	struct text text = TEXT_INIT(valid, sizeof(valid), -1);

	print_valid(&text, tunable, outcome);
	if (outcome == NO_VALUE)
		report_note("%s: %s has no value. Valid: %s%s", source, name, valid, end);
	else if (outcome == TOO_LONG)
		report_note("%s: value '%s%s' of %s is longer than %zu bytes%s", source, value, cut, name,
			tunable->text_size - 1, end);
	else if (outcome == NOT_A_WORD)
		report_note("%s: unknown value '%s%s' of %s%s%s%s Valid: %s%s", source, value, cut, name,
			nearest ? ", did you mean '" : ".", nearest ? nearest : "", nearest ? "'?" : "", valid, end);
	else
		report_note(
			"%s: value '%s%s' of %s %s. Valid: %s%s", source, value, cut, name, what[outcome], valid, end);
}

static void complain(const struct tunable_table *table, const struct tunable *tunable, const struct entry *entry,
	enum outcome outcome)
{
	char source[WHERE_BYTES];

	print_where(table, entry->line, source, sizeof(source));
	if (outcome == UNKNOWN)
		complain_unknown(table, source, entry);
	else if (outcome == TWICE)
		complain_twice(table, source, entry, tunable);
	else
		complain_value(table, source, entry, tunable, outcome);
}

/* Whether it is one of those that no row is for: a dot before what it is set to. */
static bool is_dotted(const struct tunable_table *table, const char *start, const char *end)
{
	size_t name = strcspn(start, ".=");

	return table->dotted && start + name < end && start[name] == '.';
}

static bool dotted_apply(const struct tunable_table *table, const char *start, const char *end, unsigned int line)
{
	char source[WHERE_BYTES];

	for (; start < end && is_blank(*start); start++)
		;
	for (; start < end && is_blank(end[-1]); end--)
		;
	print_where(table, line, source, sizeof(source));
	return table->dotted(source, start, (size_t)(end - start));
}

/* Returns whether the entry was good, and complains if it was not and may be. */
static bool entry_apply(const struct tunable_table *table, const struct entry *entry, bool may_complain)
{
	struct tunable *tunable = find(table, &entry->name);
	unsigned long value = 0;
	enum outcome outcome = UNKNOWN;

	if (tunable)
		outcome = table->once && tunable->line ? TWICE : parse_value(tunable, entry, &value);
	if (outcome == GOOD) {
		if (!tunable->text)
			*tunable->value = value;
		tunable->set = true;
		tunable->line = entry->line;
	} else if (may_complain) {
		complain(table, tunable, entry, outcome);
	}
	return outcome == GOOD;
}

static void help_print(void)
{
	char buffer[LINE_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), STDERR);

	text_printf(&text,
		"flagstone: FLAGSTONE_CONF=name=value,name=value; a bare name means 1 where there are 0 and 1 only\n");
	tunables_print(&text, false);
	text_flush(&text);
}

const char *tunables_entry_end(const char *entry, const char *ends)
{
	bool quoted = false;

	for (; *entry && (quoted || !strchr(ends, *entry)); entry++)
		quoted ^= *entry == '"';
	return entry;
}

/* Where the entry ends that begins here: at a comma, and where lines count, at a newline or comment. */
static const char *entry_end(const struct tunable_table *table, const char *entry)
{
	const char *ends = table->lines ? TUNABLES_LINE_ENDS : ",";

	return table->dotted ? tunables_entry_end(entry, ends) : entry + strcspn(entry, ends);
}

const char *tunables_entry_next(const char *end)
{
	if (*end == '#')
		end += strcspn(end, "\n");
	return *end ? end + 1 : end;
}

unsigned long tunables_parse_table(const struct tunable_table *table, const char *conf)
{
	const char *end;
	struct entry entry;
	unsigned long bad = 0;

	entry.line = 1;
	for (size_t i = 0; i < table->nr; i++)
		table->rows[i].line = 0;
	for (; conf && *conf; conf = tunables_entry_next(end)) {
		end = entry_end(table, conf);
		entry_take(&entry, conf, end);
		if (is_dotted(table, conf, end))
			bad += !dotted_apply(table, conf, end, entry.line);
		else if ((entry.name.text[0] || entry.has_value) && !entry_apply(table, &entry, bad < COMPLAINTS))
			bad++;
		entry.line += *end == '\n' || *end == '#';
	}
	if (bad > COMPLAINTS)
		report_note("%s: %lu more bad entries%s", table->source, bad - COMPLAINTS, table->consequence);
	return bad;
}

void tunables_parse(const char *conf)
{
	tunables_parse_table(&conf_table, conf);
	if (tunable_help)
		help_print();
	tunable_help = 0;
}

/* ---- documentation ---- */

static void print_markdown(const struct tunable_table *table, struct text *text)
{
	size_t i;

	text_printf(text, "| name | default | values | meaning |\n|---|---|---|---|\n");
	for (i = 0; i < table->nr; i++) {
		text_printf(text, "| `%s` | ", table->rows[i].name);
		print_choice(text, &table->rows[i], table->rows[i].fallback);
		text_printf(text, " | ");
		print_range(text, &table->rows[i]);
		text_printf(text, " | %s |\n", table->rows[i].help);
	}
}

static void print_row(const struct tunable_table *table, struct text *text, const struct tunable *tunable)
{
	char value[WORD_BYTES], fallback[WORD_BYTES], range[LINE_BYTES];
	struct text value_text = TEXT_INIT(value, sizeof(value), -1);
	struct text fallback_text = TEXT_INIT(fallback, sizeof(fallback), -1);
	struct text range_text = TEXT_INIT(range, sizeof(range), -1);

	tunable_print_value(tunable, &value_text);
	print_choice(&fallback_text, tunable, tunable->fallback);
	print_range(&range_text, tunable);
	text_printf(text, "%-*s %-10s %-10s %-*s %-15s %s\n", table->name_width ? table->name_width : 14, tunable->name,
		value, fallback, table->range_width ? table->range_width : 28, range,
		tunable->set ? table->source : "default", tunable->help);
}

void tunables_print_table(const struct tunable_table *table, struct text *text, bool markdown)
{
	size_t i;

	if (markdown) {
		print_markdown(table, text);
		return;
	}
	text_printf(text, "%-*s %-10s %-10s %-*s %-15s %s\n", table->name_width ? table->name_width : 14, "name",
		"value", "default", table->range_width ? table->range_width : 28, "values", "source", "meaning");
	for (i = 0; i < table->nr; i++)
		print_row(table, text, &table->rows[i]);
}

void tunables_print(struct text *text, bool markdown)
{
	tunables_print_table(&conf_table, text, markdown);
}
