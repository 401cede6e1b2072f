// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of chainsetup's reading of layers and chains: devices with damage of all
 * kinds. What is read must be what good pages say; what is refused must be
 * damaged; and the view must be what the layers' states make of it, block by
 * block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"
#include "images.h"
#include "sample.h"

/*
 * The newer right slot of a pair of pages, NULL if none is, or if there is hardly
 * a higher number for the next one.
 */
static const struct dm_chain_disk_page *right_page(enum image_layer image,
						   const struct layer *layer,
						   unsigned int first, u32 index,
						   bool *both)
{
	const char *magic = first == IMAGE_DIR ? DM_CHAIN_DIR_MAGIC : DM_CHAIN_MAP_MAGIC;
	const struct dm_chain_disk_page *page[2], *newer = NULL;
	unsigned int i, right = 0;

	for (i = 0; i < 2; i++) {
		page[i] = image_page(image, first + i);
		if (!edit_page_right(page[i], magic, layer->sb.uuid, index))
			continue;
		right++;
		if (!newer || dm_chain_page_seq(page[i]) > dm_chain_page_seq(newer))
			newer = page[i];
	}
	if (newer && dm_chain_page_seq(newer) >> 63)
		newer = NULL;
	*both = newer && right == 2;
	return newer;
}

/* Was the layer made with another geometry, so that its pages are elsewhere? */
static bool same_layout(const struct layer *layer)
{
	return layer->geo.map_pages == IMAGE_MAPS && layer->geo.dir_pages == 1 &&
	       layer->sb.block_size == 4096;
}

/* The map was loaded: it is what the directory and the newer pages say. */
static void check_loaded(enum image_layer image, const struct layer *layer)
{
	const struct dm_chain_disk_page *dir, *page;
	bool both, clean = layer->sb.flags & DM_CHAIN_F_CLEAN;
	u32 i;

	dir = right_page(image, layer, IMAGE_DIR, 0, &both);
	must(dir && (both || !clean), "a damaged directory");
	for (i = 0; i < IMAGE_MAPS; i++) {
		if (!(dir->payload[0] >> i & 1)) {
			must(!layer->page[i], "page %u was never written", i);
			continue;
		}
		page = right_page(image, layer, IMAGE_MAP + 2 * i, i, &both);
		must(page && (both || !clean), "map page %u is damaged", i);
		must(layer->page[i] && !memcmp(layer->page[i], page->payload, DM_CHAIN_PAYLOAD),
		     "another map page %u", i);
	}
}

/* The map was refused: some page is not as it should be. */
static void check_refused(enum image_layer image, const struct layer *layer)
{
	const struct dm_chain_disk_page *dir;
	u32 i, n;
	bool both;

	dir = right_page(image, layer, IMAGE_DIR, 0, &both);
	if (!both || images_io_failed())
		return;
	for (i = 0; i < IMAGE_MAPS; i++) {
		if (!(dir->payload[0] >> i & 1))
			continue;
		right_page(image, layer, IMAGE_MAP + 2 * i, i, &both);
		if (!both)
			return;
	}
	/* Pages that there are not. */
	for (n = IMAGE_MAPS; n < DM_CHAIN_PAGES_PER_DIR; n++)
		if (dir->payload[n / 8] >> n % 8 & 1)
			return;
	must(false, "a layer without damage is refused");
}

static PLAIN enum dm_chain_state state_at(const struct layer *layer, u64 block)
{
	const u8 *payload;

	if (layer->raw)
		return DM_CHAIN_DATA;
	payload = layer->page[block / DM_CHAIN_BLOCKS_PER_PAGE];
	block %= DM_CHAIN_BLOCKS_PER_PAGE;
	return payload ? payload[block / 4] >> block % 4 * 2 & 3 : DM_CHAIN_UNALLOCATED;
}

/* Over all map pages, if they are not many: runs go from one to the next. */
static PLAIN void check_states(const struct layer *layer)
{
	u64 blocks = layer_blocks(layer), block, run, n;
	enum dm_chain_state state;

	must(blocks * layer->sb.block_size >= layer->sb.size, "%llu blocks", blocks);
	if (layer->geo.map_pages <= IMAGE_MAPS)
		blocks = layer->geo.blocks;
	for (block = 0; block < blocks; block += run) {
		state = layer_state(layer, block, blocks - block, &run);
		must(run && run <= blocks - block, "a run of %llu", run);
		must(state < DM_CHAIN_BAD_STATE, "an impossible state at %llu", block);
		for (n = block; n < block + run; n++)
			must(state_at(layer, n) == state, "block %llu: %u", n, state);
		must(block + run == blocks || state_at(layer, block + run) != state,
		     "a run that goes on at %llu", block + run);
	}
	/* Two blocks that are in two map pages. */
	for (block = DM_CHAIN_BLOCKS_PER_PAGE - 1; block + 1 < blocks;
	     block += DM_CHAIN_BLOCKS_PER_PAGE) {
		state = layer_state(layer, block, 2, &run);
		must(state_at(layer, block) == state, "block %llu: %u", block, state);
		must(run == 1 + (state_at(layer, block + 1) == state), "a run of %llu from %llu",
		     run, block);
	}
}

static void check_layer(enum image_layer image)
{
	struct dm_chain_why why;
	struct layer layer;
	int err;

	fuzz_why(&why);
	err = layer_open(&layer, image_path(image), NULL, LAYER_META_ONLY, &why);
	if (err) {
		must_say_why(&why);
		must(layer.meta.fd < 0 && !layer.page, "left open");
		return;
	}
	must(!layer.raw, "raw, and nobody said that it may be");
	must(layer.geo.end <= layer.meta.size, "the map does not fit");
	fuzz_why(&why);
	err = layer_load_map(&layer, &why);
	if (err)
		must_say_why(&why);
	if (same_layout(&layer)) {
		if (err)
			check_refused(image, &layer);
		else
			check_loaded(image, &layer);
	}
	if (!err)
		check_states(&layer);
	layer_close(&layer);
}

/* What a raw base has grown by is not of the chain. */
static u64 shown(const struct chain *chain, unsigned int i)
{
	const struct layer *layer = &chain->layer[i];
	u64 size = layer_size(layer);

	return layer->raw && i + 1 < chain->nr ? min(size, layer[1].sb.backing.size) : size;
}

/* By the rules, for one sector: the layer, or -1 for zeros. */
static int owner_at(const struct chain *chain, u64 offset)
{
	int i, above;

	for (i = chain->nr - 1; i >= 0; i--) {
		const struct layer *layer = &chain->layer[i];

		for (above = i; above == i || above < (int)chain->nr - 1; above++)
			if (offset >= shown(chain, above))
				return -1;
		switch (state_at(layer, layer->raw ? 0 : offset / layer->sb.block_size)) {
		case DM_CHAIN_DATA:
			return i;
		case DM_CHAIN_ZERO:
			return -1;
		default:
			break;
		}
	}
	return -1;
}

static void check_read(const struct chain *chain, u64 offset, u64 len)
{
	u8 *buf = malloc(len), sector[512];
	struct dm_chain_why why;
	u64 at;
	int err, owner;

	must(buf, "no memory");
	fuzz_why(&why);
	err = chain_view_read(chain, buf, len, offset, &why);
	for (at = 0; at < len && !err; at += 512) {
		const struct layer *layer;

		memset(sector, 0, sizeof(sector));
		owner = owner_at(chain, offset + at);
		layer = &chain->layer[max(owner, 0)];
		if (owner >= 0)
			must(pread(layer->data.fd, sector, 512,
				   offset + at + (layer->raw ? 0 : layer->sb.data_offset)) == 512,
			     "cannot read");
		must(!memcmp(buf + at, sector, 512), "other data at %llu", offset + at);
	}
	must(!err || images_io_failed(), "error %d: %.384s", err, why.text);
	free(buf);
}

static void check_view(struct input *in, const struct chain *chain)
{
	u64 size = layer_size(&chain->layer[chain->nr - 1]), offset, run, n;
	u64 start = take_below(in, 4096) * 512ULL, len = (1 + take_below(in, 128)) * 512;
	int owner;

	for (offset = 0; offset < size; offset += run) {
		chain_view_run(chain, offset, size - offset, &owner, &run);
		must(run && run <= size - offset, "a run of %llu", run);
		for (n = offset; n < offset + run; n += 512)
			must(owner_at(chain, n) == owner, "%d at %llu", owner, n);
	}
	if (start + len <= size)
		check_read(chain, start, len);
}

static void check_chain(struct input *in)
{
	static struct chain chain;
	struct dm_chain_why why;
	int err;

	fuzz_why(&why);
	err = chain_open(&chain, image_path(IMAGE_E), NULL, 0, 0, 0, &why);
	if (err) {
		must_say_why(&why);
		must(!chain.nr, "left open");
		return;
	}
	fuzz_why(&why);
	err = chain_load_maps(&chain, &why);
	if (err)
		must_say_why(&why);
	else
		check_view(in, &chain);
	chain_close(&chain);
}

void fuzz_one(struct input *in)
{
	enum image_layer image;

	images_reset();
	images_damage(in);
	for (image = IMAGE_B; image <= IMAGE_E; image++)
		check_layer(image);
	check_chain(in);
}
