/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: the ranges that a job could not copy, and why. Pure: no locks, no
 * allocation; the memory is a part of the job, and so it has an end.
 */
#ifndef DM_CHAIN_FAULT_H
#define DM_CHAIN_FAULT_H

#include <linux/types.h>

#include "dm-chain-format.h"

#define DM_CHAIN_FAULTS	128

/**
 * struct dm_chain_fault_range - one range that failed
 * @offset: bytes
 * @length: bytes, not 0
 * @error: a positive errno
 * @layer: the layer that was read, or the top if it was written
 */
struct dm_chain_fault_range {
	u64 offset;
	u64 length;
	int error;
	char layer[DM_CHAIN_NAME_LEN];
};

/**
 * struct dm_chain_faults - what failed
 * @nr: ranges that there are
 * @lost: ranges that found no room; one that fails again counts again
 * @range: sorted by their offsets; no two of one layer and error touch. Those
 *	of another layer or error may overlap
 */
struct dm_chain_faults {
	unsigned int nr;
	u64 lost;
	struct dm_chain_fault_range range[DM_CHAIN_FAULTS];
};

/* Nothing failed. Zeroed memory is cleared, too. */
void dm_chain_faults_clear(struct dm_chain_faults *f);

/**
 * dm_chain_faults_add() - a range failed
 * @f: gets it
 * @layer: a valid name
 * @offset: bytes
 * @length: bytes; 0 adds nothing
 * @error: a positive errno
 *
 * What touches or overlaps a range of the same layer and error becomes one with
 * it; what is there already changes nothing. Of what does not fit, only the
 * number is kept.
 *
 * Context: any; the caller's lock, if others look.
 */
void dm_chain_faults_add(struct dm_chain_faults *f, const char *layer,
			 u64 offset, u64 length, int error);

#endif
