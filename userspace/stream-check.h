/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: would the target refuse a stream?
 */
#ifndef CHAINSETUP_STREAM_CHECK_H
#define CHAINSETUP_STREAM_CHECK_H

#include "reply.h"

/**
 * struct stream_scope - a stream, in words of which "estimate" has found the layers
 * @top: NULL = the active layer
 * @base: NULL = none given
 * @bottom: NULL = none given
 * @id: of the job
 */
struct stream_scope {
	const char *top;
	const char *base;
	const char *bottom;
	const char *id;
};

/**
 * stream_check() - refuse what the target would refuse, in its order
 * @layers: answer to "layers"
 * @jobs: answer to "jobs"
 *
 * Only the attempt shows whether there is memory for the job, whether the top's
 * superblock can be written, and whether another device has left a job there.
 * Return: 0, -EEXIST, -EROFS or -EBUSY.
 */
int stream_check(const struct stream_scope *scope, const struct reply *layers,
		 const struct reply *jobs, struct dm_chain_why *why);

#endif
