// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: how far the active layer can grow.
 */
#include <errno.h>
#include <linux/minmax.h>

#include "resize.h"

int resize_choose(const struct resize *resize, u64 *size,
		  struct dm_chain_why *why)
{
	u64 behind = resize->data_size - min(resize->data_size,
					     resize->data_offset);
	u64 most = min(resize->max_size, behind) & ~511ULL;
	char a[32], b[32];

	/* A device that was made smaller is no reason to grow backwards. */
	*size = resize->wanted ?: max(most, resize->now);
	if (*size < resize->now)
		return dm_chain_refuse(why, -EINVAL,
				       "layer %s has %llu bytes (%s): it can grow, but not shrink to %llu",
				       resize->layer, resize->now,
				       human_size(resize->now, a), *size);
	if (*size == resize->now)
		return 0;
	if (*size > resize->max_size)
		return dm_chain_refuse(why, -ERANGE,
				       "layer %s was formatted for at most %llu bytes (%s), not %llu: take a snapshot onto a layer with a larger --max-size, and stream it",
				       resize->layer, resize->max_size,
				       human_size(resize->max_size, a), *size);
	if (*size > behind)
		return dm_chain_refuse(why, -ENOSPC,
				       "%.160s has %s for the data of layer %s, not %s: enlarge it first",
				       resize->device, human_size(behind, a),
				       resize->layer, human_size(*size, b));
	return 0;
}
