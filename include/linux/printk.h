/*
 * linux/printk.h: the kernel log, which goes to stderr.
 *
 * Semantics: Linux, Documentation/core-api/printk-basics.rst. A line is written as soon as it is printed, whole; lines of two CPUs
 * do not mix. Any context, interrupts included: nothing here takes a lock, allocates, or uses stdio's streams. Formats are those of
 * linux/sprintf.h. At most 1000 bytes a call.
 */
#ifndef FLAGSTONE_LINUX_PRINTK_H
#define FLAGSTONE_LINUX_PRINTK_H

#include <linux/compiler.h>
#include <linux/ratelimit_types.h>
#include <linux/types.h>
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KERN_SOH "\001" /* begins what is not text: the level */
#define KERN_EMERG KERN_SOH "0"
#define KERN_ALERT KERN_SOH "1"
#define KERN_CRIT KERN_SOH "2"
#define KERN_ERR KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_NOTICE KERN_SOH "5"
#define KERN_INFO KERN_SOH "6"
#define KERN_DEBUG KERN_SOH "7"
#define KERN_DEFAULT ""
#define KERN_CONT KERN_SOH "c" /* goes on with the line before */

/* Prints a level and a text; every level is shown. Without a newline at its end the line stays open for one KERN_CONT; anything
 * else begins a new one. Returns the length of the text. Context: any. */
int printk(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vprintk(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* A format and its arguments, for %pV: one function's message inside of another's. */
struct va_format {
	const char *fmt;
	va_list *va;
};

/* A file may define pr_fmt(fmt) before its first include, to begin its lines alike. */
#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

#define pr_emerg(fmt, ...) printk(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_alert(fmt, ...) printk(KERN_ALERT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_crit(fmt, ...) printk(KERN_CRIT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err(fmt, ...) printk(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...) printk(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice(fmt, ...) printk(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...) printk(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
#define pr_cont(fmt, ...) printk(KERN_CONT fmt, ##__VA_ARGS__)
/* Checked, not printed. */
#define no_printk(fmt, ...)                         \
	do {                                        \
		if (0)                              \
			printk(fmt, ##__VA_ARGS__); \
	} while (0)
/* Printed by files that define DEBUG before their first include. */
#ifdef DEBUG
#define pr_debug(fmt, ...) printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#else
#define pr_debug(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#endif

/* The first time that this place is reached. */
#define printk_once(fmt, ...)                                                     \
	do {                                                                      \
		static bool flagstone_printed;                                    \
		if (!__atomic_test_and_set(&flagstone_printed, __ATOMIC_RELAXED)) \
			printk(fmt, ##__VA_ARGS__);                               \
	} while (0)
#define printk_deferred(fmt, ...) printk(fmt, ##__VA_ARGS__)
#define pr_emerg_once(fmt, ...) printk_once(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_alert_once(fmt, ...) printk_once(KERN_ALERT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_crit_once(fmt, ...) printk_once(KERN_CRIT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err_once(fmt, ...) printk_once(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn_once(fmt, ...) printk_once(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice_once(fmt, ...) printk_once(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info_once(fmt, ...) printk_once(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)

/* As often as DEFAULT_RATELIMIT_BURST (10) times within DEFAULT_RATELIMIT_INTERVAL (5 s) at this place; then how many were left out. */
#define printk_ratelimited(fmt, ...)                                                                     \
	do {                                                                                             \
		static DEFINE_RATELIMIT_STATE(_rs, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST); \
		if (__ratelimit(&_rs))                                                                   \
			printk(fmt, ##__VA_ARGS__);                                                      \
	} while (0)
#define pr_emerg_ratelimited(fmt, ...) printk_ratelimited(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_alert_ratelimited(fmt, ...) printk_ratelimited(KERN_ALERT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_crit_ratelimited(fmt, ...) printk_ratelimited(KERN_CRIT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err_ratelimited(fmt, ...) printk_ratelimited(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn_ratelimited(fmt, ...) printk_ratelimited(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice_ratelimited(fmt, ...) printk_ratelimited(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info_ratelimited(fmt, ...) printk_ratelimited(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
#ifdef DEBUG
#define pr_devel(fmt, ...) printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug_once(fmt, ...) printk_once(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_devel_once(fmt, ...) printk_once(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug_ratelimited(fmt, ...) printk_ratelimited(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_devel_ratelimited(fmt, ...) printk_ratelimited(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#else
#define pr_devel(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug_once(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_devel_once(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug_ratelimited(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_devel_ratelimited(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#endif
/* Whether a message of all that ask by this may be printed. Not 0: yes. Context: any. */
int flagstone_printk_ratelimit(const char *function);
#define printk_ratelimit() flagstone_printk_ratelimit(__func__)

/* What begins the lines of a dump, behind the caller's text. */
enum { DUMP_PREFIX_NONE, DUMP_PREFIX_ADDRESS, DUMP_PREFIX_OFFSET };
/*
 * Prints length bytes, 16 or 32 a line (rowsize; any other: 16), as numbers of groupsize bytes, 1, 2, 4 or 8, in this machine's order (any
 * other, and where a line's bytes are no multiple: 1); ascii: with their characters behind, '.' for what is none. print_hex_dump_bytes():
 * 16 bytes a line, with KERN_DEBUG. print_hex_dump_debug(): only in files that define DEBUG. Context: any.
 */
void print_hex_dump(const char *level, const char *prefix, int prefix_type, int rowsize, int groupsize,
	const void *bytes, size_t length, bool ascii);
#define print_hex_dump_bytes(prefix, prefix_type, bytes, length) \
	print_hex_dump(KERN_DEBUG, prefix, prefix_type, 16, 1, bytes, length, true)
#ifdef DEBUG
#define print_hex_dump_debug(prefix, prefix_type, rowsize, groupsize, bytes, length, ascii) \
	print_hex_dump(KERN_DEBUG, prefix, prefix_type, rowsize, groupsize, bytes, length, ascii)
#else
#define print_hex_dump_debug(prefix, prefix_type, rowsize, groupsize, bytes, length, ascii)                        \
	do {                                                                                                       \
		if (0)                                                                                             \
			print_hex_dump(KERN_DEBUG, prefix, prefix_type, rowsize, groupsize, bytes, length, ascii); \
	} while (0)
#endif
/* One such line into size bytes, cut and, unless size is 0, ended. Returns the length that all of it has, without the zero. */
int hex_dump_to_buffer(
	const void *bytes, size_t length, int rowsize, int groupsize, char *line, size_t size, bool ascii);

/* Prints this CPU, this task and the stack. Context: any. */
void dump_stack(void);

#ifdef __cplusplus
}
#endif

#endif
