/*
 * process.c: finds symbols in a running process, from its memory where that is possible, so that a library that was
 * replaced on disk meanwhile is no obstacle.
 *
 * Calls the C library and /proc. Refuses to know what the symbols are.
 */
#include "process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_HEADERS 64
#define MAX_DYNAMIC 256
#define MAX_CHAIN (1u << 20)
#define MAX_NAME 64

/* An ELF object in the process. */
struct object {
	const struct reader *reader;
	uintptr_t bias; /* run-time address - link-time address */
	Elf64_Phdr headers[MAX_HEADERS];
	unsigned int nr_headers;
	uintptr_t symbols, strings, gnu_hash; /* 0: it has none */
};

static bool process_read(const struct reader *reader, const void *remote, void *local, size_t size)
{
	struct iovec to = {local, size}, from = {(void *)remote, size};

	return process_vm_readv(reader->pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

struct reader process_reader(int pid)
{
	return (struct reader){.read = process_read, .pid = pid};
}

/* ---- objects in memory ---- */

static bool read_at(const struct object *object, uintptr_t address, void *local, size_t size)
{
	return reader_read(object->reader, (const void *)address, local, size);
}

static bool is_elf(const Elf64_Ehdr *header)
{
	return !memcmp(header->e_ident, ELFMAG, SELFMAG) && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_phentsize == sizeof(Elf64_Phdr);
}

/* The lowest address that the object is linked at, rounded down to its page. */
static bool lowest_address(const struct object *object, uint64_t *lowest)
{
	for (unsigned int i = 0; i < object->nr_headers; i++) {
		const Elf64_Phdr *header = &object->headers[i];

		if (header->p_type != PT_LOAD)
			continue;
		*lowest = header->p_vaddr & ~(uint64_t)(sysconf(_SC_PAGESIZE) - 1);
		return true;
	}
	return false;
}

/* Reads the headers of the object whose first page is mapped at start. */
static bool object_open(struct object *object, const struct reader *reader, uintptr_t start)
{
	Elf64_Ehdr header;
	uint64_t lowest;

	*object = (struct object){.reader = reader};
	if (!read_at(object, start, &header, sizeof(header)) || !is_elf(&header) || header.e_phnum > MAX_HEADERS)
		return false;
	object->nr_headers = header.e_phnum;
	if (!read_at(object, start + header.e_phoff, object->headers, object->nr_headers * sizeof(Elf64_Phdr)))
		return false;
	if (!lowest_address(object, &lowest))
		return false;
	object->bias = start - lowest;
	return true;
}

/* Some dynamic linkers write run-time addresses into the table, others leave those of link time. */
static uintptr_t dynamic_address(const struct object *object, uintptr_t value)
{
	return value < object->bias ? value + object->bias : value;
}

static void object_read_dynamic(struct object *object, const Elf64_Phdr *header)
{
	for (unsigned int i = 0; i < MAX_DYNAMIC && i < header->p_memsz / sizeof(Elf64_Dyn); i++) {
		Elf64_Dyn entry;

		if (!read_at(object, object->bias + header->p_vaddr + i * sizeof(entry), &entry, sizeof(entry)))
			return;
		if (entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag == DT_SYMTAB)
			object->symbols = dynamic_address(object, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_STRTAB)
			object->strings = dynamic_address(object, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_GNU_HASH)
			object->gnu_hash = dynamic_address(object, entry.d_un.d_ptr);
	}
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static bool symbol_is(const struct object *object, uint32_t index, const char *name, uintptr_t *address)
{
	char found[MAX_NAME] = "";
	size_t size = strlen(name) + 1;
	Elf64_Sym symbol;

	if (!read_at(object, object->symbols + index * sizeof(symbol), &symbol, sizeof(symbol)) ||
		symbol.st_shndx == SHN_UNDEF || size > sizeof(found) ||
		!read_at(object, object->strings + symbol.st_name, found, size) || memcmp(found, name, size))
		return false;
	*address = object->bias + symbol.st_value;
	return true;
}

/* Looks the name up in the GNU hash table: header, bloom filter, buckets, chains. */
static bool object_find(const struct object *object, const char *name, uintptr_t *address)
{
	struct {
		uint32_t nr_buckets, first_symbol, bloom_words, bloom_shift;
	} table;
	uint32_t hash = gnu_hash_of(name), index, other;
	uintptr_t buckets, chains;

	if (!read_at(object, object->gnu_hash, &table, sizeof(table)) || !table.nr_buckets)
		return false;
	buckets = object->gnu_hash + sizeof(table) + table.bloom_words * sizeof(uint64_t);
	chains = buckets + table.nr_buckets * sizeof(uint32_t);
	if (!read_at(object, buckets + hash % table.nr_buckets * sizeof(index), &index, sizeof(index)) ||
		index < table.first_symbol)
		return false;
	for (uint32_t i = 0; i < MAX_CHAIN; i++, index++) {
		if (!read_at(object, chains + (index - table.first_symbol) * sizeof(other), &other, sizeof(other)))
			return false;
		if ((other | 1) == (hash | 1) && symbol_is(object, index, name, address))
			return true;
		if (other & 1) /* the chain's end */
			return false;
	}
	return false;
}

static bool find_in_memory(const struct reader *reader, uintptr_t start, const char *name, uintptr_t *address)
{
	struct object object;

	if (!object_open(&object, reader, start))
		return false;
	for (unsigned int i = 0; i < object.nr_headers; i++)
		if (object.headers[i].p_type == PT_DYNAMIC)
			object_read_dynamic(&object, &object.headers[i]);
	return object.symbols && object.strings && object.gnu_hash && object_find(&object, name, address);
}

/* ---- the executable's file, for what is linked into it ---- */

struct file {
	const char *bytes;
	size_t size;
};

/* The part [offset, offset + size) of the file, or NULL. */
static const void *file_part(const struct file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

static bool find_in_table(
	const struct file *file, const Elf64_Shdr *table, const Elf64_Shdr *names, const char *name, uint64_t *value)
{
	const Elf64_Sym *symbols = file_part(file, table->sh_offset, table->sh_size);
	const char *strings = file_part(file, names->sh_offset, names->sh_size);
	size_t size = strlen(name) + 1;

	for (size_t i = 0; symbols && strings && i < table->sh_size / sizeof(*symbols); i++) {
		if (symbols[i].st_shndx == SHN_UNDEF || symbols[i].st_name > names->sh_size ||
			names->sh_size - symbols[i].st_name < size || memcmp(strings + symbols[i].st_name, name, size))
			continue;
		*value = symbols[i].st_value;
		return true;
	}
	return false;
}

static bool find_in_file(const struct file *file, const char *name, uint64_t *value)
{
	const Elf64_Ehdr *header = file_part(file, 0, sizeof(*header));
	const Elf64_Shdr *sections;

	if (!header || !is_elf(header))
		return false;
	sections = file_part(file, header->e_shoff, (uint64_t)header->e_shnum * sizeof(*sections));
	for (unsigned int i = 0; sections && i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB && sections[i].sh_link < header->e_shnum)
			return find_in_table(file, &sections[i], &sections[sections[i].sh_link], name, value);
	return false;
}

static bool find_in_executable(int pid, const char *name, uint64_t *value)
{
	struct file file = {0};
	struct stat status;
	char path[PATH_MAX];
	void *bytes;
	bool found;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &status) || status.st_size <= 0) {
		close(fd);
		return false;
	}
	file.size = (size_t)status.st_size;
	bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return false;
	file.bytes = bytes;
	found = find_in_file(&file, name, value);
	munmap(bytes, file.size);
	return found;
}

/* ---- the process ---- */

/* Whether the map's file is the executable. */
static bool is_executable(int pid, const char *path)
{
	char link[PATH_MAX], exe[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, exe, sizeof(exe) - 1);
	if (length <= 0)
		return false;
	exe[length] = '\0';
	return !strcmp(exe, path);
}

struct search {
	const struct reader *reader;
	const char *name;
	uintptr_t *addresses;
	int count;
	unsigned int lines;
};

static void search_add(struct search *search, uintptr_t address)
{
	for (int i = 0; i < search->count; i++)
		if (search->addresses[i] == address)
			return;
	if (search->count < PROCESS_MAX_SYMBOLS)
		search->addresses[search->count++] = address;
}

/* One mapping of a file from its start: an object, if it is one. */
static void search_object(struct search *search, uintptr_t start, const char *path)
{
	struct object object;
	uintptr_t address;
	uint64_t value;

	if (find_in_memory(search->reader, start, search->name, &address))
		search_add(search, address);
	else if (is_executable(search->reader->pid, path) && object_open(&object, search->reader, start) &&
		 find_in_executable(search->reader->pid, search->name, &value))
		search_add(search, object.bias + value);
}

static void search_line(struct search *search, char *line)
{
	unsigned long start, offset;
	int path = 0;

	search->lines++;
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%lx-%*x %*s %lx %*s %*s %n", &start, &offset, &path) < 2 || !path || line[path] != '/' ||
		offset)
		return;
	search_object(search, start, line + path);
}

int process_find_symbol(const struct reader *reader, const char *name, uintptr_t *addresses)
{
	struct search search = {.reader = reader, .name = name, .addresses = addresses};
	char path[64], line[PATH_MAX + 128], probe;
	struct iovec to = {&probe, 1}, from = {NULL, 1};
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", reader->pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	errno = 0;
	while (fgets(line, sizeof(line), maps))
		search_line(&search, line);
	if (ferror(maps) && errno) {
		int error = errno;

		fclose(maps);
		return -error;
	}
	fclose(maps);
	if (!search.lines)
		return -ENOEXEC;
	/* Nothing found: because nothing may be read? Address 0 is not mapped, so a permitted read says EFAULT. */
	if (!search.count && process_vm_readv(reader->pid, &to, 1, &from, 1, 0) < 0 && errno != EFAULT)
		return -errno;
	return search.count;
}

uint64_t process_resident_bytes(int pid)
{
	unsigned long pages = 0;
	char path[64];
	FILE *statm;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	statm = fopen(path, "re");
	if (!statm)
		return 0;
	if (fscanf(statm, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(statm);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Reads a file of /proc/PID with its end cut off at size. Returns its length, or -1. */
static ssize_t read_proc_file(int pid, const char *file, char *buffer, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, buffer, size - 1);
	close(fd);
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

/* A process may name itself with what a terminal takes for commands. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void process_name(int pid, char *name, size_t size)
{
	ssize_t length = read_proc_file(pid, "comm", name, size);

	if (length <= 0)
		snprintf(name, size, "?");
	else if (name[length - 1] == '\n')
		name[length - 1] = '\0';
	make_printable(name);
}

/* Without its directory, the first word, which ends at the first of spaces and ends of strings. */
static char *without_directory(char *command)
{
	char *word = command;

	for (char *c = command; *c && *c != ' '; c++)
		if (*c == '/' && c[1] && c[1] != ' ')
			word = c + 1;
	return word;
}

void process_command(int pid, char *command, size_t size)
{
	ssize_t length = read_proc_file(pid, "cmdline", command, size);
	char *start = command;

	while (length > 0 && (!command[length - 1] || command[length - 1] == ' '))
		command[--length] = '\0';
	if (length <= 0) {
		process_name(pid, command, size);
		return;
	}
	start = without_directory(command);
	for (char *c = command; c < command + length; c++)
		if (!*c)
			*c = ' ';
	memmove(command, start, (size_t)(command + length + 1 - start));
	make_printable(command);
}

bool process_identify(int pid, struct process_identity *identity)
{
	unsigned long long start_time, size, code, stack;
	char line[1024], state;
	const char *rest;

	if (read_proc_file(pid, "stat", line, sizeof(line)) <= 0)
		return false;
	rest = strrchr(line, ')'); /* the name before it may have anything in it */
	if (!rest || sscanf(rest + 1,
			     " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
			     " %llu %llu %*d %*u %llu %*u %llu",
			     &state, &start_time, &size, &code, &stack) != 5)
		return false;
	*identity = (struct process_identity){.start_time = start_time, .code = code, .stack = stack};
	return size && state != 'Z' && state != 'X';
}
