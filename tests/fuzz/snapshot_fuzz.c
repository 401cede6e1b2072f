// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the reader of dm-snapshot's exception stores, for "convert": the COW device
 * holds any header and any lists of exceptions. What is taken has to be what another
 * reader, the one here, takes, and every sector the one that the snapshot shows; what is
 * refused says why; no read is where it must not be; one that fails is an error.
 */
#include <errno.h>
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "snapshot-store.h"

#define SECTOR		512
#define MOST		(64 * 1024)	/* of the COW device, bytes */
#define MOST_STEP	128		/* sectors read at once */
#define NONE		(~0U)

static u8 cow_bytes[MOST];
static struct device origin, cow;
static unsigned int reads_left;		/* until one fails; 0: none does */
static bool read_failed;

/* A sector of the origin is its number. */
int __wrap_device_read(const struct device *dev, void *buf, size_t len, u64 offset,
		       struct dm_chain_why *why)
{
	size_t at;

	must(dev == &origin || dev == &cow, "another device");
	must(len && !(len % SECTOR) && !(offset % SECTOR), "%zu bytes at %llu", len, offset);
	must(offset <= dev->size && len <= dev->size - offset, "%zu bytes at %llu of %llu",
	     len, offset, dev->size);
	if (reads_left && !--reads_left) {
		read_failed = true;
		return dm_chain_refuse(why, -EIO, "%s: read error", dev->path);
	}
	if (dev == &cow) {
		memcpy(buf, cow_bytes + offset, len);
		return 0;
	}
	memset(buf, 0xee, len);
	for (at = 0; at < len; at += SECTOR) {
		u64 sector = (offset + at) / SECTOR;

		memcpy(buf + at, &sector, sizeof(sector));
	}
	return 0;
}

static u64 get(u64 at, unsigned int width)
{
	u64 number = 0;

	while (width--)
		number = number << 8 | cow_bytes[at + width];
	return number;
}

static void put(u64 at, u64 number, unsigned int width)
{
	for (; width--; number >>= 8)
		if (at < sizeof(cow_bytes))
			cow_bytes[at++] = number;
}

/* Mostly what the kernel writes: exceptions in their order, their data behind them. */
static void make_store(struct input *in)
{
	u64 chunk = SECTOR << take_below(in, 5), pairs = chunk / 16, n = 0, new = 2;
	u64 chunks;

	origin.size = (1 + take_below(in, 200)) * SECTOR;
	cow.size = (1 + take_below(in, MOST / SECTOR)) * SECTOR;
	reads_left = take_below(in, 8) == 7 ? 1 + take_below(in, 64) : 0;
	read_failed = false;
	chunks = DIV_ROUND_UP(origin.size, chunk);
	/* What was on the device before */
	memset(cow_bytes, take(in, 1), sizeof(cow_bytes));
	put(0, 0x70416e53, 4);
	put(4, 1, 4);
	put(8, 1, 4);
	put(12, chunk / SECTOR, 4);
	if (take_below(in, 8) == 7)
		put(take_below(in, 16), take(in, 1), 1);
	while (in->left) {
		u64 area = (1 + n / pairs * (pairs + 1)) * chunk;
		u64 old = take_below(in, chunks + 1);

		if (area + chunk > sizeof(cow_bytes))
			break;
		if (n % pairs == 0)
			memset(cow_bytes + area, 0, chunk);
		switch (take_below(in, 16)) {
		case 13:
			old = take(in, 8);
			break;
		case 14:
			new = take(in, 8);
			break;
		case 15:
			new = take_below(in, 256);
			break;
		}
		put(area + n % pairs * 16, old, 8);
		put(area + n % pairs * 16 + 8, new, 8);
		n++;
		new++;
		if ((new - 1) % (pairs + 1) == 0)
			new++;
	}
}

/**
 * struct model - what the store says
 * @chunk: bytes
 * @new: of each chunk of the origin: where it is on the COW device, or NONE
 */
struct model {
	u64 chunk;
	unsigned int new[256];
};

/* Is the exception possible after those before it? */
static bool note(struct model *m, u64 old, u64 new)
{
	u64 chunks = DIV_ROUND_UP(origin.size, m->chunk), step = m->chunk / 16 + 1, i;

	if (old >= chunks || new >= cow.size / m->chunk || !new || new % step == 1 ||
	    m->new[old] != NONE)
		return false;
	for (i = 0; i < chunks; i++)
		if (m->new[i] == new)
			return false;
	m->new[old] = new;
	return true;
}

/* Read it. Return: false if it has to be refused. */
static bool make_model(struct model *m)
{
	u64 sectors = get(12, 4), pairs, area, i;

	memset(m->new, 0xff, sizeof(m->new));
	if (get(0, 4) != 0x70416e53 || get(4, 4) == 0 || get(8, 4) != 1)
		return false;
	for (i = 1; i < sectors && i < 1 << 21; i <<= 1)
		;
	if (!sectors || i != sectors)
		return false;
	m->chunk = sectors * SECTOR;
	pairs = m->chunk / 16;
	for (area = 1; (area + 1) * m->chunk <= cow.size; area += pairs + 1) {
		for (i = 0; i < pairs; i++) {
			u64 at = area * m->chunk + i * 16;

			if (!get(at + 8, 8))
				return true;
			if (!note(m, get(at, 8), get(at + 8, 8)))
				return false;
		}
	}
	return true;
}

/* A sector of the snapshot. */
static void check_sector(const struct model *m, const u8 *got, u64 sector, bool own)
{
	u64 chunk = sector * SECTOR / m->chunk, skip = sector * SECTOR % m->chunk;
	unsigned int new = m->new[chunk];
	u64 number;

	must(own == (new != NONE), "sector %llu: own %d", sector, own);
	if (own) {
		must(!memcmp(got, cow_bytes + new * m->chunk + skip, SECTOR),
		     "sector %llu is not that of chunk %u", sector, new);
		return;
	}
	memcpy(&number, got, sizeof(number));
	must(number == sector, "sector %llu is %llu", sector, number);
}

static void check_view(struct snapshot_store *store, const struct model *m, u32 step)
{
	static u8 buf[MOST_STEP * SECTOR];
	enum dm_chain_state state;
	struct dm_chain_why why;
	u64 offset, run, at;
	size_t len;

	must(store->source.size == origin.size, "size");
	for (offset = 0; offset < origin.size; offset += len) {
		fuzz_why(&why);
		must(!store->source.run(&store->source, offset, origin.size - offset,
					&state, &run, &why), "run");
		must(run && run <= origin.size - offset && !(run % SECTOR), "run %llu", run);
		len = min_t(u64, run, step * SECTOR);
		if (store->source.read(&store->source, buf, len, offset, &why)) {
			must(read_failed, "an error, and no read has failed: %s", why.text);
			must_say_why(&why);
			return;
		}
		must(!read_failed, "a read has failed, and there was no error");
		for (at = 0; at < len; at += SECTOR)
			check_sector(m, buf + at, (offset + at) / SECTOR,
				     state == DM_CHAIN_DATA);
	}
}

void fuzz_one(struct input *in)
{
	struct snapshot_store store;
	struct dm_chain_why why;
	u32 step = 1 + take_below(in, MOST_STEP);
	struct model m;
	bool right;
	int ret;

	origin.path = "origin";
	cow.path = "cow";
	make_store(in);
	right = make_model(&m);
	fuzz_why(&why);
	ret = snapshot_store_open(&store, &origin, &cow, DM_CHAIN_MIN_BLOCK, &why);
	must(ret <= 0, "it returns %d", ret);
	if (ret)
		must_say_why(&why);
	if (read_failed)
		must(ret == -EIO, "a read has failed, and it returns %d", ret);
	else
		must(!ret == right, "%s: %s", ret ? why.text : "taken",
		     right ? "it is right" : "it is wrong");
	if (!ret)
		check_view(&store, &m, step);
	snapshot_store_close(&store);
}
