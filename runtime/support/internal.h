/*
 * internal.h: what the files of the support room share.
 */
#ifndef RUNTIME_SUPPORT_INTERNAL_H
#define RUNTIME_SUPPORT_INTERNAL_H

#include <flagstone/module.h>

#include "runtime/config.h"
#include "runtime/support/support.h"

/* ---- parameters.c ---- */

struct kernel_param;
/* Sets it from a text; NULL: it is named without a value. 0, or -errno with a line in the log. */
int parameter_set(const struct kernel_param *param, const char *module, const char *name, const char *value) hidden;

#endif
