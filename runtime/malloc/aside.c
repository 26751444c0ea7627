/*
 * aside.c: preloaded into a program built with a sanitizer, the library says so and gets out of the way.
 *
 * A sanitizer brings an allocator of its own and must come first in the process. The program is started again without us,
 * before it has run an instruction of its own. Only in the shared library.
 */
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

#define LIBRARY_NAME "libflagstone-malloc"
#define MAX_ENVIRONMENT 4096
#define MAX_PRELOAD 4096

void __asan_init(void) __attribute__((weak));
void __tsan_init(void) __attribute__((weak));
void __msan_init(void) __attribute__((weak));

/* Copies LD_PRELOAD's value without the entries that name us. */
static void preload_without_us(const char *value, char *out, size_t size)
{
	size_t length = strlen("LD_PRELOAD=");

	memcpy(out, "LD_PRELOAD=", length);
	while (*value) {
		size_t entry = strcspn(value, ": ");

		if (length + entry + 2 < size && entry && !memmem(value, entry, LIBRARY_NAME, strlen(LIBRARY_NAME))) {
			memcpy(out + length, value, entry);
			length += entry;
			out[length++] = ':';
		}
		value += entry;
		value += strspn(value, ": ");
	}
	out[length] = '\0';
}

static void restart_without_us(char **argv, char **envp)
{
	static char preload[MAX_PRELOAD];
	static char *environment[MAX_ENVIRONMENT + 1];
	size_t n = 0;

	for (; envp[n] && n < MAX_ENVIRONMENT; n++) {
		environment[n] = envp[n];
		if (!strncmp(envp[n], "LD_PRELOAD=", strlen("LD_PRELOAD="))) {
			preload_without_us(envp[n] + strlen("LD_PRELOAD="), preload, sizeof(preload));
			environment[n] = preload;
		}
	}
	host_exec_self(argv, environment);
}

static __attribute__((constructor(101))) void step_aside(int argc, char **argv, char **envp)
{
	const char *preload = host_getenv("LD_PRELOAD");
	const char *sanitizer = NULL;

	(void)argc;
	if (__asan_init)
		sanitizer = "AddressSanitizer";
	else if (__tsan_init)
		sanitizer = "ThreadSanitizer";
	else if (__msan_init)
		sanitizer = "MemorySanitizer";
	if (!sanitizer || !preload || !strstr(preload, LIBRARY_NAME))
		return;
	report_note("this program was built with %s, which has its own malloc: stepping aside", sanitizer);
	restart_without_us(argv, envp);
}
