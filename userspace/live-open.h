/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: opening a chain.
 */
#ifndef CHAINSETUP_LIVE_OPEN_H
#define CHAINSETUP_LIVE_OPEN_H

#include "chainsetup.h"

struct json_object;

/**
 * struct open_options - what the user wants
 * @name: of the new device
 * @path: device with the superblock of the active layer, or UUID=...
 * @read_only: nothing is written
 * @jobs_paused: recorded jobs are not resumed
 * @rollback: the active layer may have an overlay
 * @dry_run: change nothing, say what would be done
 * @json: print an object
 * @array: or add it there
 * @hints: where layers are
 * @nr_hints: how many
 * @wait: how long devices may take to come, seconds; 0 = they are there,
 *	UINT_MAX = for ever
 */
struct open_options {
	const char *name;
	const char *path;
	bool read_only;
	bool jobs_paused;
	bool rollback;
	bool dry_run;
	bool json;
	struct json_object *array;
	struct layer_hint hints[DM_CHAIN_MAX_LAYERS];
	unsigned int nr_hints;
	unsigned int wait;
};

/**
 * open_chain_device() - find a chain's layers and make the device
 *
 * Prints what there is to say about recorded jobs.
 */
int open_chain_device(const struct open_options *options, struct dm_chain_why *why);

#endif
