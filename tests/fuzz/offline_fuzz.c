// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the commands on layers that nobody has open, on devices with damage
 * of all kinds: check, dump, uuid, rebase, repair. Each succeeds and complains of
 * nothing, or fails and says why in one line; what check calls clean can be read; what
 * uuid, rebase and repair change shows what it showed before; a refusal changes nothing.
 */
#include <errno.h>
#include <json-c/json.h>
#include <linux/crc32c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images.h"
#include "sample.h"

/**
 * struct result - of a command
 * @status: exit status
 * @out: what it printed
 * @err: what it complained of
 */
struct result {
	int status;
	char *out;
	char *err;
};

static void run(struct result *result, int (*command)(int argc, char **argv),
		int argc, char **argv)
{
	FILE *out = stdout, *err = stderr;
	size_t size[2];

	stdout = open_memstream(&result->out, &size[0]);
	stderr = open_memstream(&result->err, &size[1]);
	optind = 0;
	result->status = command(argc, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = err;
}

/* "Exit 0, or 1 with one line" */
static void check_result(const struct result *r)
{
	char *end = strchr(r->err, '\n');

	must(r->status == 0 || r->status == 1, "status %d", r->status);
	if (!r->status) {
		must(!*r->err, "it complains: %s", r->err);
		return;
	}
	must(!strncmp(r->err, "chainsetup: ", 12) && r->err[12] != '\n', "it says '%s'", r->err);
	must(end && !end[1], "not one line: '%s'", r->err);
}

static void done(struct result *r)
{
	free(r->out);
	free(r->err);
}

/* A sum of the states in a map page of the blocks that the layer has. */
static u32 state_sum(const struct layer *layer, u32 index, u32 sum)
{
	u64 first = (u64)index * DM_CHAIN_BLOCKS_PER_PAGE, blocks = layer_blocks(layer);
	u8 payload[DM_CHAIN_PAYLOAD];

	if (!layer->page[index] || first >= blocks)
		return sum;
	memcpy(payload, layer->page[index], sizeof(payload));
	blocks -= first;
	if (blocks < DM_CHAIN_BLOCKS_PER_PAGE)
		dm_chain_state_fill(payload, blocks, DM_CHAIN_BLOCKS_PER_PAGE - blocks,
				    DM_CHAIN_UNALLOCATED);
	return crc32c(sum + index, payload, sizeof(payload));
}

/* Can it be opened, and its map be loaded? */
static bool readable(enum image_layer image, u32 *states)
{
	struct layer layer;
	u32 i;
	bool ok;

	*states = 0;
	if (layer_open(&layer, image_path(image), NULL, LAYER_META_ONLY, NULL))
		return false;
	ok = !layer_load_map(&layer, NULL);
	for (i = 0; ok && i < layer.geo.map_pages; i++)
		*states = state_sum(&layer, i, *states);
	layer_close(&layer);
	return ok;
}

/* A sum of what a chain shows; false if there is no view. */
static bool view_sum(enum image_layer image, u32 *sum)
{
	static struct chain chain;
	static u8 buf[64 * 1024];
	u64 size, at, len;
	bool ok;

	*sum = 0;
	if (chain_open(&chain, image_path(image), NULL, 0, 0, 0, NULL))
		return false;
	size = layer_size(&chain.layer[chain.nr - 1]);
	ok = !chain_load_maps(&chain, NULL);
	for (at = 0; ok && at < size; at += len) {
		len = min(size - at, sizeof(buf));
		ok = !chain_view_read(&chain, buf, len, at, NULL);
		*sum = crc32c(*sum, buf, len);
	}
	chain_close(&chain);
	return ok;
}

/* A sum of all pages of all layers that are at their usual place. */
static u32 page_sum(void)
{
	unsigned int image, page;
	u32 sum = 0;

	for (image = IMAGE_B; image <= IMAGE_E; image++)
		for (page = 0; page < IMAGE_PAGES; page++)
			sum = crc32c(sum, image_page(image, page), DM_CHAIN_PAGE_SIZE);
	return sum;
}

static bool needs_check(enum image_layer image)
{
	struct layer layer;
	bool yes;

	if (layer_open(&layer, image_path(image), NULL, LAYER_META_ONLY, NULL))
		return false;
	yes = layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK;
	layer_close(&layer);
	return yes;
}

static void fuzz_check(enum image_layer image)
{
	char *argv[3] = { "check", (char *)image_path(image), NULL };
	bool needed = needs_check(image);
	u32 before = page_sum(), states;
	struct result r;

	run(&r, cmd_check, 2, argv);
	check_result(&r);
	if (!r.status) {
		images_heal();
		must(readable(image, &states), "clean, and cannot be read");
		must(!needs_check(image), "clean, and needs a check");
	}
	if (r.status || !needed)
		must(before == page_sum(), "it was changed");
	done(&r);
}

static void fuzz_dump(struct input *in, enum image_layer image)
{
	char *argv[4] = { "dump", (char *)image_path(image), "--json", NULL };
	bool json = take_below(in, 2);
	struct json_tokener *strict;
	struct json_object *object;
	u32 before = page_sum();
	struct result r;

	run(&r, cmd_dump, json ? 3 : 2, argv);
	check_result(&r);
	must(!r.status == !!*r.out, "status %d, and '%s'", r.status, r.out);
	if (!r.status && json) {
		strict = json_tokener_new();
		json_tokener_set_flags(strict, JSON_TOKENER_VALIDATE_UTF8);
		object = json_tokener_parse_ex(strict, r.out, strlen(r.out));
		must(object, "no JSON: %s", r.out);
		json_object_put(object);
		json_tokener_free(strict);
	}
	must(before == page_sum(), "it was changed");
	done(&r);
}

static void fuzz_uuid(struct input *in, enum image_layer image)
{
	/* E's data device is another one. */
	char *argv[5] = { "uuid", (char *)image_path(image), "--data", "/proc/self/fd/903", NULL };
	u8 before[DM_CHAIN_UUID_LEN], after[DM_CHAIN_UUID_LEN];
	u32 pages = page_sum(), states, other;
	bool was = readable(image, &states), needed = needs_check(image);
	char text[DM_CHAIN_UUID_TEXT];
	struct layer layer;
	struct result r;

	images_heal();
	if (!layer_open(&layer, image_path(image), NULL, LAYER_META_ONLY, NULL)) {
		memcpy(before, layer.sb.uuid, sizeof(before));
		layer_close(&layer);
	}
	run(&r, cmd_uuid, take_below(in, 2) ? 4 : 2, argv);
	check_result(&r);
	if (r.status) {
		/* What was interrupted goes on as far as it can. */
		must(needed || pages == page_sum(), "refused, and changed: %s", r.err);
		done(&r);
		return;
	}
	must(readable(image, &other), "it cannot be read any more");
	must(!was || states == other, "other states");
	must(!layer_open(&layer, image_path(image), NULL, LAYER_META_ONLY, NULL), "gone");
	memcpy(after, layer.sb.uuid, sizeof(after));
	must(layer.sb.flags & DM_CHAIN_F_CLEAN && !(layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK),
	     "flags %#x", layer.sb.flags);
	layer_close(&layer);
	must(memcmp(before, after, sizeof(after)), "the same UUID");
	dm_chain_uuid_format(after, text);
	must(!strncmp(r.out, "uuid=", 5) && !strncmp(r.out + 5, text, 36), "it says %s", r.out);
	done(&r);
}

/* "--choose WHAT", or nothing: half of the time, and where the input ends. */
static const char *take_choice(struct input *in)
{
	static const char *const choices[] = {
		"super=A", "super=B", "dir:0=A", "dir:0=B", "dir:0=scan", "map:0=A", "map:0=B",
		"map:0=below", "map:0=data", "map:0=zero", "map:1=below", "map:2=zero",
	};
	u32 n = take_below(in, 2 * ARRAY_SIZE(choices));

	return n < ARRAY_SIZE(choices) ? NULL : choices[n - ARRAY_SIZE(choices)];
}

/* Put right, the layer is clean, shows what it showed, and can be had back. */
static void fuzz_repair(struct input *in, enum image_layer image)
{
	char undo[64], *path = (char *)image_path(image);
	char *choice = (char *)take_choice(in);
	char *check[3] = { "check", path, NULL };
	char *dry[5] = { "repair", path, choice ? "--choose" : NULL, choice, NULL };
	char *yes[8] = { "repair", "--yes", "--undo", undo, path, dry[2], choice, NULL };
	char *back[6] = { "repair", "--yes", "--restore", undo, path, NULL };
	u32 pages = page_sum(), states, other;
	struct result r;
	bool was, all;

	images_heal();
	snprintf(undo, sizeof(undo), "/dev/shm/dm-chain-fuzz-%d", getpid());
	/* What was chosen may show something else. */
	was = readable(image, &states) && !choice;
	run(&r, cmd_repair, choice ? 4 : 2, dry);
	check_result(&r);
	must(pages == page_sum(), "a rehearsal changed something");
	all = !r.status || strstr(r.err, ", leaves 0 of ");
	done(&r);

	run(&r, cmd_repair, choice ? 7 : 5, yes);
	check_result(&r);
	must(all == !r.status, "not what was rehearsed: %s%s", r.out, r.err);
	if (pages == page_sum()) {
		must(!strstr(r.out, "repaired,"), "it says %s", r.out);
	} else {
		must(strstr(r.out, "repaired,"), "changed, and it says %s%s", r.out, r.err);
		must(!was || (readable(image, &other) && states == other), "other states: %s",
		     r.out);
	}
	if (!r.status) {
		done(&r);
		must(readable(image, &other) && !needs_check(image), "repaired, and is not");
		run(&r, cmd_check, 2, check);
		must(!r.status, "repaired, and check says %s%s", r.out, r.err);
	}
	done(&r);
	if (pages != page_sum()) {
		run(&r, cmd_repair, 5, back);
		must(!r.status, "not undone: %s", r.err);
		must(pages == page_sum(), "it is not as it was");
		done(&r);
	}
	unlink(undo);
}

static void fuzz_rebase(struct input *in, enum image_layer image)
{
	bool unsafe = take_below(in, 2);
	u32 to = take_below(in, NR_IMAGES + 1), pages = page_sum(), sum, other;
	char *argv[5] = {
		"rebase", (char *)image_path(image),
		to < NR_IMAGES ? (char *)image_path(to) : "none", "--unsafe", NULL,
	};
	struct result r;
	bool was;

	images_heal();
	was = view_sum(image, &sum);
	run(&r, cmd_rebase, unsafe ? 4 : 3, argv);
	check_result(&r);
	if (r.status) {
		must(pages == page_sum(), "refused, and changed: %s", r.err);
	} else if (!unsafe) {
		must(was, "nobody can know what it showed");
		must(view_sum(image, &other) && sum == other, "it shows something else");
	}
	done(&r);
}

void fuzz_one(struct input *in)
{
	unsigned int n;

	images_reset();
	images_damage(in);
	for (n = 1 + take_below(in, 3); n; n--) {
		u32 what = take_below(in, 5);
		enum image_layer image = IMAGE_B + take_below(in, 3);

		if (what == 0)
			fuzz_check(image);
		else if (what == 1)
			fuzz_dump(in, image);
		else if (what == 2)
			fuzz_uuid(in, image);
		else if (what == 4)
			fuzz_repair(in, image);
		else
			fuzz_rebase(in, image);
	}
}
