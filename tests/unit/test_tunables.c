/*
 * test_tunables.c: FLAGSTONE_CONF: what is set, what is said about mistakes, what is printed.
 *
 * Links with lib and host.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"
#include "tests/unit/child.h"

#define NR_FUZZED 100000

static char output[65536];

/* Every variable as at start. */
static int reset(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < nr_tunables; i++) {
		*tunables[i].value = tunables[i].fallback;
		tunables[i].set = false;
	}
	return 0;
}

static void parse(void *argument)
{
	tunables_parse(argument);
}

/* Parses in a child, which must live, and compares what it says. */
static void expect(const char *conf, const char *said)
{
	assert_int_equal(child_run(parse, (void *)(uintptr_t)conf, output, sizeof(output)), 0);
	assert_string_equal(output, said);
}

static void test_variables_start_with_their_defaults(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < nr_tunables; i++) {
		assert_int_equal(*tunables[i].value, tunables[i].fallback);
		assert_in_range(tunables[i].fallback, tunables[i].min, tunables[i].max);
		assert_false(tunables[i].set);
	}
	assert_int_equal(tunable_magazine, MAGAZINE_AUTO);
	assert_int_equal(tunable_fake_cpus, 4);
	assert_int_equal(tunable_retain, 16 << 20);
	assert_int_equal(report_on_bug, REPORT_BUG_ABORT);
}

static void test_good_entries_are_set_silently(void **state)
{
	static char conf[] =
		"magazine=locked, fake_cpus = 512,,stats_at_exit,retain=3M,on_bug=continue,cpu_number=cpu_id,";

	(void)state;
	expect(conf, "");
	expect(NULL, "");
	expect("", "");
	expect(",,, ,", "");
	tunables_parse(conf);
	assert_int_equal(tunable_magazine, MAGAZINE_LOCKED);
	assert_int_equal(tunable_fake_cpus, 512);
	assert_int_equal(tunable_stats_at_exit, 1);
	assert_int_equal(tunable_retain, 3 << 20);
	assert_int_equal(report_on_bug, REPORT_BUG_CONTINUE);
	assert_int_equal(tunable_cpu_number, 2);
	assert_true(tunables[0].set);
	tunables_parse("fake_cpus=7,fake_cpus=9");
	assert_int_equal(tunable_fake_cpus, 9);
}

static void test_suffixes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *conf;
		unsigned long value;
	} rows[] = {{"retain=0", 0}, {"retain=5k", 5ul << 10}, {"retain=5K", 5ul << 10}, {"retain=5g", 5ul << 30},
		{"retain=18446744073709551615", ULONG_MAX}, {"retain=17179869183g", 17179869183ul << 30},
		{"retain=0000000000000000000000008", 8}};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tunable_retain = 1;
		tunables_parse(rows[i].conf);
		assert_int_equal(tunable_retain, rows[i].value);
	}
}

#define NAMES                                                                                              \
	"magazine, cpu_number, fake_cpus, cpu_cache, depots, fake_nodes, stats_at_exit, retain, reclaim, " \
	"decay, thp, thp_after, rcu_stall_timeout, on_bug, help"

static void test_unknown_names_get_the_nearest_one(void **state)
{
	(void)state;
	expect("stat_at_exit", "flagstone: FLAGSTONE_CONF: unknown tunable 'stat_at_exit', "
			       "did you mean 'stats_at_exit'? (ignored)\n");
	expect("magasine=rseq,fake_cpu=3",
		"flagstone: FLAGSTONE_CONF: unknown tunable 'magasine', did you mean 'magazine'? "
		"(ignored)\n"
		"flagstone: FLAGSTONE_CONF: unknown tunable 'fake_cpu', did you mean "
		"'fake_cpus'? (ignored)\n");
	expect("ertain", "flagstone: FLAGSTONE_CONF: unknown tunable 'ertain', did you mean 'retain'? (ignored)\n");
	expect("hlep", "flagstone: FLAGSTONE_CONF: unknown tunable 'hlep', did you mean 'help'? (ignored)\n");
	expect("dec=5", "flagstone: FLAGSTONE_CONF: unknown tunable 'dec', did you mean 'decay'? (ignored)\n");
	expect("a\n\033b", "flagstone: FLAGSTONE_CONF: unknown tunable 'a??b'. There are: " NAMES " (ignored)\n");
	expect("oom=kill", "flagstone: FLAGSTONE_CONF: unknown tunable 'oom'. There are: " NAMES " (ignored)\n");
}

static void test_bad_words_get_the_nearest_and_all(void **state)
{
	(void)state;
	expect("magazine=rsek", "flagstone: FLAGSTONE_CONF: unknown value 'rsek' of magazine, did you mean 'rseq'? "
				"Valid: auto, rseq, thread, locked (ignored)\n");
	expect("on_bug=1", "flagstone: FLAGSTONE_CONF: unknown value '1' of on_bug. "
			   "Valid: abort, continue (ignored)\n");
	expect("magazine",
		"flagstone: FLAGSTONE_CONF: magazine has no value. Valid: auto, rseq, thread, locked; for example "
		"magazine=auto (ignored)\n");
}

static void test_bad_numbers_get_the_range(void **state)
{
	static const char *const not_numbers[] = {"retain=x", "fake_cpus=x", "fake_cpus=-1", "fake_cpus=4x",
		"fake_cpus=4kk", "fake_cpus=0x4", "fake_cpus=4=4"};
	static const char *const out_of_range[] = {"fake_cpus=0", "fake_cpus=513", "fake_cpus=600",
		"fake_cpus=18446744073709551617", "stats_at_exit=2", "retain=18446744073709551616",
		"retain=17179869184g", "retain=36893488147419103233"};
	size_t i;

	(void)state;
	expect("fake_cpus=513",
		"flagstone: FLAGSTONE_CONF: value '513' of fake_cpus is out of range. Valid: 1..512 (ignored)\n");
	expect("fake_cpus=many", "flagstone: FLAGSTONE_CONF: value 'many' of fake_cpus is not a number. "
				 "Valid: 1..512 (ignored)\n");
	expect("fake_cpus,reclaim", "flagstone: FLAGSTONE_CONF: fake_cpus has no value. Valid: 1..512; for example "
				    "fake_cpus=4 (ignored)\n");
	expect("retain=", "flagstone: FLAGSTONE_CONF: retain has no value. Valid: 0 or more; for example retain=16m "
			  "(ignored)\n");
	expect("decay=1k", "flagstone: FLAGSTONE_CONF: value '1k' of decay has a suffix, which only sizes have. "
			   "Valid: 10..3600000 (ignored)\n");
	for (i = 0; i < ARRAY_SIZE(not_numbers); i++) {
		child_run(parse, (void *)(uintptr_t)not_numbers[i], output, sizeof(output));
		assert_non_null(strstr(output, "is not a number"));
	}
	for (i = 0; i < ARRAY_SIZE(out_of_range); i++) {
		child_run(parse, (void *)(uintptr_t)out_of_range[i], output, sizeof(output));
		assert_non_null(strstr(output, "is out of range"));
	}
	tunables_parse("fake_cpus=0,retain=17179869184g,fake_cpus=4x,magazine=0");
	assert_int_equal(tunable_fake_cpus, 4);
	assert_int_equal(tunable_retain, 16 << 20);
	assert_int_equal(tunable_magazine, MAGAZINE_AUTO);
	assert_false(tunables[0].set);
}

static void test_long_entries_are_cut_and_do_not_match(void **state)
{
	char conf[4096];

	(void)state;
	memset(conf, 'x', sizeof(conf));
	memcpy(conf, "retain", 6);
	conf[sizeof(conf) - 1] = '\0';
	expect(conf, "flagstone: FLAGSTONE_CONF: unknown tunable 'retainxxxxxxxxxxxxxxxxxxxxxxxxx...', did you mean "
		     "'retain'? "
		     "(ignored)\n");
	conf[6] = '=';
	memset(conf + 7, '1', sizeof(conf) - 8);
	expect(conf, "flagstone: FLAGSTONE_CONF: value '1111111111111111111111111111111...' of retain is not a number. "
		     "Valid: 0 or more, with k, m or g (ignored)\n");
}

static void test_many_bad_entries_are_counted(void **state)
{
	char conf[1000];
	const char *line = output;
	size_t i;
	int nr = 0;

	(void)state;
	for (i = 0; i < sizeof(conf) - 1; i++)
		conf[i] = i % 2 ? ',' : 'b';
	conf[i] = '\0';
	child_run(parse, conf, output, sizeof(output));
	for (; (line = strchr(line, '\n')); line++)
		nr++;
	assert_int_equal(nr, 9);
	assert_non_null(strstr(output, "flagstone: FLAGSTONE_CONF: 492 more bad entries (ignored)\n"));
}

static void test_help_prints_values_and_sources(void **state)
{
	size_t i;

	(void)state;
	child_run(parse, (char[]){"help,magazine=thread,retain=64k"}, output, sizeof(output));
	for (i = 0; i < nr_tunables; i++)
		assert_non_null(strstr(output, tunables[i].name));
	assert_non_null(
		strstr(output, "magazine       thread     auto       auto, rseq, thread, locked   FLAGSTONE_CONF  "));
	assert_non_null(
		strstr(output, "retain         64k        16m        0 or more                    FLAGSTONE_CONF  "));
	assert_non_null(
		strstr(output, "fake_cpus      4          4          1..512                       default         "));
}

static void test_markdown_has_a_row_each(void **state)
{
	char buffer[4096];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);
	const char *line = buffer;
	size_t nr = 0;

	(void)state;
	tunables_print(&text, true);
	assert_memory_equal(buffer, "| name | default | values | meaning |\n|---|---|---|---|\n", 55);
	for (; (line = strchr(line, '\n')); line++)
		nr++;
	assert_int_equal(nr, nr_tunables + 2);
	assert_non_null(strstr(buffer, "\n| `retain` | 16m | 0 or more | Bytes"));
	assert_non_null(strstr(buffer, "\n| `magazine` | auto | auto, rseq, thread, locked | How"));
}

/* Pieces that the parser knows, mixed with random bytes; the variables must stay in range. */
static void parse_random_strings(void *argument)
{
	static const char *const pieces[] = {"magazine", "=", ",", "rseq", "retain", "fake_cpus", "9", "g",
		"stats_at_exit", "18446744073709551615", " ", "on_bug=continue", "auto"};
	unsigned int seed = 1;
	size_t i;
	int round;

	(void)argument;
	for (round = 0; round < NR_FUZZED; round++) {
		char *conf = malloc(200);
		size_t length = 0;

		while (length < 150 && rand_r(&seed) % 8) {
			const char *piece = pieces[(size_t)rand_r(&seed) % ARRAY_SIZE(pieces)];

			if (rand_r(&seed) % 3)
				length += (size_t)sprintf(conf + length, "%s", piece);
			else
				conf[length++] = (char)(1 + rand_r(&seed) % 255);
		}
		conf[length] = '\0';
		tunables_parse(conf);
		free(conf);
		for (i = 0; i < nr_tunables; i++)
			if (*tunables[i].value < tunables[i].min || *tunables[i].value > tunables[i].max)
				_exit(1);
	}
}

static void test_random_strings_never_leave_the_ranges(void **state)
{
	(void)state;
	assert_int_equal(child_run(parse_random_strings, NULL, output, sizeof(output)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables_start_with_their_defaults),
		cmocka_unit_test_setup(test_good_entries_are_set_silently, reset),
		cmocka_unit_test_setup(test_suffixes_are_powers_of_1024, reset),
		cmocka_unit_test_setup(test_unknown_names_get_the_nearest_one, reset),
		cmocka_unit_test_setup(test_bad_words_get_the_nearest_and_all, reset),
		cmocka_unit_test_setup(test_bad_numbers_get_the_range, reset),
		cmocka_unit_test_setup(test_long_entries_are_cut_and_do_not_match, reset),
		cmocka_unit_test_setup(test_many_bad_entries_are_counted, reset),
		cmocka_unit_test_setup(test_help_prints_values_and_sources, reset),
		cmocka_unit_test_setup(test_markdown_has_a_row_each, reset),
		cmocka_unit_test_setup(test_random_strings_never_leave_the_ranges, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
