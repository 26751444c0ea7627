// SPDX-License-Identifier: MIT
/*
 * ask_parameters.c: what do parameters of a module become, and what is said of those that cannot be?
 *
 * Parameters: number=-0x10 other=1 number=7 big=18446744073709551615 small=255 flag inverted=1 text="two words, and" empty=
 * Parameters: list=1,2,0x3 few=5 words=one,two word=abcd with-dash=3 with_line=4 mine=quick unknown bits=0x1f truth=n
 * Keep: (unknown parameter.*)$
 * Keep: (: string doesn't fit.*)$
 * Keep: (: can only take.*)$
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

static int number = 1, untouched = 42;
module_param(number, int, 0444);
module_param(untouched, int, 0444);
static unsigned long long big;
module_param(big, ullong, 0444);
static unsigned char small;
module_param(small, byte, 0444);
static bool flag, inverted, truth = true;
module_param(flag, bool, 0444);
module_param(inverted, invbool, 0444);
module_param(truth, bool, 0444);
static char *text = "default", *empty = "default", *words[4];
module_param(text, charp, 0444);
module_param(empty, charp, 0444);
module_param_array(words, charp, NULL, 0444);
static int list[4], few[3] = {-1, -1, -1};
static unsigned int nr_list, nr_few;
module_param_array(list, int, &nr_list, 0444);
module_param_array(few, int, &nr_few, 0444);
static char word[5];
module_param_string(word, word, sizeof(word), 0444);
static int with_dash;
module_param(with_dash, int, 0444);
static int renamed;
module_param_named(with_line, renamed, int, 0444);
static unsigned int bits;
module_param(bits, hexint, 0444);
MODULE_PARM_DESC(bits, "Some bits");

static int speed;

static int set_speed(const char *value, const struct kernel_param *kp)
{
	pr_info("set %s to [%s]\n", kp->name, value);
	*(int *)kp->arg = value[0] == 'q' ? 100 : 1;
	return 0;
}

static int get_speed(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%d\n", *(int *)kp->arg);
}

static const struct kernel_param_ops speed_ops = {.set = set_speed, .get = get_speed};
module_param_cb(mine, &speed_ops, &speed, 0444);

/* What a text does to a variable of a type, and what it looks like then. */
#define ask_type(which, type, ...)                                                                              \
	do {                                                                                                    \
		static const char *const values[] = {__VA_ARGS__};                                              \
		for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {                                         \
			type variable = 0;                                                                      \
			const struct kernel_param kp = {.name = #which, .mod = THIS_MODULE, .arg = &variable};  \
			int error = param_ops_##which.set(values[i], &kp);                                      \
			int length = param_ops_##which.get(page, &kp);                                          \
			pr_info("%s [%s]: %d, %d, %.*s\n", #which, values[i], error, length, length - 1, page); \
		}                                                                                               \
	} while (0)

static char page[PAGE_SIZE];

static void ask_types(void)
{
	ask_type(byte, unsigned char, "255", "256", "-1", "x", "");
	ask_type(short, short, "-32768", "32768", "0x7f");
	ask_type(ushort, unsigned short, "65535", "65536");
	ask_type(int, int, "-2147483648", "2147483648", "010", "5\n", " 5");
	ask_type(uint, unsigned int, "4294967295", "-1");
	ask_type(long, long, "-5", "9223372036854775808");
	ask_type(ulong, unsigned long, "18446744073709551615", "18446744073709551616");
	ask_type(ullong, unsigned long long, "7");
	ask_type(hexint, unsigned int, "0x1f", "31", "0xdeadbeef", "0");
	ask_type(bool, bool, "y", "N", "on", "2");
	ask_type(invbool, bool, "y", "n", "2");
	ask_type(bint, int, "y", "n", "5");
	ask_type(charp, char *, "some text", "");
}

static int ask_array(char *value, unsigned int *num)
{
	static int elements[3] = {7, 7, 7};
	const struct kparam_array array = {
		.max = 3, .elemsize = sizeof(int), .num = num, .ops = &param_ops_int, .elem = elements};
	const struct kernel_param kp = {.name = "array", .mod = THIS_MODULE, .arr = &array};
	int error = param_array_ops.set(value, &kp), length = param_array_ops.get(page, &kp);

	pr_info("%d: %d %d %d, %d, %.*s\n", error, elements[0], elements[1], elements[2], length, length - 1, page);
	return error;
}

static void ask_arrays(void)
{
	char values[][16] = {"1,2,3", "4,5", "1,2,3,4", "6,x,8", "9,", ""};
	unsigned int num;

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		num = 0;
		ask_array(values[i], &num);
		pr_info("num %u\n", num);
	}
	ask_array(strcpy(values[0], "11"), NULL);
}

static void ask_copies(void)
{
	static char copy[6] = "old";
	const struct kparam_string string = {sizeof(copy), copy};
	const struct kernel_param kp = {.name = "copy", .str = &string};

	pr_info("%d\n", param_set_copystring("12345", &kp));
	pr_info("%s, %d\n", copy, param_get_string(page, &kp));
	pr_info("%d\n", param_set_copystring("123456", &kp));
	pr_info("%s\n", copy);
}

static int __init ask_init(void)
{
	pr_info("number %d untouched %d big %llu small %u\n", number, untouched, big, small);
	pr_info("flag %d inverted %d truth %d\n", flag, inverted, truth);
	pr_info("text [%s] empty [%s] word [%s]\n", text, empty, word);
	pr_info("words [%s] [%s] %d\n", words[0], words[1], words[2] == NULL);
	pr_info("list %d %d %d %d, %u\n", list[0], list[1], list[2], list[3], nr_list);
	pr_info("few %d %d %d, %u\n", few[0], few[1], few[2], nr_few);
	pr_info("with_dash %d renamed %d bits %x speed %d\n", with_dash, renamed, bits, speed);
	ask_types();
	kernel_param_lock(THIS_MODULE);
	ask_arrays();
	ask_copies();
	kernel_param_unlock(THIS_MODULE);
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about parameters");
