/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header. */
#ifndef SHIM_LINUX_CACHE_H
#define SHIM_LINUX_CACHE_H

#define ____cacheline_aligned_in_smp

#endif
