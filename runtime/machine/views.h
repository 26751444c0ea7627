/*
 * views.h: the views of memory.
 */
#ifndef RUNTIME_MACHINE_VIEWS_H
#define RUNTIME_MACHINE_VIEWS_H

#include "runtime/lib/text.h"

void view_buddyinfo(struct text *text);
void view_extfrag_index(struct text *text);
void view_meminfo(struct text *text);
void view_pagetypeinfo(struct text *text);
void view_slabinfo(struct text *text);
void view_unusable_index(struct text *text);
void view_vmstat(struct text *text);
void view_zoneinfo(struct text *text);

#endif
