/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what is wrong with a layer, and what can be done about it.
 *
 * The table of all that can be wrong is in Documentation/format.rst.
 */
#ifndef CHAINSETUP_INSPECT_H
#define CHAINSETUP_INSPECT_H

#include "json.h"
#include "rebuild.h"

/**
 * enum remedy - what chainsetup repair does about a finding
 * @REMEDY_NONE: nothing: it is not in this layer's metadata
 * @REMEDY_WRITE: it writes a slot, whose content is known
 * @REMEDY_FIELDS: it writes the superblock without what the format lets a
 *	reader ignore
 * @REMEDY_JOB: it cancels the job
 * @REMEDY_STATES: it makes the blocks of a map page behind the end zero
 * @REMEDY_NAMES: it removes pages that cannot exist from a directory page
 * @REMEDY_SEQ: it writes both slots of a page with a low sequence number
 * @REMEDY_CHOICE: it needs to be told what to take
 */
enum remedy {
	REMEDY_NONE,
	REMEDY_WRITE,
	REMEDY_FIELDS,
	REMEDY_JOB,
	REMEDY_STATES,
	REMEDY_NAMES,
	REMEDY_SEQ,
	REMEDY_CHOICE,
};

/**
 * struct finding - one thing that is wrong
 * @next: as they were found
 * @note: nothing is: a power cut may leave it, or it was not looked at
 * @text: what it is
 * @remedy: what can be done
 * @advice: the same in words, NULL if there are none
 * @magic: of the page: DM_CHAIN_*_MAGIC; NULL if it is not about one
 * @index: of the page among its kind
 * @slot: of REMEDY_WRITE
 * @page: 4 KiB for that slot
 * @usable: the slots that a choice can be, a bit each
 */
struct finding {
	struct finding *next;
	bool note;
	char *text;
	enum remedy remedy;
	char *advice;
	const char *magic;
	u32 index;
	unsigned int slot;
	u8 *page;
	unsigned int usable;
};

/**
 * struct inspection - of one layer that nobody has open
 * @path: as the user named it
 * @layer: its metadata device; the superblock, if @known
 * @known: the superblock can be read, but for what can be ignored in it
 * @unfinished: it seems that "chainsetup uuid" was interrupted
 * @findings: all of them, notes too
 * @last: where the next one goes
 * @nr: findings that are no notes
 * @array: gets an object for each line that would be printed; NULL = print
 */
struct inspection {
	const char *path;
	struct layer layer;
	bool known;
	bool unfinished;
	struct finding *findings;
	struct finding **last;
	unsigned int nr;
	struct json_object *array;
};

/**
 * inspect_open() - open a layer's metadata device
 * @flags: DEVICE_*
 *
 * Return: 0; -ENODATA if no slot looks like a superblock; or as device_open().
 */
int inspect_open(struct inspection *in, const char *path, unsigned int flags,
		 struct dm_chain_why *why);

/* Look at everything, and replace the findings of the last time. */
void inspect(struct inspection *in);
void inspect_close(struct inspection *in);

static inline bool inspect_clean(const struct inspection *in)
{
	return in->layer.sb.flags & DM_CHAIN_F_CLEAN;
}

/* Print all that was found; with what can be done about it if @advice. */
void inspect_print(const struct inspection *in, bool advice);
void finding_print(const struct inspection *in, const struct finding *f,
		   bool advice);

/* Print a line that is no finding. */
__printf(2, 3) void inspect_say(const struct inspection *in, const char *fmt,
				...);

/* ------------------------------------------ for the parts of an inspection */

__printf(2, 3) struct finding *finding(struct inspection *in, const char *fmt,
				       ...);
__printf(2, 3) void remark(struct inspection *in, const char *fmt, ...);
__printf(2, 3) void advise(struct finding *f, const char *fmt, ...);

/* @page for slot @slot of the page that @f is about. */
void finding_write(struct finding *f, const char *magic, u32 index,
		   unsigned int slot, const void *page);

/* A page with a sequence number from which on there are not enough left. */
void finding_seq(struct inspection *in, const char *magic, u32 index, u64 seq);

/* "map" or "directory" */
const char *page_name(const char *magic);

/**
 * struct slots - the two slots of a page as they were read
 * @page: what they hold; zeros if they cannot be read
 * @kind: not valid if they cannot be read
 * @unreadable: they cannot
 * @rebuilt: how a bad one was rebuilt; @whole has what it held
 * @usable: it is good and what belongs there, or was rebuilt to be that
 * @why: why one cannot be read, or is good and does not belong there
 */
struct slots {
	u8 page[2][DM_CHAIN_PAGE_SIZE];
	enum dm_chain_slot_kind kind[2];
	bool unreadable[2];
	enum rebuilt rebuilt[2];
	u8 whole[2][DM_CHAIN_PAGE_SIZE];
	bool usable[2];
	struct dm_chain_why why[2];
};

/* Where a slot lies on the metadata device; @magic may be the superblock's. */
u64 slot_offset(const struct layer *layer, const char *magic, u32 index,
		unsigned int slot);

/* Read both slots of a page; rebuild those that are bad. */
void slots_read(const struct layer *layer, const char *magic, u32 index,
		struct slots *slots);

/* Good, as it lies there? */
static inline bool slot_good(const struct slots *slots, unsigned int slot)
{
	return !slots->unreadable[slot] &&
	       slots->kind[slot] == DM_CHAIN_SLOT_GOOD;
}

void inspect_super(struct inspection *in);	/* inspect-super.c */
void inspect_map(struct inspection *in);	/* inspect-map.c */
void inspect_chain(struct inspection *in);	/* inspect-chain.c */

#endif
