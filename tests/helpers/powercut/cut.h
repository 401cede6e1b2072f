/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disks at a point of the log: what is sure to be on the medium, and the
 * requests that may have reached it or not.
 */
#ifndef POWERCUT_CUT_H
#define POWERCUT_CUT_H

#include <stdbool.h>

#include "image.h"
#include "log.h"

/**
 * struct pending - a request that may or may not have reached the medium
 * @next: the next one that was sent
 * @entry: position of its submission
 * @done: it was answered
 * @dead: sectors over which a later request is known to lie, a byte each;
 *	NULL if there are none
 */
struct pending {
	struct pending *next;
	long entry;
	bool done;
	bool *dead;
};

struct undo {
	unsigned int device;
	u64 sector;
	u8 data[512];
};

/**
 * struct disks - all disks of a log at one position
 * @log: the log
 * @image: what is sure to be on each
 * @pending: requests that are not, oldest first
 * @last: where the next one goes
 * @undo: what cut_make() replaced
 * @undos: how many
 * @room: for how many there is memory
 * @order: what cut_make() puts pending requests in order in
 * @orders: for how many there is memory
 */
struct disks {
	const struct log *log;
	struct image *image;
	struct pending *pending;
	struct pending **last;
	struct undo *undo;
	unsigned long undos;
	unsigned long room;
	const struct pending **order;
	unsigned long orders;
};

void disks_init(struct disks *disks, const struct log *log);
void disks_free(struct disks *disks);

/* Take in the record at @pos; positions come in order. */
void disks_advance(struct disks *disks, long pos);

/*
 * Does the request submitted at @pos, not yet taken in, change a sector that
 * another one, not answered yet, changes too? Which of them wins is up to the
 * disk. Return: the position of the other one, -1 if there is none.
 */
long disks_race(const struct disks *disks, long pos);

/**
 * enum cut_keep - which of the pending requests reached the medium
 * @KEEP_NONE: none
 * @KEEP_ALL: all, in order: the power stayed on
 * @KEEP_META: those of metadata
 * @KEEP_DATA: the others
 * @KEEP_NEWEST: the last one only
 * @KEEP_TORN: half of each of those of metadata
 * @KEEP_RANDOM: some, in any order that is possible; some only in part, each
 *	sector for itself
 */
enum cut_keep {
	KEEP_NONE,
	KEEP_ALL,
	KEEP_META,
	KEEP_DATA,
	KEEP_NEWEST,
	KEEP_TORN,
	KEEP_RANDOM,
	NR_KEEP
};

/* A number that looks like chance, the same for the same @seed. */
u64 cut_chance(u64 seed);

const char *cut_keep_name(enum cut_keep keep);

/**
 * struct region - what part a device plays in the scenario
 * @used: any
 * @meta_end: bytes of metadata at its start
 */
struct region {
	bool used;
	u64 meta_end;
};

/**
 * cut_make() - cut the power
 * @disks: the disks; their images hold afterwards what a reader finds
 * @region: of each device
 * @keep: which requests reached the medium
 * @seed: for KEEP_RANDOM
 *
 * Undone by cut_undo() before anything else is done with @disks.
 */
void cut_make(struct disks *disks, const struct region *region,
	      enum cut_keep keep, u64 seed);
void cut_undo(struct disks *disks);

#endif
