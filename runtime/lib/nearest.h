/*
 * nearest.h: the word that somebody meant who wrote another.
 */
#ifndef RUNTIME_LIB_NEAREST_H
#define RUNTIME_LIB_NEAREST_H

#include <stdbool.h>

#define NEAREST_BYTES 32 /* of a word with its end; what is behind is not looked at */

/* A search: begin with {.word = WORD}, offer words one by one, then best is the nearest, or NULL: none is near. */
struct nearest {
	const char *word;
	const char *best;
	unsigned int distance; /* of best */
};

/*
 * Letters that are missing, too many, wrong, or swapped with their neighbour count one each. Near is what takes two of them at
 * most, or of longer words a third of the letters, of those of up to three letters one; and words of which one is the beginning of the other.
 */
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
