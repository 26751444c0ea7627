/*
 * test_fragmentation.c: the two indexes of fragmentation are those that Linux computes from the same free blocks.
 *
 * Broken if this fails: extfrag_index or unusable_index say something else than the kernel's files of that name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/page/fragmentation.h"

/* What Linux 6.1 showed in /proc/buddyinfo and in debugfs at the same moment, of a zone DMA that a
 * module had filled and freed in part (nothing else takes from there). */
static const struct seen {
	size_t nr_free[MAX_ORDER + 1];
	const char *index, *unusable;
} seen[] = {
	{{0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 3},
		"-1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 ",
		"0.000 0.000 0.000 0.000 0.000 0.000 0.008 0.025 0.058 0.058 0.193 "},
	{{0}, " 0.000  0.000  0.000  0.000  0.000  0.000  0.000  0.000  0.000  0.000  0.000 ",
		"1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 "},
	{{1, 1, 1}, "-1.000 -1.000 -1.000  0.375  0.521  0.594  0.631  0.649  0.658  0.663  0.665 ",
		"0.000 0.142 0.428 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 "},
	{{0, 0, 0, 1, 1}, "-1.000 -1.000 -1.000 -1.000 -1.000  0.125  0.313  0.407  0.454  0.477  0.489 ",
		"0.000 0.000 0.000 0.000 0.333 1.000 1.000 1.000 1.000 1.000 1.000 "},
	{{0, 0, 1, 1, 3}, "-1.000 -1.000 -1.000 -1.000 -1.000  0.425  0.613  0.707  0.754  0.777  0.789 ",
		"0.000 0.000 0.000 0.066 0.200 1.000 1.000 1.000 1.000 1.000 1.000 "},
	{{1, 1, 1, 0, 59}, "-1.000 -1.000 -1.000 -1.000 -1.000  0.505  0.745  0.865  0.924  0.954  0.969 ",
		"0.000 0.001 0.003 0.007 0.007 1.000 1.000 1.000 1.000 1.000 1.000 "},
	{{1789, 0, 0, 0, 0, 1, 1, 1}, "-1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000  0.996  0.998  0.999 ",
		"0.000 0.888 0.888 0.888 0.888 0.888 0.904 0.936 1.000 1.000 1.000 "},
};

/* Of the line that print prints, what is behind the zone's name. */
static void expect(void (*print)(struct text *text, unsigned int node, const char *zone, const size_t *nr_free),
	const size_t *nr_free, const char *numbers)
{
	static const char begin[] = "Node 3, zone    DMA32 ";
	char line[200];
	struct text text = TEXT_INIT(line, sizeof(line), -1);

	print(&text, 3, "DMA32", nr_free);
	assert_memory_equal(line, begin, strlen(begin));
	assert_int_equal(line[text.length - 1], '\n');
	line[text.length - 1] = '\0';
	assert_string_equal(line + strlen(begin), numbers);
}

static void test_lines_are_the_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		expect(fragmentation_print_index, seen[i].nr_free, seen[i].index);
		expect(fragmentation_print_unusable, seen[i].nr_free, seen[i].unusable);
	}
}

static void test_a_single_small_block_is_want_of_memory(void **state)
{
	static const size_t one[MAX_ORDER + 1] = {0, 0, 0, 0, 1}, huge[MAX_ORDER + 1] = {[MAX_ORDER] = 1ul << 40};

	(void)state;
	assert_int_equal(fragmentation_index(one, 4), -1000);
	for (unsigned int order = 5; order <= MAX_ORDER; order++)
		assert_int_equal(fragmentation_index(one, order), 0);
	assert_int_equal(fragmentation_index(huge, MAX_ORDER), -1000);
	assert_int_equal(fragmentation_unusable(huge, MAX_ORDER), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_the_kernels),
		cmocka_unit_test(test_a_single_small_block_is_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
