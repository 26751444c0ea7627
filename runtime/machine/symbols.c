/*
 * symbols.c: the names of functions in reports: those that a module exports.
 *
 * Reads the tables of symbols that lie in memory, as dladdr() does, but without the dynamic linker's lock: whoever reports
 * may be in a constructor, and so hold that lock, while another waits for it in the middle of a report. Names of static
 * functions are in files only: `flagstone symbolize` finds those.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stddef.h>

#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"

/* The tables of a module. */
struct symbols {
	uintptr_t base; /* what is added to its addresses */
	const ElfW(Sym) * symbol;
	const char *names;
	const uint32_t *hash; /* GNU's */
};

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
static const struct link_map *module_of(uintptr_t address)
{
	struct dl_find_object found;

	return _dl_find_object((void *)address, &found) ? NULL : found.dlfo_link_map;
}
#else
static const struct link_map *module_of(uintptr_t address)
{
	(void)address;
	return NULL;
}
#endif

/* The linker has made most pointers absolute; but not those of the vDSO, which is read-only. */
static const void *absolute(const struct symbols *symbols, uintptr_t pointer)
{
	return (const void *)(pointer < symbols->base ? pointer + symbols->base : pointer);
}

static bool symbols_of(const struct link_map *module, struct symbols *symbols)
{
	*symbols = (struct symbols){.base = module->l_addr};
	for (const ElfW(Dyn) *entry = module->l_ld; entry->d_tag != DT_NULL; entry++) {
		const void *table = absolute(symbols, entry->d_un.d_ptr);

		if (entry->d_tag == DT_SYMTAB)
			symbols->symbol = table;
		else if (entry->d_tag == DT_STRTAB)
			symbols->names = table;
		else if (entry->d_tag == DT_GNU_HASH)
			symbols->hash = table;
	}
	return symbols->symbol && symbols->names && symbols->hash;
}

/* The table of hashes is: nr_buckets, the first symbol in it, words of the filter, a shift; the filter; buckets; chains. */
static uint32_t nr_symbols(const struct symbols *symbols)
{
	const uint32_t *hash = symbols->hash;
	const uint32_t *bucket = (const uint32_t *)((const ElfW(Addr) *)(hash + 4) + hash[2]);
	const uint32_t *chain = bucket + hash[0];
	uint32_t last = 0;

	for (uint32_t i = 0; i < hash[0]; i++)
		last = bucket[i] > last ? bucket[i] : last;
	if (last < hash[1])
		return hash[1];
	while (!(chain[last - hash[1]] & 1))
		last++;
	return last + 1;
}

static const char *symbol_find(uintptr_t address, uintptr_t *offset, uintptr_t *size)
{
	const struct link_map *module = module_of(address);
	struct symbols symbols;
	uint32_t nr;

	if (!module || !module->l_ld || !symbols_of(module, &symbols))
		return NULL;
	nr = nr_symbols(&symbols);
	for (uint32_t i = 0; i < nr; i++) {
		const ElfW(Sym) *symbol = &symbols.symbol[i];

		*offset = address - symbols.base - symbol->st_value;
		*size = symbol->st_size;
		if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
			*offset < symbol->st_size)
			return symbols.names + symbol->st_name;
	}
	return NULL;
}

void symbols_boot(void)
{
	report_set_symbols(symbol_find);
}
