// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup rebase: record another backing.
 *
 * Without --unsafe what the layer shows in the blocks that it does not hold is
 * read through the old chain and through the new one, and compared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define CHUNK	(1024 * 1024)

/* A chain that nobody writes to while it is compared. */
static int check_still(const struct chain *chain, unsigned int nr,
		       struct dm_chain_why *why)
{
	char user[128];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct layer *layer = &chain->layer[i];
		const struct device *dev = NULL;

		if (device_may_change(&layer->meta))
			dev = &layer->meta;
		else if (layer->sep_meta && device_may_change(&layer->data))
			dev = &layer->data;
		if (dev)
			return dm_chain_refuse(why, -EBUSY,
					       "%s may be written to while it is compared: it is in use by %s; close that first",
					       dev->path,
					       *device_user(dev, user, sizeof(user)) ?
					       user : "something else");
	}
	return 0;
}

/* The same superblocks as when they were opened? */
static int check_unchanged(const struct chain *chain, unsigned int nr,
			   struct dm_chain_why *why)
{
	struct dm_chain_sb sb;
	unsigned int i, slot;
	int ret;

	for (i = 0; i < nr; i++) {
		if (chain->layer[i].raw)
			continue;
		ret = super_read(&chain->layer[i].meta, &sb, &slot, why);
		if (ret)
			return ret;
		if (sb.seq != chain->layer[i].sb.seq)
			return dm_chain_refuse(why, -EAGAIN,
					       "%s was written to while it was compared: try again",
					       chain->layer[i].meta.path);
	}
	return 0;
}

static bool same_source(const struct chain *old, int old_owner,
			const struct chain *new, int new_owner)
{
	const struct layer *a, *b;

	if (old_owner < 0 || new_owner < 0)
		return old_owner < 0 && new_owner < 0;
	a = &old->layer[old_owner];
	b = &new->layer[new_owner];
	return device_same(&a->data, &b->data) && a->raw == b->raw &&
	       (a->raw || a->sb.data_offset == b->sb.data_offset);
}

static int compare_views(const struct chain *old, const struct chain *new,
			 struct dm_chain_why *why)
{
	u64 size = layer_size(&old->layer[old->nr - 1]), offset, run, old_run;
	u8 *buf[2] = { xalloc(1, CHUNK), xalloc(1, CHUNK) };
	int old_owner, new_owner, ret = 0;
	size_t i;

	for (offset = 0; offset < size && !ret; offset += run) {
		chain_view_run(old, offset, size - offset, &old_owner, &old_run);
		chain_view_run(new, offset, old_run, &new_owner, &run);
		if (same_source(old, old_owner, new, new_owner))
			continue;
		if (run > CHUNK)
			run = CHUNK;
		ret = chain_view_read(old, buf[0], run, offset, why);
		if (!ret)
			ret = chain_view_read(new, buf[1], run, offset, why);
		if (ret || !memcmp(buf[0], buf[1], run))
			continue;
		for (i = 0; buf[0][i] == buf[1][i]; i++)
			;
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s would show something else with that backing, first at byte %llu: --unsafe records it anyway",
				      old->layer[old->nr - 1].meta.path,
				      offset + i);
	}
	free(buf[0]);
	free(buf[1]);
	return ret;
}

static int check_layer(const struct layer *layer, bool unsafe,
		       struct dm_chain_why *why)
{
	if (layer->sb.flags & DM_CHAIN_F_NEEDS_CHECK)
		return dm_chain_refuse(why, -EUCLEAN, "%s needs a check first: chainsetup check %s",
				       layer->meta.path, layer->meta.path);
	if (layer->sb.job.type && !unsafe)
		return dm_chain_refuse(why, -EBUSY,
				       "%s has the unfinished job %s: open the chain and finish or cancel it first; --unsafe cancels it here",
				       layer->meta.path, layer->sb.job.id);
	return 0;
}

/*
 * Put @layer, with the new reference in its superblock, on top of the chain
 * that begins with @backing. The chain borrows what @layer owns.
 */
static int build_new(struct chain *new, const char *backing,
		     const struct layer *layer, struct dm_chain_why *why)
{
	const struct layer *below;
	struct layer *top;
	unsigned int i;
	int ret;

	memset(new, 0, sizeof(*new));
	if (strcmp(backing, "none")) {
		ret = chain_collect(new, backing, NULL, 0, LAYER_ANY, 0, why);
		if (ret)
			return ret;
	}
	for (i = 0; i < new->nr; i++) {
		below = &new->layer[i];
		if (device_same(&below->meta, &layer->meta) ||
		    (!below->raw &&
		     dm_chain_uuid_equal(below->sb.uuid, layer->sb.uuid)))
			return dm_chain_refuse(why, -EINVAL,
					       "%s rests on %s: they cannot rest on each other: name another backing",
					       backing, layer->meta.path);
	}
	if (new->nr == DM_CHAIN_MAX_LAYERS)
		return dm_chain_refuse(why, -E2BIG,
				       "the chain of %s has %u layers already, the most there can be: stream some away first",
				       backing, new->nr);
	top = &new->layer[new->nr];
	*top = *layer;
	memset(&top->sb.backing, 0, sizeof(top->sb.backing));
	top->sb.backing.kind = DM_CHAIN_BACKING_NONE;
	if (new->nr) {
		ret = backing_reference(&top->sb.backing,
					&new->layer[new->nr - 1], why);
		if (ret)
			return ret;
	}
	new->nr++;
	ret = chain_check(new, why);
	/* What is borrowed must not be closed with the chain. */
	if (ret)
		new->nr--;
	return ret;
}

static int compare(struct chain *old, struct chain *new,
		   struct dm_chain_why *why)
{
	int ret;

	ret = check_still(old, old->nr - 1, why);
	if (!ret)
		ret = check_still(new, new->nr - 1, why);
	if (!ret)
		ret = chain_load_maps(old, why);
	if (ret)
		return ret;
	chain_top(new)->page = chain_top(old)->page;
	chain_top(new)->pick = chain_top(old)->pick;
	ret = chain_load_maps(new, why);
	if (!ret)
		ret = compare_views(old, new, why);
	if (!ret)
		ret = check_unchanged(old, old->nr - 1, why);
	return ret ? ret : check_unchanged(new, new->nr - 1, why);
}

/**
 * struct rebase_options - what the user wants
 * @path: of the layer
 * @backing: path of what it is to rest on, or "none"
 * @unsafe: whatever it shows then
 * @dry_run: change nothing
 * @json: say so in JSON
 */
struct rebase_options {
	const char *path;
	const char *backing;
	bool unsafe;
	bool dry_run;
	bool json;
};

/* @job: id of the job that is cancelled, or NULL */
static void show_rebase(const struct rebase_options *options, const char *job)
{
	struct json_object *object;

	if (options->json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", options->dry_run);
		json_text(object, "device", options->path);
		json_text(object, "backing", strcmp(options->backing, "none") ?
			  options->backing : NULL);
		json_flag(object, "unsafe", options->unsafe);
		json_text(object, "cancelled-job", job);
		print_json(object);
	} else if (options->dry_run) {
		if (job)
			say("would cancel job %s", job);
		say("would record %s as the backing of %s, %s",
		    options->backing, options->path, options->unsafe ?
		    "whatever it shows then" : "which shows the same then");
		puts("nothing was changed");
	} else if (job) {
		say("job %s is cancelled", job);
	}
}

static int rebase(const struct rebase_options *options,
		  struct dm_chain_why *why)
{
	unsigned int flags = LAYER_WRITE | LAYER_EXCL |
			     (options->dry_run ? LAYER_DRY : 0);
	const char *path = options->path;
	static struct chain old, new;
	struct dm_chain_why reason = { "" };
	bool unsafe = options->unsafe;
	char *job = NULL;
	struct layer *layer;
	int ret;

	if (unsafe) {
		memset(&old, 0, sizeof(old));
		ret = layer_open(&old.layer[0], path, NULL,
				 flags | LAYER_META_ONLY, why);
		old.nr = !ret;
	} else {
		ret = chain_open(&old, path, NULL, 0, flags, 0, why);
	}
	if (ret)
		return ret;
	layer = chain_top(&old);
	ret = check_layer(layer, unsafe, why);
	if (!ret)
		ret = build_new(&new, options->backing, layer, &reason);
	if (ret && *reason.text)
		dm_chain_refuse(why, ret, "%s", reason.text);
	if (ret) {
		chain_close(&new);
		chain_close(&old);
		return ret;
	}
	if (!unsafe)
		ret = compare(&old, &new, why);
	if (!ret) {
		layer->sb.backing = chain_top(&new)->sb.backing;
		if (unsafe) {
			/* What rests on it was bound to another content. */
			layer->sb.generation++;
			if (layer->sb.job.type) {
				/* What it copied was below the old backing. */
				job = xstrdup(layer->sb.job.id);
				cancel_job(&layer->sb);
			}
			layer->sb.flags &= ~DM_CHAIN_F_HAS_OVERLAY;
			memset(layer->sb.overlay_uuid, 0, DM_CHAIN_UUID_LEN);
		}
		if (!options->dry_run)
			ret = super_write(layer, why);
		if (!ret)
			show_rebase(options, job);
		free(job);
	}
	new.nr--;
	chain_close(&new);
	chain_close(&old);
	return ret;
}

int cmd_rebase(int argc, char **argv)
{
	static const struct option options[] = {
		{ "unsafe", no_argument, NULL, 'u' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct rebase_options rebase_options = { 0 };
	struct dm_chain_why why = { "" };
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		rebase_options.unsafe |= c == 'u';
		rebase_options.dry_run |= c == 'n';
		rebase_options.json |= c == 'j';
	}
	if (!operands_ok(argc, argv, 2, 2))
		return 1;
	rebase_options.path = argv[optind];
	rebase_options.backing = argv[optind + 1];
	if (rebase(&rebase_options, &why))
		return complain_why(&why);
	return 0;
}
