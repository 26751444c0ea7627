/*
 * steps.c: one child process after the other, of which each is made to fail at the next allocation, and what becomes of it.
 *
 * What a step did is read from its reports: whether the failure came and where, leaks, BUGs. So a step may be any program on a
 * machine. Calls libc and step_state.c; knows nothing of machines.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/machine/steps.h"

#define LINE_BYTES 1024
#define KEPT_BYTES 16384
#define DEADLINE_MS 60000
#define ANSWER_MS 2000
#define PREFIX "flagstone: "
#define WARN_ON_LINE "WARNING: CPU: " /* by printk(), so without the prefix */

/* A child's stderr, line by line as it comes. */
struct listener {
	struct step_state *state; /* or NULL */
	const char *state_name;
	struct flagstone_fail_step *step;
	bool taken; /* the failure has come */
	bool in_stack; /* the lines of its stack come now */
	bool touched, bug, warning;
	unsigned int nr_sites;
	size_t line_length, kept_length;
	char line[LINE_BYTES];
	char kept[KEPT_BYTES]; /* the beginning of all of it */
};

/* ---- what lines mean ---- */

static bool starts(const char *line, const char *prefix)
{
	return !strncmp(line, prefix, strlen(prefix));
}

static void take_site(struct listener *listener, const char *line)
{
	const char *address = strstr(line, "0x");

	if (!starts(line, "  #") || !address) {
		listener->in_stack = false;
		return;
	}
	if (listener->nr_sites < ARRAY_SIZE(listener->step->site))
		listener->step->site[listener->nr_sites++] = strtoul(address, NULL, 16);
}

static bool is_about_free_memory(const char *line)
{
	return strstr(line, "oison overwritten") || strstr(line, "use-after-free") || strstr(line, "ree memory");
}

/* Lines that are why a step is bad: the first of them is kept. */
static void take_reason(struct listener *listener, const char *line)
{
	struct flagstone_fail_step *step = listener->step;

	bool bug = strstr(line, "BUG: "), warning = starts(line, "WARNING: ");

	if (!bug && !warning && !starts(line, "leak: ") && !strstr(line, "has not ended") &&
		!strstr(line, ": leaks not checked"))
		return;
	listener->bug |= bug;
	listener->warning |= warning;
	listener->touched |= is_about_free_memory(line);
	if (!step->text[0])
		strncpy(step->text, line, sizeof(step->text) - 1);
}

static void take_line(struct listener *listener, const char *line)
{
	struct flagstone_fail_step *step = listener->step;
	const char *leaks = PREFIX "machine: ";

	if (starts(line, PREFIX "FAULT_INJECTION: forcing a failure."))
		listener->taken = true;
	else if (starts(line, "task ") && strstr(line, "by fail_nth") && !listener->nr_sites)
		listener->in_stack = true;
	else if (listener->in_stack)
		take_site(listener, line);
	if (starts(line, leaks) && strstr(line, " leaks"))
		step->leaks = atoi(line + strlen(leaks));
	if (starts(line, PREFIX))
		take_reason(listener, line + strlen(PREFIX));
	else if (strstr(line, WARN_ON_LINE))
		take_reason(listener, strstr(line, WARN_ON_LINE));
}

static void take_bytes(struct listener *listener, const char *bytes, size_t length)
{
	size_t kept = KEPT_BYTES - listener->kept_length;

	kept = length < kept ? length : kept;
	memcpy(listener->kept + listener->kept_length, bytes, kept);
	listener->kept_length += kept;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n') {
			if (listener->line_length < LINE_BYTES - 1)
				listener->line[listener->line_length++] = bytes[i];
			continue;
		}
		listener->line[listener->line_length] = '\0';
		take_line(listener, listener->line);
		listener->line_length = 0;
	}
}

/* ---- one step ---- */

static uint64_t now_ms(void)
{
	return host_clock_ns() / 1000000;
}

/* Until the child closes its stderr. False: not within the deadline. */
static bool listen(struct listener *listener, int fd, unsigned int deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint64_t end = now_ms() + deadline_ms, now;
	char bytes[LINE_BYTES];
	ssize_t length;

	while ((now = now_ms()) < end) {
		if (poll(&poll_fd, 1, (int)(end - now)) <= 0)
			continue;
		length = read(fd, bytes, sizeof(bytes));
		if (!length || (length < 0 && errno != EINTR))
			return true;
		take_bytes(listener, bytes, length > 0 ? (size_t)length : 0);
	}
	return false;
}

/* Returns the child and the end of its stderr to read from; below 0: -errno. */
static pid_t start_child(const struct steps *steps, const struct listener *listener, int *fd)
{
	int ends[2];
	pid_t child;

	if (pipe(ends))
		return -errno;
	step_state_begin(listener->state);
	child = fork();
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		if (listener->state)
			setenv(STEP_VARIABLE, listener->state_name, 1);
		steps->body(listener->step->nth, steps->arg);
		_exit(0);
	}
	close(ends[1]);
	*fd = ends[0];
	if (child > 0)
		return child;
	close(ends[0]);
	return -EAGAIN;
}

static enum flagstone_fail_outcome judge(const struct listener *listener, bool hung, int status)
{
	if (hung)
		return FLAGSTONE_FAIL_HUNG;
	if (listener->touched)
		return FLAGSTONE_FAIL_TOUCHED;
	if (WIFSIGNALED(status) || listener->bug)
		return FLAGSTONE_FAIL_CRASHED;
	if (listener->warning)
		return FLAGSTONE_FAIL_WARNED;
	return listener->step->leaks || listener->step->text[0] ? FLAGSTONE_FAIL_LEAKED : FLAGSTONE_FAIL_CLEAN;
}

/* Returns whether the failure came, or -errno. */
static int make_step(const struct steps *steps, const struct flagstone_fail_report *report, struct listener *listener)
{
	struct flagstone_fail_step *step = listener->step;
	int fd = -1, status = 0;
	pid_t child = start_child(steps, listener, &fd);
	bool hung;

	if (child < 0)
		return (int)child;
	hung = !listen(listener, fd, report->deadline_ms ? report->deadline_ms : DEADLINE_MS);
	if (hung) {
		/* A machine answers with its tasks. */
		kill(child, SIGTERM);
		listen(listener, fd, ANSWER_MS);
		kill(child, SIGKILL);
	}
	close(fd);
	waitpid(child, &status, 0);
	step->signal = !hung && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	/* By _exit() or exec, of which nobody in the program is told. */
	if (!hung && WIFEXITED(status) && step_state_has_machine(listener->state))
		take_reason(
			listener, "machine: the program ended without flagstone_machine_shutdown(): leaks not checked");
	step->outcome = judge(listener, hung, status);
	return listener->taken;
}

/* ---- reports ---- */

static void print_replay(const struct steps *steps, struct flagstone_fail_step *step)
{
	struct text text = TEXT_INIT(step->replay, sizeof(step->replay), -1);

	text_printf(&text, "FLAGSTONE_MACHINE=%s%sfail_nth=%u %s", steps->machine, steps->machine[0] ? "," : "",
		step->nth, steps->program);
}

static void report_step(const struct listener *listener)
{
	static const char *const words[] = {"is clean", "leaks", "crashes", "hangs", "touches free memory", "warns"};
	const struct flagstone_fail_step *step = listener->step;

	report_note("fail-each: with allocation %u failing, called from 0x%lx, it %s: %s", step->nth,
		(unsigned long)step->site[0], words[step->outcome], step->text[0] ? step->text : "no report");
	report_note("fail-each: replay: %s", step->replay);
	host_write(STDERR_FILENO, listener->kept, listener->kept_length);
}

static void add_step(const struct listener *listener, struct flagstone_fail_report *report)
{
	report->nr_steps++;
	if (listener->step->outcome == FLAGSTONE_FAIL_CLEAN)
		return;
	if (report->nr_bad < ARRAY_SIZE(report->bad))
		report->bad[report->nr_bad] = *listener->step;
	report->nr_bad++;
	report_step(listener);
}

static bool is_last(const struct steps *steps, const struct flagstone_fail_report *report)
{
	return (steps->first && report->nr_bad && report->nr_steps == 1) ||
	       (report->max_steps && report->nr_steps >= report->max_steps);
}

int steps_run(const struct steps *steps, struct flagstone_fail_report *report)
{
	struct listener *listener = malloc(sizeof(*listener));
	unsigned int nth = steps->first ? steps->first : 1;
	char state_name[STEP_NAME_BYTES];
	struct step_state *state = step_state_create(state_name, sizeof(state_name));
	struct flagstone_fail_step step;
	int taken = listener ? 1 : -ENOMEM;

	report->nr_steps = 0;
	report->nr_bad = 0;
	while (taken > 0) {
		memset(&step, 0, sizeof(step));
		memset(listener, 0, sizeof(*listener));
		step.nth = nth++;
		listener->step = &step;
		listener->state = state;
		listener->state_name = state_name;
		print_replay(steps, &step);
		taken = make_step(steps, report, listener);
		if (taken < 0)
			break;
		if (!taken && steps->must_fail && step.nth == 1 && step.outcome == FLAGSTONE_FAIL_CLEAN) {
			host_write(STDERR_FILENO, listener->kept, listener->kept_length);
			taken = -ENODATA;
			break;
		}
		add_step(listener, report);
		if (is_last(steps, report))
			break;
		/* A clean one says nothing of the others, and its failure may not have come at all. */
		if (steps->first && report->nr_steps == 1)
			nth = taken = 1;
	}
	step_state_destroy(state, state_name);
	free(listener);
	return taken < 0 ? taken : (int)report->nr_bad;
}
