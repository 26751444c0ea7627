/*
 * views.c: what the machine holds, in the formats of the kernel's files in /proc, and of two of its debugfs.
 *
 * Calls rooms for what they hold. Refuses to know the fields.
 * Semantics: Linux, Documentation/filesystems/proc.rst and proc(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>
#include <unistd.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/irq/irq.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/machine/views.h"
#include "runtime/sched/sched.h"

#define FIRST_BYTES 16384

static const struct view {
	const char *name;
	void (*print)(struct text *text);
} views[] = {
	{"buddyinfo", view_buddyinfo},
	{"extfrag_index", view_extfrag_index},
	{"interrupts", irq_show},
	{"meminfo", view_meminfo},
	{"pagetypeinfo", view_pagetypeinfo},
	{"slabinfo", view_slabinfo},
	{"unusable_index", view_unusable_index},
	{"vmstat", view_vmstat},
	{"zoneinfo", view_zoneinfo},
};

static const struct view *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		if (!strcmp(views[i].name, name))
			return &views[i];
	return NULL;
}

/* The whole view in memory of its own; NULL when that is out. */
static char *print_whole(const struct view *view, size_t *length)
{
	for (size_t size = FIRST_BYTES;; size *= 2) {
		struct text text = TEXT_INIT(sched_zalloc(size), size, -1);

		if (!text.buffer)
			return NULL;
		view->print(&text);
		*length = text.length;
		if (text.length < size - 1)
			return text.buffer;
		sched_free(text.buffer);
	}
}

long flagstone_view(const char *name, char *buffer, size_t size)
{
	const struct view *view = find(name);
	size_t length, kept;
	char *whole;

	if (!view)
		return -ENOENT;
	if (!flagstone_machine_booted() || !current)
		return -ENODEV;
	whole = print_whole(view, &length);
	if (!whole)
		return -ENOMEM;
	kept = length < size ? length : size ? size - 1 : 0;
	if (size) {
		memcpy(buffer, whole, kept);
		buffer[kept] = '\0';
	}
	sched_free(whole);
	return (long)length;
}

static int write_one(const struct view *view, int fd, bool with_name)
{
	char header[64];
	struct text text = TEXT_INIT(header, sizeof(header), fd);
	size_t length;
	char *whole = print_whole(view, &length);

	if (!whole)
		return -ENOMEM;
	if (with_name)
		text_printf(&text, "==> %s <==\n", view->name);
	text_flush(&text);
	host_write(fd, whole, length);
	sched_free(whole);
	return 0;
}

int flagstone_view_write(const char *name, int fd)
{
	const struct view *view = name ? find(name) : NULL;
	int error = 0;

	if (name && !view)
		return -ENOENT;
	if (!flagstone_machine_booted() || !current)
		return -ENODEV;
	if (view)
		return write_one(view, fd, false);
	for (size_t i = 0; i < ARRAY_SIZE(views) && !error; i++)
		error = write_one(&views[i], fd, true);
	return error;
}

void views_write(const char *path)
{
	host_sigmask_t mask = host_signals_block();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	host_signals_restore(mask);
	if (fd < 0) {
		report_note("machine: views=%s cannot be written", path);
		return;
	}
	flagstone_view_write(NULL, fd);
	close(fd);
}
