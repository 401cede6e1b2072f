# SPDX-License-Identifier: GPL-2.0
# What stands in a kernel tree for what compat.h has, which is not there. dm.h is
# device mapper's own.
s|#include "compat\.h"|#include "../dm.h"|
s|dm_chain_set_max_discard(limits, \(.*\));|limits->max_hw_discard_sectors = \1;|
s|dm_chain_counts_io(\([a-z]*\))|blk_queue_io_stat(bdev_get_queue(\1))|
