/*
 * trace.c: reads valgrind's memory trace of flagstone-counted, and counts: instructions, and lines that change hands.
 *
 * Each line of 64 bytes has a set of CPUs that hold it, as in the MESI protocol with caches that never evict. A read by
 * a CPU that does not hold it moves it there from those that do; a write by one that is not the only holder takes it
 * from all others. Both are transfers. A line that nobody held before costs a transfer from memory, which no other CPU
 * takes part in: not counted. What the program does between operations moves lines too, but counts for nobody.
 *
 * Calls the C library. Knows the marks and valgrind's format: "I  ADDR,SIZE", " L ADDR,SIZE", " S ADDR,SIZE",
 * " M ADDR,SIZE" (a load and a store). Refuses to know what allocators are.
 *
 * usage: flagstone-trace MARKS <TRACE     MARKS: the address of marks in the traced program, in hexadecimal
 *
 * Prints lines of "name value...": operations MALLOCS FREES; reads N and writes N: transfers. For each other operation
 * that there was, done OPERATION TIMES INSTRUCTIONS. Then in no order, for each line that moved, line ADDR TRANSFERS; for
 * each instruction of such another operation that moved lines, moved OPERATION ADDR LINE TRANSFERS, with the line that it
 * moved last; and for each instruction inside malloc and free, at ADDR IN-MALLOC IN-FREE.
 */
#include "marks.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64
#define WORDS (MARKS_CPUS / 64)

/* A cache line. A CPU's bit is set while its cache holds the line; after a write, the writer's alone. */
struct line {
	uint64_t number; /* its address / 64, plus 1; 0: unused */
	uint64_t holders[WORDS];
	uint32_t transfers; /* in operations */
};

/* Counts of one instruction. */
struct spot {
	uint64_t address; /* plus 1; 0: unused */
	uint64_t count[2]; /* in malloc, in free */
};

/* An instruction of an operation beyond malloc and free that moved lines. */
struct mover {
	uint64_t key; /* see mover_key(); 0: unused */
	uint64_t line; /* what it moved last */
	uint64_t transfers;
};

/* Open addressing: at most half of the room is used. */
struct table {
	char *rows;
	size_t row_size, room, used;
};

static struct table lines = {.row_size = sizeof(struct line)};
static struct table spots = {.row_size = sizeof(struct spot)};
static struct table movers = {.row_size = sizeof(struct mover)};
static uint64_t marks_at;
static bool counting;
static uint64_t inside = MARK_END; /* MARK_MALLOC, MARK_FREE, MARK_OPERATION + n, or MARK_END: outside */
static uint64_t at; /* the instruction that accesses memory */
static unsigned int cpu;
static bool away; /* between the turns of two CPUs */
static uint64_t operations[2], reads, writes;
static struct {
	uint64_t times, instructions;
} other[MARKS_OPERATIONS];

static uint64_t *table_slot(const struct table *table, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15ull >> 20) & (table->room - 1);
	uint64_t *row;

	while (*(row = (uint64_t *)(table->rows + i * table->row_size)) && *row != key)
		i = (i + 1) & (table->room - 1);
	return row;
}

static void table_grow(struct table *table)
{
	struct table old = *table;

	table->room = old.room ? 2 * old.room : 1 << 12;
	table->rows = calloc(table->room, table->row_size);
	if (!table->rows)
		abort();
	for (size_t i = 0; i < old.room; i++) {
		uint64_t *row = (uint64_t *)(old.rows + i * old.row_size);

		if (*row)
			memcpy(table_slot(table, *row), row, old.row_size);
	}
	free(old.rows);
}

/* The row of a key; the key is in it, and if it is new all else is zero. */
static void *table_row(struct table *table, uint64_t key, bool *is_new)
{
	uint64_t *row;

	if (2 * table->used >= table->room)
		table_grow(table);
	row = table_slot(table, key);
	*is_new = !*row;
	if (!*row) {
		*row = key;
		table->used++;
	}
	return row;
}

static bool held_by_others(const struct line *line)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (line->holders[i] & ~(i == cpu / 64 ? 1ull << cpu % 64 : 0))
			return true;
	return false;
}

static uint64_t mover_key(uint64_t operation, uint64_t address)
{
	return address * MARKS_OPERATIONS + operation + 1;
}

static void count_transfer(struct line *line, bool write)
{
	struct mover *mover;
	bool is_new;

	line->transfers++;
	*(write ? &writes : &reads) += 1;
	if (inside < MARK_OPERATION)
		return;
	mover = table_row(&movers, mover_key(inside - MARK_OPERATION, at), &is_new);
	mover->line = line->number - 1;
	mover->transfers++;
}

static void access_line(uint64_t number, bool write)
{
	bool is_new, others, moves;
	struct line *line = table_row(&lines, number + 1, &is_new);
	bool held = line->holders[cpu / 64] >> cpu % 64 & 1;

	others = held_by_others(line);
	moves = others && (write || !held);
	if (moves && counting && inside != MARK_END)
		count_transfer(line, write);
	if (write)
		memset(line->holders, 0, sizeof(line->holders));
	line->holders[cpu / 64] |= 1ull << cpu % 64;
}

static void meet_mark(uint64_t which)
{
	if (which >= MARK_OPERATION) {
		inside = which;
		if (counting)
			other[which - MARK_OPERATION].times++;
	} else if (which >= MARK_CPU) {
		cpu = (unsigned int)(which - MARK_CPU);
		away = false;
	} else if (which == MARK_AWAY) {
		away = true;
	} else if (which == MARK_COUNT) {
		counting = true;
	} else {
		inside = which;
		if (counting && inside != MARK_END)
			operations[inside - MARK_MALLOC]++;
	}
}

static void count_instruction(uint64_t address)
{
	bool is_new;
	struct spot *spot;

	at = address;
	if (!counting || inside == MARK_END)
		return;
	if (inside >= MARK_OPERATION) {
		other[inside - MARK_OPERATION].instructions++;
		return;
	}
	spot = table_row(&spots, address + 1, &is_new);
	spot->count[inside - MARK_MALLOC]++;
}

static void access_memory(char kind, uint64_t address, uint64_t size)
{
	if (address >= marks_at && address < marks_at + NR_MARKS) {
		if (kind == 'S')
			meet_mark(address - marks_at);
		return;
	}
	for (uint64_t line = address / LINE_BYTES; !away && line <= (address + size - 1) / LINE_BYTES; line++) {
		if (kind != 'S')
			access_line(line, false);
		if (kind != 'L')
			access_line(line, true);
	}
}

/* Other lines are valgrind's own words. */
static void read_line(const char *text)
{
	char kind = text[0] == 'I' ? 'I' : text[0] == ' ' ? text[1] : 0;
	uint64_t address, size;
	char *end;

	if (!kind || !strchr("ILSM", kind) || text[2] != ' ')
		return;
	address = strtoull(text + 2, &end, 16);
	if (*end != ',')
		return;
	size = strtoull(end + 1, NULL, 10);
	if (kind == 'I')
		count_instruction(address);
	else if (size)
		access_memory(kind, address, size);
}

static void print_counts(void)
{
	printf("operations %lu %lu\nreads %lu\nwrites %lu\n", operations[0], operations[1], reads, writes);
	for (unsigned int i = 0; i < MARKS_OPERATIONS; i++)
		if (other[i].times)
			printf("done %u %lu %lu\n", i, other[i].times, other[i].instructions);
	for (size_t i = 0; i < lines.room; i++) {
		const struct line *line = (const struct line *)lines.rows + i;

		if (line->transfers)
			printf("line %lx %u\n", (line->number - 1) * LINE_BYTES, line->transfers);
	}
	for (size_t i = 0; i < movers.room; i++) {
		const struct mover *mover = (const struct mover *)movers.rows + i;

		if (mover->key)
			printf("moved %lu %lx %lx %lu\n", (mover->key - 1) % MARKS_OPERATIONS,
				(mover->key - 1) / MARKS_OPERATIONS, mover->line * LINE_BYTES, mover->transfers);
	}
	for (size_t i = 0; i < spots.room; i++) {
		const struct spot *spot = (const struct spot *)spots.rows + i;

		if (spot->address)
			printf("at %lx %lu %lu\n", spot->address - 1, spot->count[0], spot->count[1]);
	}
}

int main(int argc, char **argv)
{
	char text[256];

	if (argc != 2 || !(marks_at = strtoull(argv[1], NULL, 16))) {
		fputs("usage: flagstone-trace MARKS <TRACE\n", stderr);
		return 2;
	}
	while (fgets(text, sizeof(text), stdin))
		read_line(text);
	print_counts();
	return 0;
}
