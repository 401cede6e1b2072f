// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: undo files, see rehearsal.h.
 *
 * A header and the writes in their order, with what each replaced. Integers are
 * little-endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/crc32c.h>
#include <linux/string.h>

#include "rehearsal.h"

#define UNDO_MAGIC	"DMC-UNDO"
#define UNDO_VERSION	1
#define SECTOR		512

/* The checksum covers everything behind it, all entries included. */
struct undo_head {
	u8 magic[8];
	__le32 crc;
	__le32 version;
	u8 uuid[DM_CHAIN_UUID_LEN];
	__le64 device_size;
	__le64 nr;
} __packed;

#define UNDO_LOST	(1 << 0)	/* the old content could not be read */

struct undo_entry {
	__le64 offset;
	__le64 flags;
	u8 old[DM_CHAIN_PAGE_SIZE];
	u8 new[DM_CHAIN_PAGE_SIZE];
} __packed;

static u32 undo_crc(const struct undo_head *head, size_t size)
{
	const size_t skip = offsetof(struct undo_head, version);

	return ~crc32c(~0U, (const u8 *)head + skip, size - skip);
}

static int write_file(int fd, const void *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= n, buf += n) {
		n = write(fd, buf, len);
		if (n < 0)
			return -errno;
	}
	return fsync(fd) ? -errno : 0;
}

/* A file is durable when its directory is, too. */
static int sync_parent(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ret;
}

int undo_save(const struct rehearsal *rehearsal, const char *path,
	      const struct device *dev, const u8 *uuid,
	      struct dm_chain_why *why)
{
	size_t size = sizeof(struct undo_head) +
		      rehearsal->nr * sizeof(struct undo_entry);
	struct undo_head *head = xalloc(1, size);
	struct undo_entry *entry = (void *)(head + 1);
	unsigned int i;
	int fd, ret;

	for (i = 0; i < rehearsal->nr; i++, entry++) {
		const struct rehearsed_write *write = rehearsal->write[i];

		entry->offset = cpu_to_le64(write->offset);
		entry->flags = cpu_to_le64(write->lost ? UNDO_LOST : 0);
		memcpy(entry->old, write->old, sizeof(entry->old));
		memcpy(entry->new, write->new, sizeof(entry->new));
	}
	memcpy(head->magic, UNDO_MAGIC, sizeof(head->magic));
	memcpy(head->uuid, uuid, sizeof(head->uuid));
	head->version = cpu_to_le32(UNDO_VERSION);
	head->device_size = cpu_to_le64(dev->size);
	head->nr = cpu_to_le64(rehearsal->nr);
	head->crc = cpu_to_le32(undo_crc(head, size));

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : write_file(fd, head, size);
	if (fd >= 0 && close(fd) && !ret)
		ret = -errno;
	if (!ret)
		ret = sync_parent(path);
	free(head);
	if (ret == -EEXIST)
		return dm_chain_refuse(why, ret,
				       "%s exists already: an undo file is never overwritten: name a new one",
				       path);
	if (ret)
		return dm_chain_refuse(why, ret, "the undo file %s cannot be written: %s",
				       path, strerror(-ret));
	return 0;
}

static int read_file(const char *path, void **buf, size_t *size,
		     struct dm_chain_why *why)
{
	FILE *f = fopen(path, "re");
	long end = -1;

	*buf = NULL;
	if (f && !fseek(f, 0, SEEK_END))
		end = ftell(f);
	if (end >= 0) {
		rewind(f);
		*size = end;
		*buf = xalloc(1, end);
	}
	if (end < 0 || fread(*buf, 1, end, f) != (size_t)end) {
		int err = errno ? errno : EIO;

		free(*buf);
		if (f)
			fclose(f);
		return dm_chain_refuse(why, -err, "the undo file %s cannot be read: %s",
				       path, strerror(err));
	}
	fclose(f);
	return 0;
}

static bool undo_valid(const struct undo_head *head, size_t size)
{
	u64 room = (size - sizeof(*head)) / sizeof(struct undo_entry);

	return size >= sizeof(*head) &&
	       !memcmp(head->magic, UNDO_MAGIC, sizeof(head->magic)) &&
	       le32_to_cpu(head->version) == UNDO_VERSION &&
	       le64_to_cpu(head->nr) == room &&
	       size == sizeof(*head) + room * sizeof(struct undo_entry) &&
	       le32_to_cpu(head->crc) == undo_crc(head, size);
}

int undo_load(struct rehearsal *rehearsal, const char *path,
	      const struct device *dev, struct dm_chain_why *why)
{
	const struct undo_entry *entry;
	const struct undo_head *head;
	unsigned int i, nr;
	size_t size;
	void *file;
	int ret;

	*rehearsal = (struct rehearsal) { };
	ret = read_file(path, &file, &size, why);
	if (ret)
		return ret;
	head = file;
	if (!undo_valid(head, size))
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s is not an undo file of \"chainsetup repair\", or is damaged",
				      path);
	else if (le64_to_cpu(head->device_size) != dev->size)
		ret = dm_chain_refuse(why, -EINVAL, "%s is for a device of %llu bytes, %s has %llu",
				      path, le64_to_cpu(head->device_size),
				      dev->path, dev->size);
	if (ret) {
		free(file);
		return ret;
	}
	entry = (const void *)(head + 1);
	nr = le64_to_cpu(head->nr);
	rehearsal->write = xalloc(nr, sizeof(*rehearsal->write));
	for (i = 0; i < nr; i++, entry++) {
		struct rehearsed_write *write = xalloc(1, sizeof(*write));

		write->offset = le64_to_cpu(entry->offset);
		write->lost = le64_to_cpu(entry->flags) & UNDO_LOST;
		memcpy(write->old, entry->old, sizeof(write->old));
		memcpy(write->new, entry->new, sizeof(write->new));
		rehearsal->write[i] = write;
	}
	rehearsal->nr = nr;
	free(file);
	return 0;
}

/* Is sector @s of @page one that was there at any time? */
static bool sector_known(const struct rehearsal *done, u64 offset,
			 const u8 *page, size_t s)
{
	unsigned int i;

	for (i = 0; i < done->nr; i++) {
		const struct rehearsed_write *write = done->write[i];

		if (write->offset == offset &&
		    ((!write->lost && !memcmp(write->old + s, page + s, SECTOR)) ||
		     !memcmp(write->new + s, page + s, SECTOR)))
			return true;
	}
	return false;
}

static int plan_page(struct rehearsal *plan, const struct rehearsal *done,
		     const struct rehearsed_write *write,
		     const struct device *dev, struct dm_chain_why *why)
{
	u8 page[DM_CHAIN_PAGE_SIZE];
	size_t s;
	int ret;

	if (write->lost)
		return 0;
	ret = device_read(dev, page, sizeof(page), write->offset, why);
	if (ret && ret != -EIO)
		return ret;
	for (s = 0; s < sizeof(page) && !ret; s += SECTOR)
		if (!sector_known(done, write->offset, page, s))
			return dm_chain_refuse(why, -ESTALE,
					       "%s was written to since: at byte %llu it holds neither what was there before nor what the repair wrote",
					       dev->path, write->offset + s);
	if (!ret && !memcmp(page, write->old, sizeof(page)))
		return 0;
	return rehearsal_add(plan, dev, write->old, write->offset, why);
}

int undo_plan(struct rehearsal *plan, const struct rehearsal *done,
	      const struct device *dev, struct dm_chain_why *why)
{
	unsigned int i, j;
	int ret = 0;

	/* What was written first comes back last. */
	for (i = done->nr; i-- > 0 && !ret; ) {
		for (j = 0; done->write[j]->offset != done->write[i]->offset; j++)
			;
		if (j == i)
			ret = plan_page(plan, done, done->write[i], dev, why);
	}
	return ret;
}
