/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: no signal in the middle of what must not be left half done.
 */
#ifndef CHAINSETUP_HOLD_SIGNALS_H
#define CHAINSETUP_HOLD_SIGNALS_H

#include <signal.h>

#include "chainsetup.h"

/* From now on signals wait. @old: for the other two */
void hold_signals(sigset_t *old);

/**
 * held_signals() - is the program to end?
 *
 * Asked where what was begun can still be taken back: SIGHUP, SIGINT, SIGQUIT and
 * SIGTERM count, unless they were blocked before or are ignored.
 * Return: 0 or -EINTR.
 */
int held_signals(const sigset_t *old, struct dm_chain_why *why);

/* Those that waited come now: it may not return. */
void release_signals(const sigset_t *old);

#endif
