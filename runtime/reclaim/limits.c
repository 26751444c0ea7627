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
static uint64_t cached_bytes(const struct limits *limits)
{
	char text[CGROUP_BYTES];

	if (!*limits->stat || host_read_file(limits->stat, text, sizeof(text)) <= 0)
		return 0;
	/* Version 1 has the whole cgroup's under these names, and the others without the cgroups below. */
	if (strstr(text, "\ntotal_"))
		return number_of(text, "total_inactive_file") + number_of(text, "total_active_file");
	return number_of(text, "inactive_file") + number_of(text, "active_file");
}

static bool is_near(const struct limits *limits, uint64_t usage, const char *limit_path)
{
	uint64_t limit = read_number(limit_path);
	uint64_t near = limit - limit / NEAR_SHARE;

	return limit != NO_LIMIT && usage != NO_LIMIT && usage >= near && usage - near >= cached_bytes(limits);
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

bool limits_scarce(const struct limits *limits)
{
	uint64_t usage = read_number(limits->usage);

	return is_near(limits, usage, limits->max) || is_near(limits, usage, limits->high) ||
	       is_stalling(limits->pressure);
}

static bool readable(const char *path)
{
	int fd = host_open(path);

	if (fd < 0)
		return false;
	host_close(fd);
	return true;
}

/* Where a file of that name is in the cgroup, or else at the root of the hierarchy, as containers see their own; "" where not. */
static void find_file(char *path, const char *root, const char *hierarchy, const char *cgroup, const char *name)
{
	const char *const places[] = {cgroup, ""};

	for (int i = 0; i < 2; i++) {
		struct text text = TEXT_INIT(path, LIMITS_PATH, -1);

		text_printf(&text, "%s/sys/fs/cgroup%s%s/%s", root, hierarchy, places[i], name);
		if (text.length < LIMITS_PATH - 1 && readable(path))
			return;
	}
	*path = '\0';
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

static void find_pressure(struct limits *limits, const char *root)
{
	struct text text = TEXT_INIT(limits->pressure, LIMITS_PATH, -1);

	if (*limits->pressure)
		return;
	text_printf(&text, "%s/proc/pressure/memory", root);
}

void limits_find(struct limits *limits, const char *root)
{
	char lines[CGROUP_BYTES];
	const char *cgroup;

	memset(limits, 0, sizeof(*limits));
	cgroup = read_cgroups(lines, root) ? cgroup_of(lines, "memory") : NULL;
	if (cgroup) {
		find_file(limits->usage, root, "/memory", cgroup, "memory.usage_in_bytes");
		find_file(limits->stat, root, "/memory", cgroup, "memory.stat");
		find_file(limits->max, root, "/memory", cgroup, "memory.limit_in_bytes");
	} else if (read_cgroups(lines, root) && (cgroup = cgroup_of(lines, ""))) {
		find_file(limits->usage, root, "", cgroup, "memory.current");
		find_file(limits->stat, root, "", cgroup, "memory.stat");
		find_file(limits->max, root, "", cgroup, "memory.max");
		find_file(limits->high, root, "", cgroup, "memory.high");
		find_file(limits->pressure, root, "", cgroup, "memory.pressure");
	}
	find_pressure(limits, root);
}
