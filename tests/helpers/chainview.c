// SPDX-License-Identifier: GPL-2.0
/*
 * chainview: what a chain that nobody has open shows, read from its devices or
 * images with the pure core alone. The tests' second opinion: it shares no I/O
 * code with the module or with chainsetup.
 *
 *	chainview chain LAYER...		names of the effective chain, base first
 *	chainview read OUT LAYER...		write the view to OUT, - for stdout
 *	chainview states LAYER			"<block> <blocks> <state>", a line per run
 *	chainview owners LAYER...		"<start> <length> <name>|zero", in bytes
 *
 * LAYER, base first: DATA, or DATA,META with a metadata device, or raw=DATA.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "dm-chain-codec.h"
#include "dm-chain-resolve.h"

#define CHUNK	(1024 * 1024)

struct layer {
	char name[DM_CHAIN_NAME_LEN];
	int data;
	int meta;
	bool raw;
	u64 size;
	struct dm_chain_sb sb;
	struct dm_chain_geometry geo;
	u8 **page;
};

struct view {
	unsigned int nr;
	struct layer *layer[DM_CHAIN_MAX_LAYERS];
	u64 limit[DM_CHAIN_MAX_LAYERS];
};

static __printf(1, 2) __attribute__((__noreturn__)) void die(const char *fmt, ...)
{
	va_list ap;

	fputs("chainview: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static int open_device(const char *path, u64 *size)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		die("%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_CLOEXEC |
			(S_ISBLK(st.st_mode) ? O_DIRECT : 0));
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	*size = st.st_size / 512 * 512;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, size))
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void *alloc_pages(size_t size)
{
	void *p = aligned_alloc(4096, size);

	if (!p)
		die("out of memory");
	return p;
}

static void read_all(int fd, void *buf, size_t len, u64 offset)
{
	ssize_t n;

	while (len) {
		n = pread(fd, buf, len, offset);
		if (n < 0)
			die("read error at byte %llu: %s", offset,
			    strerror(errno));
		if (!n)
			die("the device ends at byte %llu", offset);
		buf += n;
		len -= n;
		offset += n;
	}
}

static void read_slots(int fd, void *page[2], u64 a, u64 b)
{
	read_all(fd, page[0], DM_CHAIN_PAGE_SIZE, a);
	read_all(fd, page[1], DM_CHAIN_PAGE_SIZE, b);
}

static const u8 *read_page(const struct layer *layer, const char *magic,
			   u32 index, void *page[2])
{
	bool map = !strcmp(magic, DM_CHAIN_MAP_MAGIC), fell_back;
	const struct dm_chain_disk_page *slots[2] = { page[0], page[1] };
	struct dm_chain_why why;
	unsigned int slot;

	if (map)
		read_slots(layer->meta, page,
			   dm_chain_map_offset(&layer->geo, 0, index),
			   dm_chain_map_offset(&layer->geo, 1, index));
	else
		read_slots(layer->meta, page,
			   dm_chain_dir_offset(&layer->geo, 0, index),
			   dm_chain_dir_offset(&layer->geo, 1, index));
	if (dm_chain_page_pick(slots, magic, layer->sb.uuid, index,
			       layer->sb.flags & DM_CHAIN_F_CLEAN, &slot,
			       &fell_back, &why))
		die("layer %s: %s", layer->name, why.text);
	return slots[slot]->payload;
}

static void read_map(struct layer *layer)
{
	void *dir[2] = { alloc_pages(4096), alloc_pages(4096) };
	void *map[2] = { alloc_pages(4096), alloc_pages(4096) };
	const u8 *names, *states;
	u32 d, n, index;

	layer->page = calloc(layer->geo.map_pages, sizeof(*layer->page));
	if (!layer->page)
		die("out of memory");
	for (d = 0; d < layer->geo.dir_pages; d++) {
		names = read_page(layer, DM_CHAIN_DIR_MAGIC, d, dir);
		for (n = 0; n < DM_CHAIN_PAGES_PER_DIR; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (!dm_chain_dir_get(names, n))
				continue;
			if (index >= layer->geo.map_pages)
				die("layer %s: there is no map page %u",
				    layer->name, index);
			states = read_page(layer, DM_CHAIN_MAP_MAGIC, index, map);
			layer->page[index] = alloc_pages(4096);
			memcpy(layer->page[index], states, DM_CHAIN_PAYLOAD);
		}
	}
	free(dir[0]);
	free(dir[1]);
	free(map[0]);
	free(map[1]);
}

/* Return: false, with the reason in @why, if there is no usable superblock. */
static bool read_super(struct layer *layer, struct dm_chain_why *why)
{
	void *page[2] = { alloc_pages(4096), alloc_pages(4096) };
	unsigned int slot;
	int ret;

	read_slots(layer->meta, page, dm_chain_sb_offset(0),
		   dm_chain_sb_offset(1));
	ret = dm_chain_sb_pick((const void **)page, &layer->sb, &slot, why);
	if (!ret)
		ret = dm_chain_geometry_init(&layer->geo, layer->sb.block_size,
					     layer->sb.max_size, why);
	free(page[0]);
	free(page[1]);
	strscpy(layer->name, layer->sb.name, sizeof(layer->name));
	layer->size = layer->sb.size;
	return !ret;
}

static struct layer *open_layer(const char *spec, struct dm_chain_candidate *c)
{
	struct layer *layer = calloc(1, sizeof(*layer));
	char *data = strdup(spec), *meta;
	struct dm_chain_why *why = calloc(1, sizeof(*why));
	u64 unused;

	if (!layer || !data || !why)
		die("out of memory");
	if (!strncmp(data, "raw=", 4)) {
		layer->raw = true;
		layer->data = open_device(data + 4, &layer->size);
		strscpy(layer->name, "raw", sizeof(layer->name));
	} else {
		meta = strchr(data, ',');
		if (meta)
			*meta++ = 0;
		layer->data = open_device(data, &unused);
		layer->meta = meta ? open_device(meta, &unused) : layer->data;
		if (!read_super(layer, why)) {
			c->absent = true;
			c->absent_why = why->text;
			snprintf(layer->name, sizeof(layer->name), "%s", spec);
		}
	}
	c->name = layer->name;
	c->raw = layer->raw;
	c->sb = layer->raw || c->absent ? NULL : &layer->sb;
	c->size = layer->size;
	free(data);
	return layer;
}

static void open_view(struct view *view, int argc, char **argv)
{
	struct dm_chain_candidate c[DM_CHAIN_MAX_LAYERS] = { };
	unsigned int order[DM_CHAIN_MAX_LAYERS], i;
	struct layer *layer[DM_CHAIN_MAX_LAYERS];
	u64 size[DM_CHAIN_MAX_LAYERS];
	struct dm_chain_why why;

	if (argc < 1 || argc > DM_CHAIN_MAX_LAYERS)
		die("give 1 to %u layers, base first", DM_CHAIN_MAX_LAYERS);
	for (i = 0; i < (unsigned int)argc; i++)
		layer[i] = open_layer(argv[i], &c[i]);
	if (dm_chain_resolve(c, argc, order, &view->nr, &why))
		die("%s", why.text);
	for (i = 0; i < view->nr; i++) {
		view->layer[i] = layer[order[i]];
		size[i] = view->layer[i]->size;
		if (!view->layer[i]->raw)
			read_map(view->layer[i]);
	}
	if (view->nr > 1 && view->layer[0]->raw)
		size[0] = dm_chain_raw_shown(size[0], &view->layer[1]->sb.backing);
	dm_chain_limits(size, view->nr, view->limit);
}

static enum dm_chain_state state_of(const struct layer *layer, u64 block)
{
	const u8 *payload = layer->page[block / DM_CHAIN_BLOCKS_PER_PAGE];

	if (!payload)
		return DM_CHAIN_UNALLOCATED;
	return dm_chain_state_get(payload, block % DM_CHAIN_BLOCKS_PER_PAGE);
}

/*
 * Who shows at @offset: a layer's index, or -1 for zeros. @end gets where the
 * block ends there, or a layer does.
 */
static int owner_at(const struct view *view, u64 offset, u64 *end)
{
	const struct layer *active = view->layer[view->nr - 1];
	u32 size = active->sb.block_size;
	int i;

	*end = (offset / size + 1) * size;
	if (*end > active->size)
		*end = active->size;
	for (i = view->nr - 1; i >= 0; i--) {
		const struct layer *layer = view->layer[i];
		enum dm_chain_state state = DM_CHAIN_DATA;

		if (offset >= view->limit[i])
			return -1;
		if (*end > view->limit[i])
			*end = view->limit[i];
		if (!layer->raw)
			state = state_of(layer, offset / size);
		if (state == DM_CHAIN_DATA)
			return i;
		if (state == DM_CHAIN_ZERO)
			return -1;
	}
	return -1;
}

/* The same for a run of any length. */
static int owner_run(const struct view *view, u64 offset, u64 max, u64 *end)
{
	u64 size = view->layer[view->nr - 1]->size, next;
	int owner = owner_at(view, offset, end);

	while (*end < size && *end - offset < max &&
	       owner_at(view, *end, &next) == owner)
		*end = next;
	return owner;
}

static void write_all(int fd, const void *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= n, buf += n) {
		n = write(fd, buf, len);
		if (n < 0)
			die("cannot write: %s", strerror(errno));
	}
}

static void show_view(const struct view *view, const char *out)
{
	u64 size = view->layer[view->nr - 1]->size, offset, end, start, part;
	u8 *buf = alloc_pages(CHUNK);
	int fd = STDOUT_FILENO, owner;

	if (strcmp(out, "-"))
		fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		die("%s: %s", out, strerror(errno));
	for (offset = 0; offset < size; offset += part) {
		owner = owner_run(view, offset, CHUNK, &end);
		part = end - offset < CHUNK ? end - offset : CHUNK;
		if (owner < 0) {
			memset(buf, 0, part);
		} else {
			start = view->layer[owner]->raw ? 0 :
				view->layer[owner]->sb.data_offset;
			read_all(view->layer[owner]->data, buf, part,
				 start + offset);
		}
		write_all(fd, buf, part);
	}
	if (fd != STDOUT_FILENO && close(fd))
		die("%s: %s", out, strerror(errno));
	free(buf);
}

static void show_owners(const struct view *view)
{
	u64 size = view->layer[view->nr - 1]->size, offset, end;
	int owner;

	for (offset = 0; offset < size; offset = end) {
		owner = owner_run(view, offset, size, &end);
		printf("%llu %llu %s\n", offset, end - offset,
		       owner < 0 ? "zero" : view->layer[owner]->name);
	}
}

static void show_states(const char *spec)
{
	static const char * const names[] = {
		"unallocated", "data", "zero", "bad",
	};
	struct dm_chain_candidate c = { };
	struct layer *layer = open_layer(spec, &c);
	u64 blocks, block, run;

	if (c.absent)
		die("%s", c.absent_why);
	if (c.raw)
		die("a raw base has no states");
	read_map(layer);
	blocks = (layer->size + layer->sb.block_size - 1) / layer->sb.block_size;
	for (block = 0; block < blocks; block += run) {
		for (run = 1; block + run < blocks; run++)
			if (state_of(layer, block + run) !=
			    state_of(layer, block))
				break;
		printf("%llu %llu %s\n", block, run,
		       names[state_of(layer, block)]);
	}
}

int main(int argc, char **argv)
{
	static struct view view;
	unsigned int i;

	if (argc == 3 && !strcmp(argv[1], "states")) {
		show_states(argv[2]);
	} else if (argc >= 4 && !strcmp(argv[1], "read")) {
		open_view(&view, argc - 3, argv + 3);
		show_view(&view, argv[2]);
	} else if (argc >= 3 && !strcmp(argv[1], "owners")) {
		open_view(&view, argc - 2, argv + 2);
		show_owners(&view);
	} else if (argc >= 3 && !strcmp(argv[1], "chain")) {
		open_view(&view, argc - 2, argv + 2);
		for (i = 0; i < view.nr; i++)
			printf("%s%s", i ? " " : "", view.layer[i]->name);
		putchar('\n');
	} else {
		die("usage: chainview chain|owners LAYER... | read OUT LAYER... | states LAYER");
	}
	return 0;
}
