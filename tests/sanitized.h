/*
 * sanitized.h: whether the compiler adds checks that take memory and time of their own, and what cannot be tested then.
 *
 * What is left out for them is left out in the open: see skip.h.
 */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#include "tests/skip.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
	__has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Whether to leave that out. Says so if it is. */
static inline bool skip_sanitized(const char *what_and_why)
{
	if (SANITIZED)
		skip_part(what_and_why);
	return SANITIZED;
}

#define SANITIZERS_LIMITS "limits of memory: the sanitizers need more"
#define SANITIZERS_RESIDENT "limits of resident memory: the sanitizers' own is counted in"
#define SANITIZERS_THREADS_AFTER_FORK \
	"threads in a forked child: ThreadSanitizer refuses them where a program had threads"
#define SANITIZERS_OWN_THREADS \
	"what a thread without libc is like: sanitizers must know each thread, so it is one of libc's"

#endif
