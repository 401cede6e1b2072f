// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what is said of a stream that was written or read whole.
 */
#include "json.h"
#include "stream.h"

static const char * const kinds[] = {
	[DM_CHAIN_BACKING_UNSET] = "unset",
	[DM_CHAIN_BACKING_NONE] = "none",
	[DM_CHAIN_BACKING_RAW] = "raw",
	[DM_CHAIN_BACKING_LAYER] = "layer",
};

void stream_print(const struct stream *stream)
{
	const struct stream_header *header = &stream->header;
	bool layer = header->base.kind == DM_CHAIN_BACKING_LAYER;
	char base[DM_CHAIN_UUID_TEXT];

	dm_chain_uuid_format(header->base.uuid, base);
	printf("size=%llu block-size=%u generation=%llu base=%s data=%llu zero=%llu unowned=%llu\n",
	       header->size, header->block_size, header->generation,
	       layer ? base : kinds[header->base.kind],
	       stream->blocks[STREAM_DATA], stream->blocks[STREAM_ZERO],
	       stream->blocks[STREAM_UNOWNED]);
}

void stream_json(const struct stream *stream, struct json_object *object)
{
	const struct stream_header *header = &stream->header;
	bool layer = header->base.kind == DM_CHAIN_BACKING_LAYER;

	json_number(object, "size", header->size);
	json_number(object, "block-size", header->block_size);
	json_number(object, "generation", header->generation);
	json_text(object, "base", kinds[header->base.kind]);
	json_uuid(object, "base-uuid", layer ? header->base.uuid : NULL);
	json_number(object, "data", stream->blocks[STREAM_DATA]);
	json_number(object, "zero", stream->blocks[STREAM_ZERO]);
	json_number(object, "unowned", stream->blocks[STREAM_UNOWNED]);
}
