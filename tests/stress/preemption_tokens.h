/*
 * preemption_tokens.h: tokens that circulate through magazines, and the proof that none is lost or doubled.
 *
 * A token is a word that exists once. It is in a magazine, or one holder has it. Taking one off a magazine claims it with
 * an atomic exchange, so that a token handed out twice is found at once; one that got lost is found by the final count.
 */
#ifndef TESTS_STRESS_PREEMPTION_TOKENS_H
#define TESTS_STRESS_PREEMPTION_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NR_TEST_SLOTS 4
#define MAX_HELD 48 /* tokens of one slot that a holder keeps */

/* A context that takes and gives tokens: a thread, or the signal handlers of one. Synchronization: that context */
struct holder {
	uint16_t id; /* not 0 */
	struct {
		unsigned int nr;
		uint32_t token[MAX_HELD];
	} held[NR_TEST_SLOTS];
	unsigned long nr_popped, nr_pushed, nr_installed;
};

/* Boots the percpu room in the mode that FLAGSTONE_CONF asks for, and puts all tokens into the depot. */
void tokens_boot(void);
/* One token out of this CPU's magazines, or into them, exchanging magazines where that is needed. False: not now. Any
 * context, the signal handlers of a thread that is inside of one too. */
bool tokens_pop(struct holder *holder, unsigned int slot_index);
bool tokens_push(struct holder *holder, unsigned int slot_index);
/* Takes every magazine that is not busy out of the areas, into the depot. */
void tokens_drain(void);
/* As tokens_drain, of those that nobody used since the last such call. For one thread. */
void tokens_drain_idle(void);
/* Magazines that each kind of drain has brought so far. */
unsigned long tokens_nr_drained(void);
unsigned long tokens_nr_drained_idle(void);
/* Fails unless every token is in the depot or with one of the holders, once. No other thread runs. */
void tokens_check_all(const struct holder *holders, size_t nr_holders);

#endif
