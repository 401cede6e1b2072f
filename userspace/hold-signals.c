// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: no signal in the middle, see hold-signals.h.
 */
#include <errno.h>
#include <string.h>
#include <linux/kernel.h>

#include "hold-signals.h"

void hold_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, old);
}

int held_signals(const sigset_t *old, struct dm_chain_why *why)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action;
	sigset_t pending;
	unsigned int i;

	if (sigpending(&pending))
		return 0;
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		if (!sigismember(&pending, ends[i]) || sigismember(old, ends[i]))
			continue;
		/* What is blocked pends even if it is ignored. */
		if (!sigaction(ends[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			return dm_chain_refuse(why, -EINTR, "%s", strsignal(ends[i]));
	}
	return 0;
}

void release_signals(const sigset_t *old)
{
	sigprocmask(SIG_SETMASK, old, NULL);
}
