/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space stand-in for the kernel's header. glibc's errno.h includes this
 * one, so it adds nothing to the exported one.
 */
#ifndef SHIM_LINUX_ERRNO_H
#define SHIM_LINUX_ERRNO_H

#include_next <linux/errno.h>

#endif
