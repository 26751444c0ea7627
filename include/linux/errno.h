/*
 * linux/errno.h: the numbers of errors, and those that no system call returns.
 *
 * Semantics: Linux, the kernel's header of this name. The C library includes it, too.
 */
#ifndef FLAGSTONE_LINUX_ERRNO_H
#define FLAGSTONE_LINUX_ERRNO_H

#pragma GCC system_header /* for #include_next, which is an extension */
#include_next <linux/errno.h>

#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ENOIOCTLCMD 515
#define ERESTART_RESTARTBLOCK 516
#define EPROBE_DEFER 517
#define EOPENSTALE 518
#define ENOPARAM 519
#define EBADHANDLE 521
#define ENOTSYNC 522
#define EBADCOOKIE 523
#define ENOTSUPP 524
#define ETOOSMALL 525
#define ESERVERFAULT 526
#define EBADTYPE 527
#define EJUKEBOX 528
#define EIOCBQUEUED 529
#define ERECALLCONFLICT 530

#endif
