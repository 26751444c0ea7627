/*
 * test_parameters.c: what a machine's config says to modules: where it comes from, which word holds, and what is said of a bad one.
 *
 * What a value means is asked of a real kernel: tests/kernel/ask_parameters.c. Broken if this fails: a module runs with another value
 * than the config has, a mistake in it goes unnoticed, or a run cannot be repeated.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static int rate = 3;
module_param(rate, int, 0644);
static bool verbose;
module_param(verbose, bool, 0644);
static char *name = "default";
module_param(name, charp, 0644);
MODULE_PARM_DESC(name, "What it is called");
static int lines[4] = {9, 8, 7, 6};
static unsigned int nr_lines;
module_param_array_named(irq_lines, lines, int, &nr_lines, 0444);

static int rate_at_init, nr_inits;
static char name_at_init[64];

static int __init subject_init(void)
{
	rate_at_init = rate;
	strcpy(name_at_init, name);
	nr_inits++;
	kfree(kmalloc(100, GFP_KERNEL));
	return 0;
}

static void __exit subject_exit(void)
{
}

module_init(subject_init);
module_exit(subject_exit);
MODULE_LICENSE("GPL");

/* What a run says. */
static int file, true_stderr;
static char said[8192];

static void log_begin(void)
{
	true_stderr = dup(2);
	file = memfd_create("log", 0);
	assert_int_equal(dup2(file, 2), 2);
}

static void log_end(void)
{
	ssize_t length = pread(file, said, sizeof(said) - 1, 0);

	dup2(true_stderr, 2);
	close(true_stderr);
	close(file);
	assert_true(length >= 0);
	said[length] = '\0';
}

/* Boots, loads and unloads; returns what loading did. Look at what was found while loaded. */
static int run(const char *text, void (*look)(void))
{
	int error;

	log_begin();
	error = flagstone_machine_boot_text(text);
	if (!error) {
		error = flagstone_modules_load();
		if (!error) {
			if (look)
				look();
			assert_int_equal(flagstone_modules_unload(), 0);
		}
		assert_int_equal(flagstone_machine_shutdown(), 0);
	}
	log_end();
	return error;
}

static void look_at_all(void)
{
	assert_int_equal(rate, 100);
	assert_true(verbose);
	assert_string_equal(name, "two words, # and more");
	assert_int_equal(nr_lines, 3);
	assert_int_equal(lines[0], 1);
	assert_int_equal(lines[2], 3);
	assert_int_equal(lines[3], 6);
}

static void values_are_there_before_init(void **state)
{
	(void)state;
	assert_int_equal(
		run("cpus=2,test_parameters.rate=100,test_parameters.verbose,"
		    "test_parameters.name=\"two words, # and more\",test-parameters.irq-lines=\"1,2,3\",ram=32m",
			look_at_all),
		0);
	assert_int_equal(rate_at_init, 100);
	assert_string_equal(name_at_init, "two words, # and more");
	assert_string_equal(said, "");
	/* One a line, as in a file. */
	assert_int_equal(run("ram=32m\n test_parameters.rate = 100 # much\n", NULL), 0);
	assert_int_equal(rate_at_init, 100);
	assert_int_equal(run("ram=32m\n test_parameters.rate=77 # much\ncpus=2\n", NULL), 0);
	assert_int_equal(rate_at_init, 77);
	assert_int_equal(run("ram=32m\ntest_parameters.name=no quotes\n", NULL), 0);
	assert_string_equal(name_at_init, "no quotes");
}

static void a_module_begins_anew(void **state)
{
	(void)state;
	assert_int_equal(run("ram=32m,test_parameters.rate=5,test_parameters.irq_lines=4", NULL), 0);
	assert_int_equal(rate_at_init, 5);
	assert_int_equal(rate, 3);
	assert_int_equal(lines[0], 9);
	assert_int_equal(nr_lines, 0);
	assert_int_equal(run("ram=32m", NULL), 0);
	assert_int_equal(rate_at_init, 3);
	assert_string_equal(name_at_init, "default");
}

static void the_last_word_holds_and_the_environment_has_it(void **state)
{
	(void)state;
	assert_int_equal(run("ram=32m,test_parameters.rate=5,test_parameters.rate=6", NULL), 0);
	assert_int_equal(rate_at_init, 6);
	setenv("FLAGSTONE_MACHINE", "test_parameters.rate=7,cpus=1", 1);
	assert_int_equal(run("ram=32m,test_parameters.rate=5,test_parameters.name=kept", NULL), 0);
	unsetenv("FLAGSTONE_MACHINE");
	assert_int_equal(rate_at_init, 7);
	assert_string_equal(name_at_init, "kept");
}

static void the_struct_has_them_as_a_command_line(void **state)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	(void)state;
	strcpy(config.parameters, "other.x=1  test_parameters.rate=8 test_parameters.irq_lines=5,6");
	log_begin();
	assert_int_equal(flagstone_machine_boot(&config), 0);
	assert_int_equal(flagstone_modules_load(), 0);
	assert_int_equal(lines[1], 6);
	assert_int_equal(flagstone_modules_unload(), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
	log_end();
	assert_int_equal(rate_at_init, 8);
	assert_string_equal(said, "flagstone: module other: there is none; its parameter 'x' is ignored\n");
	memset(config.parameters, 'x', sizeof(config.parameters));
	assert_int_equal(flagstone_machine_config_check(&config), -EINVAL);
}

static void mistakes_are_told(void **state)
{
	(void)state;
	assert_int_equal(run("ram=32m,test_parameters.speed=1", NULL), 0);
	assert_string_equal(said, "test_parameters: unknown parameter 'speed' ignored\n");
	nr_inits = 0;
	assert_int_equal(run("ram=32m,test_parameters.rate=fast", NULL), -EINVAL);
	assert_string_equal(said, "test_parameters: `fast' invalid for parameter `rate'\n");
	assert_int_equal(run("ram=32m,test_parameters.rate=99999999999", NULL), -ERANGE);
	assert_string_equal(said, "test_parameters: `99999999999' invalid for parameter `rate'\n");
	assert_int_equal(run("ram=32m,test_parameters.rate", NULL), -EINVAL);
	assert_string_equal(said, "test_parameters: `' invalid for parameter `rate'\n");
	assert_int_equal(run("ram=32m,test_parameters.irq_lines=\"1,2,3,4,5\"", NULL), -EINVAL);
	assert_string_equal(said, "irq_lines: can only take 4 arguments\n"
				  "test_parameters: `1,2,3,4,5' invalid for parameter `irq_lines'\n");
	assert_int_equal(nr_inits, 0);
	assert_int_equal(rate, 3);
	assert_int_equal(lines[0], 9);
	assert_int_equal(run("ram=32m,test_parameters.name=\"open", NULL), -EINVAL);
	assert_string_equal(said, "flagstone: machine text: a quote is not closed: test_parameters.name=\"open\n");
}

static void what_does_not_fit_is_refused(void **state)
{
	char text[2048] = "ram=32m,test_parameters.name=";

	(void)state;
	memset(text + strlen(text), 'x', 1100);
	assert_int_equal(run(text, NULL), -EINVAL);
	assert_string_equal(said, "flagstone: machine text: parameters of modules take more than 1023 bytes\n");
}

static void a_replay_has_them(void **state)
{
	char replay[512], *begin, *end;

	(void)state;
	assert_int_equal(run("ram=32m,fail_nth=1,test_parameters.name=\"a, b\",test_parameters.rate=12", NULL), 0);
	begin = strstr(said, "replay: FLAGSTONE_MACHINE=");
	assert_non_null(begin);
	begin += strlen("replay: FLAGSTONE_MACHINE=");
	end = strchr(begin, '\n');
	assert_non_null(end);
	*end = '\0';
	strcpy(replay, begin);
	assert_int_equal(run(replay, NULL), 0);
	assert_int_equal(rate_at_init, 12);
	assert_string_equal(name_at_init, "a, b");
	assert_non_null(strstr(said, replay));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_there_before_init),
		cmocka_unit_test(a_module_begins_anew),
		cmocka_unit_test(the_last_word_holds_and_the_environment_has_it),
		cmocka_unit_test(the_struct_has_them_as_a_command_line),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(a_replay_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
