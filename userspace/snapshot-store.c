// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: the persistent exception store of dm-snapshot.
 *
 * All numbers are little-endian. The COW device is divided into chunks. Chunk 0
 * begins with a header: magic, valid, version, chunk size in sectors, 4 bytes each.
 * An area of exceptions takes one chunk: pairs of old and new chunk, 8 bytes each.
 * The first area is chunk 1; as many chunks as it has pairs follow, which hold data,
 * then the next area. A new chunk of 0, where a header lies, ends the list.
 */
#include <errno.h>
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot-store.h"

#define MAGIC		0x70416e53
#define VERSION		1
#define SECTOR		512
#define HEADER_CHUNKS	1
/* The kernel's number of sectors is a positive int of bytes. */
#define CHUNK_MOST	(1U << 30)

struct disk_header {
	__le32	magic;
	__le32	valid;
	__le32	version;
	__le32	chunk_size;	/* sectors */
} __packed;

struct disk_exception {
	__le64	old_chunk;
	__le64	new_chunk;
} __packed;

static u64 pairs_per_area(const struct snapshot_store *store)
{
	return store->chunk / sizeof(struct disk_exception);
}

/* In chunks of the COW device. */
static u64 area_chunk(const struct snapshot_store *store, u64 area)
{
	return HEADER_CHUNKS + area * (pairs_per_area(store) + 1);
}

/* Is it one of those that hold the lists? */
static bool is_metadata(const struct snapshot_store *store, u64 chunk)
{
	return chunk < HEADER_CHUNKS ||
	       (chunk - HEADER_CHUNKS) % (pairs_per_area(store) + 1) == 0;
}

static int read_header(struct snapshot_store *store, struct dm_chain_why *why)
{
	const char *path = store->cow->path;
	u8 sector[SECTOR];
	const struct disk_header *disk = (const void *)sector;
	u64 sectors;
	int ret = device_read(store->cow, sector, sizeof(sector), 0, why);

	if (ret)
		return ret;
	if (le32_to_cpu(disk->magic) != MAGIC)
		return dm_chain_refuse(why, -ENODATA,
				       "%s has no persistent exception store: it is no COW device of dm-snapshot, or of a transient snapshot, which does not outlive its device",
				       path);
	if (le32_to_cpu(disk->version) != VERSION)
		return dm_chain_refuse(why, -EOPNOTSUPP,
				       "%s: the exception store has version %u, known is %u",
				       path, le32_to_cpu(disk->version), VERSION);
	if (!le32_to_cpu(disk->valid))
		return dm_chain_refuse(why, -EBADMSG,
				       "%s: the snapshot is invalid: the COW device was full, or could not be written; what it showed is lost",
				       path);
	sectors = le32_to_cpu(disk->chunk_size);
	store->chunk = sectors * SECTOR;
	if (!sectors || sectors & (sectors - 1) || store->chunk > CHUNK_MOST)
		return dm_chain_refuse(why, -EBADMSG,
				       "%s: the exception store is damaged: chunks of %llu sectors",
				       path, sectors);
	return 0;
}

static int damaged(const struct snapshot_store *store, u64 n, const char *what,
		   struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -EBADMSG,
			       "%s: the exception store is damaged: exception %llu %s",
			       store->cow->path, n, what);
}

/* Is the @n-th possible by itself? */
static int check_exception(const struct snapshot_store *store,
			   const struct exception *e, u64 n,
			   struct dm_chain_why *why)
{
	u64 origin = store->origin->size / store->chunk +
		     !!(store->origin->size % store->chunk);

	if (e->old >= origin)
		return damaged(store, n, "is behind the origin's end: is that the right one?",
			       why);
	if (is_metadata(store, e->new))
		return damaged(store, n, "has its data where a list is", why);
	if (e->new >= store->cow->size / store->chunk)
		return damaged(store, n, "has its data behind the device's end", why);
	return 0;
}

static int add(struct snapshot_store *store, const struct exception *e,
	       struct dm_chain_why *why)
{
	int ret = check_exception(store, e, store->nr, why);

	if (ret)
		return ret;
	/* Room for a power of two of them. */
	if (!(store->nr & (store->nr - 1))) {
		u64 room = store->nr ? store->nr * 2 : 1;

		store->exception = realloc(store->exception,
					   room * sizeof(*store->exception));
		if (!store->exception)
			exit(complain("out of memory"));
	}
	store->exception[store->nr++] = *e;
	return 0;
}

/* Return: 1 if there may be another area, 0 after the last, or an error. */
static int read_area(struct snapshot_store *store, u64 area, u8 *sector,
		     struct dm_chain_why *why)
{
	const struct disk_exception *disk = (const void *)sector;
	u64 start = area_chunk(store, area) * store->chunk, at;
	struct exception e;
	unsigned int i;
	int ret = 0;

	/* The last chunk of the device may be one that is not whole. */
	if (start + store->chunk > store->cow->size)
		return 0;
	for (at = 0; at < store->chunk && !ret; at += SECTOR) {
		ret = device_read(store->cow, sector, SECTOR, start + at, why);
		for (i = 0; i < SECTOR / sizeof(*disk) && !ret; i++) {
			e.old = le64_to_cpu(disk[i].old_chunk);
			e.new = le64_to_cpu(disk[i].new_chunk);
			if (!e.new)
				return 0;
			ret = add(store, &e, why);
		}
	}
	return ret ? ret : 1;
}

static int by_old(const void *a, const void *b)
{
	const struct exception *one = a, *other = b;

	return one->old < other->old ? -1 : one->old > other->old;
}

static int by_new(const void *a, const void *b)
{
	const struct exception *one = a, *other = b;

	return one->new < other->new ? -1 : one->new > other->new;
}

/* No chunk has two copies, and no two have the same. */
static int check_all(struct snapshot_store *store, struct dm_chain_why *why)
{
	struct exception *e = store->exception;
	u64 i;

	if (!store->nr)
		return 0;
	qsort(e, store->nr, sizeof(*e), by_new);
	for (i = 1; i < store->nr; i++)
		if (e[i].new == e[i - 1].new)
			return damaged(store, i, "has the data of another one", why);
	qsort(e, store->nr, sizeof(*e), by_old);
	for (i = 1; i < store->nr; i++)
		if (e[i].old == e[i - 1].old)
			return damaged(store, i, "is for a chunk that has another one",
				       why);
	return 0;
}

/* The first one that is not below a chunk of the origin. */
static u64 find(const struct snapshot_store *store, u64 chunk)
{
	u64 low = 0, high = store->nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (store->exception[middle].old < chunk)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int store_run(struct block_source *source, u64 offset, u64 max,
		     enum dm_chain_state *state, u64 *run,
		     struct dm_chain_why *why)
{
	const struct snapshot_store *store =
		container_of(source, struct snapshot_store, source);
	u64 chunk = offset / store->chunk, i = find(store, chunk);
	u64 end = chunk;

	*state = DM_CHAIN_UNALLOCATED;
	if (i == store->nr) {
		*run = max;
		return 0;
	}
	if (store->exception[i].old > chunk) {
		*run = min(max, store->exception[i].old * store->chunk - offset);
		return 0;
	}
	*state = DM_CHAIN_DATA;
	while (i < store->nr && store->exception[i].old == end) {
		i++;
		end++;
	}
	*run = min(max, end * store->chunk - offset);
	return 0;
}

static int store_read(struct block_source *source, void *buf, size_t len,
		      u64 offset, struct dm_chain_why *why)
{
	const struct snapshot_store *store =
		container_of(source, struct snapshot_store, source);
	int ret = 0;

	while (len && !ret) {
		u64 chunk = offset / store->chunk, skip = offset % store->chunk;
		u64 part = min((u64)len, store->chunk - skip);
		u64 i = find(store, chunk);

		if (i < store->nr && store->exception[i].old == chunk)
			ret = device_read(store->cow, buf, part,
					  store->exception[i].new * store->chunk +
					  skip, why);
		else
			ret = device_read(store->origin, buf, part, offset, why);
		buf += part;
		offset += part;
		len -= part;
	}
	return ret;
}

int snapshot_store_open(struct snapshot_store *store, const struct device *origin,
			const struct device *cow, u32 block_size,
			struct dm_chain_why *why)
{
	u8 sector[SECTOR];
	u64 area = 0;
	int ret;

	*store = (struct snapshot_store) {
		.origin = origin,
		.cow = cow,
		.source.size = origin->size,
		.source.block_size = block_size,
		.source.run = store_run,
		.source.read = store_read,
	};
	ret = read_header(store, why);
	if (ret)
		return ret;
	do {
		ret = read_area(store, area++, sector, why);
	} while (ret > 0);
	return ret ? ret : check_all(store, why);
}

void snapshot_store_close(struct snapshot_store *store)
{
	free(store->exception);
	store->exception = NULL;
	store->nr = 0;
}
