/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: why something was refused, in words that name the word, layer or
 * page at fault. The same text reaches the kernel log, the "error" message and
 * the tools.
 */
#ifndef DM_CHAIN_WHY_H
#define DM_CHAIN_WHY_H

#include <linux/kernel.h>

struct dm_chain_why {
	char text[384];
};

/* @why may be NULL; @err is handed through so that a refusal is one line. */
#define dm_chain_refuse(why, err, fmt, ...) \
	({ \
		struct dm_chain_why *__why = (why); \
		if (__why) \
			snprintf(__why->text, sizeof(__why->text), fmt, \
				 ##__VA_ARGS__); \
		(err); \
	})

#endif
