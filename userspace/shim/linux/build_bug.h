/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header. */
#ifndef SHIM_LINUX_BUILD_BUG_H
#define SHIM_LINUX_BUILD_BUG_H

/* The kernel's takes the message as an option, the one of assert.h does not. */
#include <assert.h>
#undef static_assert
#define static_assert(expr, ...)	__static_assert(expr, ##__VA_ARGS__, #expr)
#define __static_assert(expr, msg, ...)	_Static_assert(expr, msg)

#define BUILD_BUG_ON(cond)		_Static_assert(!(cond), #cond)

#endif
