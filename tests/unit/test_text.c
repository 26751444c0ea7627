/*
 * test_text.c: bounded formatting against snprintf, cutting, flushing.
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
#include "runtime/lib/text.h"
#include "tests/unit/child.h"

#define NR_ROUNDS 2000

static uint64_t seed = 88172645463325252u;

static uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Of all magnitudes, the extremes often. */
static uint64_t random_number(void)
{
	uint64_t choice = random_next() % 10;

	if (choice == 0)
		return 0;
	if (choice == 1)
		return UINT64_MAX;
	if (choice == 2)
		return (uint64_t)1 << 63;
	return random_next() >> (random_next() % 64);
}

/* Both printers get the same arguments; buffers of every size give the same start of the same text. */
__attribute__((format(printf, 1, 2))) static void compare(const char *format, ...)
{
	char expected[512], buffer[512];
	size_t size = random_next() % 4 ? sizeof(buffer) : 1 + random_next() % 40;
	struct text text = TEXT_INIT(buffer, size, -1);
	va_list args;

	memset(buffer, '#', sizeof(buffer));
	va_start(args, format);
	vsnprintf(expected, size, format, args);
	va_end(args);
	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	assert_string_equal(buffer, expected);
	assert_int_equal(text.length, strlen(expected));
	if (size < sizeof(buffer))
		assert_int_equal(buffer[size], '#');
}

static void test_numbers_match_snprintf(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < NR_ROUNDS; i++) {
		uint64_t number = random_number();
		int width = (int)(random_next() % 40) - 20;

		compare("%d %i|%5d|%-8d|%08d|%*d", (int)number, (int)number, (int)number, (int)number, (int)number,
			width, (int)number);
		compare("%u|%3u|%-12u|%012u|%*u", (unsigned int)number, (unsigned int)number, (unsigned int)number,
			(unsigned int)number, width, (unsigned int)number);
		compare("%ld %lu %lx|%20ld|%-22lu|%020lx", (long)number, (unsigned long)number, (unsigned long)number,
			(long)number, (unsigned long)number, (unsigned long)number);
		compare("%#x %#lx|%#12lx|%-#22zx|%#020lx", (unsigned int)number, (unsigned long)number,
			(unsigned long)number, (size_t)number, (unsigned long)number);
		compare("%lld %llu %llx|%021lld", (long long)number, (unsigned long long)number,
			(unsigned long long)number, (long long)number);
		compare("%zu %zx %x|%*x|%08x", (size_t)number, (size_t)number, (unsigned int)number, width,
			(unsigned int)number, (unsigned int)number);
		compare("%p|%20p|%-20p|", (void *)(number | 1), (void *)(number | 1), (void *)(number | 1));
	}
}

static void test_strings_match_snprintf(void **state)
{
	static const char *const strings[] = {"", "a", "magazine", "a longer one, with % and \\ and = in it"};
	int i;

	(void)state;
	for (i = 0; i < NR_ROUNDS; i++) {
		const char *string = strings[random_next() % ARRAY_SIZE(strings)];
		int width = (int)(random_next() % 60) - 30, precision = (int)(random_next() % 20) - 5;

		compare("%s|%10s|%-10s|%.3s|%.0s|%.s", string, string, string, string, string, string);
		compare("[%*s][%.*s][%*.*s][%-*.*s]", width, string, precision, string, width, precision, string, width,
			precision, string);
		compare("%c%c%5c%-3c|%%|", 'a', '%', string[0] ? string[0] : 'z', 'q');
	}
}

static void test_precision_bounds_the_read(void **state)
{
	char buffer[32], bytes[4] = {'a', 'b', 'c', 'd'};
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);

	(void)state;
	text_printf(&text, "%.*s", 4, bytes);
	assert_string_equal(buffer, "abcd");
}

static void test_printing_appends(void **state)
{
	char buffer[10];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);

	(void)state;
	text_printf(&text, "%s", "abc");
	text_printf(&text, "%d", 42);
	assert_string_equal(buffer, "abc42");
	text_printf(&text, "%s", "0123456789");
	assert_string_equal(buffer, "abc420123");
	text_printf(&text, "more");
	assert_string_equal(buffer, "abc420123");
	text_flush(&text);
	assert_string_equal(buffer, "abc420123");
}

/* Not a literal: compilers would refuse them. */
static void test_unknown_conversions_are_shown_and_end_the_text(void **state)
{
	char buffer[64], empty[1] = {'#'};
	const char *volatile formats[] = {"a%d%f b%s", "%", "%-", "%l", "%5"};
	const char *volatile no_string = NULL;
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);
	size_t i;

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	text_printf(&text, formats[0], 7);
	assert_string_equal(buffer, "a7%f b%s");
	for (i = 1; i < ARRAY_SIZE(formats); i++) {
		text.length = 0;
		text_printf(&text, formats[i]);
		assert_string_equal(buffer, formats[i]);
	}
#pragma GCC diagnostic pop
	text.length = 0;
	text_printf(&text, "%s|%p", no_string, (void *)NULL);
	assert_string_equal(buffer, "(null)|0x0");
	text = TEXT_INIT(empty, 1, -1);
	text_printf(&text, "anything");
	assert_int_equal(empty[0], '\0');
	text = TEXT_INIT(NULL, 0, -1);
	text_printf(&text, "anything");
}

static void print_through_small_buffer(void *argument)
{
	char buffer[7], tiny[1];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), 2);
	int i;

	(void)argument;
	for (i = 0; i < 50; i++)
		text_printf(&text, "line %03d %s\n", i, "with more than fits in the buffer");
	text_flush(&text);
	text_flush(&text);
	text = TEXT_INIT(tiny, 1, 2);
	text_printf(&text, "nothing");
	text_flush(&text);
}

static void test_full_buffers_are_written_out(void **state)
{
	char output[4096], expected[4096];
	size_t length = 0;
	int i;

	(void)state;
	assert_int_equal(child_run(print_through_small_buffer, NULL, output, sizeof(output)), 0);
	for (i = 0; i < 50; i++)
		length += (size_t)sprintf(expected + length, "line %03d with more than fits in the buffer\n", i);
	assert_string_equal(output, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_match_snprintf),
		cmocka_unit_test(test_strings_match_snprintf),
		cmocka_unit_test(test_precision_bounds_the_read),
		cmocka_unit_test(test_printing_appends),
		cmocka_unit_test(test_unknown_conversions_are_shown_and_end_the_text),
		cmocka_unit_test(test_full_buffers_are_written_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
