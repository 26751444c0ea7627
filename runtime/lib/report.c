/*
 * report.c: notes and BUG reports on stderr.
 *
 * Calls host for output and /proc/self/maps, text for formatting, lock so that reports do not mix.
 * Refuses to know what went wrong, symbol tables, and stdio.
 */
#include "runtime/lib/report.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/text.h"

#define NOTE_BYTES 1024
#define NR_FRAMES 16
#define MODULE_BYTES 48
#define STDERR 2

unsigned long report_on_bug = REPORT_BUG_ABORT;

static struct lock report_lock = {.rank = LOCK_REPORT};
static host_sigmask_t report_mask; /* of who is between report_begin() and report_end(). Synchronization: report_lock */

/* Return addresses of the calling thread. */
struct frames {
	unsigned int nr;
	uintptr_t address[NR_FRAMES];
	uintptr_t offset[NR_FRAMES]; /* in the module, by its first mapping */
	char module[NR_FRAMES][MODULE_BYTES]; /* file name without folder; empty: in no file */
};

/* /proc/self/maps, read in pieces. */
struct maps {
	int fd;
	size_t next, end; /* bytes[next, end) are not consumed yet */
	char bytes[512];
};

/* One line of it. */
struct mapping {
	uintptr_t start, end, offset;
	char name[MODULE_BYTES]; /* what follows the last '/', cut; empty: anonymous, or not a file */
};

/*
 * What a report needs beside the stack of its caller, which may be a small signal stack.
 *
 * Synchronization: report_lock
 */
static struct {
	struct frames frames;
	struct maps maps;
	struct mapping mapping;
	char text[NOTE_BYTES];
} scratch;

/* ---- the mappings of this process ---- */

/* The next byte, -1 at the end. */
static int maps_peek(struct maps *maps)
{
	long length;

	if (maps->next == maps->end) {
		length = host_read(maps->fd, maps->bytes, sizeof(maps->bytes));
		maps->next = 0;
		maps->end = length > 0 ? (size_t)length : 0;
	}
	return maps->end ? (unsigned char)maps->bytes[maps->next] : -1;
}

static void maps_open(struct maps *maps)
{
	maps->fd = host_open("/proc/self/maps");
	maps->next = 0;
	maps->end = 0;
}

static void maps_close(struct maps *maps)
{
	if (maps->fd >= 0)
		host_close(maps->fd);
}

/* The value of a hexadecimal digit, -1 of anything else. */
static int hex_digit(int byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* A hexadecimal number and the byte behind it. */
static uintptr_t maps_take_hex(struct maps *maps)
{
	uintptr_t number = 0;

	for (; hex_digit(maps_peek(maps)) >= 0; maps->next++)
		number = number * 16 + (uintptr_t)hex_digit(maps_peek(maps));
	if (maps_peek(maps) >= 0)
		maps->next++;
	return number;
}

/* A word and the blanks behind it. */
static void maps_skip_word(struct maps *maps)
{
	for (; maps_peek(maps) > ' '; maps->next++)
		;
	for (; maps_peek(maps) == ' '; maps->next++)
		;
}

/* The rest of the line. */
static void maps_take_name(struct maps *maps, char *name)
{
	size_t length = 0;
	bool is_file = false;
	int byte;

	while ((byte = maps_peek(maps)) >= 0) {
		maps->next++;
		if (byte == '\n')
			break;
		if (byte == '/') {
			is_file = true;
			length = 0;
		} else if (is_file && length < MODULE_BYTES - 1) {
			name[length++] = (char)byte;
		}
	}
	name[length] = '\0';
}

static bool maps_next(struct maps *maps, struct mapping *mapping)
{
	if (maps->fd < 0 || maps_peek(maps) < 0)
		return false;
	mapping->start = maps_take_hex(maps);
	mapping->end = maps_take_hex(maps);
	maps_skip_word(maps); /* rights */
	mapping->offset = maps_take_hex(maps);
	maps_skip_word(maps); /* device */
	maps_skip_word(maps); /* inode */
	maps_take_name(maps, mapping->name);
	return true;
}

/* ---- the caller's stack ---- */

/*
 * Follows frame pointers, upwards only and only inside the mapping that the first one is in: code that uses the
 * register for something else ends the walk, and never makes it fault.
 */
__attribute__((no_sanitize("address", "thread"))) unsigned int report_walk(
	const void *first, uintptr_t stack_end, uintptr_t *address, unsigned int max)
{
	const uintptr_t *frame = first;
	unsigned int nr = 0;

	while (nr < max && (uintptr_t)frame <= stack_end - 2 * sizeof(*frame) && frame[1]) {
		uintptr_t next = frame[0];

		address[nr++] = frame[1];
		if (next <= (uintptr_t)frame || next % sizeof(*frame))
			break;
		frame = (const uintptr_t *)next;
	}
	return nr;
}

/* The mapping that address is in, in scratch.mapping; false if that cannot be told. */
static bool __mapping_find(uintptr_t address)
{
	bool found = false;

	maps_open(&scratch.maps);
	while (!found && maps_next(&scratch.maps, &scratch.mapping))
		found = scratch.mapping.start <= address && address < scratch.mapping.end;
	maps_close(&scratch.maps);
	return found;
}

/* Enters the module into every frame that is inside the mapping. */
static void frames_name(struct frames *frames, const struct mapping *mapping, uintptr_t base)
{
	unsigned int i;

	for (i = 0; i < frames->nr; i++) {
		if (frames->address[i] < mapping->start || frames->address[i] >= mapping->end)
			continue;
		memcpy(frames->module[i], mapping->name, MODULE_BYTES);
		frames->offset[i] = frames->address[i] - base;
	}
}

/* The mappings of one file follow each other, the one of its beginning first. */
static void frames_find_modules(struct frames *frames)
{
	char current[MODULE_BYTES] = "";
	uintptr_t base = 0;

	memset(frames->module, 0, sizeof(frames->module));
	maps_open(&scratch.maps);
	while (maps_next(&scratch.maps, &scratch.mapping)) {
		if (!scratch.mapping.name[0])
			continue;
		if (strcmp(current, scratch.mapping.name) != 0)
			base = scratch.mapping.start - scratch.mapping.offset;
		memcpy(current, scratch.mapping.name, MODULE_BYTES);
		frames_name(frames, &scratch.mapping, base);
	}
	maps_close(&scratch.maps);
}

/* Synchronization: atomic */
static const char *(*symbol_find)(uintptr_t address, uintptr_t *offset, uintptr_t *size);

void report_set_symbols(const char *(*find)(uintptr_t address, uintptr_t *offset, uintptr_t *size))
{
	__atomic_store_n(&symbol_find, find, __ATOMIC_RELEASE);
}

const char *report_symbol(uintptr_t address, uintptr_t *offset, uintptr_t *size)
{
	const char *(*find)(uintptr_t, uintptr_t *, uintptr_t *) = __atomic_load_n(&symbol_find, __ATOMIC_ACQUIRE);

	return find ? find(address, offset, size) : NULL;
}

static void symbol_print(uintptr_t address, struct text *text)
{
	uintptr_t offset, size;
	const char *name = report_symbol(address, &offset, &size);

	if (name)
		text_printf(text, " (%s+0x%lx)", name, (unsigned long)offset);
}

static void frames_print(const struct frames *frames, struct text *text)
{
	unsigned int i;

	for (i = 0; i < frames->nr; i++) {
		text_printf(text, "  #%u %p", i, (void *)frames->address[i]);
		if (frames->module[i][0])
			text_printf(text, " %s+0x%lx", frames->module[i], (unsigned long)frames->offset[i]);
		symbol_print(frames->address[i], text);
		text_printf(text, "\n");
	}
}

/* The frames' addresses are there. */
static void __frames_report(void)
{
	struct text text = TEXT_INIT(scratch.text, sizeof(scratch.text), STDERR);

	frames_find_modules(&scratch.frames);
	frames_print(&scratch.frames, &text);
	text_flush(&text);
}

static void backtrace_print(const void *frame)
{
	if (!__mapping_find((uintptr_t)frame))
		return;
	scratch.frames.nr = report_walk(frame, scratch.mapping.end, scratch.frames.address, NR_FRAMES);
	__frames_report();
}

/* ---- the interface ---- */

/* One line by one write: what does not fit is cut, the newline is not. */
__attribute__((format(printf, 2, 0))) static void line_write(const char *prefix, const char *format, va_list args)
{
	char buffer[NOTE_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer) - 1, -1);

	text_printf(&text, "%s", prefix);
	text_vprintf(&text, format, args);
	buffer[text.length] = '\n';
	host_write(STDERR, buffer, text.length + 1);
}

void report_note(const char *format, ...)
{
	host_sigmask_t mask = host_signals_block();
	va_list args;

	lock_acquire(&report_lock);
	va_start(args, format);
	line_write("flagstone: ", format, args);
	va_end(args);
	lock_release(&report_lock);
	host_signals_restore(mask);
}

void report_bug_end(void)
{
	if (report_on_bug != REPORT_BUG_CONTINUE)
		host_abort();
}

/* Aborts without letting go of the lock: the first report is the last. */
void report_bug(const char *format, ...)
{
	host_sigmask_t mask = host_signals_block();
	va_list args;

	lock_acquire(&report_lock);
	va_start(args, format);
	line_write("flagstone: BUG: ", format, args);
	va_end(args);
	backtrace_print(__builtin_frame_address(0));
	report_bug_end();
	lock_release(&report_lock);
	host_signals_restore(mask);
}

void report_begin(const char *kind, const char *format, ...)
{
	host_sigmask_t mask = host_signals_block();
	char prefix[32];
	struct text text = TEXT_INIT(prefix, sizeof(prefix), -1);
	va_list args;

	lock_acquire(&report_lock);
	report_mask = mask;
	text_printf(&text, "flagstone: %s", kind);
	va_start(args, format);
	line_write(prefix, format, args);
	va_end(args);
}

void report_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_write("", format, args);
	va_end(args);
}

void report_frames(const uintptr_t *address, unsigned int nr)
{
	scratch.frames.nr = nr < NR_FRAMES ? nr : NR_FRAMES;
	memcpy(scratch.frames.address, address, scratch.frames.nr * sizeof(*address));
	__frames_report();
}

void report_close(void)
{
	host_sigmask_t mask = report_mask;

	lock_release(&report_lock);
	host_signals_restore(mask);
}

void report_end(void)
{
	report_bug_end();
	report_close();
}

void report_stack(const uintptr_t *address, unsigned int nr)
{
	host_sigmask_t mask = host_signals_block();

	lock_acquire(&report_lock);
	report_frames(address, nr);
	lock_release(&report_lock);
	host_signals_restore(mask);
}

bool report_mapping(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	host_sigmask_t mask = host_signals_block();
	bool found;

	lock_acquire(&report_lock);
	found = __mapping_find(address);
	*start = scratch.mapping.start;
	*end = scratch.mapping.end;
	lock_release(&report_lock);
	host_signals_restore(mask);
	return found;
}

void report_fork_prepare(void)
{
	lock_acquire(&report_lock);
}

void report_fork_parent(void)
{
	lock_release(&report_lock);
}

void report_fork_child(void)
{
	lock_reinit(&report_lock);
}
