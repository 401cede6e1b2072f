/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: what makes an old kernel look like a new one. The only place where
 * a kernel version is asked for; in a kernel tree this file is not needed.
 */
#ifndef DM_CHAIN_COMPAT_H
#define DM_CHAIN_COMPAT_H

#include <linux/blkdev.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE
#endif

/* Before 6.9 max_discard_sectors was a limit of its own. */
static inline void dm_chain_set_max_discard(struct queue_limits *limits, unsigned int sectors)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	limits->max_discard_sectors = sectors;
#endif
	limits->max_hw_discard_sectors = sectors;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/* Device mapper counted the I/O of its devices always, and set no flag for it. */
static inline bool dm_chain_counts_io(struct block_device *bdev)
{
	return true;
}
#else
static inline bool dm_chain_counts_io(struct block_device *bdev)
{
	return blk_queue_io_stat(bdev_get_queue(bdev));
}
#endif

#endif
