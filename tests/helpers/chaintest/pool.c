// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: slices of the pool device.
 *
 * A slice is a dm-linear device. What is written to it while it is suspended
 * waits: that is how a read or write is held. Of a composed slice each part
 * can be held by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ct.h"

static char pool_devno[32];
static u64 pool_size;
static u64 pool_used = MIB;
static int pool_fd = -1;
static unsigned int nr_slices;
static struct slice *slices;

void pool_init(const char *path)
{
	struct stat st;

	pool_fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ct_check(pool_fd >= 0, "%s: %m", path);
	ct_check(!fstat(pool_fd, &st) && S_ISBLK(st.st_mode) &&
		 !ioctl(pool_fd, BLKGETSIZE64, &pool_size),
		 "%s: no block device", path);
	snprintf(pool_devno, sizeof(pool_devno), "%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
}

static void slice_seg(const struct slice *s, struct dm_seg *seg)
{
	seg->sectors = s->size / SECTOR;
	seg->target = "linear";
	seg->params = ct_str("%s %llu", pool_devno, s->start);
}

static void slice_open(struct slice *s)
{
	s->fd = dmd_open(s->name, O_RDWR | O_DIRECT);
	ct_check(s->fd >= 0, "%s: %m", s->name);
	s->next = slices;
	slices = s;
}

/* Take all slices away, when no chain is on them any more. */
void pool_reset(void)
{
	for (; slices; slices = slices->next)
		if (slices->fd >= 0)
			close(slices->fd);
	dmd_cleanup_devices(false);
	pool_used = MIB;
}

/* A part of it gets zeros (0) or garbage, as slice_new() says. */
void slice_put(const struct slice *s, u64 from, u64 to, u32 tag)
{
	void *buf = io_buf(MIB);
	u64 len;

	for (; from < to; from += len) {
		len = min(to - from, MIB);
		if (tag)
			pattern_fill(buf, tag, from / SECTOR, len / SECTOR);
		slice_write(s, from, buf, len);
	}
	free(buf);
}

/* Is nobody holding the device? */
bool slice_unused(const struct slice *s)
{
	int fd = dmd_open(s->name, O_RDONLY | O_EXCL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/**
 * slice_new() - a device of its own
 * @zeroed: bytes of zeros at its start
 * @garbage: bytes of garbage behind them
 */
struct slice *slice_new(u64 zeroed, u64 garbage)
{
	struct slice *s = ct_alloc(sizeof(*s));
	struct dm_seg seg;

	s->size = zeroed + garbage;
	s->start = pool_used / SECTOR;
	/* Room between slices, so that every one begins at a round place. */
	pool_used += round_up(s->size, 64 * KIB);
	ct_check(pool_used <= pool_size, "the pool is too small: %llu MiB",
		 pool_size / MIB);
	snprintf(s->name, sizeof(s->name), PREFIX "s%u", nr_slices++);
	slice_seg(s, &seg);
	dmd_create(s->name, &seg, 1);
	slice_open(s);
	slice_put(s, 0, zeroed, 0);
	slice_put(s, zeroed, s->size, GARBAGE);
	return s;
}

/* Write garbage past the slice, to the pool, or look whether it is there. */
static bool spoilt_pieces(const struct slice *s, enum io_op op)
{
	void *buf = io_buf(MIB), *is = io_buf(MIB);
	u64 from, len;
	bool same = true;
	int r;

	for (from = 0; from < s->size && same; from += len) {
		len = min(s->size - from, MIB);
		pattern_fill(buf, GARBAGE, from / SECTOR, len / SECTOR);
		r = io_do(pool_fd, op, s->start * SECTOR + from, len,
			  op == IO_READ ? is : buf);
		ct_check(!r, "the pool: %s", strerror(-r));
		same = op != IO_READ || !memcmp(buf, is, len);
	}
	free(is);
	free(buf);
	return same;
}

/* Garbage everywhere, at once, whatever holds the slice or makes it slow. */
void slice_spoil(const struct slice *s)
{
	spoilt_pieces(s, IO_WRITE);
}

/* Is it still as slice_spoil() left it? */
bool slice_is_spoilt(const struct slice *s)
{
	return spoilt_pieces(s, IO_READ);
}

/* One device out of several slices, in this order. */
struct slice *slice_compose(unsigned int nr, struct slice **sub)
{
	struct slice *s = ct_alloc(sizeof(*s));
	struct dm_seg seg[4];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		char *devno = dmd_devno(sub[i]->name);

		s->sub[i] = sub[i];
		s->size += sub[i]->size;
		seg[i].sectors = sub[i]->size / SECTOR;
		seg[i].target = "linear";
		seg[i].params = ct_str("%s 0", devno);
	}
	s->nr_sub = nr;
	snprintf(s->name, sizeof(s->name), PREFIX "s%u", nr_slices++);
	dmd_create(s->name, seg, nr);
	slice_open(s);
	return s;
}

void slice_read(const struct slice *s, u64 offset, void *buf, size_t len)
{
	int r = io_do(s->fd, IO_READ, offset, len, buf);

	ct_check(!r, "read %s at %llu: %s", s->name, offset, strerror(-r));
}

void slice_write(const struct slice *s, u64 offset, const void *buf,
		 size_t len)
{
	int r = io_do(s->fd, IO_WRITE, offset, len, (void *)buf);

	ct_check(!r, "write %s at %llu: %s", s->name, offset, strerror(-r));
}

/* All of it, to the beginning of another one that is as long or longer. */
void slice_copy(const struct slice *from, const struct slice *to)
{
	void *buf = io_buf(from->size);

	slice_read(from, 0, buf, from->size);
	slice_write(to, 0, buf, from->size);
	free(buf);
}

/* To be compared only: whether any byte of a range changed. */
u64 slice_hash(const struct slice *s, u64 offset, u64 len)
{
	u64 *buf = io_buf(MIB);
	u64 hash = 0;
	u64 n, i;

	for (; len; len -= n, offset += n) {
		n = min(len, MIB);
		slice_read(s, offset, buf, n);
		for (i = 0; i < n / 8; i++)
			hash = (hash ^ buf[i]) * 0x100000001b3ULL;
	}
	free(buf);
	return hash;
}

void slice_hold(const struct slice *s)
{
	int r = dmd_suspend(s->name, DMD_NOFLUSH | DMD_NOLOCKFS);

	ct_check(!r, "hold %s: %s", s->name, strerror(-r));
}

void slice_release(const struct slice *s)
{
	int r = dmd_resume(s->name);

	ct_check(!r, "release %s: %s", s->name, strerror(-r));
}

/* From now on every request fails with EIO. */
void slice_break(const struct slice *s)
{
	struct dm_seg seg = { s->size / SECTOR, "error", "" };

	dmd_swap(s->name, &seg, 1);
}

/* Plain slices only. */
void slice_mend(const struct slice *s)
{
	struct dm_seg seg;

	slice_seg(s, &seg);
	dmd_swap(s->name, &seg, 1);
}

static void slice_flakey(const struct slice *s, const char *features)
{
	struct dm_seg seg = { s->size / SECTOR, "flakey",
			      ct_str("%s %llu 0 1 %s", pool_devno, s->start,
				     features) };

	dmd_swap(s->name, &seg, 1);
}

/* Reads are right, writes and flushes fail with EIO. Plain slices only. */
void slice_writes_fail(const struct slice *s)
{
	slice_flakey(s, "1 error_writes");
}

/*
 * Writes end well and are lost. Plain slices only. dm-flakey could change a byte of
 * them as well, but the one of older kernels does that in the memory of who writes,
 * who then reads back just that.
 */
void slice_loses_writes(const struct slice *s)
{
	slice_flakey(s, "1 drop_writes");
}

/* Every request takes @ms milliseconds longer. Plain slices only. */
void slice_slow(const struct slice *s, unsigned int ms)
{
	struct dm_seg seg = { s->size / SECTOR, "delay",
			      ct_str("%s %llu %u", pool_devno, s->start, ms) };

	dmd_swap(s->name, &seg, 1);
}

/*
 * Sectors that cannot be read until they are written. Plain slices only; may be
 * called again for more. Skips the scenario where the kernel has no dm-dust.
 */
void slice_bad_blocks(const struct slice *s, u64 offset, u64 len)
{
	char *table = dmd_table(s->name);
	u64 sector;
	int r;

	if (!dmd_has_target("dust"))
		ct_skip("the kernel has no dm-dust");
	/* The table of a dust has the sector size last. */
	if (strcmp(strrchr(table, ' '), " 512")) {
		struct dm_seg seg = { s->size / SECTOR, "dust",
				      ct_str("%s %llu 512", pool_devno,
					     s->start) };

		dmd_swap(s->name, &seg, 1);
		r = dmd_message(s->name, "enable", NULL);
		ct_check(!r, "dust: %s", strerror(-r));
	}
	/* It counts from the beginning of the device below. */
	for (sector = offset / SECTOR; sector < (offset + len) / SECTOR;
	     sector++) {
		r = dmd_message(s->name, ct_str("addbadblock %llu",
						s->start + sector), NULL);
		ct_check(!r, "dust: %s", strerror(-r));
	}
	free(table);
}

/* Sectors that were read from it, ever. */
u64 slice_sectors_read(const struct slice *s)
{
	char *devno = dmd_devno(s->name);
	char *path = ct_str("/sys/dev/block/%s/stat", devno);
	unsigned long long sectors = 0;
	FILE *f = fopen(path, "r");

	ct_check(f && fscanf(f, "%*u %*u %llu", &sectors) == 1, "%s: %m", path);
	fclose(f);
	free(path);
	free(devno);
	return sectors;
}

/*
 * Reads and writes are right, but flushes fail: the last 4 KiB, which nobody
 * uses, are a dm-flakey that is never up, and a flush goes to every target.
 */
void slice_flush_fails(const struct slice *s, bool fails)
{
	struct dm_seg seg[2];

	if (!fails) {
		slice_mend(s);
		return;
	}
	slice_seg(s, &seg[0]);
	seg[1].sectors = 8;
	seg[0].sectors -= seg[1].sectors;
	seg[1].target = "flakey";
	seg[1].params = ct_str("%s %llu 0 1 1 error_writes", pool_devno,
			       s->start + seg[0].sectors);
	dmd_swap(s->name, seg, 2);
}

/*
 * Whatever touches one of these sectors fails, but the rest of it is done; flushes
 * are right. In ascending order, and not the last sector. Plain slices only.
 */
void slice_sectors_fail(const struct slice *s, const u64 *offset,
			unsigned int nr)
{
	struct dm_seg *seg = ct_alloc((2 * nr + 1) * sizeof(*seg));
	u64 from = 0, end;
	unsigned int i;

	for (i = 0; i <= nr; i++) {
		end = (i < nr ? offset[i] : s->size) / SECTOR;
		seg[2 * i].sectors = end - from;
		seg[2 * i].target = "linear";
		seg[2 * i].params = ct_str("%s %llu", pool_devno,
					   s->start + from);
		from = end + 1;
		if (i == nr)
			break;
		seg[2 * i + 1].sectors = 1;
		seg[2 * i + 1].target = "error";
		seg[2 * i + 1].params = "";
	}
	dmd_swap(s->name, seg, 2 * nr + 1);
	free(seg);
}

/* The kernel lets nobody open it for writing who has not done so by now. */
void slice_set_ro(const struct slice *s, bool ro)
{
	int on = ro;

	ct_check(!ioctl(s->fd, BLKROSET, &on), "BLKROSET: %m");
}

/**
 * slice_moved() - what a slice is has moved to another device
 * @path: kept
 */
void slice_moved(struct slice *s, char *path)
{
	close(s->fd);
	s->moved = path;
	s->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ct_check(s->fd >= 0, "%s: %m", path);
}

/* The same, and its content goes with it. */
void slice_move(struct slice *s, char *path)
{
	void *buf = io_buf(s->size);

	slice_read(s, 0, buf, s->size);
	slice_moved(s, path);
	slice_write(s, 0, buf, s->size);
	free(buf);
}

char *slice_path(const struct slice *s)
{
	return s->moved ? ct_str("%s", s->moved) :
			  ct_str("/dev/mapper/%s", s->name);
}

/* As tables have it. */
char *slice_devno(const struct slice *s)
{
	struct stat st;

	if (!s->moved)
		return dmd_devno(s->name);
	ct_check(!stat(s->moved, &st), "%s: %m", s->moved);
	return ct_str("%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

/* Take the device away for good. */
void slice_drop(struct slice *s)
{
	int r;

	close(s->fd);
	s->fd = -1;
	r = dmd_remove(s->name);
	ct_check(!r, "%s cannot be removed: %s", s->name, strerror(-r));
}
