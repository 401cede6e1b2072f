// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what is wrong with the superblock of a layer.
 */
#include <errno.h>
#include <linux/bitops.h>
#include <linux/string.h>

#include "inspect.h"

static const char *slot_said(const struct slots *slots, unsigned int slot)
{
	if (slots->unreadable[slot])
		return "cannot be read";
	switch (slots->kind[slot]) {
	case DM_CHAIN_SLOT_ZERO:
		return "was never written, or was wiped";
	case DM_CHAIN_SLOT_FOREIGN:
		return "was overwritten with something else";
	default:
		return "has a wrong checksum";
	}
}

static void advise_rebuilt(struct finding *f, const struct slots *slots)
{
	unsigned int slot = f->slot;

	if (slots->rebuilt[slot] == REBUILT_BIT)
		advise(f,
		       "slot %c is written again with one bit inverted: then its checksum is right",
		       'A' + slot);
	else
		advise(f, "slot %c is written again as it was: its checksum proves what that is",
		       'A' + slot);
}

/* @slot counts; the other one does not, and is written again. */
static void copy_over(struct finding *f, const struct slots *slots,
		      unsigned int slot)
{
	finding_write(f, DM_CHAIN_SB_MAGIC, 0, !slot, slots->page[slot]);
	advise(f, "slot %c, which counts, is written to slot %c as well",
	       'A' + slot, 'A' + !slot);
}

static struct finding *choice(struct finding *f, unsigned int usable)
{
	f->remedy = REMEDY_CHOICE;
	f->magic = DM_CHAIN_SB_MAGIC;
	f->usable = usable;
	return f;
}

/*
 * What a power cut leaves of a write has more than a single wrong bit. Nothing
 * says which write it was: also the first one after the layer was closed may be
 * torn, so that a clean layer has such a slot. The next activation writes it
 * first.
 */
static bool slot_torn(const struct slots *slots, unsigned int slot)
{
	return !slots->unreadable[slot] &&
	       slots->kind[slot] == DM_CHAIN_SLOT_TORN &&
	       slots->rebuilt[slot] != REBUILT_BIT;
}

/* Formatting writes the same to both slots, B after A, with a first number. */
#define FORMAT_SEQ	2

static bool half_formatted(const struct inspection *in,
			   const struct slots *slots, unsigned int slot)
{
	static const u8 none[512];
	const u8 *page = slots->page[slot], *other = slots->page[!slot];
	unsigned int at;

	if (slot != 1 || slots->unreadable[1] || in->layer.sb.seq > FORMAT_SEQ)
		return false;
	for (at = 0; at < DM_CHAIN_PAGE_SIZE; at += sizeof(none))
		if (memcmp(page + at, none, sizeof(none)) &&
		    memcmp(page + at, other + at, sizeof(none)))
			return false;
	return true;
}

/* Do the directory's pages belong to the layer? */
static bool directory_of(const struct inspection *in, const struct dm_chain_sb *sb)
{
	static struct slots dir;
	struct layer layer = { .meta = in->layer.meta, .sb = *sb };

	if (dm_chain_geometry_init(&layer.geo, sb->block_size, sb->max_size,
				   NULL))
		return false;
	slots_read(&layer, DM_CHAIN_DIR_MAGIC, 0, &dir);
	return dir.usable[0] || dir.usable[1];
}

/*
 * A slot that was rebuilt may be what is left of another layer's: then it does not
 * come back beside the good one, least of all as the newer one.
 */
static bool rebuilt_is_ours(const struct inspection *in,
			    const struct slots *slots, unsigned int slot)
{
	struct dm_chain_sb sb, other;

	if (!slots->usable[slot])
		return false;
	dm_chain_sb_decode(slots->whole[slot], &sb, NULL);
	dm_chain_sb_decode(slots->page[!slot], &other, NULL);
	return dm_chain_uuid_equal(sb.uuid, other.uuid) ||
	       directory_of(in, &sb);
}

/* A slot that is not good; the other one may be. */
static void inspect_bad(struct inspection *in, const struct slots *slots,
			unsigned int slot)
{
	bool other = slot_good(slots, !slot);
	struct finding *f;

	if (other && half_formatted(in, slots, slot)) {
		remark(in,
		       "superblock slot B is not complete: it was being formatted");
		return;
	}
	if (other && slot_torn(slots, slot)) {
		remark(in, "superblock slot %c was torn by a power cut",
		       'A' + slot);
		return;
	}
	f = finding(in, "superblock slot %c %s", 'A' + slot,
		    slot_said(slots, slot));
	if (other ? rebuilt_is_ours(in, slots, slot) : slots->usable[slot]) {
		finding_write(f, DM_CHAIN_SB_MAGIC, 0, slot,
			      slots->whole[slot]);
		advise_rebuilt(f, slots);
	} else if (other && slots->unreadable[slot]) {
		choice(f, 1 << !slot);
		advise(f,
		       "not repaired: it may be the newer one; --choose super=%c takes slot %c and writes slot %c again",
		       'A' + !slot, 'A' + !slot, 'A' + slot);
	} else if (other) {
		copy_over(f, slots, !slot);
	}
}

/* No slot is good. One that was rebuilt may be the older one. */
static void inspect_none(struct inspection *in, const struct slots *slots)
{
	unsigned int slot, usable = slots->usable[0] | slots->usable[1] << 1;
	struct finding *f;

	if (slots->unreadable[0] || slots->unreadable[1])
		f = finding(in, "superblock: damaged: %s",
			    slots->why[!slots->unreadable[0]].text);
	else
		f = finding(in, "superblock: damaged: slot A holds %s, slot B %s",
			    dm_chain_slot_text(slots->kind[0]),
			    dm_chain_slot_text(slots->kind[1]));
	if (!usable) {
		advise(f, "not repaired: nothing on the device says what the layer was");
	} else if (usable != 3) {
		choice(f, usable);
		advise(f,
		       "not repaired: only slot %c could be rebuilt, and it may be the older one; --choose super=%c takes it",
		       'A' + !(usable & 1), 'A' + !(usable & 1));
	}
	for (slot = 0; slot < 2 && usable == 3; slot++) {
		f = finding(in, "superblock slot %c %s", 'A' + slot,
			    slot_said(slots, slot));
		finding_write(f, DM_CHAIN_SB_MAGIC, 0, slot, slots->whole[slot]);
		advise_rebuilt(f, slots);
	}
}

#define NR_PARTS	4

static void drop_part(struct dm_chain_sb *sb, unsigned int part)
{
	switch (part) {
	case 0:
		memset(&sb->job, 0, sizeof(sb->job));
		break;
	case 1:
		memset(&sb->result, 0, sizeof(sb->result));
		break;
	case 2:
		memset(sb->backing.path, 0, sizeof(sb->backing.path));
		break;
	default:
		memset(sb->data_path, 0, sizeof(sb->data_path));
	}
}

/*
 * What the format lets a reader ignore: the records of jobs, without which the
 * chain is complete, and paths, which are hints. Drop as few of them as will do.
 * Return: what was dropped, a bit each; 0 if all are not enough.
 */
static unsigned int salvage(struct dm_chain_sb *sb)
{
	unsigned int best = 0, set, part;
	struct dm_chain_sb try;

	for (set = 1; set < 1 << NR_PARTS; set++) {
		try = *sb;
		for (part = 0; part < NR_PARTS; part++)
			if (set & 1 << part)
				drop_part(&try, part);
		if (!dm_chain_sb_check(&try, NULL) &&
		    (!best || hweight64(set) < hweight64(best)))
			best = set;
	}
	for (part = 0; part < NR_PARTS; part++)
		if (best & 1 << part)
			drop_part(sb, part);
	return best;
}

/* The slot that counts has a right checksum and breaks a rule. */
static void inspect_rule(struct inspection *in, const struct slots *slots,
			 unsigned int slot, const struct dm_chain_why *why)
{
	static const char * const parts[NR_PARTS] = {
		"the record of the unfinished job, which can be started again",
		"the record of the last job",
		"the path hint of the backing",
		"the path hint of the data device",
	};
	unsigned int dropped = salvage(&in->layer.sb), part;
	struct finding *f = finding(in, "%s", why->text);
	char text[256] = "";

	if (dropped) {
		for (part = 0; part < NR_PARTS; part++)
			if (dropped & 1 << part)
				snprintf(text + strlen(text),
					 sizeof(text) - strlen(text), "%s%s",
					 *text ? "; " : "", parts[part]);
		f->remedy = REMEDY_FIELDS;
		advise(f, "it is written without %s", text);
		in->known = true;
	} else if (slot_good(slots, !slot) && slots->usable[!slot]) {
		choice(f, 1 << !slot);
		advise(f,
		       "not repaired; slot %c, the one before, is in order: --choose super=%c goes back to it, and to what it says of sizes, backing and jobs",
		       'A' + !slot, 'A' + !slot);
	} else {
		advise(f, "not repaired: no slot is in order");
	}
}

/* The slots are those of two layers. */
static void inspect_two_layers(struct inspection *in,
			       const struct slots *slots, unsigned int slot,
			       const struct dm_chain_sb *old)
{
	const struct dm_chain_sb *sb = &in->layer.sb;
	struct finding *f;

	if (sb->flags & DM_CHAIN_F_NEEDS_CHECK && !inspect_clean(in)) {
		f = finding(in, "superblock slot %c belongs to another layer, %s",
			    'A' + !slot, old->name);
		in->unfinished = true;
		advise(f, "\"chainsetup uuid\" was interrupted: repeat it");
	} else if (!directory_of(in, sb) && directory_of(in, old)) {
		f = finding(in,
			    "superblock slot %c, the newer one, belongs to another layer than the directory, %s",
			    'A' + slot, sb->name);
		choice(f, 1 << !slot);
		advise(f,
		       "not repaired; slot %c belongs to the layer %s, as the directory does: --choose super=%c takes it",
		       'A' + !slot, old->name, 'A' + !slot);
		in->known = false;
	} else {
		f = finding(in, "superblock slot %c belongs to another layer, %s",
			    'A' + !slot, old->name);
		copy_over(f, slots, slot);
	}
}

/* Both slots are good, and @slot counts. */
static void inspect_other(struct inspection *in, const struct slots *slots,
			  unsigned int slot)
{
	const struct dm_chain_sb *sb = &in->layer.sb;
	struct finding *f = NULL;
	struct dm_chain_sb old;

	if (!slots->usable[!slot]) {
		f = finding(in, "superblock slot %c: %s", 'A' + !slot,
			    slots->why[!slot].text);
		copy_over(f, slots, slot);
		return;
	}
	dm_chain_sb_decode(slots->page[!slot], &old, NULL);
	if (!dm_chain_uuid_equal(old.uuid, sb->uuid)) {
		inspect_two_layers(in, slots, slot, &old);
	} else if (old.seq == sb->seq) {
		if (!memcmp(slots->page[0], slots->page[1], DM_CHAIN_PAGE_SIZE))
			return;
		f = finding(in,
			    "superblock: both slots have the sequence number %llu, but they differ",
			    sb->seq);
		choice(f, 3);
		advise(f,
		       "not repaired: which one is right is not known, slot A is taken meanwhile; --choose super=A or super=B settles it");
	} else if (old.block_size != sb->block_size ||
		   old.max_size != sb->max_size ||
		   old.data_offset != sb->data_offset) {
		f = finding(in, "superblock slot %c, the older one, has another geometry",
			    'A' + !slot);
		copy_over(f, slots, slot);
	} else if (old.generation > sb->generation) {
		f = finding(in,
			    "superblock slot %c, the older one, has generation %llu, above %llu",
			    'A' + !slot, old.generation, sb->generation);
		copy_over(f, slots, slot);
	}
}

void inspect_super(struct inspection *in)
{
	struct dm_chain_sb *sb = &in->layer.sb;
	struct dm_chain_why why = { "" };
	unsigned int slot;
	struct slots s;
	int ret;

	slots_read(&in->layer, DM_CHAIN_SB_MAGIC, 0, &s);
	if (!slot_good(&s, 0) && !slot_good(&s, 1)) {
		inspect_none(in, &s);
		return;
	}
	if (slot_good(&s, 0) && slot_good(&s, 1))
		slot = dm_chain_page_seq(s.page[1]) > dm_chain_page_seq(s.page[0]);
	else
		slot = slot_good(&s, 1);
	in->layer.slot = slot;
	memset(sb, 0, sizeof(*sb));
	ret = dm_chain_sb_decode(s.page[slot], sb, &why);
	if (ret == -EOPNOTSUPP) {
		advise(finding(in, "%s", why.text),
		       "not repaired: only a version that knows it can");
		return;
	}
	in->known = !ret;
	/* Nothing else can be written before it is lower. */
	finding_seq(in, DM_CHAIN_SB_MAGIC, 0, sb->seq);
	if (ret)
		inspect_rule(in, &s, slot, &why);
	if (!in->known)
		return;
	if (slot_good(&s, !slot))
		inspect_other(in, &s, slot);
	else
		inspect_bad(in, &s, !slot);
}
