// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: one block device over a chain of layers, and jobs that shorten it.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("device-mapper chain target");
MODULE_AUTHOR("The dm-chain developers");
MODULE_LICENSE("GPL");
