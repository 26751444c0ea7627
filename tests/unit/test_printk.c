/*
 * test_printk.c: what the kernel log looks like; modules that are loaded and unloaded together.
 *
 * Broken if this fails: levels show as rubbish, lines run into each other or are lost, or a module that fails leaves others loaded.
 */
#include <errno.h>
#include <flagstone/module.h>
#include <linux/bug.h>
#include <linux/printk.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static int file, true_stderr;
static char log_text[4096];

static void log_begin(void)
{
	true_stderr = dup(2);
	file = memfd_create("log", 0);
	assert_int_equal(dup2(file, 2), 2);
}

static const char *log_end(void)
{
	ssize_t length = pread(file, log_text, sizeof(log_text) - 1, 0);

	dup2(true_stderr, 2);
	close(true_stderr);
	close(file);
	assert_true(length >= 0);
	log_text[length] = '\0';
	return log_text;
}

static void levels_are_not_shown(void **state)
{
	(void)state;
	log_begin();
	pr_info("%s %d %#lx\n", "text", -3, 0x1234ul);
	pr_err("error\n");
	assert_int_equal(printk("plain %c\n", 'x'), 8);
	pr_debug("not printed\n");
	assert_string_equal(log_end(), "text -3 0x1234\nerror\nplain x\n");
}

static void an_open_line_goes_on_or_ends(void **state)
{
	(void)state;
	log_begin();
	pr_info("one");
	pr_cont(", two");
	pr_cont(", three\n");
	pr_info("open");
	pr_info("next\n");
	pr_info("%s", "");
	assert_string_equal(log_end(), "one, two, three\nopen\nnext\n");
}

static void a_long_line_is_cut(void **state)
{
	const char *text;

	(void)state;
	log_begin();
	pr_info("%2000d\n", 1);
	pr_info("next\n");
	text = log_end();
	assert_int_equal(strlen(text), 999 + 5);
	assert_string_equal(text + 998, "\nnext\n");
}

static void a_warning_names_its_place(void **state)
{
	char place[80];
	const char *text, *warning;
	int line;

	(void)state;
	log_begin();
	line = __LINE__ + 1;
	assert_true(WARN(1, "the number is %d\n", 7));
	text = log_end();
	warning = strstr(text, "the number is 7\nWARNING: CPU: ");
	assert_non_null(warning);
	snprintf(place, sizeof(place), " PID: 0 at tests/unit/test_printk.c:%d a_warning_names_its_place\n", line);
	assert_non_null(strstr(warning, place));
}

static char order[16];
static int third_returns;

static void note(char what)
{
	order[strlen(order)] = what;
}

static int first_init(void)
{
	note('a');
	return 0;
}

static int second_init(void)
{
	note('b');
	return 0;
}

static int third_init(void)
{
	note('c');
	return third_returns;
}

static void first_exit(void)
{
	note('A');
}

static void second_exit(void)
{
	note('B');
}

static struct flagstone_module modules[] = {
	{"first", first_init, first_exit, NULL, 0, 0},
	{"second", second_init, second_exit, NULL, 0, 0},
	{"third", third_init, NULL, NULL, 0, 0},
};

static void a_module_that_fails_unloads_those_before(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		flagstone_module_register(&modules[i]);
	flagstone_module_register(&modules[1]);
	third_returns = -ENODEV;
	assert_int_equal(flagstone_modules_load(), -ENODEV);
	assert_string_equal(order, "abcBA");
	memset(order, 0, sizeof(order));
	third_returns = 0;
	assert_int_equal(flagstone_modules_load(), 0);
	assert_int_equal(flagstone_modules_load(), 0);
	assert_string_equal(order, "abc");
	/* It has no exit: nothing is unloaded. */
	assert_int_equal(flagstone_modules_unload(), -EBUSY);
	assert_string_equal(order, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_are_not_shown),
		cmocka_unit_test(an_open_line_goes_on_or_ends),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(a_warning_names_its_place),
		cmocka_unit_test(a_module_that_fails_unloads_those_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
