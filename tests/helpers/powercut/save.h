/* SPDX-License-Identifier: GPL-2.0 */
/* Leave the disks of a cut to somebody else, with what a reader finds there. */
#ifndef POWERCUT_SAVE_H
#define POWERCUT_SAVE_H

#include "cut.h"
#include "jobs.h"
#include "layers.h"
#include "model.h"

#define SAVER_KINDS	32

/**
 * struct cut_found - what a reader finds on the disks of a cut
 * @layer: the layers, base first
 * @layers: how many
 * @chain: those that make up the chain
 * @state: of each job of the model
 */
struct cut_found {
	const struct layer *layer;
	unsigned int layers;
	const struct chain *chain;
	const enum job_state *state;
};

/**
 * struct saver - picks cuts of a scenario
 * @dir: where they go, NULL for nowhere
 * @cuts: how many of each kind
 * @seed: for which
 * @first: number of the first one in the names
 * @kind: what sets of states the live jobs were found in, and how often
 * @kinds: how many
 *
 * Each cut of a kind is as likely to be the one that is left as any other, so
 * there is one of each kind that was offered.
 */
struct saver {
	const char *dir;
	unsigned int cuts;
	u64 seed;
	unsigned int first;
	struct {
		char name[64];
		unsigned long seen;
	} kind[SAVER_KINDS];
	unsigned int kinds;
};

/* Before the first cut of a scenario. */
void saver_begin(struct saver *saver, u64 seed, unsigned int first);

/**
 * saver_offer() - one more cut; it may take the place of another
 * @saver: the saver
 * @model: the scenario
 * @disks: as the cut left them
 * @found: what is there
 * @what: a line that says where the cut was
 *
 * A cut is a directory in @saver->dir. Files there: a sparse one for each
 * device, by its name; "view", the sectors of the windows one after the other;
 * "layers", lines "NAME DATA META" of the layers with a superblock and the raw
 * ones; "windows", lines "OFFSET LENGTH" in bytes; "size", bytes of the view;
 * "jobs", lines "ID STATE TOP LAYER..." of the live jobs with the layers that
 * leave at their end; "cut", @what.
 */
void saver_offer(struct saver *saver, const struct model *model,
		 const struct disks *disks, const struct cut_found *found,
		 const char *what);

#endif
