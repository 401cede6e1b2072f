// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what is wrong with a layer, see inspect.h.
 *
 * A finding is something that an activation would refuse, or that cannot come
 * from a power cut. What a power cut may leave behind is a note.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

static struct finding *add(struct inspection *in, const char *fmt, va_list ap)
{
	struct finding *f = xalloc(1, sizeof(*f));

	f->text = xvasprintf(fmt, ap);
	*in->last = f;
	in->last = &f->next;
	return f;
}

struct finding *finding(struct inspection *in, const char *fmt, ...)
{
	struct finding *f;
	va_list ap;

	va_start(ap, fmt);
	f = add(in, fmt, ap);
	va_end(ap);
	in->nr++;
	return f;
}

void remark(struct inspection *in, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(in, fmt, ap)->note = true;
	va_end(ap);
}

void advise(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	free(f->advice);
	va_start(ap, fmt);
	f->advice = xvasprintf(fmt, ap);
	va_end(ap);
}

void finding_write(struct finding *f, const char *magic, u32 index,
		   unsigned int slot, const void *page)
{
	f->remedy = REMEDY_WRITE;
	f->magic = magic;
	f->index = index;
	f->slot = slot;
	f->page = xalloc(1, DM_CHAIN_PAGE_SIZE);
	memcpy(f->page, page, DM_CHAIN_PAGE_SIZE);
}

void finding_seq(struct inspection *in, const char *magic, u32 index, u64 seq)
{
	struct dm_chain_why why;
	struct finding *f;

	if (!dm_chain_seq_check(magic, index, seq, &why))
		return;
	f = finding(in, "%s", why.text);
	f->remedy = REMEDY_SEQ;
	f->magic = magic;
	f->index = index;
	advise(f, "both slots are written with what counts, and the number 1");
}

static void add_object(struct json_object *array, const char *text, bool note,
		       const char *advice)
{
	struct json_object *object = json_object_new_object();

	json_text(object, "text", text);
	json_flag(object, "note", note);
	json_text(object, "advice", advice);
	json_object_array_add(array, object);
}

void finding_print(const struct inspection *in, const struct finding *f,
		   bool advice)
{
	const char *what = advice ? f->advice : NULL;

	if (in->array) {
		add_object(in->array, f->text, f->note, what);
		return;
	}
	say("%s: %s%s", in->path, f->note ? "note: " : "", f->text);
	if (what)
		say("%s:   %s", in->path, what);
}

void inspect_say(const struct inspection *in, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (in->array)
		add_object(in->array, text, true, NULL);
	else
		say("%s: %s", in->path, text);
	free(text);
}

void inspect_print(const struct inspection *in, bool advice)
{
	const struct finding *f;

	for (f = in->findings; f; f = f->next)
		finding_print(in, f, advice);
}

const char *page_name(const char *magic)
{
	return strcmp(magic, DM_CHAIN_MAP_MAGIC) ? "directory" : "map";
}

u64 slot_offset(const struct layer *layer, const char *magic, u32 index,
		unsigned int slot)
{
	if (!strcmp(magic, DM_CHAIN_SB_MAGIC))
		return dm_chain_sb_offset(slot);
	return page_offset(layer, magic, index, slot);
}

/* Is a page with the right checksum what belongs there? */
static bool belongs(const struct layer *layer, const char *magic, u32 index,
		    const void *page, struct dm_chain_why *why)
{
	const struct dm_chain_disk_page *both[2] = { page, page };
	struct dm_chain_sb sb;
	unsigned int slot;
	bool fell_back;

	if (!strcmp(magic, DM_CHAIN_SB_MAGIC))
		return !dm_chain_sb_decode(page, &sb, why);
	return !dm_chain_page_pick(both, magic, layer->sb.uuid, index, true,
				   &slot, &fell_back, why);
}

static void rebuild(const struct layer *layer, const char *magic, u32 index,
		    struct slots *slots, unsigned int slot)
{
	bool super = !strcmp(magic, DM_CHAIN_SB_MAGIC);
	struct dm_chain_why why;

	memcpy(slots->whole[slot], slots->page[slot], DM_CHAIN_PAGE_SIZE);
	if (slot_good(slots, slot)) {
		slots->usable[slot] = belongs(layer, magic, index,
					      slots->page[slot],
					      &slots->why[slot]);
		return;
	}
	if (slots->unreadable[slot])
		return;
	slots->rebuilt[slot] =
		rebuild_slot(slots->whole[slot],
			     slots->unreadable[!slot] ? NULL : slots->page[!slot],
			     magic, super ? NULL : layer->sb.uuid, index);
	if (slots->rebuilt[slot] &&
	    !belongs(layer, magic, index, slots->whole[slot], &why))
		slots->rebuilt[slot] = REBUILT_NOT;
	slots->usable[slot] = slots->rebuilt[slot];
}

void slots_read(const struct layer *layer, const char *magic, u32 index,
		struct slots *slots)
{
	unsigned int slot;

	memset(slots, 0, sizeof(*slots));
	for (slot = 0; slot < 2; slot++) {
		u64 offset = slot_offset(layer, magic, index, slot);

		slots->unreadable[slot] = device_read(&layer->meta,
						      slots->page[slot],
						      DM_CHAIN_PAGE_SIZE, offset,
						      &slots->why[slot]);
		slots->kind[slot] = dm_chain_slot_classify(slots->page[slot],
							   magic);
	}
	for (slot = 0; slot < 2; slot++)
		rebuild(layer, magic, index, slots, slot);
}

int inspect_open(struct inspection *in, const char *path, unsigned int flags,
		 struct dm_chain_why *why)
{
	struct dm_chain_sb sb;
	struct slots slots;
	unsigned int slot;
	int ret;

	*in = (struct inspection) {
		.path = path, .last = &in->findings,
		.layer = { .data.fd = -1, .meta.fd = -1 },
	};
	ret = device_open(&in->layer.meta, path, flags, why);
	if (ret)
		return ret;
	ret = super_read(&in->layer.meta, &sb, &slot, why);
	if (ret == -EUCLEAN)
		goto close;
	if (ret != -ENODATA)
		return 0;
	/* Without their magic they may still be what their checksums say. */
	slots_read(&in->layer, DM_CHAIN_SB_MAGIC, 0, &slots);
	if (slots.usable[0] || slots.usable[1])
		return 0;
	ret = dm_chain_refuse(why, -ENODATA,
			      "%s carries no chain superblock, nor what is left of one: it may be raw; if the layer's metadata is on another device, name that one",
			      path);
close:
	inspect_close(in);
	return ret;
}

static void forget(struct inspection *in)
{
	struct finding *f;

	while ((f = in->findings)) {
		in->findings = f->next;
		free(f->text);
		free(f->advice);
		free(f->page);
		free(f);
	}
	in->last = &in->findings;
	in->nr = 0;
}

static void inspect_data(struct inspection *in)
{
	struct layer *layer = &in->layer;
	struct dm_chain_why why = { "" };
	struct finding *f;

	if (!layer->sb.data_offset && !layer->sb.data_path[0]) {
		/* Who formatted the layer named the device by its number. */
		layer->sep_meta = true;
		remark(in, "its data device was not checked: no path to it is recorded");
	} else if (layer_open_data(layer, NULL, DEVICE_EXCL, &why)) {
		f = finding(in, "%s", why.text);
		advise(f, "the metadata is not to blame: it needs the device as it was");
	} else if (layer->sb.data_size > layer->data.size) {
		remark(in,
		       "its data device %s has %llu bytes; when the layer was formatted or grew it had %llu",
		       layer->data.path, layer->data.size, layer->sb.data_size);
	}
	if (layer->sep_meta && layer->data.fd >= 0)
		device_close(&layer->data);
	layer->data = (struct device) { .fd = -1 };
}

static void inspect_job(struct inspection *in)
{
	const struct dm_chain_job_record *job = &in->layer.sb.job;
	const char *state = "";
	char cursor[32], size[32];

	if (!job->type)
		return;
	if (job->flags & DM_CHAIN_JOB_F_PENDING)
		state = ", which waits to be finalized";
	else if (job->flags & DM_CHAIN_JOB_F_PAUSED || job->io_status)
		state = ", which is paused";
	remark(in, "it has the unfinished job %s%s, at %s of %s", job->id, state,
	       human_size(job->cursor, cursor),
	       human_size(in->layer.sb.size, size));
}

void inspect(struct inspection *in)
{
	const struct dm_chain_sb *sb = &in->layer.sb;
	struct layer *layer = &in->layer;
	struct dm_chain_why why = { "" };
	struct finding *f;

	forget(in);
	in->known = false;
	in->unfinished = false;
	inspect_super(in);
	if (!in->known)
		return;
	if (sb->ro_compat & ~DM_CHAIN_KNOWN_RO_COMPAT)
		remark(in, "it has features that allow reading only: 0x%x",
		       sb->ro_compat & ~DM_CHAIN_KNOWN_RO_COMPAT);
	if (!inspect_clean(in))
		remark(in, "it was not closed");
	dm_chain_geometry_init(&layer->geo, sb->block_size, sb->max_size, &why);
	if (layer->geo.end > layer->meta.size) {
		f = finding(in, "%s has %llu bytes, but the metadata of its layer takes %llu",
			    layer->meta.path, layer->meta.size, layer->geo.end);
		advise(f,
		       "the device was shrunk, or it is the wrong one: it needs the device as it was");
	} else {
		inspect_map(in);
	}
	inspect_data(in);
	inspect_chain(in);
	inspect_job(in);
}

void inspect_close(struct inspection *in)
{
	forget(in);
	layer_close(&in->layer);
}
