/*
 * linux/kconfig.h: asks what a kernel is built with.
 *
 * Semantics: Linux, Documentation/process/coding-style.rst ("Conditional Compilation"). Constants: for #if, and for if, where the compiler
 * looks at what is left out, too. Below is what can be said of every machine; a program may say more with -D.
 */
#ifndef FLAGSTONE_LINUX_KCONFIG_H
#define FLAGSTONE_LINUX_KCONFIG_H

/* Of 1, 1; of what is not defined, or anything else, 0. */
#define FLAGSTONE_OF_1 0,
#define FLAGSTONE_SECOND(first, second, ...) second
#define FLAGSTONE_CHOOSE(one_or_two) FLAGSTONE_SECOND(one_or_two 1, 0, 0)
#define FLAGSTONE_IS_ONE(value) FLAGSTONE_CHOOSE(FLAGSTONE_OF_##value)
#define __is_defined(x) FLAGSTONE_IS_DEFINED(x)
#define FLAGSTONE_IS_DEFINED(x) FLAGSTONE_IS_ONE(x)

/* Whether an option is y; m; one of these; whether code in this file can call what belongs to it. */
#define IS_BUILTIN(option) __is_defined(option)
#define IS_MODULE(option) __is_defined(option##_MODULE)
#define IS_ENABLED(option) (IS_BUILTIN(option) || IS_MODULE(option))
#define IS_REACHABLE(option) (IS_BUILTIN(option) || (IS_MODULE(option) && __is_defined(MODULE)))

#ifndef CONFIG_64BIT
#define CONFIG_64BIT 1
#endif
#ifndef CONFIG_MMU
#define CONFIG_MMU 1
#endif
#ifndef CONFIG_SMP
#define CONFIG_SMP 1
#endif
#ifndef CONFIG_HOTPLUG_CPU
#define CONFIG_HOTPLUG_CPU 1
#endif
#ifndef CONFIG_NUMA
#define CONFIG_NUMA 1
#endif
#ifndef CONFIG_MODULES
#define CONFIG_MODULES 1
#endif
#ifndef CONFIG_PRINTK
#define CONFIG_PRINTK 1
#endif
#ifndef CONFIG_BUG
#define CONFIG_BUG 1
#endif
#ifndef CONFIG_PREEMPT_COUNT
#define CONFIG_PREEMPT_COUNT 1
#endif
#ifndef CONFIG_HZ
#define CONFIG_HZ 250
#endif
#ifndef CONFIG_HZ_250
#define CONFIG_HZ_250 1
#endif

#endif
