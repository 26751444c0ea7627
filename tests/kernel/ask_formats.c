// SPDX-License-Identifier: MIT
/*
 * ask_formats.c: what do the kernel's own conversions of %p print, dumps of memory, and messages that are held back?
 *
 * Keep: callbacks suppressed
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <linux/types.h>

static char text[256];

/* The compiler knows libc's: it would work out the length itself. */
static noinline int print(const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, 200, format, args);
	va_end(args);
	return length;
}

/* A format as the kernel fills it in, and what snprintf() returns. */
#define show(...)                                                     \
	do {                                                          \
		int length = print(__VA_ARGS__);                      \
		pr_info("%s: [%s] %d\n", #__VA_ARGS__, text, length); \
	} while (0)

static void ask_errors(void)
{
	show("%pe", ERR_PTR(-ENOMEM));
	show("%pe", ERR_PTR(-EAGAIN));
	show("%pe", ERR_PTR(-EDEADLK));
	show("%pe", ERR_PTR(-512));
	show("%pe", ERR_PTR(-517));
	show("%pe", ERR_PTR(-529));
	show("%pe", ERR_PTR(-EOPNOTSUPP));
	show("%pe", ERR_PTR(-EHWPOISON));
	show("%pe", ERR_PTR(-600));
	show("%pe", ERR_PTR(-4095));
	show("%10pe|", ERR_PTR(-EIO));
	show("%-10pe|", ERR_PTR(-EIO));
	show("%pe", NULL);
	show("%p", ERR_PTR(-EIO));
	show("%p", NULL);
	show("%20p|", NULL);
	show("%px", (void *)0x1234);
	show("%pK", NULL);
	show("%px", (void *)0xffff888012345678UL);
	show("%20px|", (void *)0x12);
	show("%-20px|", (void *)0x12);
	show("%3px|", (void *)0x12);
	show("%#px|", (void *)0x12);
}

static void ask_bytes(void)
{
	static const u8 bytes[70] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xab, 0xcd, 0xef, 0x10};
	phys_addr_t phys = 0x12345678;
	dma_addr_t dma = 0xfedcba9876543210ULL;

	show("%*ph", 6, bytes);
	show("%*phC", 6, bytes);
	show("%*phD", 6, bytes);
	show("%*phN", 6, bytes);
	show("%ph", bytes);
	show("%3ph", bytes);
	show("%*ph|", 0, bytes);
	show("%*ph|", -3, bytes);
	show("%*phN", 70, bytes);
	show("%pa", &phys);
	show("%pap", &phys);
	show("%pad", &dma);
	show("%pM", bytes);
	show("%pMF", bytes);
	show("%pm", bytes);
	show("%pMR", bytes);
	show("%pI4", bytes + 4);
	show("%pi4", bytes + 4);
	show("%*ph", 3, NULL);
	show("%pa", NULL);
	show("%s|", NULL);
	show("%10s|", NULL);
	show("%s", (char *)0x10);
	show("%s", (char *)ERR_PTR(-EIO));
}

static void ask_recursion(const char *format, ...)
{
	struct va_format vaf = {.fmt = format};
	va_list args;

	va_start(args, format);
	vaf.va = &args;
	show("<%pV> %d", &vaf, 7);
	va_end(args);
}

static void ask_bitmaps(void)
{
	unsigned long bits[2] = {0x8000000000000f01UL, 0x5};

	show("%*pb", 68, bits);
	show("%*pbl", 68, bits);
	show("%*pb", 13, bits);
	show("%*pbl", 13, bits);
	show("%*pbl|", 0, bits);
}

static void ask_numbers(void)
{
	show("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
	show("%x|%X|%#x|%#X|%o|%#o", 0xbeef, 0xbeef, 0xbeef, 0xbeef, 8, 8);
	show("%#x|%#o|%#06x|%#6X|%#06x|%-#6x|%#.3x", 0, 0, 0x1f, 0, 0, 0, 0);
	show("%hhd|%hd|%ld|%lld|%zd|%td", (signed char)-1, (short)-2, -3L, -4LL, (ssize_t)-5, (ptrdiff_t)-6);
	show("%hhu|%hu|%lu|%llu|%zu", (unsigned char)255, (unsigned short)65535, 3UL, 4ULL, (size_t)5);
	show("%.3d|%8.3d|%-8.3d|", 5, 5, 5);
	show("%.3s|%8.3s|%-8.3s|", "abcdef", "abcdef", "abcdef");
	show("%c|%3c|%-3c|", 'x', 'y', 'z');
	show("%*d|%-*d|%*d|", 4, 7, 4, 7, -4, 7);
	show("%.*s|%.*s|%.*d|", 2, "abc", -1, "abc", -1, 7);
	show("%%|100%%");
	show("%Ld", -5LL);
	show("%i", -5);
}

static void ask_dumps(void)
{
	static const u8 bytes[40] = "The quick brown fox\njumps \x01\xff over it";
	char line[80];

	print_hex_dump(KERN_INFO, "ask: dump ", DUMP_PREFIX_OFFSET, 16, 1, bytes, 37, true);
	print_hex_dump(KERN_INFO, "ask: dump ", DUMP_PREFIX_NONE, 32, 4, bytes, 40, false);
	print_hex_dump(KERN_INFO, "ask: dump ", DUMP_PREFIX_NONE, 16, 2, bytes, 20, true);
	print_hex_dump(KERN_INFO, "ask: dump ", DUMP_PREFIX_NONE, 16, 8, bytes, 32, true);
	print_hex_dump(KERN_INFO, "ask: dump ", DUMP_PREFIX_OFFSET, 20, 3, bytes, 21, true);
	pr_info("%d %s\n", hex_dump_to_buffer(bytes, 5, 16, 1, line, sizeof(line), false), line);
	pr_info("%d %s\n", hex_dump_to_buffer(bytes, 5, 16, 1, line, sizeof(line), true), line);
	pr_info("%d %s\n", hex_dump_to_buffer(bytes, 40, 16, 4, line, sizeof(line), true), line);
	pr_info("%d %s\n", hex_dump_to_buffer(bytes, 16, 16, 1, line, 10, true), line);
	pr_info("%d %s\n", hex_dump_to_buffer(bytes, 6, 16, 4, line, sizeof(line), false), line);
	pr_info("%d [%s]\n", hex_dump_to_buffer(bytes, 0, 16, 1, line, sizeof(line), true), line);
	pr_info("%d %s\n", hex_dump_to_buffer(bytes, 32, 32, 2, line, sizeof(line), false), line);
	pr_info("%d %d %d %d\n", hex_to_bin('7'), hex_to_bin('a'), hex_to_bin('F'), hex_to_bin('g'));
	pr_info("%d\n", hex2bin((u8 *)line, "01aBff", 3));
	pr_info("%*ph\n", 3, line);
	pr_info("%d\n", hex2bin((u8 *)line, "01xx", 2));
	*bin2hex(line, bytes, 4) = '\0';
	pr_info("%s\n", line);
}

static void ask_once(void)
{
	for (int i = 0; i < 3; i++) {
		pr_info_once("once %d\n", i);
		pr_warn_once("warned once %d\n", i);
	}
}

static void ask_limits(void)
{
	static DEFINE_RATELIMIT_STATE(state, 20, 3);
	struct ratelimit_state other;
	int passed = 0;
	unsigned long end;

	for (int i = 0; i < 10; i++)
		passed += __ratelimit(&state);
	pr_info("passed %d of 10, missed %d\n", passed, state.missed);
	end = jiffies + 22;
	while (time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	pr_info("later %d\n", __ratelimit(&state));
	pr_info("missed %d\n", state.missed);
	ratelimit_state_init(&other, 0, 1);
	for (passed = 0; passed < 5;)
		if (__ratelimit(&other))
			passed++;
		else
			break;
	pr_info("without an interval %d\n", passed);
	ratelimit_state_init(&other, 1000 * HZ, 2);
	ratelimit_set_flags(&other, RATELIMIT_MSG_ON_RELEASE);
	for (int i = 0; i < 5; i++)
		__ratelimit(&other);
	ratelimit_state_exit(&other);
	ratelimit_state_init(&other, 1000 * HZ, 2);
	for (int i = 0; i < 5; i++)
		__ratelimit(&other);
	ratelimit_state_exit(&other);
	for (int i = 0; i < 30; i++)
		pr_info_ratelimited("limited %d\n", i);
}

static int __init ask_init(void)
{
	ask_errors();
	ask_bytes();
	ask_recursion("%s-%d", "inner", 3);
	ask_bitmaps();
	ask_numbers();
	ask_dumps();
	ask_once();
	ask_limits();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about formats");
