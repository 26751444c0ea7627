/*
 * machine.h: what the files of the machine room share. The room's interface is include/flagstone/machine.h.
 */
#ifndef RUNTIME_MACHINE_MACHINE_H
#define RUNTIME_MACHINE_MACHINE_H

#include <flagstone/machine.h>
#include <stdbool.h>

#include "runtime/lib/text.h"
#include "runtime/page/page.h"

#define MACHINE_VARIABLE "FLAGSTONE_MACHINE"

/* The machine that is booted. Synchronization: written while one thread uses the machine */
extern struct flagstone_machine_config machine_config hidden;

/* ---- config.c ---- */

#define MACHINE_TEXT "machine text" /* the source of a text that the program has */
/* Reads a text over what config has; with complaints that name its source. */
bool config_apply(struct flagstone_machine_config *config, const char *text, const char *source);
/* Who said what a field is: FILE:LINE, a variable, a text; "program": none of these. Of all texts applied since they were
 * forgotten; the sources have to stay so long. */
void config_print_origin(const char *name, struct text *text);
void config_forget_origins(void);
/* Of the field of that name. */
bool config_is_default(const struct flagstone_machine_config *config, const char *name);
/* As people write it: a size has a suffix. */
void config_print_number(const char *name, unsigned long value, struct text *text);
/* Another thread of the parent's may have been at it. */
void config_fork_child(void);
/* ---- boot.c: as flagstone_machine_boot(), whatever the environment says. config has been checked. ---- */
int machine_boot_exactly(const struct flagstone_machine_config *config);
/* What config says that the defaults do not, in a form that config_apply() takes. */
void config_print(const struct flagstone_machine_config *config, struct text *text);
/* Whether each allocation is looked at, or magazines serve it unseen where they can. */
bool config_sees_all(const struct flagstone_machine_config *config);
/* ---- check.c: the machine's memory as the page room takes it. False: it cannot be, and a note has said why. ---- */
bool config_to_page_machine(const struct flagstone_machine_config *config, struct page_machine *machine);

/* ---- hooks.c ---- */

void hooks_set(const struct flagstone_machine_config *config);
/* Whether what takes memory beside objects and pages (threads, work queues, irqs, per-CPU variables) may be made to fail. */
void hooks_set_faults(bool on);

/* ---- pages.c ---- */

struct usual_pages;
extern const struct usual_pages machine_pages hidden;

/* ---- rcu.c ---- */

int machine_rcu_boot(void);
/* Waits until nothing waits any more. Task context. */
void machine_rcu_shutdown(void);

/* ---- leaks.c: the number of things that are still there, each reported, and of those that others have reported ---- */
unsigned int leaks_report(unsigned int nr);

/* ---- segv.c: reports of wrong addresses ---- */
void segv_boot(void);
void segv_shutdown(void);

/* ---- symbols.c ---- */
/* Reports name functions from here on. */
void symbols_boot(void);

/* ---- views.c ---- */
void views_write(const char *path);

#endif
