// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: what sectors hold, and direct I/O.
 *
 * A sector's content follows from its tag, the number of the write that put it
 * there, and from its place; tag 0 is zeros.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ct.h"

#define WORDS	(SECTOR / 8)

static u64 first_word(u32 tag, u64 lba)
{
	return (u64)tag << 32 | (u32)lba;
}

void pattern_fill(void *buf, u32 tag, u64 lba, unsigned int sectors)
{
	unsigned int i;
	u64 *p = buf;
	u64 w;

	for (; sectors; sectors--, lba++, p += WORDS) {
		if (!tag) {
			memset(p, 0, SECTOR);
			continue;
		}
		w = first_word(tag, lba);
		for (i = 0; i < WORDS; i++)
			p[i] = w + i * 0x9e3779b97f4a7c15ULL;
	}
}

void pattern_fill_tags(void *buf, const u32 *tag, u64 lba,
		       unsigned int sectors)
{
	unsigned int i;

	for (i = 0; i < sectors; i++)
		pattern_fill((u8 *)buf + i * SECTOR, tag[i], lba + i, 1);
}

bool pattern_is(const void *sector, u32 tag, u64 lba)
{
	const u64 *p = sector;
	u64 w = tag ? first_word(tag, lba) : 0;
	u64 step = tag ? 0x9e3779b97f4a7c15ULL : 0;
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		if (p[i] != w + i * step)
			return false;
	return true;
}

/* The tag of a whole sector; GARBAGE if it holds anything else. */
u32 pattern_tag(const void *sector, u64 lba)
{
	u32 tag = *(const u64 *)sector >> 32;

	return pattern_is(sector, tag, lba) ? tag : GARBAGE;
}

char *pattern_describe(const void *sector)
{
	const u64 *p = sector;
	u32 tag = *p >> 32;

	if (pattern_is(sector, 0, 0))
		return ct_str("zeros");
	if (!pattern_is(sector, tag, (u32)*p))
		return ct_str("a torn or foreign sector (%llx)", *p);
	return ct_str("%s %u of sector %u", tag == GARBAGE ? "garbage" : "write",
		      tag, (u32)*p);
}

u32 pattern_new_tag(void)
{
	static u32 last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

void *io_buf(size_t len)
{
	void *p;

	ct_check(!posix_memalign(&p, 4096, round_up(len, 4096UL)), "no memory");
	memset(p, 0, len);
	return p;
}

/**
 * io_do() - one request
 * @fd: opened with O_DIRECT
 *
 * Return: 0 or a negative errno.
 */
int io_do(int fd, enum io_op op, u64 offset, u64 len, void *buf)
{
	struct iovec iov = { buf, len };
	__u64 range[2] = { offset, len };
	ssize_t n = -1;

	switch (op) {
	case IO_READ:
		n = pread(fd, buf, len, offset);
		break;
	case IO_WRITE:
		n = pwrite(fd, buf, len, offset);
		break;
	case IO_WRITE_FUA:
		n = pwritev2(fd, &iov, 1, offset, RWF_DSYNC);
		break;
	case IO_FLUSH:
		return fsync(fd) ? -errno : 0;
	case IO_DISCARD:
		return ioctl(fd, BLKDISCARD, range) ? -errno : 0;
	case IO_ZERO:
		return ioctl(fd, BLKZEROOUT, range) ? -errno : 0;
	}
	if (n < 0)
		return -errno;
	return (u64)n == len ? 0 : -EIO;
}

static void *aio_thread(void *data)
{
	struct aio *io = data;

	io->err = io_do(io->fd, io->op, io->offset, io->len, io->buf);
	__atomic_store_n(&io->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

struct aio *aio_start(int fd, enum io_op op, u64 offset, u64 len, u32 tag)
{
	struct aio *io = ct_alloc(sizeof(*io));

	io->op = op;
	io->fd = fd;
	io->offset = offset;
	io->len = len;
	if (op == IO_READ || op == IO_WRITE || op == IO_WRITE_FUA) {
		io->buf = io_buf(len);
		pattern_fill(io->buf, tag, offset / SECTOR, len / SECTOR);
	}
	ct_check(!pthread_create(&io->thread, NULL, aio_thread, io),
		 "no thread");
	return io;
}

bool aio_done(struct aio *io)
{
	return __atomic_load_n(&io->done, __ATOMIC_ACQUIRE);
}

int aio_wait(struct aio *io)
{
	ct_wait(aio_done(io), "request %d at %llu does not end", io->op,
		io->offset);
	pthread_join(io->thread, NULL);
	return io->err;
}
