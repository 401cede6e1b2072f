/* SPDX-License-Identifier: GPL-2.0 */
/* Leave the disks of a cut to somebody else, with what a reader finds there. */
#ifndef POWERCUT_SAVE_H
#define POWERCUT_SAVE_H

#include "cut.h"
#include "layers.h"
#include "model.h"

/**
 * save_cut() - write the disks of a cut to files
 * @dir: made here
 * @model: the scenario
 * @disks: as the cut left them
 * @layer: the layers, @n of them, base first; those present go into the line
 * @n: how many
 * @chain: what they were found to be
 *
 * Files in @dir: a sparse one for each device, by its name; "view", the
 * sectors of the windows one after the other; "layers", lines "NAME DATA META";
 * "windows", lines "OFFSET LENGTH" in bytes; "size", bytes of the view.
 */
void save_cut(const char *dir, const struct model *model,
	      const struct disks *disks, const struct layer *layer,
	      unsigned int n, const struct chain *chain);

#endif
