/*
 * test_formats.c: texts by the kernel's formats where they are cut, the names of functions, and limits that CPUs share.
 *
 * What each format prints is asked of a real kernel: tests/kernel/ask_formats.c. Broken if this fails: a text runs over its buffer, a
 * report names no function, or more is printed than a limit lets through.
 */
#define pr_fmt(fmt) "here: " fmt
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "booted.h"

static const char whole[] = "-EIO|  7|01 02 03|0x00ff|x";

static int print_into(char *buffer, size_t size)
{
	static const u8 bytes[] = {1, 2, 3};

	return snprintf(buffer, size, "%pe|%3d|%*ph|%#06x|%c", ERR_PTR(-EIO), 7, 3, bytes, 255, 'x');
}

static void a_text_is_cut_where_its_room_ends(void **state)
{
	char buffer[sizeof(whole) + 8];

	(void)state;
	assert_int_equal(print_into(NULL, 0), sizeof(whole) - 1);
	for (size_t size = 1; size <= sizeof(whole) + 4; size++) {
		size_t kept = size < sizeof(whole) ? size - 1 : sizeof(whole) - 1;

		memset(buffer, '#', sizeof(buffer));
		assert_int_equal(print_into(buffer, size), sizeof(whole) - 1);
		assert_memory_equal(buffer, whole, kept);
		assert_int_equal(buffer[kept], '\0');
		assert_int_equal(buffer[size], '#');
	}
	assert_int_equal(scnprintf(buffer, 3, "%pe", ERR_PTR(-EIO)), 2);
	assert_int_equal(sprintf(buffer, "%pe", ERR_PTR(-EIO)), 4);
	assert_string_equal(buffer, "-EIO");
}

static void what_is_no_format_ends_the_text(void **state)
{
	char buffer[80];
	int untouched = 5;

	(void)state;
/* On purpose. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	assert_int_equal(snprintf(buffer, 80, "a %d %n %d", 1, &untouched, 2), 9);
	assert_string_equal(buffer, "a 1 %n %d");
	assert_int_equal(untouched, 5);
	assert_int_equal(snprintf(buffer, 80, "end %"), 5);
#pragma GCC diagnostic pop
	assert_string_equal(buffer, "end %");
	snprintf(buffer, 80, "%.2f %Lg %e", 1.5, 2.25l, 1e3);
	assert_string_equal(buffer, "1.50 2.25 1.000000e+03");
}

static void memory_is_as_long_as_the_text(void **state)
{
	char *text = kasprintf(GFP_KERNEL, "%pe and %*phN", ERR_PTR(-ENOMEM), 2, "ab");

	(void)state;
	assert_string_equal(text, "-ENOMEM and 6162");
	kfree(text);
}

static void functions_have_names_on_a_machine(void **state)
{
	char name[80], offset[80], back[80], expected[80];
	int (*function)(const char *, ...) = printf; /* libc's, which exports it */
	unsigned long size;

	(void)state;
	snprintf(name, 80, "%ps", (void *)function);
	snprintf(offset, 80, "%pS", (void *)((char *)function + 4));
	snprintf(back, 80, "%pB", (void *)((char *)function + 4));
	snprintf(expected, 80, "%s+0x4/0x", name);
	assert_non_null(strstr(name, "printf"));
	assert_memory_equal(offset, expected, strlen(expected));
	assert_int_equal(sscanf(offset + strlen(expected), "%lx", &size), 1);
	assert_true(size > 4);
	assert_string_equal(back, offset);
	/* The byte behind the function's last one: of a call at its end that does not return. */
	snprintf(back, 80, "%pB", (void *)((char *)function + size));
	snprintf(expected, 80, "%s+0x%lx/0x%lx", name, size, size);
	assert_string_equal(back, expected);
	snprintf(name, 80, "%pS", (void *)0x123);
	assert_string_equal(name, "0x123");
}

/* ---- limits ---- */

static struct ratelimit_state shared;
static DECLARE_COMPLETION(asked);
static int passed, refused;

static int ask_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		__atomic_add_fetch(__ratelimit(&shared) ? &passed : &refused, 1, __ATOMIC_RELAXED);
	complete(&asked);
	return 0;
}

static void cpus_share_a_limit(void **state)
{
	struct task_struct *tasks[4];

	(void)state;
	passed = refused = 0;
	ratelimit_state_init(&shared, 3600 * HZ, 50);
	for (int cpu = 0; cpu < 4; cpu++) {
		tasks[cpu] = kthread_create_on_cpu(ask_often, NULL, (unsigned int)cpu, "ask/%u");
		assert_false(IS_ERR(tasks[cpu]));
		get_task_struct(tasks[cpu]);
		wake_up_process(tasks[cpu]);
	}
	for (int cpu = 0; cpu < 4; cpu++)
		wait_for_completion(&asked);
	for (int cpu = 0; cpu < 4; cpu++) {
		kthread_stop(tasks[cpu]);
		put_task_struct(tasks[cpu]);
	}
	/* Who found it taken was refused, too; with 4000 calls the 50 are used up all the same. */
	assert_int_equal(passed, 50);
	assert_true(refused >= shared.missed && shared.missed > 0);
	ratelimit_state_init(&shared, 3600 * HZ, 0);
	assert_false(__ratelimit(&shared));
	ratelimit_default_init(&shared);
	assert_true(__ratelimit(&shared));
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void print_once_and_limited(void)
{
	for (int i = 0; i < 20; i++) {
		pr_emerg_once("e\n");
		pr_warn_ratelimited("w %d\n", i);
		printk_ratelimited("p\n");
		pr_debug_ratelimited("not printed\n");
		if (printk_ratelimit())
			printk("asked\n");
	}
	print_hex_dump_bytes("dump ", DUMP_PREFIX_ADDRESS, "0123456789", 10);
	print_hex_dump_debug("not printed ", DUMP_PREFIX_NONE, 16, 1, "0", 1, true);
	printk("%s%s\n", KERN_INFO, "level");
}

static void each_place_has_its_limit(void **state)
{
	int file = memfd_create("log", 0), true_stderr = dup(2);
	static char text[4096];
	ssize_t length;

	(void)state;
	dup2(file, 2);
	print_once_and_limited();
	dup2(true_stderr, 2);
	close(true_stderr);
	length = pread(file, text, sizeof(text) - 1, 0);
	close(file);
	assert_true(length > 0);
	assert_int_equal(count_lines(text), 1 + 10 + 10 + 10 + 1 + 1);
	assert_non_null(strstr(text, "here: w 9\n"));
	assert_null(strstr(text, "w 10"));
	assert_null(strstr(text, "not printed"));
	assert_non_null(strstr(text, ": 30 31 32 33 34 35 36 37 38 39                    0123456789\n"));
	assert_null(strstr(text, KERN_INFO));
	assert_non_null(strstr(text, "\nlevel\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_cut_where_its_room_ends),
		cmocka_unit_test(what_is_no_format_ends_the_text),
		cmocka_unit_test_setup_teardown(memory_is_as_long_as_the_text, boot, shut_down),
		cmocka_unit_test_setup_teardown(functions_have_names_on_a_machine, boot, shut_down),
		cmocka_unit_test_setup_teardown(cpus_share_a_limit, boot, shut_down),
		cmocka_unit_test_setup_teardown(each_place_has_its_limit, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
