// SPDX-License-Identifier: GPL-2.0
/* chaintest: chains and their devices; every change is made to the model too. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ct.h"

static struct layer *layer_alloc(const char *name, u64 size, u32 block_size)
{
	struct layer *l = ct_alloc(sizeof(*l));

	strscpy(l->name, name, sizeof(l->name));
	l->size = size;
	l->block_size = block_size;
	l->tag = ct_alloc(size / SECTOR * sizeof(u32));
	return l;
}

static u64 metadata_size(u64 size, u32 block_size, bool inline_data)
{
	struct dm_chain_geometry geo;
	struct dm_chain_why why;
	int r = dm_chain_geometry_init(&geo, block_size, 4 * size, &why);

	ct_check(!r, "%s", why.text);
	return inline_data ? geo.data_offset : geo.end;
}

/* A layer on devices that are there; @meta equal to @data is inline. */
struct layer *layer_on(const char *name, u64 size, u32 block_size,
		       struct slice *data, struct slice *meta)
{
	struct layer *l = layer_alloc(name, size, block_size);

	l->data = data;
	l->meta = meta;
	l->may = ct_alloc(layer_blocks(l));
	memset(l->may, MAY_UNALLOC, layer_blocks(l));
	if (meta == data)
		l->data_offset = metadata_size(size, block_size, true);
	return l;
}

/*
 * Not formatted yet: its metadata area is zeros, its data garbage. The data
 * device has @room bytes for data; the layer may grow up to four times its size.
 */
struct layer *layer_new_room(const char *name, u64 size, u64 room,
			     u32 block_size, unsigned int kind)
{
	struct slice *data, *meta;

	if (kind == LAYER_INLINE) {
		data = slice_new(metadata_size(size, block_size, true), room);
		meta = data;
	} else {
		data = slice_new(0, room);
		/* One page more, for slice_flush_fails(). */
		meta = slice_new(round_up(metadata_size(size, block_size,
							false), 64 * KIB) +
				 64 * KIB, 0);
	}
	return layer_on(name, size, block_size, data, meta);
}

struct layer *layer_new(const char *name, u64 size, u32 block_size,
			unsigned int kind)
{
	return layer_new_room(name, size, size, block_size, kind);
}

/* A base without metadata: random content with holes of zeros. */
struct layer *layer_raw_on(const char *name, u32 block_size, struct slice *data)
{
	struct layer *l = layer_alloc(name, data->size, block_size);
	u64 n = data->size / SECTOR;
	u64 s, i, len;
	void *buf;

	l->data = data;
	for (s = 0; s < n; s += len) {
		len = min(n - s, (ct_random(6) + 1) * block_size / SECTOR);
		if (ct_random(4)) {
			u32 tag = pattern_new_tag();

			for (i = 0; i < len; i++)
				l->tag[s + i] = tag;
		}
	}
	buf = io_buf(data->size);
	pattern_fill_tags(buf, l->tag, 0, n);
	slice_write(data, 0, buf, data->size);
	free(buf);
	return l;
}

struct layer *layer_raw_new(const char *name, u64 size, u32 block_size)
{
	return layer_raw_on(name, block_size, slice_new(0, size));
}

struct chain *chain_new(const char *dev, u32 block_size)
{
	struct chain *c = ct_alloc(sizeof(*c));

	snprintf(c->dev, sizeof(c->dev), PREFIX "%s", dev);
	c->block_size = block_size;
	c->words = "";
	c->fd = -1;
	return c;
}

/**
 * chain_params() - the parameters of a table line
 * @layer: base first
 * @nr: how many
 * @words: "" or the feature words with their number
 */
char *chain_params(struct layer *const *layer, unsigned int nr,
		   const char *words)
{
	char *line = ct_str("%u", nr);
	char *longer, *data, *meta;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		data = slice_devno(layer[i]->data);
		meta = layer_raw(layer[i]) ? ct_str("-") :
		       slice_devno(layer[i]->meta);
		longer = ct_str("%s %s %s %s", line, layer[i]->name, data,
				meta);
		free(line);
		free(data);
		free(meta);
		line = longer;
	}
	if (*words) {
		longer = ct_str("%s %s", line, words);
		free(line);
		line = longer;
	}
	return line;
}

/* The parameters for the chain as it is. */
char *chain_line(const struct chain *c)
{
	return chain_params(c->layer, c->nr, c->words);
}

int chain_load(struct chain *c, const char *params)
{
	struct dm_seg seg = { c->size / SECTOR, "chain", params };

	return dmd_load(c->dev, &seg, 1, false);
}

static bool takes_write_zeroes(int fd)
{
	unsigned long long max = 0;
	struct stat st;
	char *path;
	FILE *f;

	ct_check(!fstat(fd, &st), "fstat: %m");
	path = ct_str("/sys/dev/block/%u:%u/queue/write_zeroes_max_bytes",
		      major(st.st_rdev), minor(st.st_rdev));
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%llu", &max) != 1)
			max = 0;
		fclose(f);
	}
	free(path);
	return max > 0;
}

static void open_device(struct chain *c)
{
	if (c->fd < 0)
		c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	ct_check(c->fd >= 0, "%s: %m", c->dev);
	c->wz = takes_write_zeroes(c->fd);
}

static void create(struct chain *c, const char *params)
{
	struct dm_seg seg = { c->size / SECTOR, "chain", params };
	int r;

	kmsg_mark();
	r = dmd_try_create(c->dev, &seg, 1, false);
	ct_check(!r, "create %s: %s: %s: %s", c->dev, params, strerror(-r),
		 kmsg_read());
	open_device(c);
}

/*
 * A new layer on top: formatted by the target; a live snapshot if there is a
 * device already.
 */
void chain_push(struct chain *c, struct layer *l)
{
	bool live = c->fd >= 0;
	char *words, *line;
	int r;

	if (layer_raw(l)) {
		ct_check(!c->nr, "a raw layer goes to the bottom");
		c->layer[c->nr++] = l;
		return;
	}
	model_push(c, l);
	/* Given last and without other words: there are few. */
	words = ct_str("3 format block_size %u", c->block_size / SECTOR);
	line = chain_params(c->layer, c->nr, words);
	if (!live) {
		create(c, line);
	} else {
		kmsg_mark();
		r = chain_load(c, line);
		ct_check(!r, "load %s: %s: %s", line, strerror(-r),
			 kmsg_read());
		r = dmd_suspend(c->dev, DMD_NOLOCKFS);
		ct_check(!r, "suspend: %s", strerror(-r));
		r = dmd_resume(c->dev);
		ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
		open_device(c);
	}
	free(words);
	free(line);
}

/* Create the device again; dropped layers are not named. */
void chain_open(struct chain *c)
{
	char *line = chain_line(c);

	c->nr_dropped = 0;
	create(c, line);
	free(line);
}

void chain_close(struct chain *c)
{
	int r;

	model_freeze(c);
	close(c->fd);
	c->fd = -1;
	r = dmd_remove(c->dev);
	ct_check(!r, "remove %s: %s", c->dev, strerror(-r));
}

/* Load, suspend, resume with the table that the target prints. */
void chain_reload(struct chain *c, unsigned int flags)
{
	char *line = dmd_table(c->dev);
	int r;

	kmsg_mark();
	r = chain_load(c, line);
	ct_check(!r, "load its own table \"%s\": %s: %s", line, strerror(-r),
		 kmsg_read());
	r = dmd_suspend(c->dev, flags);
	ct_check(!r, "suspend: %s", strerror(-r));
	r = dmd_resume(c->dev);
	ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
	free(line);
}

/*
 * Make the active layer larger; the model does not know of it. Dropped layers
 * are not named.
 */
void chain_grow_device(struct chain *c, u64 size)
{
	char *line = chain_line(c);
	struct dm_seg seg = { size / SECTOR, "chain", line };
	int r;

	kmsg_mark();
	r = dmd_load(c->dev, &seg, 1, false);
	ct_check(!r, "load %llu sectors of %s: %s: %s", size / SECTOR, line,
		 strerror(-r), kmsg_read());
	r = dmd_suspend(c->dev, DMD_NOLOCKFS);
	ct_check(!r, "suspend: %s", strerror(-r));
	r = dmd_resume(c->dev);
	ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
	c->nr_dropped = 0;
	free(line);
}

/* No mask of the active layer may leave a choice, as after verify_disk(). */
void chain_grow(struct chain *c, u64 size)
{
	chain_grow_device(c, size);
	model_grow(c, size);
}

/* Reload the effective chain: the dropped layers' devices are free then. */
void chain_release(struct chain *c)
{
	unsigned int i;

	for (i = 0; i < c->nr_dropped; i++)
		ct_check(!slice_unused(c->dropped[i]->data),
			 "%s is not in use before the reload",
			 c->dropped[i]->name);
	chain_reload(c, 0);
	for (i = 0; i < c->nr_dropped; i++)
		ct_check(slice_unused(c->dropped[i]->data),
			 "%s was dropped but is still in use after the reload",
			 c->dropped[i]->name);
	c->nr_dropped = 0;
}

int chain_find(const struct chain *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		if (!strcmp(c->layer[i]->name, name))
			return i;
	return -1;
}

void chain_write(struct chain *c, u64 offset, u64 len)
{
	u32 tag = pattern_new_tag();
	void *buf = io_buf(len);
	int r;

	pattern_fill(buf, tag, offset / SECTOR, len / SECTOR);
	r = io_do(c->fd, IO_WRITE, offset, len, buf);
	ct_check(!r, "write of %llu at %llu: %s", len, offset, strerror(-r));
	model_write(c, offset, len, tag);
	free(buf);
}

void chain_discard(struct chain *c, u64 offset, u64 len)
{
	int r = io_do(c->fd, IO_DISCARD, offset, len, NULL);

	ct_check(!r, "discard of %llu at %llu: %s", len, offset, strerror(-r));
	model_discard(c, offset, len);
}

void chain_zero(struct chain *c, u64 offset, u64 len)
{
	int r = io_do(c->fd, IO_ZERO, offset, len, NULL);

	ct_check(!r, "write-zeroes of %llu at %llu: %s", len, offset,
		 strerror(-r));
	model_zero(c, offset, len);
}

void chain_flush(struct chain *c)
{
	int r = io_do(c->fd, IO_FLUSH, 0, 0, NULL);

	ct_check(!r, "flush: %s", strerror(-r));
}

/* A write, discard or write-zeroes somewhere, of some length. */
void chain_random_op(struct chain *c)
{
	u64 blocks = DIV_ROUND_UP(c->size, c->block_size);
	u64 offset = ct_random(blocks) * c->block_size;
	u64 len = min((1 + ct_random(3)) * c->block_size, c->size - offset);
	u64 kind = ct_random(16);

	if (kind & 1) {
		/* Parts of blocks at one end or both. */
		offset += ct_random(len / SECTOR) * SECTOR;
		len = (1 + ct_random(len / SECTOR)) * SECTOR;
		len = min(len, c->size - offset);
	}
	if (kind < 4)
		chain_discard(c, offset, len);
	else if (kind < 6)
		chain_zero(c, offset, len);
	else
		chain_write(c, offset, len);
}

/* Random operations, about @percent of the blocks' number. */
void chain_fill(struct chain *c, unsigned int percent)
{
	u64 n = DIV_ROUND_UP(c->size, c->block_size) * percent / 100;

	for (n = max(n, 4ULL); n; n--)
		chain_random_op(c);
}
