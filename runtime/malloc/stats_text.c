/*
 * stats_text.c: struct flagstone_stats as text for people, as the kernel's tables, and as JSON.
 *
 * Calls text and the page room's indexes; for one's own process the slab room's collection and host for the memory that a snapshot takes. Also part of
 * the tool that looks at other processes, so it refuses to know where the numbers come from.
 */
#include "runtime/malloc/stats_text.h"

#include <stdbool.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/page/fragmentation.h"

/* ---- for people ---- */

const char *stats_size_text(char *buffer, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	struct text text = TEXT_INIT(buffer, STATS_SIZE_TEXT, -1);
	unsigned int unit = 0;
	uint64_t tenths;

	for (; bytes >> (10 * unit) >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		;
	tenths = unit ? ((bytes >> (10 * (unit - 1))) * 10) >> 10 : 0;
	if (unit)
		text_printf(&text, "%llu.%llu %s", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10),
			units[unit]);
	else
		text_printf(&text, "%llu %s", (unsigned long long)bytes, units[0]);
	return buffer;
}

static void print_size(struct text *text, const char *what, uint64_t bytes, const char *meaning)
{
	char size[STATS_SIZE_TEXT];

	text_printf(text, "  %-24s %12s  %s\n", what, stats_size_text(size, bytes), meaning);
}

static void print_objects(struct text *text, const char *what, uint64_t bytes, uint64_t count, const char *meaning)
{
	char size[STATS_SIZE_TEXT];

	text_printf(text, "  %-24s %12s  %llu %s\n", what, stats_size_text(size, bytes), (unsigned long long)count,
		meaning);
}

static void print_flags(struct text *text, const struct flagstone_stats *stats)
{
	if (stats->flags & FLAGSTONE_STATS_UNSTEADY)
		text_printf(
			text, "  (caches were made and destroyed too fast to see all of them: numbers are partial)\n");
	if (stats->flags & FLAGSTONE_STATS_MORE_CACHES)
		text_printf(
			text, "  (there are more than %u caches: the rest is not counted)\n", FLAGSTONE_STATS_CACHES);
	if (stats->flags & FLAGSTONE_STATS_MORE_CPUS)
		text_printf(text, "  (more than %u CPUs or threads hold magazines: the rest is in the totals only)\n",
			FLAGSTONE_STATS_CPUS);
}

/* A machine's memory is a computer's: the page room does not know of frames. */
static void print_frames(struct text *text, const struct flagstone_stats *stats)
{
	print_size(text, "  of them without frames", stats->free_zero_bytes, "new, or given back to the OS");
	print_size(text, "  dirty",
		stats->free_bytes > stats->free_zero_bytes ? stats->free_bytes - stats->free_zero_bytes : 0,
		"free, and resident still");
}

static void print_totals(struct text *text, const struct flagstone_stats *stats)
{
	uint64_t objects = stats->live_bytes - stats->block_bytes - stats->mapped_bytes;

	print_size(text, "resident", stats->resident_bytes, "the whole process, as the kernel counts");
	print_size(text, "live", stats->live_bytes, "with the program, touched or not:");
	print_objects(text, "  objects", objects, stats->live_objects, "of caches and size classes");
	print_size(text, "  page blocks", stats->block_bytes, "larger ones");
	print_objects(text, "  mapped", stats->mapped_bytes, stats->mappings, "mappings of their own, the largest");
	print_objects(text, "cached", stats->cached_bytes, stats->cached_objects, "free objects in magazines:");
	print_size(text, "  by CPUs", stats->cpu_bytes, "");
	print_size(text, "  in depots", stats->depot_bytes, "");
	print_size(text, "free in slabs", stats->slab_free_bytes, "");
	print_size(text, "free in page lists", stats->page_list_bytes, "of CPUs");
	print_size(text, "free pages", stats->free_bytes,
		stats->nr_zones ? "in the page allocator; resident, if they were ever used" : "in the page allocator");
	if (!stats->nr_zones)
		print_frames(text, stats);
	print_size(text, "kept mappings", stats->kept_bytes, "free, for the next one that fits");
	print_size(text, "magazines themselves", stats->magazine_bytes, "");
	print_size(text, "given back", stats->given_back_bytes, "to the OS since the start, counted each time");
	print_size(text, "online", stats->online_bytes, "of the direct map: all of the above but mappings");
	print_size(text, "reserved", stats->reserved_bytes, "address space of the direct map");
}

static void print_cpus(struct text *text, const struct flagstone_stats *stats)
{
	char size[STATS_SIZE_TEXT];

	text_printf(text, "%-8s %12s %12s\n", "cpu", "objects", "cached");
	for (unsigned int i = 0; i < stats->nr_cpus; i++)
		text_printf(text, "%-8u %12llu %12s\n", stats->cpu[i].cpu, (unsigned long long)stats->cpu[i].objects,
			stats_size_text(size, stats->cpu[i].bytes));
}

static void print_zones(struct text *text, const struct flagstone_stats *stats)
{
	if (!stats->nr_zones)
		return;
	text_printf(text, "%-16s %10s %10s %8s %8s %8s\n", "zone", "pages", "free", "min", "low", "high");
	for (unsigned int i = 0; i < stats->nr_zones; i++) {
		const struct flagstone_zone_stats *zone = &stats->zone[i];

		text_printf(text, "node %-2u %-8s %10llu %10llu %8llu %8llu %8llu\n", zone->node, zone->name,
			(unsigned long long)zone->pages, (unsigned long long)zone->free_pages,
			(unsigned long long)zone->min, (unsigned long long)zone->low, (unsigned long long)zone->high);
	}
}

static void print_summary(struct text *text, const struct flagstone_stats *stats)
{
	text_printf(text, "flagstone: magazines %s, held by %u of %u CPUs (or threads) seen; %s\n", stats->mode,
		stats->nr_cpus, stats->areas, stats->reclaim ? "reclaim thread running" : "no reclaim thread");
	print_flags(text, stats);
	print_totals(text, stats);
	print_zones(text, stats);
	print_cpus(text, stats);
}

/* ---- as the kernel prints them ---- */

/* Columns as in /proc/slabinfo up to the first colon; behind it what flagstone has instead of the kernel's tunables. */
static void print_slabinfo(struct text *text, const struct flagstone_stats *stats)
{
	unsigned int unused = 0;

	text_printf(text, "slabinfo - version: 2.1 (flagstone)\n"
			  "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
			  " : magazines <capacity> <cpus> <depot> : slabdata <num_slabs> <free_objs>\n");
	for (unsigned int i = 0; i < stats->nr_caches; i++) {
		const struct flagstone_cache_stats *cache = &stats->cache[i];

		if (!cache->slabs) {
			unused++;
			continue;
		}
		text_printf(text, "%-17s %8llu %8llu %8u %6u %4u : magazines %4u %6llu %6llu : slabdata %6llu %6llu\n",
			cache->name, (unsigned long long)cache->live, (unsigned long long)cache->objects, cache->size,
			cache->objects_per_slab, cache->pages_per_slab, cache->magazines ? cache->capacity : 0,
			(unsigned long long)cache->in_cpus, (unsigned long long)cache->in_depot,
			(unsigned long long)cache->slabs, (unsigned long long)cache->free_in_slabs);
	}
	text_printf(text, "# and %u caches without slabs\n", unused);
}

static void print_zone(struct text *text, unsigned int node, const char *name, const uint64_t *free_blocks)
{
	text_printf(text, "Node %u, zone %8s", node, name);
	for (unsigned int order = 0; order < FLAGSTONE_STATS_ORDERS; order++)
		text_printf(text, " %6llu", (unsigned long long)free_blocks[order]);
	text_printf(text, "\n");
}

/* A hosted program's memory is one zone. */
static void print_buddyinfo(struct text *text, const struct flagstone_stats *stats)
{
	if (!stats->nr_zones)
		print_zone(text, 0, "Normal", stats->free_blocks);
	for (unsigned int i = 0; i < stats->nr_zones; i++)
		print_zone(text, stats->zone[i].node, stats->zone[i].name, stats->zone[i].free_blocks);
}

/* Of one line each, these two and buddyinfo would not be told apart. */
static void print_indexes(struct text *text, const struct flagstone_stats *stats, unsigned int parts)
{
	bool alone = !(parts & (parts - 1));

	if (parts & STATS_EXTFRAG_INDEX) {
		text_printf(text, "%s", alone ? "" : "# extfrag_index\n");
		fragmentation_print_index(text, 0, "Normal", stats->free_blocks);
	}
	if (parts & STATS_UNUSABLE_INDEX) {
		text_printf(text, "%s", alone ? "" : "# unusable_index\n");
		fragmentation_print_unusable(text, 0, "Normal", stats->free_blocks);
	}
}

void stats_text(struct text *text, const struct flagstone_stats *stats, unsigned int parts)
{
	if (parts & STATS_SUMMARY)
		print_summary(text, stats);
	if (parts & STATS_SLABINFO)
		print_slabinfo(text, stats);
	if (parts & STATS_BUDDYINFO)
		print_buddyinfo(text, stats);
	print_indexes(text, stats, parts);
}

/* ---- JSON ---- */

/* A writer of one line. comma: the next value is not the first of its object or array. */
struct json {
	struct text *text;
	bool comma;
};

void stats_json_string(struct text *text, const char *string)
{
	text_printf(text, "\"");
	for (; *string; string++) {
		unsigned char c = (unsigned char)*string;

		if (c == '"' || c == '\\')
			text_printf(text, "\\%c", c);
		else if (c < ' ' || c > '~')
			text_printf(text, "\\u%04x", c);
		else
			text_printf(text, "%c", c);
	}
	text_printf(text, "\"");
}

/* Begins a value; key is NULL in arrays. */
static void json_key(struct json *json, const char *key)
{
	if (json->comma)
		text_printf(json->text, ",");
	json->comma = true;
	if (key) {
		stats_json_string(json->text, key);
		text_printf(json->text, ":");
	}
}

static void json_open(struct json *json, const char *key, char bracket)
{
	json_key(json, key);
	text_printf(json->text, "%c", bracket);
	json->comma = false;
}

static void json_close(struct json *json, char bracket)
{
	text_printf(json->text, "%c", bracket);
	json->comma = true;
}

static void json_number(struct json *json, const char *key, uint64_t number)
{
	json_key(json, key);
	text_printf(json->text, "%llu", (unsigned long long)number);
}

static void json_text(struct json *json, const char *key, const char *string)
{
	json_key(json, key);
	stats_json_string(json->text, string);
}

#define JSON_FIELD(json, stats, field) json_number(json, #field, (stats)->field)

static void json_totals(struct json *json, const struct flagstone_stats *stats)
{
	JSON_FIELD(json, stats, version);
	JSON_FIELD(json, stats, flags);
	JSON_FIELD(json, stats, page_size);
	json_text(json, "mode", stats->mode);
	JSON_FIELD(json, stats, resident_bytes);
	JSON_FIELD(json, stats, reserved_bytes);
	JSON_FIELD(json, stats, online_bytes);
	JSON_FIELD(json, stats, given_back_bytes);
	JSON_FIELD(json, stats, live_objects);
	JSON_FIELD(json, stats, live_bytes);
	JSON_FIELD(json, stats, block_bytes);
	JSON_FIELD(json, stats, mapped_bytes);
	JSON_FIELD(json, stats, mappings);
	JSON_FIELD(json, stats, cached_objects);
	JSON_FIELD(json, stats, cached_bytes);
	JSON_FIELD(json, stats, cpu_bytes);
	JSON_FIELD(json, stats, depot_bytes);
	JSON_FIELD(json, stats, magazine_bytes);
	JSON_FIELD(json, stats, slab_bytes);
	JSON_FIELD(json, stats, slab_free_bytes);
	JSON_FIELD(json, stats, page_list_bytes);
	JSON_FIELD(json, stats, free_bytes);
	JSON_FIELD(json, stats, free_zero_bytes);
	JSON_FIELD(json, stats, kept_bytes);
	JSON_FIELD(json, stats, reclaim);
	JSON_FIELD(json, stats, areas);
}

static void json_cpu(struct json *json, const struct flagstone_cpu_stats *cpu)
{
	json_open(json, NULL, '{');
	JSON_FIELD(json, cpu, cpu);
	JSON_FIELD(json, cpu, objects);
	JSON_FIELD(json, cpu, bytes);
	json_close(json, '}');
}

static void json_cache(struct json *json, const struct flagstone_cache_stats *cache)
{
	json_open(json, NULL, '{');
	json_text(json, "name", cache->name);
	JSON_FIELD(json, cache, object_size);
	JSON_FIELD(json, cache, size);
	JSON_FIELD(json, cache, objects_per_slab);
	JSON_FIELD(json, cache, pages_per_slab);
	JSON_FIELD(json, cache, capacity);
	JSON_FIELD(json, cache, magazines);
	JSON_FIELD(json, cache, slabs);
	JSON_FIELD(json, cache, objects);
	JSON_FIELD(json, cache, live);
	JSON_FIELD(json, cache, free_in_slabs);
	JSON_FIELD(json, cache, in_depot);
	JSON_FIELD(json, cache, in_cpus);
	json_close(json, '}');
}

static void json_zone(struct json *json, const struct flagstone_zone_stats *zone)
{
	json_open(json, NULL, '{');
	json_text(json, "name", zone->name);
	JSON_FIELD(json, zone, node);
	JSON_FIELD(json, zone, pages);
	JSON_FIELD(json, zone, free_pages);
	JSON_FIELD(json, zone, min);
	JSON_FIELD(json, zone, low);
	JSON_FIELD(json, zone, high);
	json_open(json, "free_blocks", '[');
	for (unsigned int order = 0; order < FLAGSTONE_STATS_ORDERS; order++)
		json_number(json, NULL, zone->free_blocks[order]);
	json_close(json, ']');
	json_close(json, '}');
}

void stats_json(struct text *text, const struct flagstone_stats *stats)
{
	struct json json = {.text = text};

	json_open(&json, NULL, '{');
	json_totals(&json, stats);
	json_open(&json, "free_blocks", '[');
	for (unsigned int order = 0; order < FLAGSTONE_STATS_ORDERS; order++)
		json_number(&json, NULL, stats->free_blocks[order]);
	json_close(&json, ']');
	json_open(&json, "zone", '[');
	for (unsigned int i = 0; i < stats->nr_zones; i++)
		json_zone(&json, &stats->zone[i]);
	json_close(&json, ']');
	json_open(&json, "cpu", '[');
	for (unsigned int i = 0; i < stats->nr_cpus; i++)
		json_cpu(&json, &stats->cpu[i]);
	json_close(&json, ']');
	json_open(&json, "cache", '[');
	for (unsigned int i = 0; i < stats->nr_caches; i++)
		json_cache(&json, &stats->cache[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	text_printf(text, "\n");
}

/* ---- of this process ---- */

/* The snapshot is too large for the stack of just any thread, and may be wanted when the heap is out. */
static void print_own(struct text *text, bool json)
{
	size_t size = ALIGN_UP(sizeof(struct flagstone_stats), host_page_size());
	struct flagstone_stats *stats = host_map(size);

	if (!stats) {
		text_printf(text, "flagstone: no memory for a snapshot of the statistics\n");
		return;
	}
	stats->version = FLAGSTONE_STATS_VERSION;
	flagstone_stats_get(stats);
	if (json)
		stats_json(text, stats);
	else
		stats_text(text, stats, STATS_ALL);
	host_unmap(stats, size);
}

void stats_print(struct text *text)
{
	print_own(text, false);
}

void stats_print_json(struct text *text)
{
	print_own(text, true);
}
