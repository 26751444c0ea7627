/*
 * sessions.h: a table of sessions with growing logs, written as a kernel module would be.
 */
#ifndef TESTS_KERNEL_SESSIONS_H
#define TESTS_KERNEL_SESSIONS_H

#include <linux/types.h>

/* 0 or -ENOMEM. */
int sessions_init(void);
void sessions_exit(void);

/* Context of these: any. */
int session_open(unsigned int id, gfp_t gfp);
/* Appends to the session's log. -ENOENT if there is no such session. */
int session_log(unsigned int id, const void *bytes, size_t size, gfp_t gfp);
/* Copies at most size bytes of the log; returns how long the log is, or -ENOENT. */
long session_read(unsigned int id, void *bytes, size_t size);
int session_close(unsigned int id);

#endif
