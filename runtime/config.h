/*
 * config.h: build choices, as 0/1 constants that code tests with a plain if.
 *
 * The build passes the FLAGSTONE_* macros; everything else reads the CONFIG_* names below.
 */
#ifndef RUNTIME_CONFIG_H
#define RUNTIME_CONFIG_H

#include <assert.h>

#ifndef FLAGSTONE_DEBUG
#define FLAGSTONE_DEBUG 0
#endif
#ifndef FLAGSTONE_RSEQ
#define FLAGSTONE_RSEQ 1
#endif
#ifndef FLAGSTONE_INJECT
#define FLAGSTONE_INJECT 0
#endif
#ifndef FLAGSTONE_SANITIZED
#define FLAGSTONE_SANITIZED 0
#endif

#define CONFIG_DEBUG FLAGSTONE_DEBUG /* lock ranks */
#define CONFIG_RSEQ FLAGSTONE_RSEQ /* rseq magazines are compiled in; 0: generic ones only (sanitizers) */
#define CONFIG_INJECT FLAGSTONE_INJECT /* delays at every instruction boundary of the critical sections */
#define CONFIG_SANITIZED FLAGSTONE_SANITIZED /* built with a sanitizer, which must know each thread */

#define CONFIG_NR_CPUS 512 /* per-CPU areas; a machine with more possible CPUs uses thread magazines */

static_assert(CONFIG_DEBUG == 0 || CONFIG_DEBUG == 1, "0 or 1");
static_assert(CONFIG_RSEQ == 0 || CONFIG_RSEQ == 1, "0 or 1");
static_assert(CONFIG_SANITIZED == 0 || CONFIG_SANITIZED == 1, "0 or 1");
static_assert(CONFIG_INJECT == 0 || CONFIG_INJECT == 1, "0 or 1");

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
#define ALIGN_UP(x, a) (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1)) /* as <linux/align.h> has it */
#define cache_aligned __attribute__((aligned(64)))
#define hidden __attribute__((visibility("hidden")))
/* What every start of a process runs and touches lies together, on pages that relocation touches anyway. */
#define start_code __attribute__((cold))
#define start_data __attribute__((section(".data")))

#endif
