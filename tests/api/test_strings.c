/*
 * test_strings.c: copies of strings and memory, and text in memory of its own, of the hosted library.
 *
 * Broken if this fails: a copy is not ended, text is cut, or a constant is freed.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char constant[] = "a constant";
static char variable[] = "a variable";

static void copies_are_whole_and_ended(void **state)
{
	char *copy = kmemdup_nul("abcdef", 3, GFP_KERNEL);

	(void)state;
	assert_string_equal(copy, "abc");
	kfree(copy);
	copy = kstrndup("abcdef", 20, GFP_KERNEL);
	assert_string_equal(copy, "abcdef");
	kfree(copy);
	copy = kmemdup("a\0b", 4, GFP_KERNEL);
	assert_memory_equal(copy, "a\0b", 4);
	kfree(copy);
	assert_null(kstrdup(NULL, GFP_KERNEL));
	assert_null(kmemdup_nul(NULL, 3, GFP_KERNEL));
}

static void constants_are_not_copied(void **state)
{
	const char *copy;

	(void)state;
	assert_ptr_equal(kstrdup_const(constant, GFP_KERNEL), constant);
	assert_ptr_equal(kstrdup_const("literal", GFP_KERNEL), "literal");
	kfree_const(constant);
	kfree_const(NULL);
	assert_null(kstrdup_const(NULL, GFP_KERNEL));
	copy = kstrdup_const(variable, GFP_KERNEL);
	assert_string_equal(copy, variable);
	assert_ptr_not_equal(copy, variable);
	kfree_const(copy); /* and it is free: */
	assert_ptr_equal(kmalloc(sizeof(variable), GFP_KERNEL), copy);
	kfree(copy);
}

static const char *print_const(const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = kvasprintf_const(GFP_KERNEL, format, args);
	va_end(args);
	return text;
}

static void text_has_the_memory_that_it_needs(void **state)
{
	char *text = kasprintf(GFP_KERNEL, "%s-%d", "node", 12);
	const char *kept;

	(void)state;
	assert_string_equal(text, "node-12");
	kfree(text);
	for (int length = 0; length < 5000; length += 61) {
		text = kasprintf(GFP_KERNEL, "%*s", length, "");
		assert_int_equal(strlen(text), length);
		assert_true(ksize(text) > (size_t)length);
		kfree(text);
	}
	assert_ptr_equal(print_const(constant), constant);
	assert_ptr_equal(print_const("%s", constant), constant);
	kept = print_const("%s", variable);
	assert_ptr_not_equal(kept, variable);
	assert_string_equal(kept, variable);
	kfree_const(kept);
	kept = print_const("%s %d", constant, 1);
	assert_string_equal(kept, "a constant 1");
	kfree_const(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_whole_and_ended),
		cmocka_unit_test(constants_are_not_copied),
		cmocka_unit_test(text_has_the_memory_that_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
