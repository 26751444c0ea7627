/*
 * support.h: the support room's interface to the machine; what drivers call is in include/linux.
 */
#ifndef RUNTIME_SUPPORT_SUPPORT_H
#define RUNTIME_SUPPORT_SUPPORT_H

/*
 * The parameters of modules, as on the kernel's command line: "module.name=value module.name", with "..." around what has blanks in it.
 * They are set when their modules are loaded. The text is copied. One longer than MODULES_TEXT is cut: check before.
 */
#define MODULES_TEXT 1024
void modules_set_parameters(const char *text);

/* Where random numbers begin. */
void random_boot(unsigned long seed);

#endif
