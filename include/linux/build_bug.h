/*
 * linux/build_bug.h: what must hold when code is compiled.
 *
 * Semantics: Linux, the kernel's header of this name. No code is made of anything here.
 */
#ifndef FLAGSTONE_LINUX_BUILD_BUG_H
#define FLAGSTONE_LINUX_BUILD_BUG_H

#include <linux/compiler.h>

/* An error of the compiler's if the constant condition holds. */
#ifdef __cplusplus
#define BUILD_BUG_ON_MSG(condition, message) static_assert(!(condition), message)
#else
#define BUILD_BUG_ON_MSG(condition, message) _Static_assert(!(condition), message)
#endif
#define BUILD_BUG_ON(condition) BUILD_BUG_ON_MSG(condition, #condition)
#define BUILD_BUG() BUILD_BUG_ON_MSG(1, "BUILD_BUG")
/* The same inside an expression: else it is 0, an int. */
#define BUILD_BUG_ON_ZERO(condition) ((int)(sizeof(char[1 - 2 * !!(condition)]) - 1))
/* An error unless n is a power of two; _BUILD_BUG_: 0 is one. */
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) BUILD_BUG_ON((n) == 0 || (((n) & ((n)-1)) != 0))
#define __BUILD_BUG_ON_NOT_POWER_OF_2(n) BUILD_BUG_ON(((n) & ((n)-1)) != 0)
#ifndef static_assert
#ifndef __cplusplus
#define static_assert _Static_assert
#endif
#endif

#endif
