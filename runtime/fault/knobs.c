/*
 * knobs.c: the kernel's words for what an attribute is set to, and the texts that set several of them.
 *
 * Calls nothing but string functions. Refuses to know what the knobs do.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/fault/internal.h"
#include "runtime/fault/memory.h"

#define PART_BYTES 64

enum kind { NUMBER, SIGNED, SWITCH, ORDER };

/* One knob of an attribute, and where its value lies. */
struct knob {
	const char *name;
	enum kind kind;
	long min, max;
	void *value;
};

#define NR_KNOBS 14

/* What both attributes have; attr may be a scratch copy. Returns how many rows. */
static unsigned int common_knobs(struct knob *knobs, struct fault_attr *attr)
{
	const struct knob common[] = {{"probability", NUMBER, 0, 100, &attr->probability},
		{"interval", NUMBER, 0, LONG_MAX, &attr->interval}, {"times", SIGNED, -1, INT_MAX, &attr->times},
		{"space", SIGNED, 0, INT_MAX, &attr->space}, {"verbose", NUMBER, 0, 2, &attr->verbose},
		{"task-filter", SWITCH, 0, 1, &attr->task_filter},
		{"stacktrace-depth", NUMBER, 0, MAX_STACK_TRACE_DEPTH, &attr->stacktrace_depth},
		{"require-start", NUMBER, 0, LONG_MAX, &attr->require_start},
		{"require-end", NUMBER, 0, LONG_MAX, &attr->require_end},
		{"reject-start", NUMBER, 0, LONG_MAX, &attr->reject_start},
		{"reject-end", NUMBER, 0, LONG_MAX, &attr->reject_end}};

	memcpy(knobs, common, sizeof(common));
	return ARRAY_SIZE(common);
}

/* An attribute with its own filters: what is set at once, or not at all. */
struct state {
	struct fault_attr attr;
	struct fault_filters filters;
};

static bool is_slab(const char *attr)
{
	return !strcmp(attr, "failslab");
}

static struct fault_attr *find_attr(const char *attr)
{
	if (is_slab(attr))
		return &fault_slab_attr;
	return strcmp(attr, "fail_page_alloc") ? NULL : &fault_page_attr;
}

/* Of the attribute of that name, whose values are those two. */
static unsigned int all_knobs(
	struct knob *knobs, const char *name, struct fault_attr *attr, struct fault_filters *filters)
{
	unsigned int nr = common_knobs(knobs, attr);

	knobs[nr++] = (struct knob){"ignore-gfp-wait", SWITCH, 0, 1,
		is_slab(name) ? &filters->slab_ignore_wait : &filters->page_ignore_wait};
	if (is_slab(name)) {
		knobs[nr++] = (struct knob){"cache-filter", SWITCH, 0, 1, &filters->slab_cache_filter};
		return nr;
	}
	knobs[nr++] = (struct knob){"ignore-gfp-highmem", SWITCH, 0, 1, &filters->page_ignore_highmem};
	knobs[nr++] = (struct knob){"min-order", ORDER, 0, 10, &filters->page_min_order};
	return nr;
}

/* Y, N, 1, 0 of a switch; else a whole number, decimal or with 0x. */
static bool take_value(const struct knob *knob, const char *value, long *number)
{
	char *end;

	if (knob->kind == SWITCH && (!strcmp(value, "Y") || !strcmp(value, "N"))) {
		*number = *value == 'Y';
		return true;
	}
	errno = 0;
	*number = strtol(value, &end, 0);
	return *value && !*end && !errno && *number >= knob->min && *number <= knob->max;
}

static void store(const struct knob *knob, long number)
{
	if (knob->kind == NUMBER)
		__atomic_store_n((unsigned long *)knob->value, (unsigned long)number, __ATOMIC_RELAXED);
	else if (knob->kind == SIGNED)
		__atomic_store_n((int *)knob->value, (int)number, __ATOMIC_RELAXED);
	else if (knob->kind == SWITCH)
		__atomic_store_n((bool *)knob->value, (bool)number, __ATOMIC_RELAXED);
	else
		__atomic_store_n((unsigned int *)knob->value, (unsigned int)number, __ATOMIC_RELAXED);
}

static int set_one(const struct knob *knobs, unsigned int nr, const char *name, const char *value)
{
	long number;

	for (unsigned int i = 0; i < nr; i++) {
		if (strcmp(knobs[i].name, name))
			continue;
		if (!take_value(&knobs[i], value, &number))
			return -EINVAL;
		store(&knobs[i], number);
		return 0;
	}
	return -ENOENT;
}

static int set_in(const char *attr, struct state *state, const char *name, const char *value)
{
	struct knob knobs[NR_KNOBS];

	return set_one(knobs, all_knobs(knobs, attr, &state->attr, &state->filters), name, value);
}

static struct state state_get(const char *attr)
{
	return (struct state){.attr = *find_attr(attr), .filters = fault_filters};
}

/* While nobody asks the attribute. */
static void state_put(const char *attr, const struct state *state)
{
	*find_attr(attr) = state->attr;
	fault_filters = state->filters;
}

int fault_set(const char *attr, const char *knob, const char *value)
{
	struct knob knobs[NR_KNOBS];

	if (!find_attr(attr))
		return -ENOENT;
	/* In its place, and nothing else: others may be failing, and count down times and space. */
	return set_one(knobs, all_knobs(knobs, attr, find_attr(attr), &fault_filters), knob, value);
}

/* ---- texts ---- */

static const char *const order[] = {"interval", "probability", "space", "times"};

/* One part: the nth of interval, probability, space, times, or a knob with its value. */
static bool set_part(const char *attr, struct state *state, char *part, unsigned int position)
{
	char *equals = strchr(part, '=');

	if (equals) {
		*equals = '\0';
		return !set_in(attr, state, part, equals + 1);
	}
	return position < ARRAY_SIZE(order) && !set_in(attr, state, order[position], part);
}

/* Sets what the parts of a text say. False: *bad is the part that is wrong. */
static bool set_parts(const char *attr, struct state *state, const char *text, const char *separator, const char **bad)
{
	unsigned int position = 0;
	char part[PART_BYTES];

	for (; *text; position++) {
		size_t length = strcspn(text, separator);

		*bad = text;
		if (length >= sizeof(part))
			return false;
		memcpy(part, text, length);
		part[length] = '\0';
		if (!set_part(attr, state, part, position))
			return false;
		text += length + (text[length] != '\0');
	}
	return true;
}

bool fault_check(const char *attr, const char *text, const char **bad)
{
	struct state state = state_get(attr);

	return set_parts(attr, &state, text, ":", bad);
}

static void explain_value(const struct knob *knob, struct text *reason)
{
	if (knob->kind == SWITCH)
		text_printf(reason, "%s is Y or N", knob->name);
	else if (knob->max >= INT_MAX)
		text_printf(reason, "%s is a whole number, %ld or more", knob->name, knob->min);
	else
		text_printf(reason, "%s is a whole number, %ld..%ld%s", knob->name, knob->min, knob->max,
			strcmp(knob->name, "probability") ? "" : ", for it is a percentage");
}

void fault_explain(const char *attr, const char *text, const char *bad, struct text *reason)
{
	struct state state = state_get(attr);
	struct knob knobs[NR_KNOBS];
	unsigned int nr = all_knobs(knobs, attr, &state.attr, &state.filters), position = 0;
	size_t length = strcspn(bad, "=:");
	const char *name = bad;

	for (; text < bad; text++)
		position += *text == ':';
	if (bad[length] != '=') {
		name = position < ARRAY_SIZE(order) ? order[position] : "";
		length = strlen(name);
	}
	for (unsigned int i = 0; i < nr; i++)
		if (strlen(knobs[i].name) == length && !memcmp(knobs[i].name, name, length)) {
			explain_value(&knobs[i], reason);
			return;
		}
	text_printf(reason, "allowed is interval:probability:space:times, then knob=value, of");
	for (unsigned int i = 0; i < nr; i++)
		text_printf(reason, " %s", knobs[i].name);
}

bool fault_setup(const char *attr, const char *text, const char **bad)
{
	struct state state = state_get(attr);

	if (!set_parts(attr, &state, text, ":", bad))
		return false;
	state_put(attr, &state);
	return true;
}

int setup_fault_attr(struct fault_attr *attr, char *str)
{
	struct state state = {.attr = *attr};
	unsigned int parts = 1;
	const char *bad;

	for (const char *at = str; *at; at++)
		parts += *at == ',';
	if (parts != 4 || strchr(str, '=') || !set_parts("failslab", &state, str, ",", &bad))
		return 0;
	*attr = state.attr;
	return 1;
}
