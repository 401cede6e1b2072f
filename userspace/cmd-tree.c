// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup tree: all layers, what rests on what, and the devices on top.
 *
 * What is in use is asked of the target, the rest is read from superblocks. What
 * both know is as the target says: superblocks lag behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "job-words.h"
#include "live.h"
#include "progress.h"
#include "tree.h"

/* A raw base has no UUID: it is where it lies. @text has room for a path. */
static char *raw_key(const char *path)
{
	struct stat st;

	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return xasprintf("raw %u:%u", major(st.st_rdev),
				 minor(st.st_rdev));
	return xasprintf("raw %s", path);
}

static bool is_raw(const struct reply_line *layer)
{
	return !strcmp(reply_get(layer, "metadata"), "-");
}

static char *live_key(const struct reply_line *layer)
{
	return is_raw(layer) ? xasprintf("raw %s", reply_get(layer, "data")) :
			       xstrdup(reply_get(layer, "uuid"));
}

static char *job_text(const char *type, u64 offset, u64 len, const char *note)
{
	struct progress progress = { .offset = offset, .len = len };

	return xasprintf("%s %u%%%s%s", type, progress_percent(&progress),
			 *note ? ", " : "", note);
}

static void add_live_job(struct tree_node *node, const char *name,
			 const struct reply *jobs)
{
	unsigned int i;
	char note[64];

	for (i = 0; i < jobs->nr && !node->job; i++) {
		const struct reply_line *job = &jobs->line[i];

		if (strcmp(reply_get(job, "top"), name) ||
		    job_end_of(job) != JOB_LIVE)
			continue;
		node->job = job_text(reply_get(job, "type"),
				     reply_number(job, "offset"),
				     reply_number(job, "len"),
				     job_note(job, note, sizeof(note)));
	}
}

/* Add layer @n of a device. What a job has dropped lay on the one before it. */
static void add_live_layer(struct tree *tree, const struct reply *layers,
			   unsigned int n, const struct reply *jobs)
{
	const struct reply_line *layer = &layers->line[n], *below;
	const char *state = reply_get(layer, "state");
	bool dropped = !strcmp(state, "releasable");
	char *key = live_key(layer), *meta;
	struct tree_node *node = tree_find(tree, key);

	if (node) {
		/* Shared: what one device has dropped another may need. */
		if (!dropped && !strcmp(node->state, "releasable"))
			tree_set_state(node, TINT_NONE, state);
		free(key);
		return;
	}
	node = tree_add(tree, is_raw(layer) ? TREE_RAW : TREE_LAYER, key);
	free(key);
	node->name = xstrdup(reply_get(layer, "name"));
	node->size = reply_number(layer, "size");
	node->device = devno_path(reply_get(layer, "data"));
	if (!is_raw(layer)) {
		node->uuid = xstrdup(reply_get(layer, "uuid"));
		node->generation = reply_number(layer, "generation");
		meta = devno_path(reply_get(layer, "metadata"));
		if (strcmp(meta, node->device))
			node->metadata = meta;
		else
			free(meta);
	}
	tree_set_state(node, dropped ? TINT_ATTENTION :
		       !strcmp(state, "active") ? TINT_GOOD : TINT_NONE, state);
	if (dropped)
		below = n ? &layers->line[n - 1] : NULL;
	else
		below = reply_find(layers, "name", reply_get(layer, "backing"));
	if (below)
		node->below = live_key(below);
	add_live_job(node, node->name, jobs);
}

static void add_view(struct tree *tree, const struct live *live,
		     const struct status *status, const struct reply *layers)
{
	const struct reply_line *active = reply_find(layers, "state", "active");
	char *key = xasprintf("device %s", live->name), *state;
	struct tree_node *node = tree_add(tree, TREE_VIEW, key);

	free(key);
	node->name = xstrdup(live->name);
	node->size = live->sectors << 9;
	node->device = xasprintf("/dev/mapper/%s", live->name);
	state = xasprintf("%s%s%s", status->mode,
			  live->suspended ? ", suspended" : "",
			  status->needs_check ? ", needs check" : "");
	tree_set_state(node, !strcmp(status->mode, "fail") ||
		       status->needs_check ? TINT_BAD : live->suspended ?
		       TINT_ATTENTION : TINT_GOOD, state);
	free(state);
	if (active)
		node->below = live_key(active);
}

static int add_live(void *data, const char *name, struct dm_chain_why *why)
{
	struct tree *tree = data;
	struct reply layers, jobs;
	struct status status;
	struct live live;
	unsigned int i;
	int ret;

	ret = live_look(&live, &status, name, why);
	if (ret)
		return ret;
	ret = live_query(name, "layers", &layers, why);
	if (ret)
		goto out;
	ret = live_query(name, "jobs", &jobs, why);
	if (!ret) {
		for (i = 0; i < layers.nr; i++)
			add_live_layer(tree, &layers, i, &jobs);
		add_view(tree, &live, &status, &layers);
		reply_free(&jobs);
	}
	reply_free(&layers);
out:
	status_free(&status);
	live_close(&live);
	return ret;
}

static void add_recorded_job(struct tree_node *node,
			     const struct dm_chain_sb *sb)
{
	const char *note = "not finished";

	if (!sb->job.type)
		return;
	if (sb->job.flags & DM_CHAIN_JOB_F_PENDING)
		note = "to be finalized";
	else if (sb->job.flags & DM_CHAIN_JOB_F_PAUSED || sb->job.io_status)
		note = "paused";
	node->job = job_text(sb->job.type == DM_CHAIN_JOB_STREAM ? "stream" :
			     "?", sb->job.cursor, sb->size, note);
}

static void set_rest_state(struct tree_node *node, const struct dm_chain_sb *sb)
{
	if (sb->flags & DM_CHAIN_F_NEEDS_CHECK)
		tree_set_state(node, TINT_BAD, "needs check");
	else if (!(sb->flags & DM_CHAIN_F_CLEAN))
		tree_set_state(node, TINT_ATTENTION, "not closed");
	else
		tree_set_state(node, TINT_FAINT, "at rest");
}

/* Add the raw base of a layer that is not in use. */
static void add_raw(struct tree *tree, const struct dm_chain_backing *ref)
{
	struct tree_node *node;
	char name[DM_CHAIN_NAME_LEN], *key = raw_key(ref->path);
	struct stat st;

	if (*ref->path && !stat(ref->path, &st) && !tree_find(tree, key)) {
		node = tree_add(tree, TREE_RAW, key);
		node->name = xstrdup(name_from_path(ref->path, name));
		node->size = ref->size;
		node->device = xstrdup(ref->path);
		tree_set_state(node, TINT_FAINT, "at rest");
	}
	free(key);
}

/* Return: the node of the layer on the device @path; it may have been there. */
static struct tree_node *add_resting(struct tree *tree, const char *path,
				     const struct dm_chain_sb *sb)
{
	const struct dm_chain_backing *ref = &sb->backing;
	char uuid[DM_CHAIN_UUID_TEXT], below[DM_CHAIN_UUID_TEXT], *key;
	struct tree_node *node;

	dm_chain_uuid_format(sb->uuid, uuid);
	node = tree_find(tree, uuid);
	if (node)
		return node;
	node = tree_add(tree, TREE_LAYER, uuid);
	node->uuid = xstrdup(uuid);
	node->name = xstrdup(sb->name);
	node->size = sb->size;
	node->generation = sb->generation;
	if (sb->data_offset) {
		node->device = xstrdup(path);
	} else {
		node->device = *sb->data_path ? xstrdup(sb->data_path) : NULL;
		node->metadata = xstrdup(path);
	}
	set_rest_state(node, sb);
	add_recorded_job(node, sb);
	if (ref->kind == DM_CHAIN_BACKING_LAYER) {
		dm_chain_uuid_format(ref->uuid, below);
		node->below = xstrdup(below);
		node->bound = ref->generation;
	} else if (ref->kind == DM_CHAIN_BACKING_RAW) {
		key = raw_key(ref->path);
		node->below = key;
		add_raw(tree, ref);
	}
	if (*ref->path)
		node->hint = xstrdup(ref->path);
	return node;
}

static bool same_device(const char *a, const char *b)
{
	struct stat sa, sb;

	return !strcmp(a, b) ||
	       (!stat(a, &sa) && !stat(b, &sb) && S_ISBLK(sa.st_mode) &&
		S_ISBLK(sb.st_mode) && sa.st_rdev == sb.st_rdev);
}

static void add_found(const char *path, const struct dm_chain_sb *sb,
		      void *context)
{
	char *key, uuid[DM_CHAIN_UUID_TEXT], *state;
	struct tree *tree = context;
	struct tree_node *node;
	const char *first;

	dm_chain_uuid_format(sb->uuid, uuid);
	node = tree_find(tree, uuid);
	first = node ? node->metadata ?: node->device : NULL;
	if (!first || same_device(path, first)) {
		add_resting(tree, path, sb);
		return;
	}
	/* Which of the two what rests on the UUID rests on is not known. */
	key = xasprintf("%s on %s", uuid, path);
	node = tree_add(tree, TREE_LAYER, key);
	free(key);
	node->uuid = xstrdup(uuid);
	node->name = xstrdup(sb->name);
	node->size = sb->size;
	node->device = xstrdup(path);
	state = xasprintf("same UUID as %s", first);
	tree_set_state(node, TINT_BAD, state);
	free(state);
}

/*
 * The layer on a device, and all that it rests on, as far as it is found. What
 * rests on a raw device is known when all others were added: the @last time.
 */
static int add_device(struct tree *tree, const char *path, bool last,
		      struct dm_chain_why *why)
{
	struct tree_node *node;
	struct dm_chain_sb sb;
	struct layer layer;
	char *key, *below;
	bool first = true;
	int ret;

	ret = layer_open(&layer, path, NULL, LAYER_META_ONLY | LAYER_ANY, why);
	if (ret)
		return ret;
	if (layer.raw) {
		key = raw_key(layer.meta.path);
		node = tree_find(tree, key);
		free(key);
		layer_close(&layer);
		if (node)
			node->named = true;
		else if (last)
			return dm_chain_refuse(why, -ENODATA,
					       "%s carries no chain superblock, and nothing that was found rests on it: --scan looks at every device",
					       path);
		return 0;
	}
	below = xstrdup(layer.meta.path);
	sb = layer.sb;
	layer_close(&layer);
	for (;;) {
		node = add_resting(tree, below, &sb);
		free(below);
		node->named |= first;
		first = false;
		if (!node->below || tree_find(tree, node->below) ||
		    sb.backing.kind != DM_CHAIN_BACKING_LAYER ||
		    find_layer(sb.backing.uuid, sb.backing.path, &below, NULL))
			return 0;
		if (layer_open(&layer, below, NULL, LAYER_META_ONLY, NULL)) {
			free(below);
			return 0;
		}
		sb = layer.sb;
		layer_close(&layer);
	}
}

/* Names have no slash. */
static int add_operand(struct tree *tree, const char *operand, bool last,
		       struct dm_chain_why *why)
{
	struct tree_node *node;
	char *key;
	int ret = 0;

	if (strchr(operand, '/'))
		return add_device(tree, operand, last, why);
	key = xasprintf("device %s", operand);
	node = tree_find(tree, key);
	free(key);
	if (node)
		node->named = true;
	else
		ret = dm_chain_refuse(why, -ENODEV,
				      "there is no chain device %s: \"chainsetup list\" shows them; a path to a layer's device has a slash in it, as ./%s",
				      operand, operand);
	return ret;
}

int cmd_tree(int argc, char **argv)
{
	static const struct option options[] = {
		{ "scan", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	bool json = false, scan = false;
	struct tree tree = { 0 };
	int c, i, ret = 0;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		scan |= c == 's';
		json |= c == 'j';
	}
	/* Who may not ask device mapper can still look at images. */
	if (geteuid() && (scan || optind == argc))
		return complain("tree: only root sees what is in use: become root, or name images");
	/* Without device mapper nothing can be in use: no reason to load it. */
	if (live_possible() && !geteuid())
		ret = live_for_each(add_live, &tree, &why);
	if (!ret && scan)
		scan_layers(add_found, &tree);
	for (i = optind; i < argc && !ret; i++)
		ret = add_operand(&tree, argv[i], false, &why);
	for (i = optind; i < argc && !ret; i++)
		ret = add_operand(&tree, argv[i], true, &why);
	if (!ret) {
		tree_link(&tree);
		if (!tree.nr && !json)
			say_nothing(scan ? "there is no layer on any device" :
				    NO_CHAINS);
		else if (json)
			print_json(tree_json(&tree, optind < argc));
		else
			tree_print(&tree, optind < argc);
	}
	tree_free(&tree);
	return ret ? complain_why(&why) : 0;
}
