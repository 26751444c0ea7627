/*
 * info.c: what glibc's programs ask of their malloc's state, and the report at exit.
 *
 * Calls the slab room's statistics.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "flagstone/stats.h"
#include "runtime/host/host.h"
#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"
#include "runtime/malloc/face.h"
#include "runtime/malloc/stats_text.h"
#include "runtime/slab/slab.h"

#define TEXT_SIZE 4096

static struct mallinfo2 info_now(void)
{
	struct mallinfo2 info = {0};
	struct page_stats pages;

	if (!slab_boot())
		return info;
	page_stats_get(&pages);
	info.arena = pages.online_bytes;
	info.hblks = pages.nr_large;
	info.hblkhd = pages.large_bytes;
	info.fordblks = pages.free_bytes + pages.pcp_bytes;
	/* Read without locks: a page on its way between two lists may count twice. */
	info.uordblks = pages.online_bytes > info.fordblks ? pages.online_bytes - info.fordblks : 0;
	info.keepcost = pages.free_bytes - pages.free_zero_bytes;
	return info;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	return info_now();
}

static int to_int(size_t value)
{
	return value > INT_MAX ? INT_MAX : (int)value;
}

EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 info = info_now();

	return (struct mallinfo){
		.arena = to_int(info.arena),
		.hblks = to_int(info.hblks),
		.hblkhd = to_int(info.hblkhd),
		.fordblks = to_int(info.fordblks),
		.uordblks = to_int(info.uordblks),
		.keepcost = to_int(info.keepcost),
	};
}

static void print_to(int fd)
{
	char buffer[TEXT_SIZE];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), fd);

	stats_print(&text);
	text_flush(&text);
}

EXPORT void malloc_stats(void)
{
	if (slab_boot())
		print_to(2);
}

/* XML of glibc's outline: the totals, without its arenas and bins. */
EXPORT int malloc_info(int options, FILE *stream)
{
	struct mallinfo2 info = info_now();

	if (options)
		return EINVAL;
	fprintf(stream,
		"<malloc version=\"1\">\n<total type=\"rest\" count=\"1\" size=\"%zu\"/>\n"
		"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n<system type=\"current\" "
		"size=\"%zu\"/>\n</malloc>\n",
		info.fordblks, info.hblks, info.hblkhd, info.arena);
	return 0;
}

/* stderr as the program found it: many close theirs on the way out. Synchronization: const after the constructor */
static int exit_fd = 2;

static __attribute__((constructor)) void stats_at_exit_prepare(void)
{
	int fd;

	if (!tunable_stats_at_exit)
		return;
	fd = host_duplicate(2);
	if (fd >= 0)
		exit_fd = fd;
}

static __attribute__((destructor)) void stats_at_exit(void)
{
	if (tunable_stats_at_exit)
		print_to(exit_fd);
}
