/*
 * check.c: whether the fields of a config fit together, and the machine's memory that they describe.
 *
 * Calls fault for the texts that are its own. Each refusal is one line: the name, the value, and what would be allowed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/config.h"
#include "runtime/fault/fault.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/slab/slab.h"

#define WHERE_BYTES 200
#define WHY_BYTES 500
#define NUMBER_BYTES 32
#define MAX_ORDER_BYTES (PAGE_SIZE << MAX_ORDER)

/* Who said so. */
static const char *origin(const char *name, char *buffer)
{
	struct text text = TEXT_INIT(buffer, WHERE_BYTES, -1);

	config_print_origin(name, &text);
	return buffer;
}

static const char *written(const char *name, unsigned long value, char *buffer)
{
	struct text text = TEXT_INIT(buffer, NUMBER_BYTES, -1);

	config_print_number(name, value, &text);
	return buffer;
}

static bool refuse(const char *name, unsigned long value, const char *allowed)
{
	char where[WHERE_BYTES], number[NUMBER_BYTES];

	report_note(
		"%s: %s=%s cannot be: allowed is %s", origin(name, where), name, written(name, value, number), allowed);
	return false;
}

/* A field, when two of them do not go together. */
struct side {
	const char *name;
	unsigned long value;
};

/* Which of the two is wrong only their authors know: both are named. */
static bool refuse_beside(
	const struct flagstone_machine_config *config, struct side side, struct side other, const char *allowed)
{
	char where[WHERE_BYTES], number[NUMBER_BYTES], other_where[WHERE_BYTES], other_number[NUMBER_BYTES];

	report_note("%s: %s=%s cannot be beside %s=%s (%s): allowed is %s",
		config_is_default(config, side.name) ? "default" : origin(side.name, where), side.name,
		written(side.name, side.value, number), other.name, written(other.name, other.value, other_number),
		config_is_default(config, other.name) ? "default" : origin(other.name, other_where), allowed);
	return false;
}

static bool in_range(const char *name, unsigned long value, unsigned long min, unsigned long max)
{
	char allowed[64], from[NUMBER_BYTES], to[NUMBER_BYTES];
	struct text text = TEXT_INIT(allowed, sizeof(allowed), -1);

	text_printf(&text, "%s..%s", written(name, min, from), written(name, max, to));
	return value >= min && value <= max ? true : refuse(name, value, allowed);
}

static bool ends_in_text(const char *name, const char *field)
{
	if (strnlen(field, FLAGSTONE_MACHINE_TEXT) < FLAGSTONE_MACHINE_TEXT)
		return true;
	report_note("program: %s is longer than %d bytes", name, FLAGSTONE_MACHINE_TEXT - 1);
	return false;
}

static bool parameters_end(const char *parameters)
{
	if (strnlen(parameters, FLAGSTONE_MACHINE_PARAMETERS) < FLAGSTONE_MACHINE_PARAMETERS)
		return true;
	report_note("machine: parameters is longer than %d bytes", FLAGSTONE_MACHINE_PARAMETERS - 1);
	return false;
}

static bool texts_end(const struct flagstone_machine_config *config)
{
	return ends_in_text("lowmem_reserve", config->lowmem_reserve) && ends_in_text("distances", config->distances) &&
	       ends_in_text("failslab", config->failslab) && ends_in_text("fail_page_alloc", config->fail_page_alloc) &&
	       ends_in_text("slub_debug", config->slub_debug) && ends_in_text("views", config->views) &&
	       parameters_end(config->parameters);
}

/* ---- memory ---- */

static bool check_sizes(const struct flagstone_machine_config *config)
{
	unsigned long per_node = config->nodes ? config->ram / config->nodes : 0;
	const struct side ram = {"ram", config->ram}, nodes = {"nodes", config->nodes};
	bool is_default_ram = config_is_default(config, "ram");

	if (!in_range("cpus", config->cpus, 1, FLAGSTONE_MACHINE_MAX_CPUS) ||
		!in_range("ram", config->ram, FLAGSTONE_MACHINE_MIN_RAM, 1ul << 36) ||
		!in_range("nodes", config->nodes, 1, FLAGSTONE_MACHINE_MAX_NODES))
		return false;
	if (config->nodes > config->cpus)
		return refuse_beside(config, nodes, (struct side){"cpus", config->cpus}, "at most one for each CPU");
	if (config->ram % MAX_ORDER_BYTES)
		return refuse("ram", config->ram, "a multiple of 4m");
	if (per_node < MAX_ORDER_BYTES || per_node * config->nodes != config->ram || per_node % MAX_ORDER_BYTES)
		return refuse_beside(config, is_default_ram ? nodes : ram, is_default_ram ? ram : nodes,
			"a multiple of 4m for each node");
	return true;
}

static bool check_border(const struct flagstone_machine_config *config, const char *name, unsigned long border)
{
	if (border % MAX_ORDER_BYTES)
		return refuse(name, border, "a multiple of 4m");
	if (border <= config->ram)
		return true;
	return refuse_beside(config, (struct side){name, border}, (struct side){"ram", config->ram},
		"within ram, or 0 for no such zone");
}

static bool check_borders(const struct flagstone_machine_config *config)
{
	const struct side dma = {"dma", config->dma}, dma32 = {"dma32", config->dma32};
	const struct side highmem = {"highmem", config->highmem};

	if (!check_border(config, "dma", config->dma) || !check_border(config, "dma32", config->dma32) ||
		!check_border(config, "highmem", config->highmem))
		return false;
	if (dma.value && dma32.value && dma32.value <= dma.value)
		return refuse_beside(config, dma32, dma, "above dma: the zones overlap");
	if (highmem.value && highmem.value < dma.value)
		return refuse_beside(config, highmem, dma, "dma or above: the zones overlap");
	if (highmem.value && highmem.value < dma32.value)
		return refuse_beside(config, highmem, dma32, "dma32 or above: the zones overlap");
	return true;
}

/* Numbers separated by colons. Returns how many there are, at most max; 0: it is not that. */
static unsigned int numbers_of(const char *text, unsigned long *numbers, unsigned int max)
{
	unsigned int nr = 0;
	char *end;

	for (;; text = end + 1) {
		if (*text < '0' || *text > '9' || nr == max)
			return 0;
		numbers[nr++] = strtoul(text, &end, 10);
		if (!*end)
			return nr;
		if (*end != ':')
			return 0;
	}
}

static bool take_ratios(const char *text, struct page_machine *machine)
{
	unsigned long ratios[NR_PAGE_ZONE_TYPES - 1];
	char where[WHERE_BYTES];

	if (!*text)
		return true;
	if (numbers_of(text, ratios, ARRAY_SIZE(ratios)) != ARRAY_SIZE(ratios)) {
		report_note("%s: lowmem_reserve=%s cannot be: allowed are three numbers, DMA:DMA32:Normal",
			origin("lowmem_reserve", where), text);
		return false;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(ratios); i++) {
		if (ratios[i] >= UINT32_MAX)
			return refuse("lowmem_reserve", ratios[i], "0..4294967294");
		machine->lowmem_ratio[i] = ratios[i] ? (uint32_t)ratios[i] : PAGE_RATIO_OFF;
	}
	return true;
}

static bool take_distances(const struct flagstone_machine_config *config, struct page_machine *machine)
{
	const char *text = config->distances;
	unsigned long numbers[PAGE_MAX_NODES * PAGE_MAX_NODES];
	unsigned int nodes = machine->nr_nodes;
	char where[WHERE_BYTES], nodes_where[WHERE_BYTES];

	if (!*text)
		return true;
	if (numbers_of(text, numbers, ARRAY_SIZE(numbers)) != nodes * nodes) {
		report_note("%s: distances=%s cannot be beside nodes=%u (%s): allowed are %u numbers, nodes * nodes",
			origin("distances", where), text, nodes,
			config_is_default(config, "nodes") ? "default" : origin("nodes", nodes_where), nodes * nodes);
		return false;
	}
	for (unsigned int i = 0; i < nodes * nodes; i++) {
		if (numbers[i] < 10 || numbers[i] > 254)
			return refuse("distances", numbers[i], "10..254");
		machine->distance[i / nodes][i % nodes] = (unsigned char)numbers[i];
	}
	return true;
}

bool config_to_page_machine(const struct flagstone_machine_config *config, struct page_machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	machine->nr_cpus = (unsigned int)config->cpus;
	machine->nr_nodes = (unsigned int)config->nodes;
	for (unsigned int node = 0; node < machine->nr_nodes; node++)
		machine->node_bytes[node] = config->ram / config->nodes;
	machine->dma_end = config->dma;
	machine->dma32_end = config->dma32;
	machine->highmem_start = config->highmem;
	machine->min_free_kbytes = config->min_free_kbytes;
	machine->poison = config->page_poison;
	machine->ungrouped = !config->grouping;
	return take_ratios(config->lowmem_reserve, machine) && take_distances(config, machine);
}

static bool check_min_free(const struct flagstone_machine_config *config)
{
	unsigned long most = config->ram / 1024 / 4;
	char allowed[64];

	if (config->min_free_kbytes <= most)
		return true;
	snprintf(allowed, sizeof(allowed), "0..%lu, a quarter of ram", most);
	return refuse_beside(config, (struct side){"min_free_kbytes", config->min_free_kbytes},
		(struct side){"ram", config->ram}, allowed);
}

/* ---- the rest ---- */

static bool check_fault(const char *name, const char *text)
{
	char where[WHERE_BYTES], why[WHY_BYTES];
	struct text reason = TEXT_INIT(why, sizeof(why), -1);
	const char *bad = text;

	if (fault_check(name, text, &bad))
		return true;
	fault_explain(name, text, bad, &reason);
	report_note("%s: %s=%s cannot be, from '%s' on: %s", origin(name, where), name, text, bad, why);
	return false;
}

/* The file is made at shutdown; whether it can be is known now. */
static bool check_views(const char *path)
{
	char where[WHERE_BYTES], folder[FLAGSTONE_MACHINE_TEXT + 2];
	const char *slash = strrchr(path, '/');
	struct stat stat_buffer;
	int length = slash ? (int)(slash - path) + 1 : 0;

	if (!*path)
		return true;
	snprintf(folder, sizeof(folder), "%.*s.", length, path);
	errno = 0;
	if (!stat(path, &stat_buffer)) {
		if (S_ISDIR(stat_buffer.st_mode))
			errno = EISDIR;
		else if (!access(path, W_OK))
			return true;
	} else if (errno == ENOENT && !access(folder, W_OK | X_OK)) {
		return true;
	}
	report_note("%s: views=%s cannot be written (%s): allowed is a file, or a new one in a directory that may be "
		    "written",
		origin("views", where), path, strerror(errno));
	return false;
}

static bool check_slub_debug(const char *text)
{
	const char *bad = slab_checks_bad(text);
	char where[WHERE_BYTES];

	if (!bad)
		return true;
	report_note("%s: slub_debug=%s cannot be, from '%s' on: allowed are letters of FZPU or -, then :cache and ;",
		origin("slub_debug", where), text, bad);
	return false;
}

static bool check_rest(const struct flagstone_machine_config *config)
{
	return in_range("preempt", config->preempt, 0, 1000000) && in_range("tracking", config->tracking, 0, 1) &&
	       in_range("context", config->context, 0, 1) && in_range("lockdep", config->lockdep, 0, 1) &&
	       in_range("page_poison", config->page_poison, 0, 1) && in_range("grouping", config->grouping, 0, 1) &&
	       in_range("oom", config->oom, 0, FLAGSTONE_OOM_PANIC) &&
	       in_range("fail_nth", config->fail_nth, 0, UINT32_MAX) && check_fault("failslab", config->failslab) &&
	       check_fault("fail_page_alloc", config->fail_page_alloc) && check_slub_debug(config->slub_debug) &&
	       check_views(config->views);
}

int flagstone_machine_config_check(const struct flagstone_machine_config *config)
{
	struct page_machine machine;
	bool good = texts_end(config) && check_sizes(config) && check_borders(config) && check_min_free(config) &&
		    config_to_page_machine(config, &machine) && check_rest(config);

	return good ? 0 : -EINVAL;
}
