/*
 * linux/printk.h: the kernel log, which goes to stderr.
 *
 * Semantics: Linux, Documentation/core-api/printk-basics.rst. A line is written as soon as it is printed, whole; lines of two CPUs
 * do not mix. Any context, interrupts included: nothing here takes a lock, allocates, or uses stdio's streams. Formats are those of
 * printf; of the kernel's extensions of %p there are none. At most 1000 bytes a call.
 */
#ifndef FLAGSTONE_LINUX_PRINTK_H
#define FLAGSTONE_LINUX_PRINTK_H

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
#define pr_err_once(fmt, ...) printk_once(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn_once(fmt, ...) printk_once(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice_once(fmt, ...) printk_once(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info_once(fmt, ...) printk_once(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)

/* Prints this CPU, this task and the stack. Context: any. */
void dump_stack(void);

#ifdef __cplusplus
}
#endif

#endif
