/*
 * linux/bug.h: what must not be.
 *
 * Semantics: Linux, Documentation/process/deprecated.rst ("BUG() and BUG_ON()"). Any context.
 */
#ifndef FLAGSTONE_LINUX_BUG_H
#define FLAGSTONE_LINUX_BUG_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/printk.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flagstone's own: the report, with the message before it unless that is NULL. */
void flagstone_warn(const char *file, int line, const char *function, const char *format, ...)
	__attribute__((format(printf, 4, 5), cold));
/* "kernel BUG at FILE:LINE!", and the end of the process. */
void flagstone_bug(const char *file, int line) __attribute__((noreturn, cold));

/* "WARNING: CPU: N PID: N at FILE:LINE FUNCTION" and the stack, if the condition holds. Is the condition. */
#define WARN_ON(condition)                                                  \
	({                                                                  \
		bool flagstone_warns = !!(condition);                       \
		if (unlikely(flagstone_warns))                              \
			flagstone_warn(__FILE__, __LINE__, __func__, NULL); \
		flagstone_warns;                                            \
	})
/* With a message before it. */
#define WARN(condition, format, ...)                                                         \
	({                                                                                   \
		bool flagstone_warns = !!(condition);                                        \
		if (unlikely(flagstone_warns))                                               \
			flagstone_warn(__FILE__, __LINE__, __func__, format, ##__VA_ARGS__); \
		flagstone_warns;                                                             \
	})
/* The report only the first time that this place sees the condition hold. */
#define WARN_ON_ONCE(condition)                                                                                    \
	({                                                                                                         \
		static bool flagstone_warned;                                                                      \
		bool flagstone_warns_once = !!(condition);                                                         \
		if (unlikely(flagstone_warns_once) && !__atomic_test_and_set(&flagstone_warned, __ATOMIC_RELAXED)) \
			flagstone_warn(__FILE__, __LINE__, __func__, NULL);                                        \
		flagstone_warns_once;                                                                              \
	})
#define WARN_ONCE(condition, format, ...)                                                                          \
	({                                                                                                         \
		static bool flagstone_warned;                                                                      \
		bool flagstone_warns_once = !!(condition);                                                         \
		if (unlikely(flagstone_warns_once) && !__atomic_test_and_set(&flagstone_warned, __ATOMIC_RELAXED)) \
			flagstone_warn(__FILE__, __LINE__, __func__, format, ##__VA_ARGS__);                       \
		flagstone_warns_once;                                                                              \
	})
#define BUG() flagstone_bug(__FILE__, __LINE__)
#define BUG_ON(condition)                \
	do {                             \
		if (unlikely(condition)) \
			BUG();           \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif
