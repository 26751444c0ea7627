/*
 * look.c: looks into a process: finds flagstone there, collects its statistics, explains what is in the way.
 *
 * Calls process.c for symbols and memory, the slab room for the collection. The process is neither stopped nor asked.
 * Refuses to print.
 */
#include "look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/slab/stats.h"

static enum exit_status search_status(int error)
{
	switch (error) {
	case 0:
	case -ENOEXEC:
		return EXIT_NO_FLAGSTONE;
	case -ENOENT:
	case -ESRCH:
		return EXIT_NO_PROCESS;
	case -EACCES:
	case -EPERM:
		return EXIT_NO_PERMISSION;
	default:
		return EXIT_UNREADABLE;
	}
}

enum exit_status look_open(struct look *look, int pid)
{
	look->reader = process_reader(pid);
	process_name(pid, look->name, sizeof(look->name));
	look->nr_roots = process_find_symbol(&look->reader, "flagstone_root", look->roots);
	return look->nr_roots > 0 ? EXIT_OK : search_status(look->nr_roots);
}

/* Tries each root: a process may have loaded both libraries, and use one. */
enum exit_status look_collect(const struct look *look, struct flagstone_stats *stats)
{
	enum stats_result result = STATS_UNREADABLE;

	for (int i = 0; i < look->nr_roots; i++) {
		enum stats_result now =
			stats_collect(&look->reader, (const struct flagstone_root *)look->roots[i], stats);

		if (now != STATS_NOT_A_ROOT)
			result = now;
		if (now == STATS_OK && stats->online_bytes)
			break;
	}
	if (result != STATS_OK)
		return result == STATS_OTHER_BUILD ? EXIT_OTHER_BUILD : EXIT_UNREADABLE;
	stats->resident_bytes = process_resident_bytes(look->reader.pid);
	return EXIT_OK;
}

/* Yama's setting, 0 where it is not there. */
static int ptrace_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope;
}

static void explain_permission(const struct look *look, char *buffer, size_t size)
{
	int scope = ptrace_scope();
	int length = snprintf(
		buffer, size, "the kernel does not let you read process %d (%s): ", look->reader.pid, look->name);

	if ((size_t)length >= size)
		return;
	buffer += length;
	size -= (size_t)length;
	if (geteuid() == 0)
		snprintf(buffer, size,
			"this needs the capability SYS_PTRACE, which this container or service does not have");
	else if (scope)
		snprintf(buffer, size,
			"kernel.yama.ptrace_scope is %d; run as root, or 'sysctl kernel.yama.ptrace_scope=0'", scope);
	else
		snprintf(buffer, size, "it belongs to another user, or has changed its privileges; run as root");
}

static const char *no_flagstone(const struct look *look)
{
	if (look->nr_roots == -ENOEXEC)
		return "has no memory: it has ended, or belongs to the kernel";
	return "does not use flagstone (neither preloaded nor linked; of a program that flagstone is linked into, the"
	       " symbol table must not be stripped)";
}

static const char *unreadable(const struct look *look)
{
	if (look->nr_roots < 0)
		return strerror(-look->nr_roots);
	return "has ended, or changes too fast to be read; try again";
}

const char *look_explain(const struct look *look, enum exit_status status, char *buffer, size_t size)
{
	const char *what = "";

	switch (status) {
	case EXIT_NO_PROCESS:
		snprintf(buffer, size, "no process has the id %d", look->reader.pid);
		return buffer;
	case EXIT_NO_PERMISSION:
		explain_permission(look, buffer, size);
		return buffer;
	case EXIT_NO_FLAGSTONE:
		what = no_flagstone(look);
		break;
	case EXIT_OTHER_BUILD:
		what = "uses another version or build of flagstone; use the tool that was built with it";
		break;
	case EXIT_UNREADABLE:
		what = unreadable(look);
		break;
	default:
		break;
	}
	snprintf(buffer, size, "process %d (%s) %s", look->reader.pid, look->name, what);
	return buffer;
}
