/*
 * harness.c: options, random numbers, failure, time for the stress programs. See harness.h.
 *
 * Calls libc and the kernel. Refuses to know which allocator answers malloc, beyond its file name.
 */
#include "tests/stress/harness.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t watchdog; /* Synchronization: the thread that starts and stops it */

/* ---- options ---- */

static void usage(const char *program, const struct test_option *options, size_t nr_options)
{
	fprintf(stderr, "usage: %s [options]\n", program);
	for (size_t i = 0; i < nr_options; i++)
		fprintf(stderr, "  %-16s %s (default %ld)\n", options[i].name, options[i].help, *options[i].value);
	exit(2);
}

static const struct test_option *find_option(const char *word, const struct test_option *options, size_t nr_options)
{
	for (size_t i = 0; i < nr_options; i++)
		if (!strcmp(word, options[i].name))
			return &options[i];
	return NULL;
}

void harness_options(int argc, char **argv, const struct test_option *options, size_t nr_options)
{
	for (int i = 1; i < argc; i++) {
		const struct test_option *option = find_option(argv[i], options, nr_options);
		char *end = "";

		if (!option || (!option->is_flag && i + 1 == argc))
			usage(argv[0], options, nr_options);
		if (option->is_flag)
			*option->value = 1;
		else
			*option->value = strtol(argv[++i], &end, 0);
		if (*end)
			usage(argv[0], options, nr_options);
	}
}

double harness_seconds(long option, double fallback)
{
	const char *text = getenv("FLAGSTONE_SOAK_SECONDS");

	if (option > 0)
		return (double)option;
	if (text && atof(text) > 0)
		return atof(text);
	return fallback;
}

long harness_count(long quick, long full)
{
	const char *text = getenv("FLAGSTONE_PROBES");

	return text && !strcmp(text, "full") ? full : quick;
}

uint64_t harness_seed(long option)
{
	struct timespec now;

	if (option > 0)
		return (uint64_t)option;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec) & 0x7fffffffffffu;
}

bool harness_is_peer(void)
{
	const char *text = getenv("FLAGSTONE_TEST_PEER");

	return text && *text == '1';
}

const char *harness_allocator(void)
{
	const char *expected = getenv("FLAGSTONE_TEST_ALLOCATOR");
	const char *name = "unknown";
	void *symbol = dlsym(RTLD_DEFAULT, "malloc");
	Dl_info info;

	if (symbol && dladdr(symbol, &info) && info.dli_fname)
		name = strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname;
	if (expected && !strstr(name, expected))
		fail("malloc is answered by %s, this run is meant for %s", name, expected);
	return name;
}

/* ---- failure ---- */

static void write_all(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(STDERR_FILENO, text, length);

		if (written <= 0)
			return;
		text += written;
		length -= (size_t)written;
	}
}

static void __attribute__((noreturn)) vfail(int status, const char *format, va_list arguments)
{
	char line[512] = "FAIL: ";
	int length = vsnprintf(line + 6, sizeof(line) - 7, format, arguments);

	length = length < 0 ? 0 : length > (int)sizeof(line) - 8 ? (int)sizeof(line) - 8 : length;
	line[6 + length] = '\n';
	write_all(line, (size_t)length + 7);
	if (watchdog > 0)
		kill(watchdog, SIGKILL);
	_exit(status);
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfail(1, format, arguments);
}

void fail_status(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfail(status, format, arguments);
}

void watchdog_start(double seconds, const char *what)
{
	pid_t victim = getpid();
	double end = now_seconds() + seconds;
	char line[160];
	int length = snprintf(line, sizeof(line), "FAIL: %s: still not done after %.0f s, killed\n", what, seconds);

	watchdog = fork();
	if (watchdog != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (now_seconds() < end && getppid() == victim)
		sleep_ms(100);
	if (getppid() == victim) {
		write_all(line, (size_t)length);
		kill(victim, SIGKILL);
	}
	_exit(0);
}

void watchdog_stop(void)
{
	if (watchdog <= 0)
		return;
	kill(watchdog, SIGKILL);
	waitpid(watchdog, NULL, 0);
	watchdog = 0;
}

bool wait_child(pid_t child, double seconds, int *status)
{
	double end = now_seconds() + seconds;
	pid_t done;

	while ((done = waitpid(child, status, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
		if (now_seconds() > end) {
			kill(child, SIGKILL);
			waitpid(child, status, 0);
			return false;
		}
		usleep(200);
	}
	return true;
}

/* ---- random numbers and sizes ---- */

uint64_t rng_next(struct rng *rng)
{
	uint64_t mixed = rng->state += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return mixed ^ (mixed >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)rng_next(rng) * limit) >> 64);
}

struct rng rng_stream(uint64_t seed, uint64_t stream)
{
	struct rng rng = {seed * 0x2545f4914f6cdd1du + stream * 0xd1342543de82ef95u};

	rng_next(&rng);
	return rng;
}

/* Sizes below 2^bits: uniform in the exponent, then in the mantissa; one in four beside a power of two. */
static size_t log_size(struct rng *rng, unsigned int bits)
{
	size_t base = (size_t)1 << rng_below(rng, bits);

	if (rng_below(rng, 4) == 0)
		return base + rng_below(rng, 3) - 1;
	return base + rng_below(rng, base);
}

size_t rng_size(struct rng *rng, size_t max)
{
	uint64_t dice = rng_below(rng, 4096);
	size_t size;

	if (dice < 2048)
		size = 1 + rng_below(rng, 256);
	else if (dice < 3700)
		size = log_size(rng, 12);
	else if (dice < 4040)
		size = log_size(rng, 16);
	else if (dice < 4085)
		size = log_size(rng, 20);
	else
		size = log_size(rng, 25);
	return size < 1 ? 1 : size > max ? 1 + size % max : size;
}

/* ---- stamped blocks ---- */

/* Header: size in the upper 40 bits, below them a hash of size and address, so that a false header shows. */
static uint64_t stamp_header(const void *block, size_t size)
{
	uint64_t hash = ((uintptr_t)block ^ ((uint64_t)size << 20)) * 0x9e3779b97f4a7c15u;

	return (uint64_t)size << 24 | hash >> 40;
}

static uint64_t stamp_word(uint64_t header, size_t index)
{
	return (header + index) * 0xd1342543de82ef95u;
}

void stamp_write(void *block, size_t size)
{
	uint64_t header = stamp_header(block, size);
	unsigned char *bytes = block;
	size_t i;

	memcpy(bytes, &header, 8);
	for (i = 1; i < size / 8; i++) {
		uint64_t word = stamp_word(header, i);

		memcpy(bytes + 8 * i, &word, 8);
	}
	for (size_t at = 8 * i; at < size; at++)
		bytes[at] = (unsigned char)(stamp_word(header, i) >> (8 * (at & 7)));
}

size_t stamp_check(const void *block)
{
	const unsigned char *bytes = block;
	uint64_t header, word, wrong = 0;
	size_t size, i;

	memcpy(&header, bytes, 8);
	size = header >> 24;
	require(header == stamp_header(block, size), "corruption: block %p has a false header %#lx", block,
		(unsigned long)header);
	for (i = 1; i < size / 8; i++) {
		memcpy(&word, bytes + 8 * i, 8);
		wrong |= word ^ stamp_word(header, i);
	}
	for (size_t at = 8 * i; at < size; at++)
		wrong |= bytes[at] ^ (unsigned char)(stamp_word(header, i) >> (8 * (at & 7)));
	require(!wrong, "corruption: a byte of block %p, size %zu, has changed", block, size);
	return size;
}

/* ---- time and memory ---- */

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_ms(long milliseconds)
{
	struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

size_t status_bytes(const char *line)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *found;

	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return 0;
	text[length] = 0;
	found = strstr(text, line);
	return found ? strtoul(found + strlen(line), NULL, 10) * 1024 : 0;
}
