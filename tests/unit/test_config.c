/*
 * test_config.c: the table of a machine's config: what texts set, what is refused and with which words, what it prints.
 *
 * Broken if this fails: a machine is not the one that its config describes, or nonsense boots, or is refused without a reason.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/config.h"
#include "tests/unit/child.h"

static char output[8192];

#define LETTERS "allowed are letters of FZPU or -, then :cache and ;"
#define ALLOWED                                                                                                      \
	"allowed is interval:probability:space:times, then knob=value, of probability interval times space verbose " \
	"task-filter "                                                                                               \
	"stacktrace-depth require-start require-end reject-start reject-end ignore-gfp-wait"

static void boot(void *text)
{
	flagstone_machine_boot_text(text);
}

/* What a text is told; "": it is a machine. */
static void expect(const char *text, const char *said)
{
	assert_int_equal(child_run(boot, (void *)(uintptr_t)text, output, sizeof(output)), 0);
	assert_string_equal(output, said);
}

static void texts_set_fields(void **state)
{
	struct flagstone_machine_config config;

	(void)state;
	assert_int_equal(flagstone_machine_config_parse(&config, "cpus=8,ram=256m,nodes=2,highmem=192m,seed=7"), 0);
	assert_int_equal(config.cpus, 8);
	assert_int_equal(config.ram, 256 << 20);
	assert_int_equal(config.nodes, 2);
	assert_int_equal(config.highmem, 192 << 20);
	assert_int_equal(config.seed, 7);
	assert_int_equal(config.tracking, 1);
	assert_int_equal(flagstone_machine_config_check(&config), 0);
}

static void files_have_lines_and_comments(void **state)
{
	struct flagstone_machine_config config;

	(void)state;
	assert_int_equal(flagstone_machine_config_parse(&config, "# a machine, with highmem=1k in a comment\n"
								 "cpus = 2   # two\r\n"
								 "\n"
								 "ram=64m,oom=panic\n"
								 "failslab=1:10:0:-1:task-filter=Y\n"
								 "tracking=0"),
		0);
	assert_int_equal(config.cpus, 2);
	assert_int_equal(config.ram, 64 << 20);
	assert_int_equal(config.oom, FLAGSTONE_OOM_PANIC);
	assert_int_equal(config.tracking, 0);
	assert_int_equal(config.highmem, 0);
	assert_string_equal(config.failslab, "1:10:0:-1:task-filter=Y");
}

static void an_empty_text_is_the_default(void **state)
{
	struct flagstone_machine_config config;
	const struct flagstone_machine_config defaults = FLAGSTONE_MACHINE_CONFIG_INIT;

	(void)state;
	assert_int_equal(flagstone_machine_config_parse(&config, ""), 0);
	assert_memory_equal(&config, &defaults, sizeof(config));
	assert_int_equal(flagstone_machine_config_check(&config), 0);
	assert_int_equal(flagstone_machine_config_parse(&config, NULL), 0);
	assert_memory_equal(&config, &defaults, sizeof(config));
}

static const struct {
	const char *text, *said;
} nonsense[] = {
	{"cpus=0", "machine text: value '0' of cpus is out of range. Valid: 1..256"},
	{"cpus=257", "machine text: value '257' of cpus is out of range. Valid: 1..256"},
	{"cpus=two", "machine text: value 'two' of cpus is not a number. Valid: 1..256"},
	{"ram=4m", "machine text: value '4m' of ram is out of range. Valid: 8m..64g"},
	{"ram=9m", "machine text: ram=9m cannot be: allowed is a multiple of 4m"},
	{"ram=16m,cpus=8,nodes=8", "machine text: ram=16m cannot be beside nodes=8 (machine text): allowed is a "
				   "multiple of 4m for each node"},
	{"cpu=2", "machine text: unknown name 'cpu', did you mean 'cpus'?"},
	{"oom=kil", "machine text: unknown value 'kil' of oom, did you mean 'kill'? Valid: kill, fail, panic"},
	{"cpus=2,nodes=3,ram=12m",
		"machine text: nodes=3 cannot be beside cpus=2 (machine text): allowed is at most one for each CPU"},
	{"nodes=17", "machine text: value '17' of nodes is out of range. Valid: 1..16"},
	{"dma=16m,dma32=16m", "machine text: dma32=16m cannot be beside dma=16m (machine text): allowed is above dma: "
			      "the zones overlap"},
	{"dma=16m,highmem=8m", "machine text: highmem=8m cannot be beside dma=16m (machine text): allowed is dma or "
			       "above: the zones overlap"},
	{"dma32=32m,highmem=16m", "machine text: highmem=16m cannot be beside dma32=32m (machine text): allowed is "
				  "dma32 or above: the zones overlap"},
	{"highmem=128m", "machine text: highmem=128m cannot be beside ram=64m (default): allowed is within ram, or 0 "
			 "for no such zone"},
	{"dma=5m", "machine text: dma=5m cannot be: allowed is a multiple of 4m"},
	{"ram=8m,min_free_kbytes=4000", "machine text: min_free_kbytes=4000 cannot be beside ram=8m (machine text): "
					"allowed is 0..2048, a quarter of ram"},
	{"lowmem_reserve=256",
		"machine text: lowmem_reserve=256 cannot be: allowed are three numbers, DMA:DMA32:Normal"},
	{"distances=10:20", "machine text: distances=10:20 cannot be beside nodes=1 (default): allowed are 1 numbers, "
			    "nodes * nodes"},
	{"nodes=2,distances=10:5:20:10", "machine text: distances=5 cannot be: allowed is 10..254"},
	{"failslab=1:101", "machine text: failslab=1:101 cannot be, from '101' on: probability is a whole "
			   "number, 0..100, for it is a "
			   "percentage"},
	{"failslab=1:1:0:-1:min-order=2",
		"machine text: failslab=1:1:0:-1:min-order=2 cannot be, from 'min-order=2' on: " ALLOWED
		" cache-filter"},
	{"failslab=1:1:0:-1:task-filter=X", "machine text: failslab=1:1:0:-1:task-filter=X cannot be, from "
					    "'task-filter=X' on: task-filter is Y or N"},
	{"failslab=1:1:0:-2",
		"machine text: failslab=1:1:0:-2 cannot be, from '-2' on: times is a whole number, -1 or more"},
	{"fail_page_alloc=1:1:0:-1:9", "machine text: fail_page_alloc=1:1:0:-1:9 cannot be, from '9' on: " ALLOWED
				       " ignore-gfp-highmem min-order"},
	{"slub_debug=FX:kmalloc-64",
		"machine text: slub_debug=FX:kmalloc-64 cannot be, from 'X:kmalloc-64' on: " LETTERS},
	{"cpus=2\nslub_debug=P:kmalloc-64;PX",
		"machine text:2: slub_debug=P:kmalloc-64;PX cannot be, from 'X' on: " LETTERS},
	{"cpus=2,cpus=3", "machine text: cpus is set twice, to '2' and to '3'"},
	{"cpus=2\n\ncpus=3", "machine text:3: cpus is set twice, to '2' in machine text:1 and to '3'"},
	{"views=/tmp/a\nviews=/tmp/b",
		"machine text:2: views is set twice, to '/tmp/a' in machine text:1 and to '/tmp/b'"},
	{"tracking,tracking=0", "machine text: tracking is set twice, to '1' and to '0'"},
	{"nodes=3",
		"machine text: nodes=3 cannot be beside ram=64m (default): allowed is a multiple of 4m for each node"},
	{"cpus", "machine text: cpus has no value. Valid: 1..256; for example cpus=4"},
	{"cpus=", "machine text: cpus has no value. Valid: 1..256; for example cpus=4"},
	{"dma", "machine text: dma has no value. Valid: 0..64g; for example dma=16m"},
	{"oom", "machine text: oom has no value. Valid: kill, fail, panic; for example oom=kill"},
	{"views", "machine text: views has no value. Valid: a path; for example views=machine.views"},
	{"failslab", "machine text: failslab has no value. Valid: interval:probability:space:times:knob=value...; "
		     "for example failslab=1:10:0:-1"},
	{"cpus=4k", "machine text: value '4k' of cpus has a suffix, which only sizes have. Valid: 1..256"},
	{"nodes=1m", "machine text: value '1m' of nodes has a suffix, which only sizes have. Valid: 1..16"},
	{"seed=2g", "machine text: value '2g' of seed has a suffix, which only sizes have. Valid: 0 or more"},
	{"min_free_kbytes=4k",
		"machine text: value '4k' of min_free_kbytes has a suffix, which only sizes have. Valid: 0..1048576"},
	{"ram=big", "machine text: value 'big' of ram is not a number. Valid: 8m..64g, with k, m or g"},
	{"rma=8m", "machine text: unknown name 'rma', did you mean 'ram'?"},
	{"fail=1", "machine text: unknown name 'fail', did you mean 'fail_nth'?"},
	{"colour=9", "machine text: unknown name 'colour'. There are: cpus, ram, nodes, dma, dma32, highmem, "
		     "min_free_kbytes, lowmem_reserve, distances, seed, preempt, tracking, context, lockdep, "
		     "hung_task_timeout_secs, hung_task_panic, page_poison, "
		     "grouping, oom, fail_nth, failslab, fail_page_alloc, slub_debug, views"},
	{"oom=explode", "machine text: unknown value 'explode' of oom. Valid: kill, fail, panic"},
	{"# two\ncpus=2 # here\nram=9m # and here", "machine text:3: ram=9m cannot be: allowed is a multiple of 4m"},
	{"views=/no/such/place", "machine text: views=/no/such/place cannot be written (No such file or directory): "
				 "allowed is a file, or a new one in a directory that may be written"},
	{"views=/", "machine text: views=/ cannot be written (Is a directory): allowed is a file, or a new one "
		    "in a "
		    "directory that may be written"},
};

static void nonsense_is_refused_with_the_range(void **state)
{
	char said[640];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		snprintf(said, sizeof(said), "flagstone: %s\n", nonsense[i].said);
		expect(nonsense[i].text, said);
	}
	expect("cpus=256,ram=64m,nodes=16", "");
	expect("dma=16m,dma32=32m,highmem=48m", "");
	expect("nodes=2,distances=10:30:30:10,lowmem_reserve=0:32:32", "");
	expect("fail_page_alloc=1:1:0:-1:min-order=0:ignore-gfp-wait=N", "");
}

/* What is told names whoever said it: the variable goes before a text, and a struct has no name. */
static void boot_by_struct(void *value)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	setenv("FLAGSTONE_MACHINE", value, 1);
	config.ram = 9 << 20;
	flagstone_machine_boot(&config);
}

static void boot_by_text(void *value)
{
	setenv("FLAGSTONE_MACHINE", value, 1);
	flagstone_machine_boot_text("ram=9m");
}

static void boot_with_highmem(void *value)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	setenv("FLAGSTONE_MACHINE", value, 1);
	config.highmem = 12 << 20;
	flagstone_machine_boot(&config);
}

/* Its name has to be known, for it is told. */
#define MACHINE_FILE "test_config.machine"

static void boot_of_file(const char *variable, const char *text)
{
	char folder[] = "/tmp/test_config.XXXXXX";
	FILE *file;

	setenv("FLAGSTONE_MACHINE", variable, 1);
	if (!mkdtemp(folder) || chdir(folder) || !(file = fopen(MACHINE_FILE, "w")))
		_exit(1);
	fputs(text, file);
	fclose(file);
	flagstone_machine_boot_file(MACHINE_FILE);
	unlink(MACHINE_FILE);
	rmdir(folder);
}

static void boot_by_file(void *value)
{
	boot_of_file(value, "ram=16m\nhighmem=12m\n");
}

static void boot_by_file_twice(void *value)
{
	boot_of_file(value, "ram=16m\n\nram=12m\n");
}

static void complaints_name_their_source(void **state)
{
	static const struct {
		void (*boot)(void *value);
		const char *value, *said;
	} rows[] = {
		{boot_by_struct, "cpus=2", "program: ram=9m cannot be: allowed is a multiple of 4m"},
		{boot_by_text, "cpus=2", "machine text: ram=9m cannot be: allowed is a multiple of 4m"},
		{boot_by_text, "ram=10m", "FLAGSTONE_MACHINE: ram=10m cannot be: allowed is a multiple of 4m"},
		{boot_by_struct, "ramm=16m", "FLAGSTONE_MACHINE: unknown name 'ramm', did you mean 'ram'?"},
		/* Both sides of what does not go together. */
		{boot_by_text, "ram=8m,dma=12m",
			"FLAGSTONE_MACHINE: dma=12m cannot be beside ram=8m (FLAGSTONE_MACHINE): allowed is within "
			"ram, or 0 for no such zone"},
		{boot_with_highmem, "ram=8m",
			"program: highmem=12m cannot be beside ram=8m (FLAGSTONE_MACHINE): allowed is within ram, or "
			"0 for no such zone"},
		{boot_by_file, "ram=8m",
			MACHINE_FILE ":2: highmem=12m cannot be beside ram=8m (FLAGSTONE_MACHINE): allowed is within "
				     "ram, or 0 for no such zone"},
		{boot_by_file, "dma=16m",
			MACHINE_FILE ":2: highmem=12m cannot be beside dma=16m (FLAGSTONE_MACHINE): allowed is dma or "
				     "above: the zones overlap"},
		{boot_by_file_twice, "",
			MACHINE_FILE ":3: ram is set twice, to '16m' in " MACHINE_FILE ":1 and to '12m'"},
		{boot_by_struct, "ram=16m,ram=10m", "FLAGSTONE_MACHINE: ram is set twice, to '16m' and to '10m'"},
	};
	char said[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(said, sizeof(said), "flagstone: %s\n", rows[i].said);
		assert_int_equal(child_run(rows[i].boot, (void *)(uintptr_t)rows[i].value, output, sizeof(output)), 0);
		assert_string_equal(output, said);
	}
}

static void structs_are_checked_as_texts_are(void **state)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	(void)state;
	config.cpus = 0;
	assert_int_equal(flagstone_machine_config_check(&config), -EINVAL);
	assert_int_equal(flagstone_machine_boot(&config), -EINVAL);
	config.cpus = 1;
	config.preempt = 2000000;
	assert_int_equal(flagstone_machine_config_check(&config), -EINVAL);
	config.preempt = 0;
	config.oom = 7;
	assert_int_equal(flagstone_machine_config_check(&config), -EINVAL);
	config.oom = 0;
	memset(config.views, 'x', sizeof(config.views));
	assert_int_equal(flagstone_machine_config_check(&config), -EINVAL);
	assert_int_equal(flagstone_machine_booted(), 0);
}

static void the_table_names_every_field(void **state)
{
	static const char *const names[] = {"cpus", "ram", "nodes", "dma", "dma32", "highmem", "min_free_kbytes",
		"lowmem_reserve", "distances", "seed", "preempt", "tracking", "context", "lockdep", "oom", "fail_nth",
		"failslab", "fail_page_alloc", "slub_debug", "page_poison", "grouping", "views"};
	char row[64];
	size_t length;

	(void)state;
	for (int markdown = 0; markdown < 2; markdown++) {
		length = flagstone_machine_config_table(output, sizeof(output), markdown);
		assert_int_equal(length, strlen(output));
		assert_true(length < sizeof(output) - 1);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			snprintf(row, sizeof(row), markdown ? "\n| `%s` | " : "\n%s ", names[i]);
			assert_non_null(strstr(output, row));
		}
	}
	assert_non_null(strstr(output, "| `ram` | 64m | "));
	/* As long as it would be. */
	assert_int_equal(flagstone_machine_config_table(NULL, 0, 1), length);
	assert_int_equal(flagstone_machine_config_table(row, sizeof(row), 1), length);
	assert_int_equal(strlen(row), sizeof(row) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_set_fields),
		cmocka_unit_test(files_have_lines_and_comments),
		cmocka_unit_test(an_empty_text_is_the_default),
		cmocka_unit_test(nonsense_is_refused_with_the_range),
		cmocka_unit_test(complaints_name_their_source),
		cmocka_unit_test(structs_are_checked_as_texts_are),
		cmocka_unit_test(the_table_names_every_field),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
