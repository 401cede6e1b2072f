// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: FUA writes, which are durable when they end.
 *
 * A synchronous write to the device itself is followed by a flush, which would
 * hide a FUA write that did not wait. ext4 sends the FUA write alone when a
 * direct, synchronous write overwrites blocks that are written already.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct.h"

#define BS	4096
#define SIZE	(8 * MIB)

static unsigned int state_on_disk(const struct layer *l, u64 block)
{
	struct on_disk *d = disk_load(l);
	unsigned int state = d->state[block];

	disk_free(d);
	return state;
}

/* By the device: first writes, whole and in part, and an overwrite. */
static void fua_writes(void)
{
	static const struct { u64 offset, len; } writes[] = {
		{ 4 * BS, BS }, { 6 * BS + 512, 512 }, { 8 * BS, 3 * BS },
		{ 10 * BS + 512, BS }, { 8 * BS, BS },
	};
	struct chain *c = chain_new("chain", BS);
	struct layer *e;
	unsigned int i;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	e = chain_active(c);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		u32 tag = pattern_new_tag();
		struct aio *io = aio_start(c->fd, IO_WRITE_FUA, writes[i].offset,
					   writes[i].len, tag);
		u64 b = writes[i].offset / BS;

		ct_check(!aio_wait(io), "FUA write: %s", strerror(-io->err));
		for (; b * BS < writes[i].offset + writes[i].len; b++)
			ct_check(state_on_disk(e, b) == DM_CHAIN_DATA,
				 "FUA write %u ended, but block %llu is not in the map on disk",
				 i, b);
		model_write(c, writes[i].offset, writes[i].len, tag);
	}
	verify_end(c);
}

static int run(const char *program, const char *a, const char *b, const char *c)
{
	int status;
	pid_t pid = fork();

	ct_check(pid >= 0, "fork: %m");
	if (!pid) {
		execlp(program, program, a, b, c, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_file(int fd, u64 offset, u64 len, u32 tag)
{
	void *buf = io_buf(len);
	int r;

	pattern_fill(buf, tag, offset / SECTOR, len / SECTOR);
	r = io_do(fd, IO_WRITE, offset, len, buf);
	ct_check(!r, "write to the file: %s", strerror(-r));
	free(buf);
}

/*
 * E is empty after a snapshot. A block of the file is written, which makes it
 * data in core only, and then overwritten with FUA, while the metadata device
 * is held: in the map page that is dirty first, then in a commit on its way.
 */
static void fua_alone(void)
{
	struct chain *c = chain_new("chain", BS);
	char dir[] = "/tmp/chaintest.XXXXXX";
	char *dev, *path;
	struct layer *e;
	struct aio *io[2], *flush;
	unsigned int i;
	int fd, r;

	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, layer_new("B", SIZE, BS, LAYER_INLINE));
	dev = ct_str("/dev/mapper/%s", c->dev);
	r = run("mkfs.ext4", "-qF", "-b4096", dev);
	if (r == 127)
		ct_skip("no mkfs.ext4");
	ct_check(!r, "mkfs.ext4: status %d", r);
	ct_check(mkdtemp(dir), "%s: %m", dir);
	/* Nothing but this test is to make the file's inode dirty. */
	if (mount(dev, dir, "ext4", MS_NOATIME | MS_LAZYTIME, NULL))
		ct_skip("no ext4: %m");
	path = ct_str("%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	ct_check(fd >= 0, "%s: %m", path);
	write_file(fd, 0, 64 * KIB, 1);
	ct_check(!fsync(fd), "fsync: %m");

	e = layer_new("E", SIZE, BS, LAYER_SEPARATE);
	chain_push(c, e);
	/* The first write raises the generation. */
	write_file(fd, 60 * KIB, BS, 2);
	chain_flush(c);
	slice_hold(e->meta);
	write_file(fd, 0, BS, 3);
	io[0] = aio_start(fd, IO_WRITE_FUA, 0, BS, 4);
	ct_sleep_ms(CT_MUST_NOT_MS);
	flush = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	io[1] = aio_start(fd, IO_WRITE_FUA, 0, BS, 5);
	ct_sleep_ms(CT_MUST_NOT_MS);
	for (i = 0; i < 2; i++)
		ct_check(!aio_done(io[i]),
			 "FUA write %u passes by a map page that is not durable",
			 i);
	slice_release(e->meta);
	for (i = 0; i < 2; i++)
		ct_check(!aio_wait(io[i]), "FUA write: %s", strerror(-io[i]->err));
	ct_check(!aio_wait(flush), "flush: %s", strerror(-flush->err));
	close(fd);
	ct_check(!umount(dir) && !rmdir(dir), "umount: %m");
	close(c->fd);
	ct_check(!dmd_remove(c->dev), "remove");
	disk_check_clean(e);
}

const struct scenario fua_scenarios[] = {
	{ "holes", "fua-writes", fua_writes },
	{ "holes", "fua-on-an-uncommitted-block", fua_alone },
	{ }
};
