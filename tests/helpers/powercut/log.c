// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static const struct log_record *next_record(const u8 *at, const u8 *end,
					    const u8 **data)
{
	const struct log_record *rec = (const void *)at;
	u64 length = 0;

	if ((size_t)(end - at) < sizeof(*rec))
		return NULL;
	if (rec->type == LOG_SUBMIT && rec->op == LOG_WRITE)
		length = rec->length;
	if ((size_t)(end - at) - sizeof(*rec) < length)
		return NULL;
	*data = length ? at + sizeof(*rec) : NULL;
	return rec;
}

static const u8 *after(const struct log_record *rec, const u8 *data)
{
	return (const u8 *)(rec + 1) + (data ? rec->length : 0);
}

/* Two passes: the number of records is known only when all were seen. */
static void index_records(struct log *log, const u8 *start, const u8 *end)
{
	const struct log_record *rec;
	const u8 *at, *data;
	unsigned long n = 0;
	long *submit;

	for (at = start; (rec = next_record(at, end, &data)); at = after(rec, data))
		n++;
	log->entry = calloc(n + 1, sizeof(*log->entry));
	submit = calloc(n + 1, sizeof(*submit));
	if (!log->entry || !submit)
		err(1, "log");

	n = 0;
	for (at = start; (rec = next_record(at, end, &data)); at = after(rec, data)) {
		struct log_entry *e = &log->entry[n];

		e->rec = *rec;
		e->data = data;
		e->peer = -1;
		if (rec->device >= log->devices)
			errx(1, "log: record %lu: device %u", n, rec->device);
		if (rec->type == LOG_SUBMIT) {
			submit[rec->id] = n;
		} else {
			e->peer = submit[rec->id];
			log->entry[e->peer].peer = n;
		}
		n++;
	}
	log->entries = n;
	free(submit);
}

void log_open(struct log *log, const char *path)
{
	const struct log_header *header;
	struct stat st;
	const u8 *map;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	if ((size_t)st.st_size < sizeof(*header))
		errx(1, "%s: too short", path);
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s", path);
	close(fd);

	header = (const void *)map;
	if (header->magic != LOG_MAGIC)
		errx(1, "%s: not a log", path);
	log->devices = header->devices;
	log->device = (const void *)(header + 1);
	index_records(log, (const u8 *)(log->device + log->devices),
		      map + st.st_size);
}
