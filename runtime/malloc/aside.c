/*
 * aside.c: preloaded into a program built with a sanitizer, the library says so and gets out of the way.
 *
 * A sanitizer brings an allocator of its own, must come first in the process, and starts before any constructor. So this
 * runs still earlier: in the resolver of an indirect function, which the dynamic linker calls while it relocates us. The
 * program is started again without us, before it has run an instruction of its own. Only in the shared library.
 *
 * Calls runtime/host alone: libc's functions may be the sanitizer's by now, and not be ready.
 */
#include "runtime/config.h"
#include "runtime/host/host.h"

#define LIBRARY_NAME "libflagstone-malloc"
#define PRELOAD "LD_PRELOAD="
#define MAX_TEXT 262144 /* bytes of arguments, and of environment; with more, we stay */
#define MAX_STRINGS 8192

void __asan_init(void) __attribute__((weak));
void __tsan_init(void) __attribute__((weak));
void __msan_init(void) __attribute__((weak));
void __lsan_init(void) __attribute__((weak));

/* Zero-terminated strings, one after another, and pointers to them. */
struct strings {
	char text[MAX_TEXT];
	char *entry[MAX_STRINGS + 1];
};

static size_t length_of(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

static bool starts_with(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return false;
	return true;
}

/* Reads a file of /proc/self into strings. False if it does not fit. */
static bool strings_read(struct strings *strings, const char *path)
{
	long length = host_read_file(path, strings->text, MAX_TEXT);
	size_t n = 0;

	if (length < 0 || length >= MAX_TEXT - 1)
		return false;
	for (char *at = strings->text; at < strings->text + length; at += length_of(at) + 1) {
		if (n == MAX_STRINGS)
			return false;
		strings->entry[n++] = at;
	}
	strings->entry[n] = NULL;
	return true;
}

static bool names_us(const char *entry, const char *end)
{
	for (; entry < end; entry++)
		if (starts_with(entry, LIBRARY_NAME))
			return true;
	return false;
}

/* Takes the entries that name us out of "LD_PRELOAD=a:b c", in place. Returns whether there were any. */
static bool preload_without_us(char *text)
{
	char *from = text + length_of(PRELOAD);
	char *to = from;
	bool found = false;

	while (*from) {
		char *end = from;

		while (*end && *end != ':' && *end != ' ')
			end++;
		if (names_us(from, end)) {
			found = true;
			from = *end ? end + 1 : end;
			continue;
		}
		while (from < end)
			*to++ = *from++;
		if (*from)
			*to++ = *from++;
	}
	*to = '\0';
	return found;
}

static void say(const char *sanitizer)
{
	const char *const parts[] = {
		"flagstone: this program was built with ", sanitizer, ", which has its own malloc: stepping aside\n"};

	for (int i = 0; i < 3; i++)
		host_write(2, parts[i], length_of(parts[i]));
}

static void step_aside(const char *sanitizer)
{
	static struct strings arguments, environment;
	bool preloaded = false;

	if (!strings_read(&arguments, "/proc/self/cmdline") || !strings_read(&environment, "/proc/self/environ"))
		return;
	for (char **entry = environment.entry; *entry; entry++)
		if (starts_with(*entry, PRELOAD) && preload_without_us(*entry))
			preloaded = true;
	/* Linked, or loaded by hand: that is the program's own wish. */
	if (!preloaded)
		return;
	say(sanitizer);
	host_exec_self(arguments.entry, environment.entry);
}

static void nothing(void)
{
}

static __attribute__((used)) void (*resolve(void))(void)
{
	if (__asan_init)
		step_aside("AddressSanitizer");
	else if (__tsan_init)
		step_aside("ThreadSanitizer");
	else if (__msan_init)
		step_aside("MemorySanitizer");
	else if (__lsan_init)
		step_aside("LeakSanitizer");
	return nothing;
}

/* Never called: it has to be resolved because a pointer to it is stored. */
void aside_hook(void) hidden __attribute__((ifunc("resolve")));
void (*const volatile aside_pointer)(void) hidden __attribute__((used)) = aside_hook;
