/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what the target says in the kernel's log.
 *
 * The reason of a refusal that the constructor or preresume gave is there only.
 */
#ifndef CHAINSETUP_KERNEL_LOG_H
#define CHAINSETUP_KERNEL_LOG_H

#include "chainsetup.h"

/* What the log says from now on is to be read. Return: a file, or -1 if it cannot be. */
int kernel_log_mark(void);

/**
 * kernel_log_reason() - what the target has said since
 * @fd: of kernel_log_mark(), closed
 * @why: left as it is if that was nothing
 */
void kernel_log_reason(int fd, struct dm_chain_why *why);

/* Nothing is to be read. */
void kernel_log_forget(int fd);

/**
 * kernel_log_record() - the words of one record of /dev/kmsg
 * @record: changed; the words are in it, as they were before the kernel put \xNN
 *	for what is no ASCII
 * @own: gets whether the target said it by itself, not device mapper about it
 *
 * Return: NULL if it is not about the target.
 */
char *kernel_log_record(char *record, bool *own);

#endif
