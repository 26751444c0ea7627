/*
 * faulty.c: a preloadable malloc with one fault at a time, to show that the program tests can fail.
 *
 * Calls glibc's own allocator by its internal names. The fault is named in FLAGSTONE_CONF, as fault=NAME, and harms
 * sqlite3 only. Knows nothing of flagstone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

enum fault { FAULT_NONE, FAULT_BUG, FAULT_DIRTY, FAULT_LOST, FAULT_STATUS, FAULT_HANG, FAULT_CRASH };
enum { CALLS_BEFORE_FAULT = 2000 };

static const char *const fault_names[] = {"none", "bug", "dirty", "lost", "status", "hang", "crash"};
static enum fault fault; /* Synchronization: const after the constructor */
static int calls; /* Synchronization: none, sqlite3 has one thread when it matters */

static enum fault fault_named(const char *name)
{
	for (int i = 0; name && i < (int)(sizeof(fault_names) / sizeof(fault_names[0])); i++)
		if (strncmp(name, fault_names[i], strlen(fault_names[i])) == 0)
			return i;
	return FAULT_NONE;
}

static void exit_differently(void)
{
	_exit(9);
}

__attribute__((constructor)) static void faulty_start(void)
{
	static const char report[] = "flagstone: BUG: none, this is a test\n";
	const char *conf = getenv("FLAGSTONE_CONF");
	const char *name = conf ? strstr(conf, "fault=") : NULL;

	if (strcmp(program_invocation_short_name, "sqlite3") != 0 || !name)
		return;
	fault = fault_named(name + strlen("fault="));
	if (fault == FAULT_STATUS)
		atexit(exit_differently);
	if (fault == FAULT_BUG && write(STDERR_FILENO, report, sizeof(report) - 1) < 0)
		abort();
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	if (fault == FAULT_HANG && ++calls > CALLS_BEFORE_FAULT)
		pause();
	if (fault == FAULT_CRASH && ++calls > CALLS_BEFORE_FAULT)
		abort();
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
	void *block = __libc_calloc(count, size);

	if (fault == FAULT_DIRTY && block)
		memset(block, 0x5a, count * size);
	return block;
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
	char *block = __libc_realloc(old, size);

	if (fault == FAULT_LOST && block && old && size > 8 && ++calls > 10)
		memset(block, 0x5a, size / 2);
	return block;
}
