/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup-generator: the units.
 */
#ifndef CHAINSETUP_UNITS_H
#define CHAINSETUP_UNITS_H

#include "chaintab.h"

/**
 * write_units() - the service of an entry, and links to it
 * @dir: where systemd looks for them
 * @source: path of the file with the entry
 */
int write_units(const char *dir, const char *source, const struct chaintab_entry *entry,
		struct dm_chain_why *why);

/* Make boot start chainsetup.target. */
int hook_target(const char *dir, struct dm_chain_why *why);

#endif
