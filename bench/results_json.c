/*
 * results_json.c: every sample, and what is needed to understand them later, as JSON.
 *
 * Calls results.c and asks the system what it is. Refuses to know how samples are taken.
 */
#include "results.h"

#include "cpus.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <gnu/libc-version.h>

static void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void json_field(FILE *out, const char *name, const char *text, const char *end)
{
	fprintf(out, "\"%s\": ", name);
	json_string(out, text);
	fputs(end, out);
}

static void cpu_model(char *model, size_t size)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "r");

	snprintf(model, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) || !value)
			continue;
		snprintf(model, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static void write_context(FILE *out, const struct results *results, const struct options *options)
{
	char date[64], model[128];
	struct utsname system;
	time_t now = time(NULL);

	uname(&system);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	cpu_model(model, sizeof(model));
	fprintf(out, "  \"context\": {");
	json_field(out, "date", date, ", ");
	json_field(out, "cpu", model, ", ");
	json_field(out, "machine", system.machine, ", ");
	json_field(out, "kernel", system.release, ", ");
	json_field(out, "glibc", gnu_get_libc_version(), ", ");
	fprintf(out, "\"cpus\": %u, \"rounds\": %u, \"sample_ms\": %u, \"seconds\": %.1f, \"others\": %.3f},\n",
		cpus_count(), results->rounds, options->sample_ms, results->seconds, results->others);
}

static void write_allocators(FILE *out)
{
	const char *separator = "";

	fprintf(out, "  \"allocators\": [\n");
	for (int id = 0; id < NR_ALLOCS; id++) {
		if (!allocs[id].wanted)
			continue;
		fprintf(out, "%s    {", separator);
		json_field(out, "name", allocs[id].name, ", ");
		fprintf(out, "\"peer\": %s, \"loaded\": %s, ", alloc_is_peer((enum alloc_id)id) ? "true" : "false",
			allocs[id].loaded ? "true" : "false");
		json_field(out, "path", allocs[id].path, ", ");
		json_field(out, "reason", allocs[id].loaded ? "" : allocs[id].reason, "}");
		separator = ",\n";
	}
	fprintf(out, "\n  ],\n");
}

static void write_samples(FILE *out, const struct results *results, const struct result *row, enum alloc_id id)
{
	struct summary summary = results_summary(results, row, id);

	fprintf(out, "        {");
	json_field(out, "allocator", allocs[id].name, ", ");
	fprintf(out, "\"iterations\": %ld, \"median\": %.4f, \"spread\": %.4f, \"ns\": [", row->iterations[id],
		summary.median, summary.spread);
	for (unsigned int i = 0; i < results->rounds; i++)
		fprintf(out, "%s%.4f", i ? ", " : "", row->ns[id][i]);
	fprintf(out, "]}");
}

static void write_row(FILE *out, const struct results *results, const struct result *row)
{
	const char *separator = "";

	fprintf(out, "    {");
	json_field(out, "name", row->test->name, ", ");
	json_field(out, "what", row->test->what, ", ");
	fprintf(out, "\"threads\": %u, \"results\": [\n", row->test->threads);
	for (int id = 0; id < NR_ALLOCS; id++) {
		if (!allocs[id].loaded)
			continue;
		fputs(separator, out);
		write_samples(out, results, row, (enum alloc_id)id);
		separator = ",\n";
	}
	fprintf(out, "\n    ]}");
}

int results_write_json(const struct results *results, const struct options *options, FILE *out)
{
	fprintf(out, "{\n  \"format\": \"flagstone-bench 1\",\n");
	write_context(out, results, options);
	write_allocators(out);
	fprintf(out, "  \"benchmarks\": [\n");
	for (size_t i = 0; i < results->nr_rows; i++) {
		write_row(out, results, &results->rows[i]);
		fprintf(out, i + 1 < results->nr_rows ? ",\n" : "\n");
	}
	fprintf(out, "  ]\n}\n");
	if (fflush(out) || ferror(out)) {
		fprintf(stderr, "flagstone-bench: cannot write %s: %s\n", options->json, strerror(errno));
		return -1;
	}
	return 0;
}
