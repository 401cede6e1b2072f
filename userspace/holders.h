/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what is built on a block device, as sysfs has it.
 */
#ifndef CHAINSETUP_HOLDERS_H
#define CHAINSETUP_HOLDERS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

/* @dir: NULL if there is none, or it cannot be read */
struct holders {
	DIR *dir;
};

/* @sysfs: the directory of the device */
void holders_open(struct holders *holders, const char *sysfs);
void holders_close(struct holders *holders);

/* Return: the kernel's name of another device built on it, or NULL: no more. */
const char *holders_next(struct holders *holders);

/* The name that device mapper has for @holder. Return: false if it is none of its. */
bool holder_dm_name(const char *holder, char *name, size_t size);

#endif
