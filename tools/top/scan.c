/*
 * scan.c: finds the processes on flagstone below /proc, and keeps what was seen of each.
 *
 * Calls look.c for one process. Most processes do not use flagstone, and a search of their symbols takes a hundred times
 * longer than the line of /proc that says that they are still the same: so what was not found is remembered, and searched
 * for again after 1, 2, 4, ... refreshes (a library may be loaded late). Refuses to know what is shown.
 */
#include "scan.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../options.h"
#include "table.h"

#define MAX_PATIENCE 32 /* refreshes */

struct sighting {
	int pid;
	struct process_identity identity;
	enum exit_status status; /* of the search */
	unsigned int patience; /* refreshes from one search to the next */
	unsigned int wait; /* refreshes until the next */
	struct subject *subject; /* if it was found */
};

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs("flagstone top: out of memory\n", stderr);
	abort();
}

double scan_clock(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- one process ---- */

uint64_t subject_dirty_bytes(const struct subject *subject)
{
	const struct flagstone_stats *stats = &subject->stats;

	return stats->free_bytes > stats->free_zero_bytes ? stats->free_bytes - stats->free_zero_bytes : 0;
}

static void subject_add_sample(struct subject *subject, const struct flagstone_stats *stats)
{
	struct history *history = &subject->history;
	unsigned int slot = history->total % HISTORY_SAMPLES;
	unsigned int before = (history->total - 1) % HISTORY_SAMPLES;

	history->time[slot] = scan_clock();
	history->resident[slot] = stats->resident_bytes;
	history->live[slot] = stats->live_bytes;
	if (history->total++ && history->time[slot] > history->time[before])
		subject->back_per_second =
			(uint64_t)((double)(stats->given_back_bytes - subject->stats.given_back_bytes) /
				   (history->time[slot] - history->time[before]));
	subject->stats = *stats;
}

void subject_refresh(struct subject *subject)
{
	static struct flagstone_stats stats;

	subject->status = look_collect(&subject->look, &stats);
	process_command(subject->look.reader.pid, subject->command, sizeof(subject->command));
	if (subject->status == EXIT_OK)
		subject_add_sample(subject, &stats);
}

struct subject *subject_open(int pid, struct look *look, enum exit_status *status)
{
	struct subject *subject;

	*status = look_open(look, pid);
	if (*status != EXIT_OK)
		return NULL;
	subject = must(calloc(1, sizeof(*subject)));
	subject->look = *look;
	subject->back_per_second = TABLE_UNKNOWN;
	return subject;
}

/* ---- all of them ---- */

static int compare_pids(const void *a, const void *b)
{
	const struct sighting *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static struct sighting *find(const struct scan *scan, int pid)
{
	const struct sighting key = {.pid = pid};

	return scan->count ? bsearch(&key, scan->sightings, scan->count, sizeof(key), compare_pids) : NULL;
}

/* The same process as at the last refresh, which goes on as what it was; else a new one. */
static struct sighting recognise(struct scan *scan, int pid, const struct process_identity *identity)
{
	struct sighting *old = find(scan, pid), same;

	if (!old || memcmp(&old->identity, identity, sizeof(*identity)))
		return (struct sighting){.pid = pid, .identity = *identity, .patience = 1};
	same = *old;
	old->subject = NULL;
	return same;
}

static void search(struct sighting *sighting)
{
	struct look look;

	if (sighting->wait) {
		sighting->wait--;
		return;
	}
	sighting->subject = subject_open(sighting->pid, &look, &sighting->status);
	sighting->wait = sighting->patience;
	if (sighting->patience < MAX_PATIENCE)
		sighting->patience *= 2;
}

/* Not: one that has loaded flagstone and not used it, like this tool itself, and one that could never be read. */
static bool is_worth_showing(const struct subject *subject)
{
	if (subject->status == EXIT_OTHER_BUILD)
		return true;
	return subject->stats.online_bytes;
}

static void see(struct scan *scan, struct sighting *sighting)
{
	if (!sighting->subject)
		search(sighting);
	if (!sighting->subject) {
		scan->nr_hidden += sighting->status == EXIT_NO_PERMISSION;
		return;
	}
	subject_refresh(sighting->subject);
	if (is_worth_showing(sighting->subject))
		scan->subjects[scan->nr_subjects++] = sighting->subject;
}

/* Every process that is alive and has memory of its own. */
static size_t read_proc(struct scan *scan, struct sighting **sightings)
{
	size_t count = 0, size = 0;
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	*sightings = NULL;
	while (proc && (entry = readdir(proc))) {
		struct process_identity identity;
		int pid = options_pid(entry->d_name);

		if (!pid || !process_identify(pid, &identity))
			continue;
		if (count == size) {
			size = size ? 2 * size : 256;
			*sightings = must(reallocarray(*sightings, size, sizeof(**sightings)));
		}
		(*sightings)[count++] = recognise(scan, pid, &identity);
	}
	if (proc)
		closedir(proc);
	return count;
}

void scan_free(struct scan *scan)
{
	for (size_t i = 0; i < scan->count; i++)
		free(scan->sightings[i].subject);
	free(scan->sightings);
	free(scan->subjects);
	*scan = (struct scan){0};
}

void scan_refresh(struct scan *scan)
{
	struct sighting *sightings;
	size_t count = read_proc(scan, &sightings);

	scan_free(scan);
	if (count)
		qsort(sightings, count, sizeof(*sightings), compare_pids);
	*scan = (struct scan){.sightings = sightings, .count = count};
	scan->subjects = must(calloc(count + 1, sizeof(*scan->subjects)));
	for (size_t i = 0; i < count; i++)
		see(scan, &sightings[i]);
}

const struct subject *scan_find(const struct scan *scan, int pid)
{
	const struct sighting *sighting = find(scan, pid);

	return sighting ? sighting->subject : NULL;
}

int scan_describe_hidden(const struct scan *scan, char *buffer, size_t size)
{
	return snprintf(
		buffer, size, "%zu more process%s: no permission", scan->nr_hidden, scan->nr_hidden == 1 ? "" : "es");
}
