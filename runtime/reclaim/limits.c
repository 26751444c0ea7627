/*
 * limits.c: the memory cgroup's limits, of either version, and pressure stall information.
 *
 * Calls host to read files and text to name them. Unreadable files are taken as "no limit". Refuses to know what follows
 * from scarcity.
 */
#include <string.h>

#include "runtime/reclaim/limits.h"

#include "runtime/host/host.h"
#include "runtime/lib/text.h"

#define NEAR_SHARE 16 /* a limit is near from 15/16 of it on */
#define SCARCE_PERCENT 10 /* of the last ten seconds that some task stalled */
#define NO_LIMIT UINT64_MAX
#define CGROUP_BYTES 4096

/* A number at the start of a file; NO_LIMIT for "max", for a file that is not there, and for a limit beyond all memory. */
static uint64_t read_number(const char *path)
{
	char buffer[32];
	uint64_t number = 0;

	if (!*path || host_read_file(path, buffer, sizeof(buffer)) <= 0 || *buffer < '0' || *buffer > '9')
		return NO_LIMIT;
	for (const char *at = buffer; *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	return number;
}

/* The number in a line "key 123" of a file's text; 0 where there is none. */
static uint64_t number_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	uint64_t number = 0;

	while (strncmp(text, key, length) != 0 || text[length] != ' ') {
		text = strchr(text, '\n');
		if (!text++)
			return 0;
	}
	for (text += length + 1; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return number;
}

/* Bytes of files that the kernel caches and takes back before it runs out. A program that reads files is always near its limit
 * with them. */
static uint64_t cached_bytes(const struct limits_level *level)
{
	char text[CGROUP_BYTES];

	if (!*level->stat || host_read_file(level->stat, text, sizeof(text)) <= 0)
		return 0;
	/* Version 1 has the whole cgroup's under these names, and the others without the cgroups below. */
	if (strstr(text, "\ntotal_"))
		return number_of(text, "total_inactive_file") + number_of(text, "total_active_file");
	return number_of(text, "inactive_file") + number_of(text, "active_file");
}

static bool is_near(const struct limits_level *level, uint64_t usage, const char *limit_path)
{
	uint64_t limit = read_number(limit_path);
	uint64_t near = limit - limit / NEAR_SHARE;

	return limit != NO_LIMIT && usage != NO_LIMIT && usage >= near && usage - near >= cached_bytes(level);
}

/* "some avg10=12.34 ...": whether the whole percents reach SCARCE_PERCENT. */
static bool is_stalling(const char *path)
{
	static const char key[] = "some avg10=";
	char buffer[128];
	unsigned int percent = 0;

	if (!*path || host_read_file(path, buffer, sizeof(buffer)) <= 0 || strncmp(buffer, key, sizeof(key) - 1) != 0)
		return false;
	for (const char *at = buffer + sizeof(key) - 1; *at >= '0' && *at <= '9'; at++)
		percent = percent * 10 + (unsigned int)(*at - '0');
	return percent >= SCARCE_PERCENT;
}

static bool level_is_scarce(const struct limits_level *level)
{
	uint64_t usage = read_number(level->usage);

	return is_near(level, usage, level->max) || is_near(level, usage, level->high);
}

bool limits_scarce(const struct limits *limits)
{
	for (unsigned int i = 0; i < limits->nr_levels; i++)
		if (level_is_scarce(&limits->level[i]))
			return true;
	return is_stalling(limits->pressure);
}

static bool readable(const char *path)
{
	int fd = host_open(path);

	if (fd < 0)
		return false;
	host_close(fd);
	return true;
}

/* A file of a cgroup, of which length letters of the path count; "" where it is not there. */
static bool find_file(char *path, const char *directory, const char *cgroup, size_t length, const char *name)
{
	struct text text = TEXT_INIT(path, LIMITS_PATH, -1);
	char prefix[LIMITS_PATH];

	if (length >= sizeof(prefix))
		return false;
	memcpy(prefix, cgroup, length);
	prefix[length] = '\0';
	text_printf(&text, "%s%s/%s", directory, prefix, name);
	if (text.length < LIMITS_PATH - 1 && readable(path))
		return true;
	*path = '\0';
	return false;
}

/* What the files of a version are called. */
struct names {
	const char *usage, *max, *high;
};
static const struct names version_1 = {"memory.usage_in_bytes", "memory.limit_in_bytes", "memory.no_such_file"};
static const struct names version_2 = {"memory.current", "memory.max", "memory.high"};

/* The cgroup and those around it, as far as they can be seen: a container sees its own at the root. */
static void find_levels(struct limits *limits, const char *directory, const char *cgroup, const struct names *names)
{
	size_t length = strlen(cgroup);

	while (limits->nr_levels < LIMITS_LEVELS) {
		struct limits_level *level = &limits->level[limits->nr_levels];

		if (find_file(level->usage, directory, cgroup, length, names->usage)) {
			find_file(level->stat, directory, cgroup, length, "memory.stat");
			find_file(level->max, directory, cgroup, length, names->max);
			find_file(level->high, directory, cgroup, length, names->high);
			limits->nr_levels++;
		}
		if (!length)
			break;
		while (length && cgroup[--length] != '/')
			;
	}
}

/* The path in a line "7:cpu,memory:/path" of a controller, or "0::/path" where controller is ""; ends at the line's end. */
static const char *cgroup_of(char *lines, const char *controller)
{
	char *line = lines, *end;
	size_t length = strlen(controller);

	for (; *line; line = end + 1) {
		char *list = strchr(line, ':');
		char *path = list ? strchr(list + 1, ':') : NULL;

		end = strchr(line, '\n');
		if (!path || !end)
			return NULL;
		for (const char *at = list + 1; at <= path; at += strcspn(at, ",:") + 1) {
			if (strcspn(at, ",:") != length || strncmp(at, controller, length) != 0)
				continue;
			*end = '\0';
			return path[1] == '/' && path[2] ? path + 1 : "";
		}
	}
	return NULL;
}

static bool read_cgroups(char *lines, const char *root)
{
	char path[LIMITS_PATH];
	struct text text = TEXT_INIT(path, sizeof(path), -1);

	text_printf(&text, "%s/proc/self/cgroup", root);
	return host_read_file(path, lines, CGROUP_BYTES) > 0;
}

static void find_pressure(struct limits *limits, const char *root, const char *directory, const char *cgroup)
{
	struct text text = TEXT_INIT(limits->pressure, LIMITS_PATH, -1);

	if (!cgroup || (!find_file(limits->pressure, directory, cgroup, strlen(cgroup), "memory.pressure") &&
			       !find_file(limits->pressure, directory, "", 0, "memory.pressure")))
		text_printf(&text, "%s/proc/pressure/memory", root);
}

void limits_find(struct limits *limits, const char *root)
{
	char lines[CGROUP_BYTES], directory[LIMITS_PATH];
	struct text text = TEXT_INIT(directory, sizeof(directory), -1);
	const char *cgroup;

	memset(limits, 0, sizeof(*limits));
	text_printf(&text, "%s/sys/fs/cgroup", root);
	cgroup = read_cgroups(lines, root) ? cgroup_of(lines, "memory") : NULL;
	if (cgroup) {
		text_printf(&text, "/memory");
		find_levels(limits, directory, cgroup, &version_1);
		find_pressure(limits, root, directory, NULL);
		return;
	}
	cgroup = read_cgroups(lines, root) ? cgroup_of(lines, "") : NULL;
	if (cgroup)
		find_levels(limits, directory, cgroup, &version_2);
	find_pressure(limits, root, directory, cgroup);
}
