// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup export: blocks of a layer, or of several as if they were one, as a
 * stream on standard output or in a file.
 *
 * What is read must not change meanwhile. A layer below the active one of a live
 * chain does not, and all that it holds is on its devices as soon as it is clean:
 * so it can be exported, unless a job copies into it. It is not held either: chains may
 * be opened on it meanwhile. Somebody may open a layer for writing later than we
 * looked: then its superblock, compared before the end is written, has another
 * generation, job or backing. A device without a superblock, a raw base or where the
 * data is apart, nobody has reason to write to: there every write counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "blocks.h"
#include "json.h"
#include "stream.h"

#define HINTS_MAX	DM_CHAIN_MAX_LAYERS

/**
 * struct export - what is exported
 * @chain: the layers that are read
 * @mark: of those devices of each that have no superblock
 * @from: the lowest one whose blocks are exported, those above as well
 * @whole: all that is shown: nothing lies below
 * @source: their blocks
 * @stream: where to
 */
struct export {
	struct chain chain;
	struct device_mark mark[DM_CHAIN_MAX_LAYERS];
	unsigned int from;
	bool whole;
	struct block_source source;
	struct stream stream;
};

/**
 * struct source - what the user asked for
 * @path: of the layer
 * @since: name, UUID or path of the layer whose overlays are exported, or NULL
 * @all: down to the lowest
 * @hint: where layers are
 * @nr_hints: how many
 * @output: the file that the stream is written to, NULL: standard output
 * @json: print an object
 */
struct source {
	const char *path;
	const char *since;
	bool all;
	struct layer_hint hint[HINTS_MAX];
	unsigned int nr_hints;
	const char *output;
	bool json;
};

static bool is_layer(const struct layer *layer, const char *word)
{
	char name[DM_CHAIN_NAME_LEN], uuid[DM_CHAIN_UUID_TEXT] = "";

	if (!layer->raw)
		dm_chain_uuid_format(layer->sb.uuid, uuid);
	if (!strcmp(word, layer_name(layer, name)) || !strcmp(word, uuid))
		return true;
	return strchr(word, '/') && device_is(&layer->meta, word);
}

/* The layer behind @since. */
static int find_since(struct export *ex, const struct source *source,
		      struct dm_chain_why *why)
{
	unsigned int i, found = 0, nr = 0;

	for (i = 0; i < ex->chain.nr; i++) {
		if (!is_layer(&ex->chain.layer[i], source->since))
			continue;
		found = i;
		nr++;
	}
	if (nr > 1)
		return dm_chain_refuse(why, -ENOTUNIQ,
				       "%u layers of %s have the name %s: name the one that is meant by its UUID",
				       nr, source->path, source->since);
	if (!nr)
		return dm_chain_refuse(why, -ENOENT,
				       "%s is no layer of %s: \"chainsetup dump\" has the name and UUID of a layer",
				       source->since, source->path);
	if (found == ex->chain.nr - 1)
		return dm_chain_refuse(why, -EINVAL,
				       "%s is %s itself: nothing has changed since; name a layer below it",
				       source->since, source->path);
	ex->from = found + 1;
	return 0;
}

static int open_source(struct export *ex, const struct source *source,
		       struct dm_chain_why *why)
{
	int ret;

	ex->chain.nr = 0;
	ex->from = 0;
	ex->whole = source->all;
	if (!source->since && !source->all) {
		/* What lies below need not be there. */
		ret = layer_open_hinted(&ex->chain.layer[0], source->path,
					source->hint, source->nr_hints, 0, why);
		if (ret)
			return ret;
		ex->chain.nr = 1;
		ex->chain.limit[0] = ex->chain.layer[0].sb.size;
		return 0;
	}
	ret = chain_open(&ex->chain, source->path, source->hint,
			 source->nr_hints, 0, 0, why);
	if (!ret && source->since)
		ret = find_since(ex, source, why);
	return ret;
}

static bool in_use(const struct device *dev)
{
	struct device own;

	if (device_open(&own, dev->path, DEVICE_EXCL, NULL))
		return true;
	device_close(&own);
	return false;
}

static int check_at_rest(const struct layer *layer, struct dm_chain_why *why)
{
	const struct dm_chain_sb *sb = &layer->sb;
	char user[128];

	if (device_may_change(&layer->meta) ||
	    (layer->sep_meta && device_may_change(&layer->data)))
		return dm_chain_refuse(why, -EBUSY,
				       "%s may be written to, by %s: take a snapshot, and export the layer below it",
				       layer->meta.path,
				       *device_user(&layer->meta, user, sizeof(user)) ?
				       user : "another program");
	if (layer->raw)
		return 0;
	if (sb->flags & DM_CHAIN_F_NEEDS_CHECK)
		return dm_chain_refuse(why, -EUCLEAN,
				       "%s needs a check first: chainsetup check %s",
				       layer->meta.path, layer->meta.path);
	if (!in_use(&layer->meta))
		return 0;
	if (sb->job.type)
		return dm_chain_refuse(why, -EBUSY,
				       "the job %s copies into %s: export it when the job has ended",
				       sb->job.id, layer->meta.path);
	if (!(sb->flags & DM_CHAIN_F_CLEAN))
		return dm_chain_refuse(why, -EBUSY,
				       "%s is in use, and not all of its map is on its device yet: close the chain first, or \"chainsetup release\" it, and try again",
				       layer->meta.path);
	return 0;
}

/* The device of a layer that has no superblock, or NULL. */
static const struct device *bare_device(const struct layer *layer)
{
	return layer->raw || layer->sep_meta ? &layer->data : NULL;
}

/* From here on it is known whether it has changed. */
static int watch(const struct layer *layer, struct device_mark *mark,
		 struct dm_chain_why *why)
{
	const struct device *bare = bare_device(layer);
	int ret = bare ? device_mark(bare, mark, why) : 0;

	return ret ? ret : check_at_rest(layer, why);
}

static bool same_job(const struct dm_chain_sb *a, const struct dm_chain_sb *b)
{
	return a->job.type == b->job.type && a->result.type == b->result.type &&
	       a->result.finished == b->result.finished &&
	       !strcmp(a->result.id, b->result.id);
}

/* @path: of the device that was written to */
static int refuse_changed(const char *path, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -EBUSY,
			       "%s was written to while it was read: what was exported is of no use",
			       path);
}

/* Was anything opened for writing, or written to, while it was read? */
static int check_unchanged(const struct layer *layer,
			   const struct device_mark *mark,
			   struct dm_chain_why *why)
{
	const struct dm_chain_sb *old = &layer->sb;
	const struct device *bare = bare_device(layer);
	struct dm_chain_sb new;
	unsigned int slot;
	int ret;

	if (bare && device_changed(bare, mark))
		return refuse_changed(bare->path, why);
	if (layer->raw)
		return 0;
	ret = super_read(&layer->meta, &new, &slot, why);
	if (ret)
		return ret;
	if (!dm_chain_uuid_equal(old->uuid, new.uuid) ||
	    old->generation != new.generation || old->size != new.size ||
	    old->backing.kind != new.backing.kind ||
	    !dm_chain_uuid_equal(old->backing.uuid, new.backing.uuid) ||
	    !same_job(old, &new))
		return refuse_changed(layer->meta.path, why);
	return 0;
}

static void set_header(const struct export *ex, struct stream_header *header)
{
	const struct chain *chain = &ex->chain;
	const struct dm_chain_sb *sb = &chain->layer[chain->nr - 1].sb;
	const struct layer *lowest = &chain->layer[ex->from];

	*header = (struct stream_header) {
		.block_size = sb->block_size,
		.size = sb->size,
		.generation = sb->generation,
		.created = time(NULL),
		.base.kind = DM_CHAIN_BACKING_NONE,
	};
	memcpy(header->uuid, sb->uuid, sizeof(header->uuid));
	strscpy(header->name, sb->name, sizeof(header->name));
	if (ex->whole)
		return;
	header->base = lowest->sb.backing;
	memset(header->base.path, 0, sizeof(header->base.path));
	/* Who never was opened is not bound, but rests on what is there now. */
	if (ex->from && !chain->layer[ex->from - 1].raw)
		header->base.generation =
			chain->layer[ex->from - 1].sb.generation;
}

/*
 * What the exported layers say of a byte, and how far that holds. As one layer on
 * what they rest on they have to hide it wherever one of them did by its end.
 */
static int export_run(struct block_source *source, u64 offset, u64 max,
		      enum dm_chain_state *state, u64 *run,
		      struct dm_chain_why *why)
{
	const struct export *ex = container_of(source, struct export, source);
	const struct chain *chain = &ex->chain;
	u64 block_size = source->block_size;
	u64 block = offset / block_size, blocks;
	unsigned int i;

	*run = max;
	for (i = chain->nr; i-- > ex->from; ) {
		const struct layer *layer = &chain->layer[i];

		*state = DM_CHAIN_ZERO;
		if (offset >= chain->limit[i])
			return 0;
		*run = min(*run, chain->limit[i] - offset);
		*state = DM_CHAIN_DATA;
		if (layer->raw)
			return 0;
		blocks = (offset % block_size + *run + block_size - 1) /
			 block_size;
		*state = layer_state(layer, block, blocks, &blocks);
		*run = min(*run, (block + blocks) * block_size - offset);
		if (*state != DM_CHAIN_UNALLOCATED)
			return 0;
	}
	return 0;
}

static int export_read(struct block_source *source, void *buf, size_t len,
		       u64 offset, struct dm_chain_why *why)
{
	const struct export *ex = container_of(source, struct export, source);

	return chain_view_read(&ex->chain, buf, len, offset, why);
}

static int export_sink(void *context, enum dm_chain_state state, u64 block,
		       u64 count, const void *data, struct dm_chain_why *why)
{
	static const enum stream_type type[] = {
		[DM_CHAIN_UNALLOCATED] = STREAM_UNOWNED,
		[DM_CHAIN_DATA] = STREAM_DATA,
		[DM_CHAIN_ZERO] = STREAM_ZERO,
	};

	return stream_put(context, type[state], count, data, why);
}

static int export(struct export *ex, FILE *file, struct dm_chain_why *why)
{
	struct stream_header header;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ex->chain.nr && !ret; i++)
		ret = watch(&ex->chain.layer[i], &ex->mark[i], why);
	if (!ret)
		ret = chain_load_maps(&ex->chain, why);
	if (ret)
		return ret;
	set_header(ex, &header);
	ex->source = (struct block_source) {
		.size = header.size,
		.block_size = header.block_size,
		.run = export_run,
		.read = export_read,
	};
	ret = stream_create(&ex->stream, file, &header, why);
	if (!ret)
		ret = blocks_copy(&ex->source, export_sink, &ex->stream, why);
	for (i = 0; i < ex->chain.nr && !ret; i++)
		ret = check_unchanged(&ex->chain.layer[i], &ex->mark[i], why);
	return ret ? ret : stream_end(&ex->stream, why);
}

/* What is there already is not written over: it may be the last backup. */
static int export_to_file(struct export *ex, const struct source *source,
			  struct dm_chain_why *why)
{
	int fd = open(source->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int ret;

	if (!file && errno == EEXIST)
		return dm_chain_refuse(why, -EEXIST,
				       "--output %s: that is there already: remove it, or name another file",
				       source->output);
	if (!file)
		return dm_chain_refuse(why, -errno, "--output %s: %s",
				       source->output, strerror(errno));
	ret = export(ex, file, why);
	if (fclose(file) && !ret)
		ret = dm_chain_refuse(why, -errno, "--output %s: %s",
				      source->output, strerror(errno));
	if (ret)
		unlink(source->output);
	return ret;
}

static void print_result(const struct export *ex, const struct source *source)
{
	const struct stream_header *header = &ex->stream.header;
	char uuid[DM_CHAIN_UUID_TEXT];
	struct json_object *object;

	if (!source->json) {
		dm_chain_uuid_format(header->uuid, uuid);
		printf("name=%s uuid=%s ", header->name, uuid);
		stream_print(&ex->stream);
		return;
	}
	object = json_object_new_object();
	json_text(object, "output", source->output);
	json_number(object, "bytes", ex->stream.at);
	json_text(object, "name", header->name);
	json_uuid(object, "uuid", header->uuid);
	stream_json(&ex->stream, object);
	print_json(object);
}

static int parse_options(int argc, char **argv, struct source *source)
{
	static const struct option options[] = {
		{ "since", required_argument, NULL, 's' },
		{ "all", no_argument, NULL, 'a' },
		{ "layer", required_argument, NULL, 'l' },
		{ "output", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct dm_chain_why why;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 's':
			source->since = optarg;
			break;
		case 'a':
			source->all = true;
			break;
		case 'l':
			if (source->nr_hints == HINTS_MAX)
				return complain("more than %u times --layer",
						HINTS_MAX);
			if (parse_layer_hint(optarg,
					     &source->hint[source->nr_hints++],
					     &why))
				return complain_why(&why);
			break;
		case 'o':
			source->output = optarg;
			break;
		case 'j':
			source->json = true;
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	if (source->json && !source->output)
		return complain("export: standard output is the stream: --json needs --output");
	if (source->since && source->all)
		return complain("export: --since and --all exclude each other");
	source->path = argv[optind];
	return 0;
}

int cmd_export(int argc, char **argv)
{
	struct source *source = xalloc(1, sizeof(*source));
	struct export *ex = xalloc(1, sizeof(*ex));
	struct dm_chain_why why = { "" };
	unsigned int i;
	int ret;

	ret = parse_options(argc, argv, source);
	if (!ret && !source->output && isatty(STDOUT_FILENO))
		ret = complain("export: the output is a terminal: redirect it, or give --output");
	if (!ret && (open_source(ex, source, &why) ||
		     (source->output ? export_to_file(ex, source, &why) :
				       export(ex, stdout, &why))))
		ret = complain_why(&why);
	else if (!ret && source->output)
		print_result(ex, source);
	chain_close(&ex->chain);
	for (i = 0; i < source->nr_hints; i++) {
		free(source->hint[i].data);
		free(source->hint[i].meta);
	}
	free(source);
	free(ex);
	return ret;
}
