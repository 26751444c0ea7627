/*
 * options.h: what the command lines of the tools have in common.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stddef.h>

/* The process id that the word is, or 0. */
int options_pid(const char *word);
/* The one of count words like "--json" that begins with the same letter as word; the first of them if none does. */
const char *options_nearest(const char *word, const char *const *words, size_t count);
/* Says what is wrong with the word, which may be NULL, and ends the tool with EXIT_USAGE. */
void options_wrong(const char *tool, const char *what, const char *word) __attribute__((noreturn));

#endif
