/* SPDX-License-Identifier: GPL-2.0 */
/* The fuzzers' stand-in for the kernel's header: fast, see crc32c.c. */
#ifndef SHIM_LINUX_CRC32C_H
#define SHIM_LINUX_CRC32C_H

#include <linux/types.h>

u32 crc32c(u32 crc, const void *address, unsigned int length);

#endif
