// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup apply: what "export" wrote becomes a new layer, or goes to a raw
 * device.
 *
 * A layer gets its superblock when the end of the stream has been read, see
 * fill.c; a raw device that gets all of its content, its beginning. One that has
 * content and gets what was changed cannot be marked: then the stream is read
 * twice, and damage is found before the first write. What is written does not depend
 * on what is there: if it is interrupted, the same done again makes it whole. Who can
 * be told is.
 */
#include <errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <stdlib.h>
#include <unistd.h>

#include "hold-signals.h"
#include "json.h"
#include "new-layer.h"
#include "raw-target.h"
#include "stream.h"

/**
 * struct apply - what is done
 * @format: of the new layer, as far as the user said
 * @raw: onto a raw device
 * @new_uuid: the layer gets another UUID
 * @unsafe: whatever the backing shows
 * @dry_run: only look
 * @json: print an object
 * @stream: what is read
 * @record: the last one of it
 * @fill: the layer
 * @target: the raw device
 * @held: signals wait: it is being changed
 * @signals: for hold_signals()
 */
struct apply {
	struct format_options format;
	bool raw;
	bool new_uuid;
	bool unsafe;
	bool dry_run;
	bool json;
	struct stream stream;
	struct stream_record record;
	struct fill fill;
	struct raw_target target;
	bool held;
	sigset_t signals;
};

static bool has_base(const struct stream_header *header)
{
	return header->base.kind == DM_CHAIN_BACKING_LAYER ||
	       header->base.kind == DM_CHAIN_BACKING_RAW;
}

/* "the layer 01234567-...", or "a raw device of 4096 bytes". Room for 64 bytes. */
static const char *base_text(const struct dm_chain_backing *ref, char *text)
{
	char uuid[DM_CHAIN_UUID_TEXT];

	if (ref->kind == DM_CHAIN_BACKING_LAYER) {
		dm_chain_uuid_format(ref->uuid, uuid);
		snprintf(text, 64, "the layer %s", uuid);
	} else {
		snprintf(text, 64, "a raw device of %llu bytes", ref->size);
	}
	return text;
}

/* Before a path is opened: does it make sense to name one, or not to? */
static int check_words(const struct apply *a, struct dm_chain_why *why)
{
	const struct stream_header *header = &a->stream.header;
	char text[64];

	if (a->raw && (a->format.meta || a->format.backing || a->format.name ||
		       a->format.max_size || a->new_uuid))
		return dm_chain_refuse(why, -EINVAL,
				       "apply: a raw device has no metadata: what describes a layer does not go with --raw");
	if (a->unsafe && !has_base(header))
		return dm_chain_refuse(why, -EINVAL,
				       "layer %s rests on nothing that could be another: --unsafe does not apply",
				       header->name);
	if (a->raw && a->format.force && has_base(header))
		return dm_chain_refuse(why, -EINVAL,
				       "the stream changes what %s holds, and does not overwrite it: --force does not apply",
				       a->format.data);
	if (a->raw)
		return 0;
	if (has_base(header) && !a->format.backing)
		return dm_chain_refuse(why, -EINVAL,
				       "layer %s rests on %s: name it with --backing",
				       header->name, base_text(&header->base, text));
	if (header->base.kind == DM_CHAIN_BACKING_NONE && a->format.backing)
		return dm_chain_refuse(why, -EINVAL,
				       "layer %s rests on nothing: --backing does not apply",
				       header->name);
	return 0;
}

/* Is what the new layer will rest on what the blocks were taken above of? */
static int check_backing(const struct apply *a, struct dm_chain_why *why)
{
	const struct dm_chain_backing *ref = &a->stream.header.base;
	const struct layer *backing = &a->fill.new.backing;
	bool layer = ref->kind == DM_CHAIN_BACKING_LAYER;
	u32 block_size = a->stream.header.block_size;
	char text[64];

	if (ref->size % block_size && layer_size(backing) > ref->size &&
	    ref->size < a->stream.header.size)
		return dm_chain_refuse(why, -EINVAL,
				       "%s has %llu bytes, and what layer %s rests on ended within a block, at %llu: make it that long",
				       backing->meta.path, layer_size(backing),
				       a->stream.header.name, ref->size);
	if (a->unsafe)
		return 0;
	if (layer == backing->raw ||
	    (layer && !dm_chain_uuid_equal(ref->uuid, backing->sb.uuid)))
		return dm_chain_refuse(why, -EINVAL,
				       "layer %s rests on %s, and %s is another: name the right one with --backing; --unsafe takes this one, whatever it shows",
				       a->stream.header.name,
				       base_text(ref, text), backing->meta.path);
	if (layer && ref->generation &&
	    ref->generation != backing->sb.generation)
		return dm_chain_refuse(why, -ESTALE,
				       "layer %s rests on generation %llu of %s, which has %llu: it was written to; --unsafe takes it, whatever it shows",
				       a->stream.header.name, ref->generation,
				       backing->meta.path,
				       backing->sb.generation);
	if (layer_size(backing) < ref->size)
		return dm_chain_refuse(why, -ENOSPC,
				       "layer %s rests on %llu bytes, and %s has %llu; --unsafe takes it, whatever it shows",
				       a->stream.header.name, ref->size,
				       backing->meta.path, layer_size(backing));
	return 0;
}

/* No two layers may have one UUID, unless one takes the place of the other. */
static int check_alone(const struct apply *a, struct dm_chain_why *why)
{
	const u8 *uuid = a->stream.header.uuid;
	char text[DM_CHAIN_UUID_TEXT], *path;
	bool same;
	int ret;

	ret = find_layer(uuid, "", &path, why);
	if (ret == -ENODEV)
		return 0;
	if (ret)
		return ret;
	same = device_is(new_layer_meta(&a->fill.new), path);
	dm_chain_uuid_format(uuid, text);
	if (!same)
		ret = dm_chain_refuse(why, -EEXIST,
				      "%s is the layer %s, %s: --new-uuid gives this copy of it a UUID of its own",
				      path, a->stream.header.name, text);
	free(path);
	return ret;
}

static int open_layer(struct apply *a, struct dm_chain_why *why)
{
	const struct stream_header *header = &a->stream.header;
	struct dm_chain_sb *sb = &a->fill.new.sb;
	int ret;

	a->format.size = header->size;
	a->format.block_size = header->block_size;
	if (!a->format.name)
		a->format.name = header->name;
	ret = fill_open(&a->fill, &a->format, why);
	if (!ret && has_base(header))
		ret = check_backing(a, why);
	if (!ret && !a->new_uuid)
		ret = check_alone(a, why);
	if (ret)
		return ret;
	if (!a->new_uuid)
		memcpy(sb->uuid, header->uuid, sizeof(sb->uuid));
	/* It shows what that generation showed: later streams may rest on it. */
	sb->generation = header->generation;
	if (header->base.kind == DM_CHAIN_BACKING_NONE)
		sb->backing.kind = DM_CHAIN_BACKING_NONE;
	else if (sb->backing.kind == DM_CHAIN_BACKING_LAYER)
		sb->backing.generation = a->fill.new.backing.sb.generation;
	return 0;
}

static int open_target(struct apply *a, struct dm_chain_why *why)
{
	const struct stream_header *header = &a->stream.header;
	int ret = check_words(a, why);

	if (ret)
		return ret;
	if (!a->raw)
		return open_layer(a, why);
	ret = raw_open(&a->target, a->format.data, header->size,
		       !has_base(header), a->format.force, why);
	if (!ret && has_base(header) && !a->unsafe &&
	    a->target.dev.size < header->base.size)
		ret = dm_chain_refuse(why, -ENOSPC,
				      "%s has %llu bytes, and what layer %s rests on has %llu: so it cannot hold that; --unsafe takes it, whatever it shows",
				      a->format.data, a->target.dev.size,
				      header->name, header->base.size);
	return ret;
}

/*
 * Blocks that the layer does not hold. Where what it rests on ended they are
 * zeros; what it will rest on may be longer.
 */
static int apply_unowned(struct apply *a, struct dm_chain_why *why)
{
	const struct stream_header *header = &a->stream.header;
	const struct stream_record *record = &a->record;
	u64 end = has_base(header) ? header->base.size : 0, first, last;

	if (!a->raw && !has_base(header)) {
		return 0;
	} else if (!a->raw) {
		if (layer_size(&a->fill.new.backing) <= end)
			return 0;
		first = max(record->block, end / header->block_size +
			    !!(end % header->block_size));
		last = record->block + record->count;
		if (first < last)
			fill_state(&a->fill, first, last - first, DM_CHAIN_ZERO);
		return 0;
	}
	first = max(record->block * header->block_size, end);
	last = min((record->block + record->count) * header->block_size,
		   header->size);
	return first < last ? raw_write(&a->target, first, last - first, NULL,
					why) : 0;
}

static int apply_record(struct apply *a, struct dm_chain_why *why)
{
	const struct stream_header *header = &a->stream.header;
	const struct stream_record *record = &a->record;
	bool data = record->type == STREAM_DATA;
	u64 start = record->block * header->block_size, len;

	if (record->type == STREAM_UNOWNED)
		return apply_unowned(a, why);
	if (!a->raw && data)
		return fill_data(&a->fill, record->block, record->count,
				 record->data, why);
	if (!a->raw) {
		fill_state(&a->fill, record->block, record->count,
			   DM_CHAIN_ZERO);
		return 0;
	}
	len = min(record->count * header->block_size, header->size - start);
	return raw_write(&a->target, start, len, data ? record->data : NULL, why);
}

/* Go through the records; all have been seen when it succeeds. */
static int read_records(struct apply *a, bool write, struct dm_chain_why *why)
{
	int ret;

	do {
		ret = a->held ? held_signals(&a->signals, why) : 0;
		if (!ret)
			ret = stream_get(&a->stream, &a->record, why);
		if (!ret && write && a->record.type != STREAM_END)
			ret = apply_record(a, why);
	} while (!ret && a->record.type != STREAM_END);
	return ret;
}

/* Read it all before the first write, and begin again. */
static int read_twice(struct apply *a, off_t start, struct dm_chain_why *why)
{
	int ret;

	if (start < 0)
		return dm_chain_refuse(why, -ESPIPE,
				       "a stream that changes what a raw device holds is read twice: put it into a file, and that on standard input");
	ret = read_records(a, false, why);
	if (!ret && fseeko(stdin, start, SEEK_SET))
		ret = dm_chain_refuse(why, -errno, "the stream cannot be read again: %s",
				      strerror(errno));
	return ret ? ret : stream_open(&a->stream, stdin, why);
}

static int change_raw(struct apply *a, struct dm_chain_why *why)
{
	struct dm_chain_why first;
	int ret;

	hold_signals(&a->signals);
	a->held = true;
	ret = read_records(a, true, why);
	if (!ret)
		ret = raw_settle(&a->target, why);
	if (!ret)
		return 0;
	first = *why;
	return dm_chain_refuse(why, ret,
			       "%.180s; %.100s may be changed in part: apply the same stream again before it is used",
			       first.text, a->format.data);
}

static void print_object(const struct apply *a)
{
	const struct stream_header *header = &a->stream.header;
	const struct dm_chain_sb *sb = &a->fill.new.sb;
	struct json_object *object = json_object_new_object();
	bool layer = a->format.data && !a->raw;

	json_flag(object, "dry-run", a->dry_run);
	json_text(object, "device", a->format.data);
	json_text(object, "metadata", a->format.meta);
	json_flag(object, "raw", a->raw);
	json_text(object, "name", layer ? sb->name : header->name);
	json_uuid(object, "uuid", layer ? sb->uuid : header->uuid);
	if (layer)
		json_number(object, "data-offset", sb->data_offset);
	else
		json_text(object, "data-offset", NULL);
	stream_json(&a->stream, object);
	print_json(object);
}

static void print_result(const struct apply *a)
{
	const struct stream_header *header = &a->stream.header;
	const struct dm_chain_sb *sb = &a->fill.new.sb;
	char uuid[DM_CHAIN_UUID_TEXT];

	if (a->format.data && !a->raw) {
		dm_chain_uuid_format(sb->uuid, uuid);
		printf("name=%s uuid=%s data-offset=%llu ", sb->name, uuid,
		       sb->data_offset);
	} else {
		dm_chain_uuid_format(header->uuid, uuid);
		printf("name=%s uuid=%s ", header->name, uuid);
	}
	stream_print(&a->stream);
}

static int apply(struct apply *a, struct dm_chain_why *why)
{
	off_t start = ftello(stdin);
	int ret = stream_open(&a->stream, stdin, why);

	if (!ret && a->format.data)
		ret = open_target(a, why);
	if (!ret && a->dry_run)
		return read_records(a, false, why);
	if (!ret && a->raw && !a->target.whole) {
		ret = read_twice(a, start, why);
		return ret ? ret : change_raw(a, why);
	}
	if (!ret)
		ret = a->raw ? raw_start(&a->target, why) :
			       fill_start(&a->fill, why);
	if (!ret)
		ret = read_records(a, true, why);
	if (!ret)
		ret = a->raw ? raw_settle(&a->target, why) :
			       fill_settle(&a->fill, why);
	if (ret)
		return ret;
	return a->raw ? raw_finish(&a->target, why) : fill_finish(&a->fill, why);
}

static int parse_options(int argc, char **argv, struct apply *a)
{
	static const struct option options[] = {
		{ "metadata", required_argument, NULL, 'm' },
		{ "backing", required_argument, NULL, 'B' },
		{ "name", required_argument, NULL, 'n' },
		{ "max-size", required_argument, NULL, 'x' },
		{ "new-uuid", no_argument, NULL, 'u' },
		{ "raw", no_argument, NULL, 'r' },
		{ "unsafe", no_argument, NULL, 'U' },
		{ "force", no_argument, NULL, 'f' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct dm_chain_why why;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 'm':
			a->format.meta = optarg;
			break;
		case 'B':
			a->format.backing = optarg;
			break;
		case 'n':
			a->format.name = optarg;
			break;
		case 'x':
			if (parse_device_size(optarg, &a->format.max_size, &why))
				return complain_why(&why);
			break;
		case 'u':
			a->new_uuid = true;
			break;
		case 'r':
			a->raw = true;
			break;
		case 'U':
			a->unsafe = true;
			break;
		case 'f':
			a->format.force = true;
			break;
		case 'd':
			a->dry_run = true;
			break;
		case 'j':
			a->json = true;
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, a->dry_run ? 0 : 1, 1))
		return 1;
	a->format.data = argv[optind];
	if (!a->format.data && (a->raw || a->new_uuid || a->unsafe ||
				a->format.force || a->format.meta ||
				a->format.backing || a->format.name ||
				a->format.max_size))
		return complain("apply: without a device nothing but --dry-run and --json applies");
	if (isatty(STDIN_FILENO))
		return complain("apply: standard input is a terminal, and no stream of \"export\"");
	return 0;
}

int cmd_apply(int argc, char **argv)
{
	struct apply *a = xalloc(1, sizeof(*a));
	struct dm_chain_why why = { "" };
	int ret;

	fill_init(&a->fill);
	a->target.dev.fd = -1;
	ret = parse_options(argc, argv, a);
	if (!ret && apply(a, &why))
		ret = complain_why(&why);
	else if (!ret && a->json)
		print_object(a);
	else if (!ret)
		print_result(a);
	fill_close(&a->fill);
	raw_close(&a->target);
	/* It may end here: all has been said. */
	fflush(stdout);
	if (a->held)
		release_signals(&a->signals);
	free(a);
	return ret;
}
