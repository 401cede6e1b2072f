/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header: a warning ends the program. */
#ifndef SHIM_LINUX_BUG_H
#define SHIM_LINUX_BUG_H

#include <stdio.h>
#include <stdlib.h>
#include <linux/build_bug.h>

#define WARN_ON(cond) \
	({ \
		if (cond) { \
			fprintf(stderr, "%s:%d: WARN_ON(%s)\n", __FILE__, \
				__LINE__, #cond); \
			abort(); \
		} \
		0; \
	})
#define WARN_ON_ONCE(cond)	WARN_ON(cond)

#endif
