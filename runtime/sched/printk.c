/*
 * printk.c: the kernel log, warnings, and stacks on request.
 *
 * Calls host for output, the slab room's vsnprintf for formatting, report for stacks. Refuses to know about levels beyond leaving them
 * out, and stdio's streams: a call may interrupt another one at any instruction, so each has its buffer on its own stack and takes no
 * lock.
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/sched/sched.h"

#define MOST_BYTES 1000
#define LEVEL_BYTES 2
#define MOST_FRAMES 16
#define STDERR 2

/* The last line has no newline yet. Synchronization: atomic; of two CPUs that print at once each may find the other's line open */
static bool line_open;

/* What kind of line it is: '0' to '7', 'c', or 0 if nothing is said. Moves the text behind that. */
static char take_level(char **text)
{
	char level = 0;

	while ((*text)[0] == KERN_SOH[0] && (*text)[1]) {
		level = (*text)[1];
		*text += 2;
	}
	return level;
}

int vprintk(const char *format, va_list args)
{
	char buffer[1 + LEVEL_BYTES + MOST_BYTES], *text = buffer + 1;
	int length = vsnprintf(text, sizeof(buffer) - 1, format, args);
	bool goes_on = take_level(&text) == 'c';

	length -= (int)(text - buffer) - 1;
	if (length <= 0)
		return 0;
	if (length >= MOST_BYTES) {
		length = MOST_BYTES - 1;
		text[length - 1] = '\n';
	}
	if (__atomic_exchange_n(&line_open, text[length - 1] != '\n', __ATOMIC_RELAXED) && !goes_on) {
		text[-1] = '\n';
		host_write(STDERR, text - 1, (size_t)length + 1);
	} else {
		host_write(STDERR, text, (size_t)length);
	}
	return length;
}

int printk(const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vprintk(format, args);
	va_end(args);
	return length;
}

static void print_stack(void)
{
	uintptr_t frames[MOST_FRAMES];

	report_stack(frames, sched_stack(frames, MOST_FRAMES));
}

static int this_pid(void)
{
	return current ? current->pid : 0;
}

void dump_stack(void)
{
	printk(KERN_DEFAULT "CPU: %d PID: %d Comm: %s\n", raw_smp_processor_id(), this_pid(),
		current ? current->comm : "-");
	print_stack();
}

/* A file's name as its project has it: without the way there from where it was built. */
static const char *short_name(const char *file)
{
	while (!strncmp(file, "../", 3))
		file += 3;
	return file;
}

void flagstone_warn(const char *file, int line, const char *function, const char *format, ...)
{
	va_list args;

	printk(KERN_WARNING "------------[ cut here ]------------\n");
	if (format) {
		va_start(args, format);
		vprintk(format, args);
		va_end(args);
	}
	printk(KERN_WARNING "WARNING: CPU: %d PID: %d at %s:%d %s\n", raw_smp_processor_id(), this_pid(),
		short_name(file), line, function);
	print_stack();
	printk(KERN_WARNING "---[ end trace ]---\n");
}

void flagstone_bug(const char *file, int line)
{
	report_bug("kernel BUG at %s:%d!", short_name(file), line);
	host_abort();
}

void panic(const char *format, ...)
{
	char text[MOST_BYTES - 100]; /* with what is said before it */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printk(KERN_EMERG "Kernel panic - not syncing: %s\n", text);
	dump_stack();
	printk(KERN_EMERG "---[ end Kernel panic - not syncing: %s ]---\n", text);
	host_abort();
}
