// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup dump: the metadata of a layer, also where it is damaged.
 *
 * One tree of JSON objects is built; without --json it is printed indented.
 */
#include <errno.h>
#include <string.h>

#include "dm-chain-jobstate.h"
#include "json.h"

static const char *slot_kind_name(enum dm_chain_slot_kind kind)
{
	static const char * const names[] = {
		[DM_CHAIN_SLOT_ZERO] = "zeros",
		[DM_CHAIN_SLOT_FOREIGN] = "foreign",
		[DM_CHAIN_SLOT_TORN] = "torn",
		[DM_CHAIN_SLOT_GOOD] = "good",
	};

	return names[kind];
}

static struct json_object *dump_slots(const void *page[2], const char *magic)
{
	struct json_object *slots = json_object_new_array(), *o;
	const struct dm_chain_disk_head *head;
	enum dm_chain_slot_kind kind;
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		head = page[slot];
		kind = dm_chain_slot_classify(page[slot], magic);
		o = json_object_new_object();
		json_text(o, "slot", slot ? "B" : "A");
		json_text(o, "holds", slot_kind_name(kind));
		if (kind == DM_CHAIN_SLOT_GOOD)
			json_number(o, "seq", le64_to_cpu(head->seq));
		json_object_array_add(slots, o);
	}
	return slots;
}

static struct json_object *dump_bits(u32 flags, const char * const *names,
				     unsigned int nr)
{
	struct json_object *a = json_object_new_array();
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (flags & 1U << i)
			json_append(a, names[i]);
	return a;
}

static struct json_object *dump_flags(u32 flags)
{
	static const char * const names[] = {
		"clean", "needs-check", "has-overlay",
	};

	return dump_bits(flags, names, ARRAY_SIZE(names));
}

static struct json_object *dump_backing(const struct dm_chain_backing *ref)
{
	static const char * const kinds[] = {
		[DM_CHAIN_BACKING_UNSET] = "unset",
		[DM_CHAIN_BACKING_NONE] = "none",
		[DM_CHAIN_BACKING_RAW] = "raw",
		[DM_CHAIN_BACKING_LAYER] = "layer",
	};
	struct json_object *o = json_object_new_object();

	json_text(o, "kind", kinds[ref->kind]);
	if (ref->kind == DM_CHAIN_BACKING_LAYER) {
		json_uuid(o, "uuid", ref->uuid);
		json_number(o, "generation", ref->generation);
	}
	if (ref->kind == DM_CHAIN_BACKING_LAYER ||
	    ref->kind == DM_CHAIN_BACKING_RAW) {
		json_number(o, "size", ref->size);
		json_text(o, "path", ref->path);
	}
	return o;
}

/* The word for a number; "?" for one that has none. */
static const char *word(const char * const *words, unsigned int nr, u32 n)
{
	return n < nr ? words[n] : "?";
}

static struct json_object *dump_job(const struct dm_chain_job_record *job)
{
	static const char * const flags[] = {
		"raw-bottom", "paused", "pending", "manual-finalize",
		"manual-dismiss", "verify",
	};
	static const char * const io[] = { "ok", "failed", "nospace" };
	struct json_object *o = json_object_new_object();

	json_text(o, "id", job->id);
	json_text(o, "type", job->type == DM_CHAIN_JOB_STREAM ? "stream" : "?");
	json_object_object_add(o, "flags",
			       dump_bits(job->flags, flags, ARRAY_SIZE(flags)));
	json_uuid(o, "top", job->top_uuid);
	if (!(job->flags & DM_CHAIN_JOB_F_RAW_BOTTOM))
		json_uuid(o, "bottom", job->bottom_uuid);
	json_number(o, "speed", job->speed);
	json_number(o, "floor", job->floor);
	json_number(o, "ceiling", job->ceiling);
	json_number(o, "cursor", job->cursor);
	json_number(o, "copied", job->copied);
	json_number(o, "zeroed", job->zeroed);
	json_number(o, "skipped", job->skipped);
	json_number(o, "started", job->started);
	json_text(o, "on-error", dm_chain_on_error_name(job->on_error));
	json_number(o, "error", job->error);
	json_text(o, "io-status", word(io, ARRAY_SIZE(io), job->io_status));
	return o;
}

static struct json_object *dump_result(const struct dm_chain_job_result *result)
{
	static const char * const statuses[] = {
		[DM_CHAIN_RESULT_NONE] = "none",
		[DM_CHAIN_RESULT_COMPLETED] = "completed",
		[DM_CHAIN_RESULT_CANCELLED] = "cancelled",
		[DM_CHAIN_RESULT_FAILED] = "failed",
	};
	struct json_object *o = json_object_new_object();

	json_text(o, "id", result->id);
	json_text(o, "status",
		  word(statuses, ARRAY_SIZE(statuses), result->status));
	json_text(o, "base", *result->base ? result->base : NULL);
	json_number(o, "len", result->len);
	json_number(o, "offset", result->offset);
	json_number(o, "copied", result->copied);
	json_number(o, "zeroed", result->zeroed);
	json_number(o, "skipped", result->skipped);
	json_number(o, "speed", result->speed);
	json_number(o, "started", result->started);
	json_number(o, "finished", result->finished);
	json_number(o, "error", result->error);
	return o;
}

static struct json_object *dump_geometry(const struct dm_chain_geometry *geo)
{
	struct json_object *o = json_object_new_object();

	json_number(o, "blocks", geo->blocks);
	json_number(o, "map-pages", geo->map_pages);
	json_number(o, "directory-pages", geo->dir_pages);
	json_number(o, "area-a", geo->area[0]);
	json_number(o, "area-b", geo->area[1]);
	json_number(o, "end", geo->end);
	return o;
}

static int dump_super(struct json_object *o, const struct layer *layer,
		      struct dm_chain_why *why)
{
	const struct dm_chain_sb *sb = &layer->sb;
	u8 buf[2][DM_CHAIN_PAGE_SIZE];
	void *page[2] = { buf[0], buf[1] };
	int ret = super_read_slots(&layer->meta, page, why);

	if (ret)
		return ret;
	json_text(o, "name", sb->name);
	json_uuid(o, "uuid", sb->uuid);
	json_number(o, "seq", sb->seq);
	json_object_object_add(o, "superblock",
			       dump_slots((const void **)page,
					  DM_CHAIN_SB_MAGIC));
	json_object_object_add(o, "flags", dump_flags(sb->flags));
	json_number(o, "compat", sb->compat);
	json_number(o, "ro-compat", sb->ro_compat);
	json_number(o, "incompat", sb->incompat);
	json_number(o, "block-size", sb->block_size);
	json_number(o, "size", sb->size);
	json_number(o, "max-size", sb->max_size);
	json_number(o, "data-offset", sb->data_offset);
	json_number(o, "data-size", sb->data_size);
	json_text(o, "data-path", *sb->data_path ? sb->data_path : NULL);
	json_number(o, "generation", sb->generation);
	if (sb->flags & DM_CHAIN_F_HAS_OVERLAY)
		json_uuid(o, "overlay", sb->overlay_uuid);
	json_object_object_add(o, "backing", dump_backing(&sb->backing));
	if (sb->job.type)
		json_object_object_add(o, "job", dump_job(&sb->job));
	if (sb->result.type)
		json_object_object_add(o, "result", dump_result(&sb->result));
	json_object_object_add(o, "geometry", dump_geometry(&layer->geo));
	return 0;
}

static struct json_object *dump_runs(u32 index, const u8 *payload)
{
	static const char * const states[] = {
		[DM_CHAIN_UNALLOCATED] = "unallocated",
		[DM_CHAIN_DATA] = "data",
		[DM_CHAIN_ZERO] = "zero",
		[DM_CHAIN_BAD_STATE] = "bad",
	};
	struct json_object *runs = json_object_new_array(), *o;
	u32 n, run;

	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n += run) {
		run = dm_chain_state_run(payload, n,
					 DM_CHAIN_BLOCKS_PER_PAGE - n);
		if (dm_chain_state_get(payload, n) == DM_CHAIN_UNALLOCATED)
			continue;
		o = json_object_new_object();
		json_number(o, "block", (u64)index * DM_CHAIN_BLOCKS_PER_PAGE + n);
		json_number(o, "blocks", run);
		json_text(o, "state", states[dm_chain_state_get(payload, n)]);
		json_object_array_add(runs, o);
	}
	return runs;
}

/* Return: the slot that counts, -1 if the page is damaged. */
static int dump_page(struct json_object *list, const struct layer *layer,
		     const char *magic, u32 index,
		     struct dm_chain_disk_page *page[2])
{
	struct json_object *o = json_object_new_object();
	struct dm_chain_why why = { "" };
	bool fell_back = false;
	unsigned int slot = 0;
	int ret;

	json_object_array_add(list, o);
	json_number(o, "index", index);
	ret = page_read_slots(layer, magic, index, page, &why);
	if (!ret) {
		json_object_object_add(o, "slots",
				       dump_slots((const void **)page, magic));
		ret = dm_chain_page_pick((const struct dm_chain_disk_page **)page,
					 magic, layer->sb.uuid, index,
					 layer->sb.flags & DM_CHAIN_F_CLEAN,
					 &slot, &fell_back, &why);
	}
	if (ret) {
		json_text(o, "damaged", why.text);
		return -1;
	}
	json_text(o, "used", slot ? "B" : "A");
	if (!strcmp(magic, DM_CHAIN_MAP_MAGIC))
		json_object_object_add(o, "runs",
				       dump_runs(index, page[slot]->payload));
	return slot;
}

static void dump_map(struct json_object *root, const struct layer *layer)
{
	struct json_object *directory = json_object_new_array();
	struct json_object *map = json_object_new_array();
	struct dm_chain_disk_page buf[4], *dir[2] = { &buf[0], &buf[1] };
	struct dm_chain_disk_page *page[2] = { &buf[2], &buf[3] };
	u32 d, n, index;
	int slot;

	json_object_object_add(root, "directory", directory);
	json_object_object_add(root, "map", map);
	for (d = 0; d < layer->geo.dir_pages; d++) {
		slot = dump_page(directory, layer, DM_CHAIN_DIR_MAGIC, d, dir);
		for (n = 0; slot >= 0 && n < DM_CHAIN_PAGES_PER_DIR; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (index < layer->geo.map_pages &&
			    dm_chain_dir_get(dir[slot]->payload, n))
				dump_page(map, layer, DM_CHAIN_MAP_MAGIC, index,
					  page);
		}
	}
}

static bool is_nested(struct json_object *o)
{
	return json_object_is_type(o, json_type_object) ||
	       json_object_is_type(o, json_type_array);
}

static bool is_flat(struct json_object *o)
{
	json_object_object_foreach(o, key, value)
		if (*key && is_nested(value))
			return false;
	return true;
}

static void print_indented(struct json_object *o, unsigned int depth);

static void print_array(const char *key, struct json_object *array,
			unsigned int depth)
{
	size_t i, n = json_object_array_length(array);
	struct json_object *o;

	printf("%*s%s:", depth * 2, "", key);
	if (!n)
		printf(" -");
	for (i = 0; i < n; i++) {
		o = json_object_array_get_idx(array, i);
		if (!is_nested(o)) {
			printf(" %s", json_object_get_string(o));
		} else if (is_flat(o)) {
			printf("\n%*s", depth * 2 + 1, "");
			json_object_object_foreach(o, word, value)
				printf(" %s=%s", word,
				       json_object_get_string(value));
		} else {
			putchar('\n');
			print_indented(o, depth + 1);
		}
	}
	if (!n || !is_nested(json_object_array_get_idx(array, n - 1)) ||
	    is_flat(json_object_array_get_idx(array, n - 1)))
		putchar('\n');
}

static void print_indented(struct json_object *o, unsigned int depth)
{
	json_object_object_foreach(o, key, value) {
		if (json_object_is_type(value, json_type_array)) {
			print_array(key, value, depth);
		} else if (json_object_is_type(value, json_type_object)) {
			say("%*s%s:", depth * 2, "", key);
			print_indented(value, depth + 1);
		} else {
			say("%*s%s: %s", depth * 2, "", key,
			    value ? json_object_get_string(value) : "-");
		}
	}
}

int cmd_dump(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct dm_chain_why why = { "" };
	struct json_object *root;
	bool json = false;
	struct layer layer;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c != 'j')
			return 1;
		json = true;
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	ret = layer_open(&layer, argv[optind], NULL,
			 LAYER_META_ONLY | LAYER_EXCL, &why);
	if (ret)
		return complain_why(&why);
	root = json_object_new_object();
	ret = dump_super(root, &layer, &why);
	if (!ret) {
		dump_map(root, &layer);
		if (json)
			print_json(json_object_get(root));
		else
			print_indented(root, 0);
	}
	json_object_put(root);
	layer_close(&layer);
	return ret ? complain_why(&why) : 0;
}
