// SPDX-License-Identifier: MIT
/*
 * ask_text.c: which numbers are in a text, and what do the kernel's functions on strings leave of one?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

/* As in ask_arithmetic.c. */
#define ask(expression) pr_info("%s: %lld\n", #expression, (long long)(expression))

#define ask_number(type, name, text, base)                                                          \
	do {                                                                                        \
		type number = 99;                                                                   \
		int error = name(text, base, &number);                                              \
		pr_info("%s(\"%s\", %d): %d, %lld\n", #name, text, base, error, (long long)number); \
	} while (0)

static const char *const texts[] = {"0", "7", "-7", "+7", "007", "010", "0x1f", "0X1F", "1f", "-0x10", "12 ", " 12",
	"12x", "", "-", "+", "+-1", "0x", "0b11", "08", "127", "128", "255", "256", "-128", "-129", "32767", "32768",
	"65535", "65536", "-32769", "2147483647", "2147483648", "4294967295", "4294967296", "-2147483648",
	"-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "99999999999999999999999"};

static void ask_numbers(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		ask_number(unsigned long long, kstrtoull, texts[i], 0);
		ask_number(long long, kstrtoll, texts[i], 0);
		ask_number(int, kstrtoint, texts[i], 0);
		ask_number(unsigned int, kstrtouint, texts[i], 10);
		ask_number(u8, kstrtou8, texts[i], 0);
		ask_number(s8, kstrtos8, texts[i], 16);
		ask_number(u16, kstrtou16, texts[i], 8);
		ask_number(s16, kstrtos16, texts[i], 0);
		ask_number(unsigned long, kstrtoul, texts[i], 16);
		ask_number(long, kstrtol, texts[i], 10);
	}
	ask_number(u32, kstrtou32, "12\n", 0);
	ask_number(s32, kstrtos32, "-12\n", 0);
	ask_number(u64, kstrtou64, "12\n\n", 0);
	ask_number(s64, kstrtos64, "\n", 0);
	ask_number(int, kstrtoint, "101", 2);
	ask_number(int, kstrtoint, "102", 2);
	ask_number(int, kstrtoint, "z", 36);
	ask_number(int, kstrtoint, "ff", 16);
}

static void ask_truths(void)
{
	static const char *const words[] = {"y", "Y", "yes", "yellow", "1", "10", "n", "No", "0", "01", "on", "ON",
		"On", "of", "off", "OFF", "o", "ox", "t", "true", "T", "f", "false", "", "2", " y", "enable", "\n"};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		bool truth = true, other = false;
		int error = kstrtobool(words[i], &truth);

		error |= kstrtobool(words[i], &other);
		pr_info("kstrtobool(%s): %d, %d %d\n", words[i], error, truth, other);
	}
	pr_info("kstrtobool(NULL): %d\n", kstrtobool(NULL, (bool[1]){}));
}

static void ask_simple(void)
{
	static const char *const words[] = {"12abc", "0x12z", "012", "-5", "  5", "abc", "0x", "18446744073709551617"};
	char *end;

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		unsigned long u = simple_strtoul(words[i], &end, 0);
		long s = simple_strtol(words[i], NULL, 0);

		pr_info("simple(%s): %lu, %ld, rest [%s]\n", words[i], u, s, end);
		pr_info("simple(%s): %llu, %lld\n", words[i], simple_strtoull(words[i], &end, 16),
			simple_strtoll(words[i], NULL, 10));
	}
}

static void ask_sizes(void)
{
	char *rest, size[16];
	static const char *const words[] = {"4k", "4K", "1M2", "2g", "1T", "1P", "1E", "0x10k", "12", "k", "3kB"};
	int one;
	char *text;

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		unsigned long long bytes = memparse(words[i], &rest);

		pr_info("memparse(%s): %llu, rest [%s]\n", words[i], bytes, rest);
	}
	text = size;
	strcpy(size, "5,x");
	ask(get_option(&text, &one));
	pr_info("%d, rest [%s]\n", one, text);
	ask(get_option(&text, &one));
}

#define ask_text(expression) pr_info("%s: %lld, [%s]\n", #expression, (long long)(expression), text)

static void ask_strings(void)
{
	static const char *const words[] = {"one", "two", "three", NULL, "five"};
	char text[32], *rest = text;
	const char *found;

	memset(text, '#', sizeof(text));
	ask_text(strscpy(text, "abc", 4));
	ask_text(strscpy(text, "abcd", 4));
	ask_text(strscpy(text, "abcd", 0));
	memset(text, '#', 31);
	text[31] = '\0';
	ask_text(strscpy_pad(text, "abc", 10));
	ask((unsigned char)text[9]);
	ask((unsigned char)text[10]);
	ask_text(strscpy_pad(text, "abcdefghijkl", 6));
	ask_text(strlcpy(text, "abcdef", 4));
	ask_text(strlcpy(text, "abcdef", 0));
	ask_text(strlcat(text, "xyz", 5));
	ask_text(strlcat(text, "xyz", 20));
	strcpy(text, " \t two words \n ");
	ask(skip_spaces(text) - text);
	pr_info("[%s]\n", strim(text));
	strcpy(text, "   ");
	pr_info("[%s]\n", strim(text));
	strcpy(text, "  x  ");
	pr_info("[%s]\n", strstrip(text));
	strcpy(text, "a,b;;c");
	while ((found = strsep(&rest, ",;")))
		pr_info("strsep: [%s]\n", found);
	strcpy(text, "a/b/c");
	pr_info("%s\n", strreplace(text, '/', '!') - strlen(text));
	ask(strnchr("abcabc", 3, 'c') != NULL);
	ask(strnchr("abcabc", 2, 'c') != NULL);
	ask(*strchrnul("abc", 'x'));
	ask(strnstr("hello world", "world", 10) != NULL);
	ask(strnstr("hello world", "world", 11) != NULL);
	ask(sysfs_streq("on", "on\n"));
	ask(sysfs_streq("on\n", "on"));
	ask(sysfs_streq("on\n\n", "on"));
	ask(sysfs_streq("on", "off"));
	ask(match_string(words, 5, "three"));
	ask(match_string(words, 2, "three"));
	ask(match_string(words, 5, "five"));
	ask(match_string(words, -1, "two"));
	ask(__sysfs_match_string(words, 3, "two\n"));
	ask(__sysfs_match_string(words, 3, "four\n"));
	ask(memchr_inv("aaab", 'a', 4) != NULL);
	ask(memchr_inv("aaaa", 'a', 4) == NULL);
	ask((char *)memscan((void *)words, 1234, 0) - (char *)words);
	ask(*(char *)memscan((char[]){"abc"}, 'b', 3));
	memcpy(text, "abcdef", 7);
	memzero_explicit(text, 3);
	ask(text[2] | text[3]);
	memcpy_and_pad(text, 8, "abc", 3, '.');
	pr_info("%.8s\n", text);
	ask(strstarts("prefix-x", "prefix"));
	ask(strstarts("pre", "prefix"));
	ask(str_has_prefix("prefix-x", "prefix"));
	ask(str_has_prefix("pre", "prefix"));
	pr_info("%s\n", kbasename("a/b/c.txt"));
	pr_info("%s %s %s\n", str_yes_no(true), str_on_off(false), str_enabled_disabled(true));
	ask(isspace(' ') != 0);
	ask(isxdigit('g') != 0);
	ask(toupper('x'));
	ask(tolower('X'));
}

static void ask_divisions(void)
{
	u64 big = 0xfedcba9876543210ULL, rest64, n = big;
	s64 minus = -1000000000007LL;
	u32 rest;
	s32 signed_rest;

	ask(div_u64(big, 1000));
	ask(div_u64_rem(big, 1000, &rest));
	ask(rest);
	ask(div_s64(minus, 10));
	ask(div_s64_rem(minus, 10, &signed_rest));
	ask(signed_rest);
	ask(div64_u64(big, 0x123456789ULL));
	ask(div64_u64_rem(big, 0x123456789ULL, &rest64));
	ask(rest64);
	ask(div64_s64(minus, -3000000000LL));
	ask(do_div(n, 1000));
	ask(n);
	ask(mul_u32_u32(0xffffffff, 0xffffffff));
	ask(mul_u64_u32_shr(big, 0xffffffff, 32));
	ask(mul_u64_u64_shr(big, big, 64));
	ask(mul_u64_u32_div(1ULL << 40, 3000, 7));
	ask(mul_u64_u64_div_u64(1ULL << 40, 1ULL << 40, 1ULL << 30));
	ask(DIV64_U64_ROUND_UP(10ULL, 3ULL));
	ask(DIV64_U64_ROUND_CLOSEST(11ULL, 4ULL));
	ask(DIV_S64_ROUND_CLOSEST(-11LL, 4));
	ask(iter_div_u64_rem(17, 5, &rest64));
	ask(rest64);
}

static int __init ask_init(void)
{
	ask_numbers();
	ask_truths();
	ask_simple();
	ask_sizes();
	ask_strings();
	ask_divisions();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about numbers in texts, strings and divisions");
