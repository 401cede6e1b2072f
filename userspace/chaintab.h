/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: /etc/chaintab, which says what chains a system opens at boot. Shared
 * by chainsetup, the systemd generator and their tests; touches no device.
 */
#ifndef CHAINSETUP_CHAINTAB_H
#define CHAINSETUP_CHAINTAB_H

#include "chainsetup.h"

#define CHAINTAB_PATH		"/etc/chaintab"
#define CHAINTAB_DEVICE_LEN	512
#define CHAINTAB_TIMEOUT	90		/* seconds, systemd's default for devices */

/**
 * struct chaintab_entry - a line of the file
 * @line: its number
 * @name: of the dm device, dm_chain_name_valid()
 * @device: of the active layer: a path below /dev, without "//", "." and "..",
 *	or UUID=...
 * @uuid: of the active layer; null if @device is a path
 * @read_only: nothing is written
 * @jobs_paused: recorded jobs are not resumed
 * @rollback: the active layer may have an overlay
 * @noauto: not opened at boot
 * @nofail: boot goes on without it
 * @netdev: the layers are on the network
 * @initrd: needed by the initramfs, and never closed
 * @timeout: how long to wait for the layers, seconds; UINT_MAX = for
 *	ever
 */
struct chaintab_entry {
	unsigned int line;
	char name[DM_CHAIN_NAME_LEN];
	char device[CHAINTAB_DEVICE_LEN];
	u8 uuid[DM_CHAIN_UUID_LEN];
	bool read_only;
	bool jobs_paused;
	bool rollback;
	bool noauto;
	bool nofail;
	bool netdev;
	bool initrd;
	unsigned int timeout;
};

/**
 * struct chaintab - what is right in a file
 * @nr: entries
 * @entry: in the file's order, names are unique
 */
struct chaintab {
	unsigned int nr;
	struct chaintab_entry *entry;
};

/**
 * typedef chaintab_bad_fn - is told of a line that is refused
 * @data: of the caller
 * @line: its number
 * @why: the reason
 */
typedef void (*chaintab_bad_fn)(void *data, unsigned int line,
				const struct dm_chain_why *why);

/**
 * chaintab_parse() - take apart a file
 * @tab: chaintab_free() it
 * @text: all of the file
 * @len: bytes
 * @bad: called for each line that is wrong; the others count nevertheless
 * @data: for @bad
 *
 * Return: the number of lines that were refused.
 */
unsigned int chaintab_parse(struct chaintab *tab, const char *text, size_t len,
			    chaintab_bad_fn bad, void *data);

/**
 * chaintab_read() - chaintab_parse() of the file @path
 *
 * A file that does not exist is an empty one. Return: the number of lines that were
 * refused, or a negative errno.
 */
int chaintab_read(struct chaintab *tab, const char *path, chaintab_bad_fn bad,
		  void *data, struct dm_chain_why *why);
void chaintab_free(struct chaintab *tab);

/* NULL if there is none. */
const struct chaintab_entry *chaintab_find(const struct chaintab *tab,
					   const char *name);

/* "UUID=..." of a layer? */
bool chaintab_uuid(const char *device, u8 *uuid);

/**
 * unit_escape() - part of a unit's name, as systemd writes it
 * @text: a name, or a path that begins with '/' and is normalized
 * @path: the first '/' falls away
 *
 * Return: free() it.
 */
char *unit_escape(const char *text, bool path);

#endif
