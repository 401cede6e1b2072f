// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup check: is the metadata of a layer what the format asks for?
 *
 * A finding is something that an activation would refuse, or that cannot come
 * from a power cut. What a power cut may leave behind is a note.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "chainsetup.h"

struct check {
	const char *path;
	struct layer *layer;
	unsigned int findings;
};

static __printf(2, 3) void finding(struct check *c, const char *fmt, ...)
{
	va_list ap;

	printf("%s: ", c->path);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	c->findings++;
}

static __printf(2, 3) void remark(struct check *c, const char *fmt, ...)
{
	va_list ap;

	printf("%s: note: ", c->path);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static bool clean(const struct check *c)
{
	return c->layer->sb.flags & DM_CHAIN_F_CLEAN;
}

static void check_super_slot(struct check *c, unsigned int slot,
			     const void *page)
{
	struct dm_chain_why why = { "" };
	struct dm_chain_sb sb;

	switch (dm_chain_slot_classify(page, DM_CHAIN_SB_MAGIC)) {
	case DM_CHAIN_SLOT_ZERO:
		finding(c, "superblock slot %c was never written, or was wiped",
			'A' + slot);
		return;
	case DM_CHAIN_SLOT_FOREIGN:
		finding(c, "superblock slot %c was overwritten with something else",
			'A' + slot);
		return;
	case DM_CHAIN_SLOT_TORN:
		/* The next activation writes this slot first. */
		if (clean(c))
			finding(c, "superblock slot %c has a wrong checksum",
				'A' + slot);
		else
			remark(c, "superblock slot %c was torn by a power cut",
			       'A' + slot);
		return;
	case DM_CHAIN_SLOT_GOOD:
		break;
	}
	if (dm_chain_sb_decode(page, &sb, &why))
		finding(c, "superblock slot %c: %s", 'A' + slot, why.text);
	else if (memcmp(sb.uuid, c->layer->sb.uuid, DM_CHAIN_UUID_LEN))
		finding(c, "superblock slot %c belongs to another layer, %s",
			'A' + slot, sb.name);
}

static void check_super(struct check *c)
{
	u8 buf[2][DM_CHAIN_PAGE_SIZE];
	void *page[2] = { buf[0], buf[1] };
	struct dm_chain_why why = { "" };
	unsigned int slot;

	if (super_read_slots(&c->layer->meta, page, &why)) {
		finding(c, "%s", why.text);
		return;
	}
	for (slot = 0; slot < 2; slot++)
		check_super_slot(c, slot, page[slot]);
}

static void check_states(struct check *c, u32 index, const u8 *payload)
{
	u64 first = (u64)index * DM_CHAIN_BLOCKS_PER_PAGE, blocks, run;
	u32 n;

	/*
	 * Growing makes blocks zero before it records the new size; nothing
	 * writes data behind the end.
	 */
	blocks = layer_blocks(c->layer);
	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n += run) {
		enum dm_chain_state state = dm_chain_state_get(payload, n);

		run = dm_chain_state_run(payload, n,
					 DM_CHAIN_BLOCKS_PER_PAGE - n);
		if (state == DM_CHAIN_DATA && first + n + run > blocks) {
			finding(c,
				"map page %u: block %llu has data, but the layer ends at block %llu",
				index, first + n < blocks ? blocks : first + n,
				blocks);
			return;
		}
	}
}

/* Return: the payload of a directory or map page, NULL if it is damaged. */
static const u8 *check_page(struct check *c, const char *magic, u32 index,
			    struct dm_chain_disk_page *page[2])
{
	const char *kind = strcmp(magic, DM_CHAIN_MAP_MAGIC) ? "directory" : "map";
	struct dm_chain_why why = { "" };
	bool fell_back = false;
	unsigned int slot;

	if (page_read_slots(c->layer, magic, index, page, &why) ||
	    dm_chain_page_pick((const struct dm_chain_disk_page **)page, magic,
			       c->layer->sb.uuid, index, clean(c), &slot,
			       &fell_back, &why)) {
		finding(c, "%s", why.text);
		return NULL;
	}
	if (fell_back)
		remark(c, "%s page %u: slot %c was torn by a power cut, slot %c is used",
		       kind, index, 'A' + !slot, 'A' + slot);
	return page[slot]->payload;
}

static void check_map(struct check *c)
{
	struct dm_chain_disk_page buf[4], *dir[2] = { &buf[0], &buf[1] };
	struct dm_chain_disk_page *map[2] = { &buf[2], &buf[3] };
	const u8 *names, *states;
	u32 d, n, index;

	for (d = 0; d < c->layer->geo.dir_pages; d++) {
		names = check_page(c, DM_CHAIN_DIR_MAGIC, d, dir);
		for (n = 0; names && n < DM_CHAIN_PAGES_PER_DIR; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (!dm_chain_dir_get(names, n))
				continue;
			if (index >= c->layer->geo.map_pages) {
				finding(c, "directory page %u names map page %u, but there are %u",
					d, index, c->layer->geo.map_pages);
				break;
			}
			states = check_page(c, DM_CHAIN_MAP_MAGIC, index, map);
			if (states)
				check_states(c, index, states);
		}
	}
}

static void check_layer_below(struct check *c)
{
	const struct dm_chain_backing *ref = &c->layer->sb.backing;
	struct dm_chain_why why = { "" };
	struct layer below;
	char *path;
	int ret;

	ret = find_layer(ref->uuid, ref->path, &path, &why);
	if (ret == -ENODEV) {
		remark(c, "its backing was not checked: %s", why.text);
		return;
	}
	if (ret) {
		finding(c, "its backing: %s", why.text);
		return;
	}
	ret = layer_open(&below, path, NULL, LAYER_META_ONLY, &why);
	free(path);
	if (ret) {
		finding(c, "its backing: %s", why.text);
		return;
	}
	if (below.sb.block_size != c->layer->sb.block_size)
		finding(c, "its backing %s has blocks of %u bytes, the layer of %u",
			below.meta.path, below.sb.block_size,
			c->layer->sb.block_size);
	if (ref->generation && ref->generation != below.sb.generation)
		finding(c,
			"its backing %s was changed: generation %llu, not %llu; to accept it as it is: chainsetup rebase --unsafe %s %s",
			below.meta.path, below.sb.generation, ref->generation,
			c->path, below.meta.path);
	layer_close(&below);
}

static void check_raw_below(struct check *c)
{
	const struct dm_chain_backing *ref = &c->layer->sb.backing;
	struct dm_chain_why why = { "" };
	struct layer below;

	if (layer_open(&below, ref->path, NULL, LAYER_ANY | LAYER_META_ONLY,
		       &why)) {
		remark(c, "its raw base was not checked: %s", why.text);
		return;
	}
	if (!below.raw)
		finding(c, "its raw base %s has become the layer %s",
			below.meta.path, below.sb.name);
	else if (below.data.size < ref->size)
		finding(c, "its raw base %s has shrunk from %llu to %llu bytes",
			below.data.path, ref->size, below.data.size);
	layer_close(&below);
}

static void check_job(struct check *c)
{
	const struct dm_chain_job_record *job = &c->layer->sb.job;
	const char *state = "";
	char cursor[32], size[32];

	if (!job->type)
		return;
	if (job->flags & DM_CHAIN_JOB_F_PENDING)
		state = ", which waits to be finalized";
	else if (job->flags & DM_CHAIN_JOB_F_PAUSED || job->io_status)
		state = ", which is paused";
	remark(c, "it has the unfinished job %s%s, at %s of %s", job->id, state,
	       human_size(job->cursor, cursor),
	       human_size(c->layer->sb.size, size));
}

static int clear_needs_check(struct check *c)
{
	struct dm_chain_why why = { "" };
	struct layer layer;
	int ret;

	ret = layer_open(&layer, c->path, NULL,
			 LAYER_META_ONLY | LAYER_WRITE | LAYER_EXCL, &why);
	if (!ret) {
		layer.sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
		ret = super_write(&layer, &why);
		layer_close(&layer);
	}
	if (ret)
		finding(c, "needs-check cannot be cleared: %s", why.text);
	else
		remark(c, "needs-check was set; it is cleared now");
	return ret;
}

/* Return: number of findings, or -1 after a complaint. */
static int check_one(const char *path)
{
	struct check c = { .path = path };
	struct dm_chain_why why = { "" };
	struct layer layer;
	bool needs_check;
	int ret;

	ret = layer_open(&layer, path, NULL, LAYER_EXCL, &why);
	if (ret == -EBUSY || ret == -ENODATA) {
		complain_why(&why);
		return -1;
	}
	if (ret) {
		/* What is on the metadata device can still be looked at. */
		finding(&c, "%s", why.text);
		ret = layer_open(&layer, path, NULL,
				 LAYER_EXCL | LAYER_META_ONLY, &why);
		if (ret)
			return c.findings;
	}
	c.layer = &layer;
	needs_check = layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK;
	if (layer.sb.ro_compat & ~DM_CHAIN_KNOWN_RO_COMPAT)
		remark(&c, "it has features that allow reading only: 0x%x",
		       layer.sb.ro_compat & ~DM_CHAIN_KNOWN_RO_COMPAT);
	if (!clean(&c))
		remark(&c, "it was not closed");
	check_super(&c);
	check_map(&c);
	if (layer.sb.backing.kind == DM_CHAIN_BACKING_LAYER)
		check_layer_below(&c);
	if (layer.sb.backing.kind == DM_CHAIN_BACKING_RAW)
		check_raw_below(&c);
	check_job(&c);
	layer_close(&layer);

	if (needs_check && c.findings)
		finding(&c, "needs-check stays set");
	else if (needs_check)
		clear_needs_check(&c);
	if (!c.findings)
		printf("%s: clean\n", path);
	return c.findings;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = { { } };
	unsigned int findings = 0;
	const char *first = NULL;
	int i, ret;

	if (next_option(argc, argv, options) != -1 ||
	    !operands_ok(argc, argv, 1, argc))
		return 1;
	for (i = optind; i < argc; i++) {
		ret = check_one(argv[i]);
		if (ret < 0)
			return 1;
		if (ret && !first)
			first = argv[i];
		findings += ret;
	}
	if (findings)
		return complain("check: %u finding%s, the first on %s",
				findings, findings == 1 ? "" : "s", first);
	return 0;
}
