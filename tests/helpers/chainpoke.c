// SPDX-License-Identifier: GPL-2.0
/*
 * chainpoke: put states, data and damage into a layer that nobody has open.
 *
 *	chainpoke set LAYER BLOCK COUNT data|zero [BYTE]
 *		commit states as the module would; fill the blocks with BYTE
 *	chainpoke every LAYER STEP data|zero
 *		every STEPth block in that state, the others unallocated; writes
 *		all map pages, in their order
 *	chainpoke super LAYER FIELD=NUMBER...
 *		change superblock fields, checksums right, both slots
 *	chainpoke slot LAYER super|dir|map INDEX A|B OFFSET BYTE
 *		change a byte of a slot, checksum right
 *	chainpoke offset LAYER super|dir|map INDEX A|B
 *		print where the slot lies, bytes
 *
 * LAYER: DATA, or DATA,META with a metadata device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/crc32c.h>
#include <linux/string.h>

#include "dm-chain-codec.h"

struct layer {
	int data;
	int meta;
	struct dm_chain_sb sb;
	unsigned int slot;
	struct dm_chain_geometry geo;
};

static __printf(1, 2) __attribute__((noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	fputs("chainpoke: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static u64 number(const char *text)
{
	u64 value;

	if (kstrtou64(text, 0, &value))
		die("%s is not a number", text);
	return value;
}

static int open_rw(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void get(int fd, void *buf, u64 offset)
{
	if (pread(fd, buf, DM_CHAIN_PAGE_SIZE, offset) != DM_CHAIN_PAGE_SIZE)
		die("cannot read at byte %llu", offset);
}

static void put_soon(int fd, const void *buf, u64 len, u64 offset)
{
	if (pwrite(fd, buf, len, offset) != (ssize_t)len)
		die("cannot write at byte %llu", offset);
}

static void put(int fd, const void *buf, u64 len, u64 offset)
{
	put_soon(fd, buf, len, offset);
	if (fsync(fd))
		die("cannot write at byte %llu", offset);
}

static void open_layer(struct layer *layer, const char *spec)
{
	u8 page[2][DM_CHAIN_PAGE_SIZE];
	const void *pages[2] = { page[0], page[1] };
	char *data = strdup(spec), *meta = strchr(data, ',');
	struct dm_chain_why why;

	if (meta)
		*meta++ = 0;
	layer->data = open_rw(data);
	layer->meta = meta ? open_rw(meta) : layer->data;
	get(layer->meta, page[0], dm_chain_sb_offset(0));
	get(layer->meta, page[1], dm_chain_sb_offset(1));
	if (dm_chain_sb_pick(pages, &layer->sb, &layer->slot, &why) ||
	    dm_chain_geometry_init(&layer->geo, layer->sb.block_size,
				   layer->sb.max_size, &why))
		die("%s: %s", spec, why.text);
	free(data);
}

static const char *magic_of(const char *kind)
{
	if (!strcmp(kind, "super"))
		return DM_CHAIN_SB_MAGIC;
	if (!strcmp(kind, "dir"))
		return DM_CHAIN_DIR_MAGIC;
	if (!strcmp(kind, "map"))
		return DM_CHAIN_MAP_MAGIC;
	die("%s is none of super, dir, map", kind);
}

static u64 slot_offset(const struct layer *layer, const char *kind, u32 index,
		       unsigned int slot)
{
	const char *magic = magic_of(kind);

	if (!strcmp(magic, DM_CHAIN_SB_MAGIC))
		return dm_chain_sb_offset(slot);
	if (!strcmp(magic, DM_CHAIN_DIR_MAGIC))
		return dm_chain_dir_offset(&layer->geo, slot, index);
	return dm_chain_map_offset(&layer->geo, slot, index);
}

static unsigned int slot_number(const char *text)
{
	if (strcmp(text, "A") && strcmp(text, "B"))
		die("%s is neither slot A nor B", text);
	return *text - 'A';
}

/* The slot of a page that counts. */
static unsigned int read_page(const struct layer *layer, const char *kind,
			      u32 index, struct dm_chain_disk_page page[2])
{
	const struct dm_chain_disk_page *pages[2] = { &page[0], &page[1] };
	struct dm_chain_why why;
	unsigned int slot;
	bool fell_back;

	get(layer->meta, &page[0], slot_offset(layer, kind, index, 0));
	get(layer->meta, &page[1], slot_offset(layer, kind, index, 1));
	if (dm_chain_page_pick(pages, magic_of(kind), layer->sb.uuid, index,
			       false, &slot, &fell_back, &why))
		die("%s", why.text);
	return slot;
}

static void write_slot(const struct layer *layer, const char *kind, u32 index,
		       unsigned int slot, struct dm_chain_disk_page *page,
		       u64 seq)
{
	dm_chain_page_seal(page, magic_of(kind), layer->sb.uuid, index, seq);
	put(layer->meta, page, sizeof(*page),
	    slot_offset(layer, kind, index, slot));
}

static void set_in_page(const struct layer *layer, u32 index, u32 first,
			u32 count, enum dm_chain_state state)
{
	struct dm_chain_disk_page page[2], dir[2];
	u32 d = index / DM_CHAIN_PAGES_PER_DIR;
	u32 bit = index % DM_CHAIN_PAGES_PER_DIR;
	unsigned int dir_slot = read_page(layer, "dir", d, dir), slot = 0;
	bool known = dm_chain_dir_get(dir[dir_slot].payload, bit);
	u64 seq = 0;

	if (known) {
		slot = read_page(layer, "map", index, page);
		seq = le64_to_cpu(page[slot].head.seq);
	} else {
		memset(page, 0, sizeof(page));
	}
	while (count--)
		dm_chain_state_set(page[slot].payload, first++, state);
	write_slot(layer, "map", index, !slot, &page[slot], seq + 1);
	if (known)
		return;
	write_slot(layer, "map", index, slot, &page[slot], seq + 1);
	dm_chain_dir_set(dir[dir_slot].payload, bit);
	write_slot(layer, "dir", d, !dir_slot, &dir[dir_slot],
		   le64_to_cpu(dir[dir_slot].head.seq) + 1);
}

static void fill(const struct layer *layer, u64 block, u64 count, u8 byte)
{
	u64 size = layer->sb.block_size, start, len;
	u8 *buf = malloc(size);

	if (!buf)
		die("out of memory");
	memset(buf, byte, size);
	for (; count; count--, block++) {
		start = block * size;
		len = size;
		if (start + len > layer->sb.size)
			len = layer->sb.size - start;
		put(layer->data, buf, len, layer->sb.data_offset + start);
	}
	free(buf);
}

static enum dm_chain_state state_of(const char *word)
{
	if (!strcmp(word, "zero"))
		return DM_CHAIN_ZERO;
	if (strcmp(word, "data"))
		die("%s is neither data nor zero", word);
	return DM_CHAIN_DATA;
}

/* Slot B of a page of its own, and slot A newer. */
static void write_both(const struct layer *layer, const char *kind, u32 index,
		       struct dm_chain_disk_page *page, u64 seq)
{
	unsigned int slot;

	for (slot = 2; slot-- > 0; seq++) {
		dm_chain_page_seal(page, magic_of(kind), layer->sb.uuid, index,
				   seq);
		put_soon(layer->meta, page, sizeof(*page),
			 slot_offset(layer, kind, index, slot));
	}
}

static void cmd_every(const struct layer *layer, u64 step,
		      enum dm_chain_state state)
{
	u64 left = DIV_ROUND_UP(layer->sb.size, layer->sb.block_size);
	struct dm_chain_disk_page page, dir[2];
	u32 index, bit, n, count;
	u64 skip = 0, seq = 1;

	for (index = 0; left; index++, left -= count) {
		bit = index % DM_CHAIN_PAGES_PER_DIR;
		if (!bit) {
			n = index / DM_CHAIN_PAGES_PER_DIR;
			dir[0] = dir[read_page(layer, "dir", n, dir)];
			seq = le64_to_cpu(dir[0].head.seq) + 1;
		}
		count = min_t(u64, left, DM_CHAIN_BLOCKS_PER_PAGE);
		memset(&page, 0, sizeof(page));
		for (n = skip; n < count; n += step)
			dm_chain_state_set(page.payload, n, state);
		skip = n - count;
		write_both(layer, "map", index, &page, 1);
		dm_chain_dir_set(dir[0].payload, bit);
		if (left == count || bit + 1 == DM_CHAIN_PAGES_PER_DIR)
			write_both(layer, "dir", index / DM_CHAIN_PAGES_PER_DIR,
				   &dir[0], seq);
	}
	if (fsync(layer->meta))
		die("cannot write the map");
}

static void cmd_set(const struct layer *layer, int argc, char **argv)
{
	u64 block = number(argv[0]), count = number(argv[1]), part;
	enum dm_chain_state state = state_of(argv[2]);

	if (block + count > layer->geo.blocks)
		die("there are %llu blocks", layer->geo.blocks);
	if (argc == 4)
		fill(layer, block, count, number(argv[3]));
	for (; count; count -= part, block += part) {
		u32 first = block % DM_CHAIN_BLOCKS_PER_PAGE;

		part = min_t(u64, count, DM_CHAIN_BLOCKS_PER_PAGE - first);
		set_in_page(layer, block / DM_CHAIN_BLOCKS_PER_PAGE, first,
			    part, state);
	}
}

#define FIELD(_name, _member) \
	{ _name, offsetof(struct dm_chain_sb, _member), \
	  sizeof(((struct dm_chain_sb *)0)->_member) }

static const struct {
	const char *name;
	size_t offset;
	size_t size;
} fields[] = {
	FIELD("seq", seq),
	FIELD("compat", compat),
	FIELD("ro-compat", ro_compat),
	FIELD("incompat", incompat),
	FIELD("flags", flags),
	FIELD("block-size", block_size),
	FIELD("size", size),
	FIELD("max-size", max_size),
	FIELD("data-offset", data_offset),
	FIELD("generation", generation),
	FIELD("data-size", data_size),
	FIELD("backing-kind", backing.kind),
	FIELD("backing-size", backing.size),
	FIELD("backing-generation", backing.generation),
	FIELD("job-type", job.type),
	FIELD("job-flags", job.flags),
	FIELD("job-cursor", job.cursor),
};

static void set_field(struct dm_chain_sb *sb, const char *word)
{
	size_t len = strcspn(word, "="), i;
	u64 value;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == len &&
		    !strncmp(fields[i].name, word, len))
			break;
	if (i == ARRAY_SIZE(fields) || !word[len])
		die("%s is not FIELD=NUMBER of a superblock", word);
	value = number(word + len + 1);
	/* Little-endian or not, a u32 field takes a u32. */
	if (fields[i].size == sizeof(u32))
		*(u32 *)((u8 *)sb + fields[i].offset) = value;
	else
		*(u64 *)((u8 *)sb + fields[i].offset) = value;
}

static void cmd_super(struct layer *layer, int argc, char **argv)
{
	u8 page[DM_CHAIN_PAGE_SIZE];
	unsigned int i;

	while (argc--)
		set_field(&layer->sb, *argv++);
	if (layer->sb.job.type) {
		strscpy(layer->sb.job.id, "job", sizeof(layer->sb.job.id));
		memcpy(layer->sb.job.top_uuid, layer->sb.uuid,
		       DM_CHAIN_UUID_LEN);
	}
	for (i = 0; i < 2; i++) {
		layer->sb.seq++;
		layer->slot = !layer->slot;
		dm_chain_sb_encode(page, &layer->sb);
		put(layer->meta, page, sizeof(page),
		    dm_chain_sb_offset(layer->slot));
	}
}

/* Whatever the page is, its header begins alike. */
static void cmd_slot(const struct layer *layer, char **argv)
{
	u64 offset = slot_offset(layer, argv[0], number(argv[1]),
				 slot_number(argv[2]));
	struct dm_chain_disk_page page;
	u64 at = number(argv[3]);
	const size_t skip = offsetof(struct dm_chain_disk_head, version);

	if (at >= sizeof(page))
		die("a slot has %zu bytes", sizeof(page));
	get(layer->meta, &page, offset);
	((u8 *)&page)[at] = number(argv[4]);
	page.head.crc = cpu_to_le32(~crc32c(~0U, (u8 *)&page + skip,
					    sizeof(page) - skip));
	put(layer->meta, &page, sizeof(page), offset);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct layer layer;

	if (argc > 2)
		open_layer(&layer, argv[2]);
	if (!strcmp(verb, "set") && (argc == 6 || argc == 7))
		cmd_set(&layer, argc - 3, argv + 3);
	else if (!strcmp(verb, "every") && argc == 5)
		cmd_every(&layer, number(argv[3]), state_of(argv[4]));
	else if (!strcmp(verb, "super") && argc > 3)
		cmd_super(&layer, argc - 3, argv + 3);
	else if (!strcmp(verb, "slot") && argc == 8)
		cmd_slot(&layer, argv + 3);
	else if (!strcmp(verb, "offset") && argc == 6)
		printf("%llu\n", slot_offset(&layer, argv[3], number(argv[4]),
					     slot_number(argv[5])));
	else
		die("usage: chainpoke set|every|super|slot|offset LAYER ...");
	return 0;
}
