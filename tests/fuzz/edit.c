// SPDX-License-Identifier: GPL-2.0
/*
 * A damaged page in a few bytes, see edit.h.
 */
#include <stddef.h>
#include <string.h>

#include "edit.h"
#include "sample.h"

#define SUPER(member) { \
	offsetof(struct dm_chain_disk_super, member), \
	sizeof(((struct dm_chain_disk_super *)NULL)->member) \
}

const struct field super_fields[] = {
	SUPER(head.magic), SUPER(head.crc), SUPER(head.version), SUPER(head.seq),
	SUPER(compat), SUPER(ro_compat), SUPER(incompat), SUPER(flags), SUPER(uuid),
	SUPER(name), SUPER(block_size), SUPER(pad0), SUPER(size), SUPER(max_size),
	SUPER(data_offset), SUPER(generation), SUPER(overlay_uuid), SUPER(data_size),
	SUPER(data_path), SUPER(backing.kind), SUPER(backing.pad), SUPER(backing.uuid),
	SUPER(backing.size), SUPER(backing.generation), SUPER(backing.path),
	SUPER(job.type), SUPER(job.flags), SUPER(job.id), SUPER(job.top_uuid),
	SUPER(job.bottom_uuid), SUPER(job.speed), SUPER(job.floor), SUPER(job.ceiling),
	SUPER(job.cursor), SUPER(job.copied), SUPER(job.zeroed), SUPER(job.skipped),
	SUPER(job.started), SUPER(job.on_error), SUPER(job.error), SUPER(job.io_status),
	SUPER(job.pad), SUPER(result.type), SUPER(result.status), SUPER(result.id),
	SUPER(result.base), SUPER(result.len), SUPER(result.offset), SUPER(result.copied),
	SUPER(result.zeroed), SUPER(result.skipped), SUPER(result.speed),
	SUPER(result.started), SUPER(result.finished), SUPER(result.error),
	SUPER(result.pad), SUPER(reserved),
};

const unsigned int nr_super_fields = ARRAY_SIZE(super_fields);

#define PAGE(member) { \
	offsetof(struct dm_chain_disk_page, member), \
	sizeof(((struct dm_chain_disk_page *)NULL)->member) \
}

const struct field page_fields[] = {
	PAGE(head.magic), PAGE(head.crc), PAGE(head.version), PAGE(head.seq),
	PAGE(index), PAGE(uuid), PAGE(pad), PAGE(payload),
};

const unsigned int nr_page_fields = ARRAY_SIZE(page_fields);

enum edit {
	EDIT_NUMBER,	/* another number, as the input has it */
	EDIT_POWER,	/* two to the power of something, or one less */
	EDIT_ADD,	/* one that is near */
	EDIT_BYTE,	/* one byte of the field */
	EDIT_BIT,
	EDIT_FILL,	/* all of it the same byte */
	EDIT_TEXT,	/* what the input has, from the field's start */
	EDIT_COPY,	/* another field's content */
	NR_EDITS
};

/* A byte of the field; half the time one of the first four or the last four. */
static u32 take_byte(struct input *in, u32 width)
{
	u32 at = take(in, 2), end = at >> 8 & 7;

	if (at & 0x8000)
		return end & 4 ? width - 1 - min(end & 3, width - 1) : min(end & 3, width - 1);
	return at % width;
}

static void put_text(struct input *in, u8 *at, u32 width)
{
	u32 len = min_t(u32, take_below(in, width + 1), in->left);

	memcpy(at, in->at, len);
	in->at += len;
	in->left -= len;
}

void edit_page(struct input *in, void *page, const struct field *field,
	       unsigned int nr)
{
	enum edit edit = take_below(in, NR_EDITS);
	const struct field *f = &field[take_below(in, nr)], *from;
	u32 width = min_t(u32, f->width, 8);
	u8 *at = (u8 *)page + f->offset;
	u64 value;

	switch (edit) {
	case EDIT_NUMBER:
		sample_put(page, f->offset, width, take(in, width));
		break;
	case EDIT_POWER:
		value = take(in, 1);
		sample_put(page, f->offset, width, (1ULL << (value & 63)) - (value >> 7));
		break;
	case EDIT_ADD:
		value = sample_get(page, f->offset, width) + (s8)take(in, 1);
		sample_put(page, f->offset, width, value);
		break;
	case EDIT_BYTE:
		at[take_byte(in, f->width)] = take(in, 1);
		break;
	case EDIT_BIT:
		at[take_byte(in, f->width)] ^= 1U << take_below(in, 8);
		break;
	case EDIT_FILL:
		memset(at, take(in, 1), f->width);
		break;
	case EDIT_TEXT:
		put_text(in, at, f->width);
		break;
	default:
		from = &field[take_below(in, nr)];
		memmove(at, (u8 *)page + from->offset, min(f->width, from->width));
		break;
	}
}

bool edit_crc_right(const void *page)
{
	return sample_get(page, 8, 4) == (u32)~crc32c(~0U, (const u8 *)page + 12, 4084);
}

static PLAIN bool has_bad_state(const u8 *payload)
{
	u32 n;

	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n++)
		if ((payload[n / 4] >> n % 4 * 2 & 3) == 3)
			return true;
	return false;
}

bool edit_page_right(const struct dm_chain_disk_page *page, const char *magic,
		     const u8 *uuid, u32 index)
{
	return !memcmp(page, magic, 8) && edit_crc_right(page) &&
	       sample_get(page, 12, 4) == 1 && sample_get(page, 24, 8) == index &&
	       !memcmp((const u8 *)page + 32, uuid, DM_CHAIN_UUID_LEN) &&
	       (magic[4] == 'D' || !has_bad_state((const u8 *)page + 64));
}
